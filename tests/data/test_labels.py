"""The label lists that come with the package, and those of a user."""

from importlib import resources

import pytest

from zoopraxis.data.labels import label_names
from zoopraxis.errors import DataError

COUNTS = {
    "activitynet": 200,
    "ava": 60,
    "diving48": 48,
    "epic100_nouns": 300,
    "epic100_verbs": 97,
    "epic55_nouns": 352,
    "epic55_verbs": 125,
    "gym99": 99,
    "hmdb51": 51,
    "hmdb51_coviar": 51,
    "hmdb51_tsn": 51,
    "imagenet1k": 1000,
    "jester": 27,
    "jester_sorted": 27,
    "kinetics400": 400,
    "kinetics600": 600,
    "kinetics700": 700,
    "mit": 339,
    "msr_action3d": 20,
    "ntu120": 120,
    "ntu60": 60,
    "ssv1": 174,
    "ssv1_sorted": 174,
    "ssv2": 174,
    "ucf101": 101,
    "utd_mhad": 27,
}
FACTS = [
    ("activitynet", 3, "BMX"),
    ("ava", 0, "bend/bow (at the waist)"),
    ("ava", 59, "watch (a person)"),  # id 80
    ("diving48", 0, "Back+15som+05Twis+FREE"),
    ("epic100_nouns", 0, "tap"),
    ("epic100_verbs", 96, "unfreeze"),
    ("epic55_nouns", 0, "Nothing"),
    ("epic55_verbs", 124, "reverse"),
    ("gym99", 58, "(BB) salto backward tucked"),
    ("gym99", 70, "(BB) salto backward tucked (dismount)"),
    ("hmdb51", 0, "brush_hair"),
    ("hmdb51", 50, "wave"),
    ("imagenet1k", 0, "tench"),
    ("imagenet1k", 999, "toilet tissue"),
    ("jester", 0, "Swiping Left"),
    ("jester_sorted", 0, "Doing other things"),
    ("kinetics400", 0, "abseiling"),
    ("kinetics400", 98, "drawing"),
    ("kinetics400", 290, "sharpening knives"),
    ("kinetics400", 399, "zumba"),
    ("kinetics600", 0, "abseiling"),
    ("kinetics600", 599, "zumba"),
    ("kinetics700", 1, "acting in play"),
    ("kinetics700", 699, "zumba"),
    ("mit", 0, "clapping"),
    ("mit", 338, "typing"),
    ("ntu60", 42, "falling"),  # A43
    ("ntu120", 0, "drink water"),
    ("msr_action3d", 12, "bend"),  # a13
    ("utd_mhad", 22, "walk"),  # a23
    ("ssv1", 0, "Holding something"),
    ("ssv2", 173, "Wiping something off of something"),
    ("ucf101", 0, "ApplyEyeMakeup"),
    ("ucf101", 100, "YoYo"),
]


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", COUNTS)
def test_a_list_has_as_many_labels_as_its_data_set_classes(name):
    labels = label_names(name)

    assert len(labels) == COUNTS[name]
    assert len(set(labels)) == len(labels)
    assert all(label == label.strip() and label for label in labels)


def test_every_list_is_known_here():
    files = (resources.files("zoopraxis.data") / "label_lists").iterdir()

    assert sorted(file.name for file in files) == [f"{name}.txt" for name in sorted(COUNTS)]


@pytest.mark.parametrize(("name", "index", "label"), FACTS)
def test_label_of_an_index(name, index, label):
    assert label_names(name)[index] == label


def test_orders_that_are_said_to_be_alphabetical():
    for name in ("kinetics400", "kinetics600", "kinetics700", "hmdb51", "ssv2", "diving48"):
        assert list(label_names(name)) == sorted(label_names(name)), name
    for name in ("ssv1", "jester"):
        assert label_names(f"{name}_sorted") == tuple(sorted(label_names(name))), name


