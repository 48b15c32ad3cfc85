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


def test_a_split_is_no_folder_of_classes(tmp_path):
    for name in ("train/run/a.mp4", "val/run/b.mp4"):
        touch(tmp_path / name)
    with pytest.raises(DataError, match="parts of a split, not classes: train, val") as caught:
        read_samples(tmp_path)
    assert caught.value.hint.endswith(f"data.train={tmp_path}/train data.val={tmp_path}/val")
    assert read_samples(tmp_path / "train").labels == ("run",)
    assert len(read_samples(tmp_path, labels=("train", "val"))) == 2  # they are said to be classes

    touch(tmp_path / "Test/run/c.mp4")
    touch(tmp_path / "notes/d.mp4")
    with pytest.raises(DataError, match="parts of a split"):
        read_samples(tmp_path)


def test_a_folder_around_the_classes_is_refused(tmp_path):
    for name in ("videos/run/a.mp4", "videos/jump/b.mp4"):
        touch(tmp_path / name)
    with pytest.raises(DataError, match="one class, 'videos', with 2 folders in it: jump, run"):
        read_samples(tmp_path)
    assert read_samples(tmp_path / "videos").labels == ("jump", "run")


@pytest.mark.parametrize(
    ("files", "problem", "hint"),
    [
        (("jump/b.mp9", "jump/c.txt"), r"jump is a class .* 2 files \(\.mp9, \.txt\)", "rename"),
        (("jump/1/b.xyz",), r"jump is a class without videos: it holds 1 files \(\.xyz\)", "list"),
        (("jump/0001.jpg",), r"jump is a class .* 1 files \(\.jpg\)", "jump/<clip>/0001.jpg"),
        (("loose.mp4",), r"loose\.mp4 lies beside the folders", "move it"),
    ],
)
def test_videos_and_classes_that_would_be_lost(tmp_path, files, problem, hint):
    for name in ("run/a.mp4", *files):
        touch(tmp_path / name)
    with pytest.raises(DataError, match=problem) as caught:
        read_samples(tmp_path)
    assert hint in caught.value.hint


def test_an_empty_class_is_refused(tmp_path):
    touch(tmp_path / "run/a.mp4")
    (tmp_path / "jump").mkdir()
    with pytest.raises(DataError, match="jump is a class without videos: it holds nothing"):
        read_samples(tmp_path)


def test_links_that_lead_nowhere_or_in_circles(tmp_path):
    touch(tmp_path / "run/anna/a.mp4")
    link = tmp_path / "run/anna/b"
    for target, problem in (
        (tmp_path, "b is a link to a folder that it lies in"),
        (tmp_path / "run", "b is a link to a folder that it lies in"),
        (tmp_path / "gone.mp4", "b is a link that leads nowhere"),
        (link, "b is a link that leads nowhere"),
    ):
        link.symlink_to(target)
        with pytest.raises(DataError, match=problem):
            read_samples(tmp_path)
        link.unlink()
    link.symlink_to(tmp_path / "run/anna/a.mp4")
    touch(tmp_path / "elsewhere/c.mp4")
    (tmp_path / "run/ben").symlink_to(tmp_path / "elsewhere")
    assert len(read_samples(tmp_path / "run", labels=("anna", "ben"))) == 2


def test_thumbnails_do_not_hide_videos(tmp_path):
    for name in ("run/anna/a.mp4", "run/anna/a.jpg", "run/ben/cover.png", "run/ben/2/b.mp4"):
        touch(tmp_path / name)
    for name in ("run/clip/0001.jpg", "run/clip/flow/0001.jpg", "run/clip/._0001.jpg"):
        touch(tmp_path / name)

    assert [s.name for s in read_samples(tmp_path)] == [
        "run/anna/a.mp4",
        "run/ben/2/b.mp4",
        "run/clip",
    ]


def test_a_folder_has_no_columns(tmp_path):
    touch(tmp_path / "run/a.mp4")
    with pytest.raises(DataError, match="is a folder and has no column 'scene'"):
        read_samples(tmp_path, group="scene")


