"""Lists and indices as Parquet: they say what the same list says as CSV."""

import json
import sys
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from zoopraxis.data.examine import Examined, is_index, read_index, write_index
from zoopraxis.data.samples import read_samples
from zoopraxis.data.write import write_samples
from zoopraxis.errors import DataError

CSV = """path,label,group,start,end,flow,x1,y1,x2,y2
a.mp4,run,g1,0,2.5,flow/a,0.25,0,1,1
b.mp4,walk,g2,1.5,,,,,,
https://a.example/c.mp4,run,g2,,,,,,,
"""


def write(file, /, **columns):
    pq.write_table(pa.table(columns), file)
    return file


def test_it_says_what_the_same_list_says_as_csv(tmp_path):
    (tmp_path / "list.csv").write_text(CSV)
    samples = read_samples(tmp_path / "list.csv", group="group")

    write_samples(tmp_path / "list.parquet", samples)

    again = read_samples(tmp_path / "list.parquet", group="group")
    assert again.labels == samples.labels
    assert [{**vars(s), "where": ""} for s in again] == [{**vars(s), "where": ""} for s in samples]
    assert again[1].where == f"{tmp_path}/list.parquet, row 2"
    assert pq.read_schema(tmp_path / "list.parquet").field("start").type == pa.float64()


@pytest.mark.parametrize(
    "cells",
    [
        ["run;jump", "walk"],
        [["run", "jump"], ["walk"]],
        pa.array([["run", "jump"], ["walk"]], pa.large_list(pa.large_string())),
        pa.chunked_array([[["run", "jump"]], [["walk"]]]),
    ],
)
def test_several_labels(tmp_path, cells):
    samples = read_samples(write(tmp_path / "l.parquet", path=["a.mp4", "b.mp4"], label=cells))
    assert samples.labels == ("jump", "run", "walk")
    assert [s.label for s in samples] == [(0, 1), (2,)]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([0, 1, 2], (0, 1, 2)),
        (pa.array([1, 2, 3], pa.uint8()), (0, 1, 2)),  # counted from 1, as in text
        (pa.array(["x", "z", "x"]).dictionary_encode(), (0, 1, 0)),
        (pa.array(["x", " z ", "x"], pa.large_string()), (0, 1, 0)),
        (pa.array(["x", "z", "x"], pa.string_view()), (0, 1, 0)),
        ([[3, 17], [0], [17]], ((1, 2), (0,), (2,))),
    ],
)
def test_types_of_labels(tmp_path, cells, expected):
    path = write(tmp_path / "l.parquet", file_name=["a.mp4", "b.mp4", "c.mp4"], Class=cells)
    names = ("0", "3", "17") if isinstance(expected[0], tuple) else None
    assert tuple(s.label for s in read_samples(path, labels=names)) == expected


def test_columns_without_a_name_and_groups_of_any_kind(tmp_path):
    columns = [["a.mp4", "b.mp4"], ["run", "walk"], [0, 1], [2, 3], [True, False]]
    table = pa.Table.from_arrays([*map(pa.array, columns)], ["path", "label", "", "", "own"])
    pq.write_table(table, tmp_path / "l.parquet")
    assert [s.group for s in read_samples(tmp_path / "l.parquet", group="own")] == ["true", "false"]


def test_of_two_names_for_the_path_the_other_may_hold_anything(tmp_path):
    row = {"path": "a.mp4", "label": "run", "video": {"bytes": "", "path": "b"}}
    (tmp_path / "l.json").write_text(json.dumps([row]))
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "l.parquet")
    for file in ("l.json", "l.parquet"):
        assert [s.name for s in read_samples(tmp_path / file)] == ["a.mp4"]


def test_labels_with_semicolons_in_their_names(tmp_path):
    (tmp_path / "l.json").write_text('[{"path": "a.mp4", "label": ["run; fast", "jump"]}]')
    samples = read_samples(tmp_path / "l.json")

    write_samples(tmp_path / "l.parquet", samples)

    again = read_samples(tmp_path / "l.parquet")
    assert (again.labels, again[0].label) == (("jump", "run; fast"), (0, 1))
    with pytest.raises(DataError, match="semicolons in their names: 'run; fast'") as caught:
        write_samples(tmp_path / "l.csv", samples)
    assert caught.value.hint.endswith("write it as .jsonl")