def test_second_orders_of_a_data_set():
    def displaced(name, other):
        pairs = zip(label_names(name), label_names(other), strict=True)
        return [a for a, b in pairs if a != b]

    assert label_names("ssv1_sorted") == label_names("ssv2")
    assert displaced("hmdb51_tsn", "hmdb51") == ["kick_ball", "kick", "sword_exercise", "sword"]
    assert sorted(label_names("hmdb51_coviar")) == list(label_names("hmdb51"))
    # classInd.txt ignores case, a listing of the folders does not
    ucf101 = label_names("ucf101")
    assert list(ucf101) == sorted(ucf101, key=str.lower)
    assert [a for a, b in zip(ucf101, sorted(ucf101), strict=True) if a != b] == [
        "Hammering",
        "HammerThrow",
        "JumpingJack",
        "JumpRope",
    ]


def test_classes_that_data_sets_share():
    assert label_names("ntu120")[:60] == label_names("ntu60")


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_before_every_label_are_left_out(tmp_path, first):
    path = write(tmp_path / "classInd.txt", f"{first} Jump\r\n{first + 1}\t2 turns\r\n\r\n")

    assert label_names(path) == ("Jump", "2 turns")
    assert label_names(str(path)) == ("Jump", "2 turns")


def test_numbers_alone_are_labels(tmp_path):
    assert label_names(write(tmp_path / "digits.txt", "7\n3\n")) == ("7", "3")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("run\n2 jump\n", "line 1: expected the number 1 before the label, got 'run'"),
        ("1 run\n\njump\n", r"line 3: .* the number 2 .* got 'jump' \(line 1 is numbered\)"),
        ("1 run\n3 jump\n", "line 2: .* the number 2 .* got '3 jump'"),
        ("5 run\n6 jump\n", "line 1: .* the number 1 .* got '5 run'"),
        ("1 run\n0 jump\n", "line 1: .* the number 0 .* got '1 run'"),
    ],
)
def test_a_list_that_is_numbered_in_part_is_refused(tmp_path, text, problem):
    path = write(tmp_path / "labels.txt", text)
    with pytest.raises(DataError, match=rf"labels\.txt, {problem}") as caught:
        label_names(path)
    assert "number all lines" in caught.value.hint


def test_a_list_that_is_not_one_is_refused(tmp_path):
    path = tmp_path / "labels.txt"
    with pytest.raises(DataError, match=r"labels\.txt has the label 'run' twice"):
        label_names(write(path, "run\nrun\n"))
    with pytest.raises(DataError, match="'run' twice"):
        label_names(write(path, "1 run\n2 run\n"))
    with pytest.raises(DataError, match="is empty"):
        label_names(write(path, "\n"))
    for data in (b"\xff\xfe\x00\xd8", b"\x00\x01"):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"labels\.txt, line 1: cannot be read as text"):
            label_names(path)
    path.write_bytes("run\nsalé\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"labels\.txt, line 2: .* byte 0xe9 is not UTF-8"):
        label_names(path)
    for text in ('{"run": 0, "jump": 1}', '["run", "jump"]'):
        with pytest.raises(DataError, match=r"labels\.txt is JSON"):
            label_names(write(path, text))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(tmp_path, encoding, end):
    path = tmp_path / "labels.txt"
    path.write_bytes(end.join(["salé", "run"]).encode(encoding))
    assert label_names(path) == ("salé", "run")


def test_numbers_and_names_of_a_table(tmp_path):
    path = write(tmp_path / "labels.csv", '0,run\n1,"left, then right"\n2;"5"" disc"\n')
    assert label_names(path) == ("run", "left, then right", '5" disc')
    with pytest.raises(DataError, match=r"line 1: expected the number 0 .* got 'id,name'"):
        label_names(write(path, "id,name\n0,run\n1,jump\n"))


def test_a_list_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "labels.txt", "run\n")
    assert label_names("~/labels.txt") == ("run",)


def test_near_names_are_suggested(tmp_path):
    with pytest.raises(DataError, match="no label list called 'kinetics'") as caught:
        label_names("kinetics")
    assert "kinetics400" in caught.value.hint
    with pytest.raises(DataError, match=r"no label list called '.*missing\.txt'") as caught:
        label_names(tmp_path / "missing.txt")
    assert "hmdb51" in caught.value.hint
    assert "one label a line" in caught.value.hint