def test_the_folder_that_one_is_in(tmp_path, monkeypatch):
    touch(tmp_path / "run/anna/a.mp4")
    monkeypatch.chdir(tmp_path)
    (sample,) = read_samples(".")
    assert (sample.path, sample.name, sample.group) == ("run/anna/a.mp4",) * 2 + ("anna",)


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
    numbers = read_samples(write(tmp_path / "i.csv", "a,2\nb,1\nc,0\n"), labels=labels)

    assert labels_of(names) == labels_of(numbers)[:2] == [2, 1]
    assert names.labels == labels


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("a,run;jump\nb,jump\n", None),
        ("a\trun; jump\nb\tjump\n", None),
        ('a,"run,jump"\nb,jump\n', ("jump", "run")),
        ("a\trun,jump\nb\tjump\n", ("jump", "run")),
        ('a,"0,1"\nb,0\n', None),
        ("a.mp4 0,1\nb.mp4 0\n", None),
        ("a.mp4 0 1\nb.mp4 0\n", None),  # MMAction2's
    ],
)
def test_several_labels(tmp_path, text, labels):
    samples = read_samples(write(tmp_path / "list.txt", text), labels=labels)

    assert samples.multi_label
    assert labels_of(samples) == [(0, 1), (0,)]


@pytest.mark.parametrize("name", ["list.csv", "list.tsv", "list.txt"])
def test_a_comma_is_part_of_a_name(tmp_path, name):
    label = "Pushing something from left to right, quickly"
    text = f'a.mp4,"{label}"\nb.mp4,Holding\n'
    text = text if name != "list.tsv" else text.replace('"', "").replace("mp4,", "mp4\t")

    guessed = read_samples(write(tmp_path / name, text))
    known = read_samples(tmp_path / name, labels=("Holding", label, "quickly"))

    assert guessed.labels == ("Holding", label)
    assert labels_of(guessed) == labels_of(known) == [1, 0]


def test_a_comma_that_may_separate_labels_is_asked_about(tmp_path):
    path = write(tmp_path / "list.csv", 'a.mp4,"run,jump"\nb.mp4,jump\n')
    with pytest.raises(DataError, match=r"line 1: 'run,jump' may be one .* 'jump' .*line 2") as e:
        read_samples(path)
    assert "run;jump" in e.value.hint


@pytest.mark.parametrize("cell", [";", '","', "; ;"])
def test_a_label_of_separators_is_refused(tmp_path, cell):
    with pytest.raises(DataError, match=r"line 2: the label is '.*', only separators"):
        read_samples(write(tmp_path / "list.csv", f"a.mp4,run\nb.mp4,{cell}\n"))


UCF = ("ApplyEyeMakeup", "Archery", "BabyCrawling")


@pytest.mark.parametrize(
    ("numbers", "labels", "first_label", "expected", "names"),
    [
        ((0, 2), None, None, [0, 2], ("0", "1", "2")),
        ((2, 1, 3), None, None, [1, 0, 2], ("1", "2", "3")),  # each is called by its number
        ((2, 1, 3), UCF, None, [1, 0, 2], UCF),
        ((0, 2), UCF, None, [0, 2], UCF),
        ((1, 2), UCF, 0, [1, 2], UCF),
        ((1, 2), UCF, 1, [0, 1], UCF),
        ((2, 5), None, 1, [1, 4], ("1", "2", "3", "4", "5")),
        ((1, 3), ("1", "2", "3"), None, [0, 2], ("1", "2", "3")),  # names that are numbers
        (("007", "010"), None, None, [0, 1], ("007", "010")),
    ],
)
def test_numbers_from_0_and_from_1(tmp_path, numbers, labels, first_label, expected, names):
    text = "".join(f"{i}.mp4 {n}\n" for i, n in enumerate(numbers))

    samples = read_samples(
        write(tmp_path / "list.txt", text), labels=labels, first_label=first_label
    )

    assert labels_of(samples) == expected
    assert samples.labels == names