def test_times_are_seconds_and_other_columns_are_not_read(tmp_path):
    path = write(
        tmp_path / "l.parquet",
        path=["a.mp4", "b.mp4"],
        label=["run", "walk"],
        start=pa.array([0.125, None], pa.float32()),
        end=[Decimal("1.50"), Decimal("2.25")],
        image=[b"\xff\xd8", None],
        note=[{"by": "me"}, None],
    )
    samples = read_samples(path)
    assert [(s.start, s.end) for s in samples] == [(0.125, 1.5), (None, 2.25)]
    with pytest.raises(DataError, match="has no column 'camera'"):
        read_samples(path, group="camera")


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"path": ["a.mp4"]}, "no column for the label"),
        ({"sport": ["run"], "3": ["a.mp4"]}, "no column for the path: sport, 3"),
        ({"path": ["a.mp4"], "3": ["run"]}, "no column for the label"),
        ({"path": ["a.mp4"], "label": ["run"], "Path": ["b"]}, "two columns are called 'path'"),
        ({"path": ["a.mp4", None], "label": ["run", "run"]}, "row 2: the path is empty"),
        ({"path": ["a.mp4", "b.mp4"], "label": [3, None]}, "row 2: the label is empty"),
        ({"path": ["a.mp4", "b.mp4"], "label": [["x"], []]}, "row 2: the label is empty"),
        ({"path": ["a.mp4", "b.mp4"], "label": [["x"], None]}, "row 2: the label is empty"),
        ({"path": ["a.mp4"] * 3, "label": [None, ["x"], ["y", None]]}, "row 3: the labels are"),
        ({"path": ["a.mp4"], "label": [3.0]}, "the column 'label' has the type double"),
        ({"path": ["a.mp4"], "label": [[3.0]]}, "the column 'label' has the type list"),
        ({"path": [b"a.mp4"], "label": ["x"]}, "the column 'path' has the type binary"),
        ({"path": ["a.mp4"], "label": ["x"], "start": ["soon"]}, "row 1: start is 'soon'"),
        ({"path": ["a.mp4"], "label": ["x"], "start_frame": [3]}, "which part of a video counts"),
        ({"path": ["a"], "label": ["x"], "group": [[1]]}, "the column 'group' has the type list"),
        ({"path": [], "label": []}, "there are no videos in"),
    ],
)
def test_says_what_is_wrong_and_in_which_row(tmp_path, columns, problem):
    path = write(tmp_path / "l.parquet", **columns)
    with pytest.raises(DataError, match=problem) as caught:
        read_samples(path)
    assert str(path) in caught.value.problem
    assert caught.value.hint


def test_a_key_that_is_a_number_is_no_list_without_a_header(tmp_path):
    (tmp_path / "l.json").write_text('[{"path": "a.mp4", "3": "run"}]')
    with pytest.raises(DataError, match="entry 1: the header has no column for the label"):
        read_samples(tmp_path / "l.json")


def test_a_damaged_file_is_named(tmp_path):
    path = write(
        tmp_path / "l.parquet",
        path=[f"{n}.mp4" for n in range(2000)],
        label=["run", "walk"] * 1000,
    )
    whole = path.read_bytes()
    cut = (b"", b"path,label\na.mp4,run\n", whole[:-20], whole[:2000] + bytes(999) + whole[2999:])
    for content in cut:
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"l\.parquet cannot be read as Parquet"):
            read_samples(path)


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    path = write(tmp_path / "l.parquet", path=["a.mp4"], label=["run"])
    samples = read_samples(path)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)  # as if it were not installed
    for call in (
        lambda: read_samples(path),
        lambda: write_samples(tmp_path / "other.parquet", samples),
        lambda: is_index(path),
    ):
        with pytest.raises(DataError, match="pyarrow, which is not installed") as caught:
            call()
        assert "zoopraxis[parquet]" in caught.value.hint
    assert not (tmp_path / "other.parquet").exists()


def test_an_index_reads_back_as_it_was(tmp_path):
    found = [
        Examined(path=path, sha256="ab", level="all", frames=3, fps=25.0, bytes=1 << 40)
        for path in (str(tmp_path / "videos" / "a.mp4"), "https://a.example/c.mp4")
    ]
    found += [Examined(path=str(tmp_path / "b.mp4"), sha256="", level="headers", problem="broken")]
    for file in (tmp_path / "lists" / "found.parquet", tmp_path / "lists" / "found.jsonl"):
        write_index(file, found)
        assert is_index(file)
        assert read_index(file) == found
        moved = file.with_name(f"moved{file.suffix}")
        file.rename(moved)
        assert read_index(moved) == found
    paths = pq.read_table(tmp_path / "lists" / "moved.parquet")["path"].to_pylist()
    assert paths == ["../videos/a.mp4", "https://a.example/c.mp4", "../b.mp4"]  # as in a list
    assert not is_index(write(tmp_path / "list.parquet", path=["a.mp4"], label=["run"]))
    other = write(tmp_path / "o.parquet", path=["a.mp4"], sha256=[""], level=["some"])
    with pytest.raises(DataError, match=r"o\.parquet, row 1.*level"):
        read_index(other)
