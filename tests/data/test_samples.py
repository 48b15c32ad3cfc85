"""Lists of videos: what is read, and what is said about what cannot be."""

from pathlib import Path

import pytest

from zoopraxis.data.labels import label_names
from zoopraxis.data.samples import Sample, SampleList, read_samples
from zoopraxis.errors import DataError


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def labels_of(samples: SampleList) -> list[object]:
    return [s.label for s in samples]


def test_folder_of_classes(tmp_path):
    for name in ("run/b.mp4", "run/a.AVI", "jump/c.webm", "run/truth.json", ".git/x.mp4"):
        touch(tmp_path / name)

    samples = read_samples(tmp_path)

    assert samples.labels == ("jump", "run")
    assert [(s.name, s.label) for s in samples] == [
        ("jump/c.webm", 0),
        ("run/a.AVI", 1),
        ("run/b.mp4", 1),
    ]
    assert [s.group for s in samples] == ["jump/c.webm", "run/a.AVI", "run/b.mp4"]
    assert samples[0].path == str(tmp_path / "jump/c.webm")


def test_folder_between_class_and_clip_is_the_group(tmp_path):
    for name in ("run/anna/1.mp4", "run/anna/2.mp4", "jump/anna/1.mp4", "jump/ben/1.mp4"):
        touch(tmp_path / name)

    assert [s.group for s in read_samples(tmp_path)] == ["anna", "ben", "anna", "anna"]


def test_folder_of_images_is_one_sample(tmp_path):
    for name in ("run/clip_a/0001.jpg", "run/clip_a/0002.jpg", "run/clip_b/0001.png"):
        touch(tmp_path / name)

    assert [s.name for s in read_samples(tmp_path)] == ["run/clip_a", "run/clip_b"]


def test_list_in_the_folder_is_used(tmp_path):
    touch(tmp_path / "run/a.mp4")
    write(tmp_path / "clips.csv", "path,frames,label,group\nrun/a.mp4,40,sprint,anna\n")

    samples = read_samples(tmp_path)

    assert samples.samples == (
        Sample(path=str(tmp_path / "run/a.mp4"), label=0, group="anna", name="run/a.mp4"),
    )
    assert samples.labels == ("sprint",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.txt", "my clips/a.mp4 2\nb.mp4 0\n\n"),
        ("list.csv", "my clips/a.mp4 2\nb.mp4 0\n"),
        ("list.csv", "my clips/a.mp4,2\nb.mp4,0\n"),
        ("list.tsv", "my clips/a.mp4\t2\nb.mp4\t0\n"),
        ("list.txt", "label\tpath\n2\tmy clips/a.mp4\n0\tb.mp4\n"),
        ("list.csv", '\ufeffpath,class\n"my clips/a.mp4",2\nb.mp4,0\n'),
    ],
)
def test_lists_with_indices(tmp_path, name, text):
    samples = read_samples(write(tmp_path / name, text))

    assert labels_of(samples) == [2, 0]
    assert samples.labels == ("0", "1", "2")
    assert samples[0].path == str(tmp_path / "my clips/a.mp4")


def test_names_get_indices_in_sorted_order(tmp_path):
    samples = read_samples(write(tmp_path / "list.csv", "a.mp4,run\nb.mp4,jump\n"))

    assert samples.labels == ("jump", "run")
    assert labels_of(samples) == [1, 0]


def test_given_labels_decide_indices_by_name_or_number(tmp_path):
    labels = ("zap", "run, fast", "jump")

    names = read_samples(write(tmp_path / "n.csv", 'a,jump\nb,"run, fast"\n'), labels=labels)
    numbers = read_samples(write(tmp_path / "i.csv", "a,2\nb,1\n"), labels=labels)

    assert labels_of(names) == labels_of(numbers) == [2, 1]
    assert names.labels == labels


@pytest.mark.parametrize("text", ['a,"run,jump"\nb,jump\n', "a,run;jump\nb,jump\n"])
def test_several_labels(tmp_path, text):
    samples = read_samples(write(tmp_path / "list.csv", text))

    assert samples.multi_label
    assert labels_of(samples) == [(0, 1), (0,)]


def test_urls_are_kept(tmp_path):
    samples = read_samples(write(tmp_path / "l.csv", "https://host/a.mp4,run\n"))
    assert samples[0].path == "https://host/a.mp4"