@pytest.mark.parametrize(
    ("numbers", "labels", "problem"),
    [
        ((1, 2), UCF, "numbers from 1 to 2 without 0 .* from 0 or from 1 .3 labels"),
        ((2, 5), None, "numbers from 2 to 5 without 0"),
        ((1, 4), UCF, "line 2: the label '4' is not one of the 3 known"),
        ((0, -1), None, "line 2: the label is -1, which is no class"),
        (("run", -1), None, "line 2: the label is -1, which is no class"),
        (("run", "NaN"), None, "line 2: the label is NaN, which is no class"),
        ((-1, -1), UCF, "line 1: the label is -1"),
        ((0, "1.0"), None, "line 2: the label is 1.0, expected a whole number"),
        (("01", "1"), None, "the labels '01' and '1' are one, written in two ways"),
        (("sal\xe9", "sale\u0301"), None, "are one, written in two ways"),
        ((0, 10**9), UCF, "line 2: the label '1000000000' is not one of"),
        ((0, "9" * 5000), UCF, "line 1: the label '0' is not one of"),
        ((0, 10**9), None, "label 1000000000 as an index"),
        ((0, 2), ("3", "7", "0"), "line 2: the label '2' is not one of"),
    ],
)
def test_numbers_that_are_no_index_are_refused(tmp_path, numbers, labels, problem):
    text = "".join(f"{i}.mp4 {n}\n" for i, n in enumerate(numbers))
    with pytest.raises(DataError, match=problem) as caught:
        read_samples(write(tmp_path / "list.txt", text), labels=labels)
    assert "list.txt" in caught.value.problem
    assert caught.value.hint


def test_a_name_of_two_classes_is_refused(tmp_path):
    path = write(tmp_path / "l.csv", "a.mp4,crane\n")
    with pytest.raises(DataError, match="'crane' is the name of 2 classes"):
        read_samples(path, labels=("crane", "heron", "crane"))


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

    regrouped = samples.regrouped(r"_g(\d+)_")
    assert [s.group for s in regrouped] == ["07", "11"]
    assert [s.where for s in regrouped] == [f"{path}, line 1", f"{path}, line 2"]
    assert regrouped.regrouped("(.*)").samples == samples.samples
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
    with pytest.raises(DataError, match="cannot be opened: File name too long"):
        read_samples("x" * 5000)
    with pytest.raises(DataError, match=r"a\.mp4 is a video"):
        read_samples(write(tmp_path / "a.mp4", "a.mp4 run\n"))
    (tmp_path / "a.mp4").unlink()
    with pytest.raises(DataError, match="there are no videos"):
        read_samples(tmp_path)


