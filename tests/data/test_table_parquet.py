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


SPARK = "part-{n:05d}-3f0e8d1a-77c2-4d8e-9c1b-0a2b3c4d5e6f-c000.snappy.parquet"


@pytest.mark.parametrize(
    "name", ["part-{n}.parquet", "part{n}.parquet", "train-{n:05d}-of-00011.parquet", SPARK]
)
def test_parts_in_a_folder_are_one_list(tmp_path, name):
    folder = tmp_path / "list.parquet"
    folder.mkdir()
    for n in (10, *range(10)):  # 10 is after 9
        part = {"path": [f"{n}.mp4", f"{n}b.mp4"], "label": ["run", f"class {n}"]}
        swapped = reversed(part.items()) if n % 2 else part.items()  # columns in another order
        write(folder / name.format(n=n), **dict(swapped))
    for left in ("_SUCCESS", "_metadata", ".part-0.parquet.crc", "README.txt"):
        (folder / left).write_bytes(b"")

    samples = read_samples(folder)

    assert [s.name for s in samples] == [f"{n}{b}.mp4" for n in range(11) for b in ("", "b")]
    assert samples.labels[samples[21].label] == "class 10"
    assert samples[2].path == str(folder / "1.mp4")
    assert samples[3].where == f"{folder / name.format(n=1)}, row 2"


def test_parts_without_rows_or_without_a_value_disagree_with_none(tmp_path):
    text = pa.array([], pa.string())
    write(tmp_path / "part-0.parquet", path=text, label=text, start=pa.array([], pa.float64()))
    write(tmp_path / "part-1.parquet", path=["a"], label=["x"], start=pa.nulls(1))
    names = pa.array(["y"]).dictionary_encode()
    write(tmp_path / "part-2.parquet", path=["b"], label=names, start=[1.5])
    assert [(s.label, s.start) for s in read_samples(tmp_path)] == [(0, None), (1, 1.5)]
    (tmp_path / "part-1.parquet").unlink()
    (tmp_path / "part-2.parquet").unlink()
    with pytest.raises(DataError, match="there are no videos in"):
        read_samples(tmp_path)


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        (
            {"part-0": {"label": ["x"]}, "part-1": {"label": [3]}},
            "part-1.parquet: the column 'label' holds whole numbers, and text in part-0.parquet",
        ),
        (
            {"a-0": {"label": ["x"]}, "a-1": {"label": pa.nulls(1)}, "a-2": {"label": [["x"]]}},
            "a-2.parquet: the column 'label' holds lists of text, and text in a-0.parquet",
        ),
        (
            {"part-0": {"label": ["x"]}, "part-1": {"class": ["x"]}},
            "part-0.parquet has no column 'class', which part-1.parquet has",
        ),
        (
            {"part-0": {"label": ["x"]}, "part-1": {"label": ["x"], "start": [1.0]}},
            "part-0.parquet has no column 'start', which part-1.parquet has",
        ),
        (
            {"part-0": {"label": ["x"]}, "part-1": {"label": [""]}},
            "part-1.parquet, row 1: the label is empty",
        ),
        (
            {"train-0": {"label": ["x"]}, "val-0": {"label": ["x"]}},
            "holds several lists: train-0.parquet, val-0.parquet",
        ),
        (
            {"split1_train": {"label": ["x"]}, "split2_train": {"label": ["x"]}},
            "holds several lists: split1_train.parquet, split2_train.parquet",
        ),
        (
            {f"train-0000{n}-of-00003": {"label": ["x"]} for n in (0, 2)},
            "has 2 of 3 parts of a list: the one of number 1 is missing",
        ),
    ],
)
def test_parts_that_are_not_of_one_list_are_refused(tmp_path, parts, problem):
    for name, columns in parts.items():
        write(tmp_path / f"{name}.parquet", path=[f"{name}.mp4"], **columns)
    with pytest.raises(DataError, match=problem) as caught:
        read_samples(tmp_path)
    assert str(tmp_path) in caught.value.problem
    assert caught.value.hint


def test_a_damaged_part_and_partitions_by_a_column_are_named(tmp_path):
    write(tmp_path / "part-0.parquet", path=["a"], label=["x"])
    (tmp_path / "part-1.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"part-1\.parquet cannot be read as Parquet"):
        read_samples(tmp_path)
    by_label = tmp_path / "by label"
    (by_label / "label=run").mkdir(parents=True)
    write(by_label / "label=run" / "part-0.parquet", path=["a"])
    with pytest.raises(DataError, match="label=run is a class without videos") as caught:
        read_samples(by_label)
    assert "without partitions by a column" in caught.value.hint


def test_a_list_of_parquet_beside_classes_leaves_them_a_folder(tmp_path):
    for name in ("run", "walk"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.mp4").write_bytes(b"")
    write(tmp_path / "train.parquet", path=["b"], label=["x"])
    assert read_samples(tmp_path).labels == ("run", "walk")