def test_another_column_holds_the_groups(tmp_path):
    path = write(tmp_path / "l.csv", "path,label,scene\na.mp4,run,s1\nb.mp4,run,s2\n")

    assert [s.group for s in read_samples(path, group="scene")] == ["s1", "s2"]
    with pytest.raises(DataError, match=r"l\.csv has no column 'actor'"):
        read_samples(path, group="actor")


def test_groups_by_pattern(tmp_path):
    path = write(tmp_path / "l.csv", "v_Run_g07_c02.avi,run\nv_Run_g11_c01.avi,run\n")

    samples = read_samples(path)

    assert [s.group for s in samples.regrouped(r"_g(\d+)_")] == ["07", "11"]
    with pytest.raises(DataError, match=r"finds nothing in v_Run_g07_c02\.avi"):
        samples.regrouped("scene")
    with pytest.raises(DataError, match="is not valid"):
        samples.regrouped("(")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.mp4,run\nb.mp4\n", r"list\.csv, line 2: 1 columns instead of path, label"),
        ("a.mp4,run,5\n", r"list\.csv, line 1: 3 columns"),
        ("path,label\na.mp4,run\n\nb.mp4,\n", r"list\.csv, line 4: the label is empty"),
        ("a.mp4,run\n,run\n", r"list\.csv, line 2: the path is empty"),
        ("", "there are no videos"),
    ],
)
def test_errors_name_file_and_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_samples(write(tmp_path / "list.csv", text))


def test_unknown_label_is_named(tmp_path):
    path = write(tmp_path / "list.csv", "a.mp4,run\nb.mp4,fly\n")
    with pytest.raises(DataError, match="line 2: the label 'fly' is not one of the 2 known"):
        read_samples(path, labels=("run", "jump"))


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_samples(tmp_path / "missing")
    with pytest.raises(DataError, match="there are no videos"):
        read_samples(tmp_path)


def test_binary_file_is_no_list(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(DataError, match="cannot be read as text"):
        read_samples(path)


def test_public_label_lists():
    kinetics, imagenet = label_names("kinetics400"), label_names("imagenet1k")

    assert (len(kinetics), kinetics[0], kinetics[-1]) == (400, "abseiling", "zumba")
    assert (len(imagenet), imagenet[0]) == (1000, "tench")


def test_label_files(tmp_path):
    path = write(tmp_path / "labels.txt", "run\njump high\n")

    assert label_names(path) == ("run", "jump high")
    with pytest.raises(DataError, match="'run' twice"):
        label_names(write(path, "run\nrun\n"))
    with pytest.raises(DataError, match="is empty"):
        label_names(write(path, "\n"))
    with pytest.raises(DataError, match="no label list called 'kinetics'"):
        label_names("kinetics")


def test_segments_and_files_beside_a_video(tmp_path):
    lines = (
        "path,start,end,label,flow,skeleton",
        "a.mp4,0,1.5,run,flow/a,",
        "a.mp4,1.5,,jump,,a.json",
    )
    write(tmp_path / "list.csv", "\n".join(lines))
    first, second = read_samples(tmp_path / "list.csv")
    assert (first.start, first.end, second.start, second.end) == (0.0, 1.5, 1.5, None)
    assert first.flow == str(tmp_path / "flow" / "a")
    assert (first.skeleton, second.skeleton) == ("", str(tmp_path / "a.json"))
    assert first.group == second.group == "a.mp4"  # of one file: on one side of a split
    assert (first.name, second.name) == ("a.mp4 [0, 1.5)", "a.mp4 [1.5, end)")


@pytest.mark.parametrize(
    ("start", "end", "problem"),
    [
        ("2", "1", "line 2: the segment ends at 1 s, before its start 2 s"),
        ("soon", "", "line 2: start is 'soon'"),
        ("nan", "", "line 2: start is 'nan'"),
        ("", "-1", "line 2: end is '-1'"),
    ],
)
def test_times_that_make_no_segment(tmp_path, start, end, problem):
    write(tmp_path / "list.csv", f"path,start,end,label\na.mp4,{start},{end},run")
    with pytest.raises(DataError, match=problem):
        read_samples(tmp_path / "list.csv")