def test_binary_file_is_no_list(tmp_path):
    path = tmp_path / "list.txt"
    for data in (b"\xff\xfe\x00\xd8", b"\x00\x01\x80", b"\x00\x01"):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"list\.txt, line 1: cannot be read as text"):
            read_samples(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(tmp_path, encoding, end):
    path = tmp_path / "list.csv"
    path.write_bytes(end.join(["path,label", "é.mp4,salé", "b.mp4,run", ""]).encode(encoding))

    samples = read_samples(path)

    assert samples.labels == ("run", "salé")
    assert [s.name for s in samples] == ["é.mp4", "b.mp4"]
    assert samples[1].where == f"{path}, line 3"


def test_latin_1_is_refused_with_its_line(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes("a.mp4,run\nb.mp4,salé\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"list\.csv, line 2: .* byte 0xe9 is not UTF-8") as caught:
        read_samples(path)
    assert "save it as UTF-8" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.csv", "file,label\na.mp4,run\nb.mp4,jump\n"),
        ("l.csv", "video_path,class_name\na.mp4,run\nb.mp4,jump\n"),
        ("l.csv", "Action,Filename\nrun,a.mp4\njump,b.mp4\n"),
        ("l.csv", ",path,label\n0,a.mp4,run\n1,b.mp4,jump\n"),  # pandas
        ("l.csv", "path;label\na.mp4;run\nb.mp4;jump\n"),
        ("l.csv", "a.mp4;run\nb.mp4;jump\n"),
        ("l.txt", "a.mp4, run\nb.mp4, jump\n"),
        ("l.csv", "path\tlabel\na.mp4\trun\nb.mp4\tjump\n"),
        ("l.txt", "label path\nrun a.mp4\njump b.mp4\n"),
        ("l.txt", "path frames label\na.mp4 9 run\nb.mp4 9 jump\n"),
        ("l.json", '[{"path": "a.mp4", "label": "run"}, {"label": ["jump"], "path": "b.mp4"}]'),
        ("l.jsonl", '{"video": "a.mp4", "class": "run"}\n{"video": "b.mp4", "class": "jump"}\n'),
        ("l.txt", '[\n {"path": "a.mp4", "label": "run"},\n {"path": "b.mp4", "label": "jump"}]'),
    ],
)
def test_forms_of_lists(tmp_path, name, text):
    samples = read_samples(write(tmp_path / name, text))

    assert [(s.name, samples.labels[s.label]) for s in samples] == [
        ("a.mp4", "run"),
        ("b.mp4", "jump"),
    ]


def test_labels_of_json(tmp_path):
    text = '[{"path": "a.mp4", "label": [2, 0], "more": {}}, {"path": "b.mp4", "label": 1}]'
    assert labels_of(read_samples(write(tmp_path / "l.json", text))) == [(0, 2), (1,)]

    text = '[{"path": "a.mp4", "label": "run; jump, fast", "start": 1.5, "end": null}]'
    samples = read_samples(write(tmp_path / "l.json", text))
    assert samples.labels == ("run; jump, fast",)
    assert (samples[0].start, samples[0].end) == (1.5, None)
    assert samples[0].where == f"{tmp_path / 'l.json'}, entry 1"


def test_frame_lists_of_tsn(tmp_path):
    listed = write(tmp_path / "list.txt", "frames/a 163 1\nmy frames/b 20 0\n")
    samples = read_samples(listed)
    assert [(s.name, s.label) for s in samples] == [("frames/a", 1), ("my frames/b", 0)]

    touch(tmp_path / "take 3/0001.jpg")  # a folder with a space in its name
    samples = read_samples(write(listed, "take 3 1\ntake 4 0\n"))
    assert [(s.name, s.label) for s in samples] == [("take 3", 1), ("take 4", 0)]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("l.csv", "file,sport\na.mp4,run\n", "line 1: the header has no column for the label"),
        ("l.csv", "label,youtube_id\nrun,abc\n", "line 1: the header has no column for the path"),
        ("l.csv", "vid,cls\na.mp4,run\n", "line 1: 'vid' and 'cls' look like the names"),
        ("l.csv", "vid,cls\na.mp4,0\nb.mp4,1\n", "line 1: 'vid' and 'cls' look like the names"),
        ("l.csv", "run,a.mp4\n", "line 1: the label is 'a.mp4', the name of a video"),
        ("l.csv", "path,label,label\na.mp4,run,jump\n", "line 1: two columns are called 'label'"),
        ("l.csv", "file,video,label\na,b,c\n", "several columns for the path: file, video"),
        ("l.csv", "path,label,group\na.mp4,run,\n", "line 2: the group is empty"),
        ("l.csv", "path,label,start_frame\na.mp4,run,3\n", "start_frame, which are not read"),
        ("l.csv", "path,label,split\na,run,train\nb,run,val\n", "'split' has train, val"),
        ("l.csv", "a;1;0\n", "line 1: 3 columns instead of path, label"),
        ("l.csv", 'a.mp4,run\n"b.mp4,run\nc.mp4,run\n', "line 2: cannot be read"),
        ("l.csv", f"a.mp4,run\nb.mp4,{'x' * 140_000}\n", "line 2: cannot be read: field larger"),
        ("l.txt", "a.mp4 0\nb.mp4 playing guitar\n", "line 2: 'playing guitar' after b.mp4"),
        ("l.txt", "a.mp4 120 5\nb.mp4 90 3\n", "line 1: '120 5' after a.mp4, expected one label"),
        ("l.txt", "frames/a 1 3 5\nframes/b 3\n", "line 1: 3 numbers after a folder"),
        ("l.txt", '"my clip.mp4" run\n', "line 1: a quoted path"),
        ("l.json", '{"abc": {"label": "run"}}', "is not a JSON list of videos: it holds 'abc'"),
        ("l.csv", "a.mp4\nb.mp4\n", "line 1: 1 columns instead of path, label, got 'a.mp4'"),
        ("run_test_split1.txt", "a.avi 1\nb.avi 2\nc.avi 0\n", "is a split of HMDB51"),
        ("l.jsonl", '{"path": "a", "label": 1}\n\n{"path": "b", "label": 0.5}', "line 3: label"),
        ("l.jsonl", '{"path": "a", "label": 1}\n\n{"path": ', "line 3: not JSON"),
        ("l.json", '["a.mp4"]', "entry 1: 'a.mp4'"),
        ("l.json", '[{"path": "a.mp4"}]', "entry 1: the header has no column for the label"),
        ("l.json", '[{"path": "a", "label": 1.5}]', "entry 1: label is 1.5"),
        ("l.json", '[{"path": "a", "label": 1}, {"path": "b"}]', "entry 2: label is ''"),
        ("l.json", '[{"path": "a", "label": 1', "line 1: not JSON"),
        ("l.json", '[{"path": ["a"], "label": 1}]', "entry 1: path is"),
    ],
)
def test_what_is_not_read_is_refused(tmp_path, name, text, problem):
    with pytest.raises(DataError, match=problem) as caught:
        read_samples(write(tmp_path / name, text))
    assert name in caught.value.problem
    assert caught.value.hint


def test_a_folder_called_clip_is_no_header(tmp_path):
    samples = read_samples(write(tmp_path / "l.txt", "clip 1\nvideo 0\n"))
    assert [(s.name, s.label) for s in samples] == [("clip", 1), ("video", 0)]


def test_a_video_of_the_class_action_is_no_header(tmp_path):
    samples = read_samples(write(tmp_path / "l.csv", "a.mp4,action\nb.mp4,class\n"))
    assert samples.labels == ("action", "class")


def test_lines_of_a_cell_with_a_line_break(tmp_path):
    text = 'path,label,note\na.mp4,run,"one\ntwo"\n\nb.mp4,,x\n'
    with pytest.raises(DataError, match="line 5: the label is empty"):
        read_samples(write(tmp_path / "l.csv", text))


def test_paths_of_lists(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    given = {
        "~/a.mp4": str(tmp_path / "home" / "a.mp4"),
        "~nobody-of-that-name.mp4": str(tmp_path / "~nobody-of-that-name.mp4"),
        "C:\\videos\\a.mp4": "C:\\videos\\a.mp4",
        "d:/videos/a.mp4": "d:/videos/a.mp4",
        "\\\\server\\a.mp4": "\\\\server\\a.mp4",
        f"file://{tmp_path.as_posix()}/b%20c.mp4": str(tmp_path / "b c.mp4"),
        "rtsp://camera/1.mp4": "rtsp://camera/1.mp4",
        "./c.mp4": str(tmp_path / "c.mp4"),
        "frames/": str(tmp_path / "frames"),
        "../d.mp4": str(tmp_path / ".." / "d.mp4"),
        str(tmp_path / "e.mp4"): str(tmp_path / "e.mp4"),
    }
    write(tmp_path / "l.tsv", "".join(f"{path}\trun\n" for path in given))

    assert [s.path for s in read_samples(tmp_path / "l.tsv")] == list(given.values())
    (tmp_path / "home").mkdir()
    write(tmp_path / "home" / "own.txt", "a.mp4 run\n")
    assert read_samples("~/own.txt")[0].path == str(tmp_path / "home" / "a.mp4")


def test_a_video_listed_twice(tmp_path):
    path = tmp_path / "l.csv"
    with pytest.raises(DataError, match=r"line 3: a\.mp4 is listed before, in .*line 1 \(1 lines"):
        read_samples(write(path, "a.mp4,run\nb.mp4,run\na.mp4,run\n"))
    with pytest.raises(DataError, match=r"line 3: a\.mp4 has another label than in .*line 1"):
        read_samples(write(path, "a.mp4,run\nb.mp4,run\na.mp4,jump\n"))
    segments = "path,label,start,end\na.mp4,run,0,1\na.mp4,jump,1,2\na.mp4,{},0,1\n"
    with pytest.raises(DataError, match=r"line 4: a\.mp4 \[0, 1\) is listed before"):
        read_samples(write(path, segments.format("run")))
    with pytest.raises(DataError, match=r"line 4: a\.mp4 \[0, 1\) has another label"):
        read_samples(write(path, segments.format("jump")))
    boxes = "path,label,boxes\na.mp4,run,1.json\na.mp4,jump,2.json\n"  # two people
    assert labels_of(read_samples(write(path, boxes))) == [1, 0]


def test_missing_files_are_named_with_their_line(tmp_path):
    touch(tmp_path / "a.mp4")
    text = "path,label,flow\na.mp4,run,\nb.mp4,run,\nhttps://host/c.mp4,run,flow/c\n"
    path = write(tmp_path / "l.csv", text)

    assert read_samples(path).missing() == (
        f"{tmp_path / 'b.mp4'} ({path}, line 3)",
        f"{tmp_path / 'flow/c'} ({path}, line 4)",
    )
    touch(tmp_path / "run/a.mp4")
    assert read_samples(write(path, "run/a.mp4 run\n")).missing() == ()


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
