"""Labels that are shifted, unknown, missing or rare are named; those of a sound list are not."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from zoopraxis.data.finding import Finding
from zoopraxis.data.label_checks import check_labels
from zoopraxis.data.samples import SampleList, read_samples

NAMES = ("ApplyEyeMakeup", "Archery", "Biking", "Bowling")


def listed(folder: Path, rows: Sequence[tuple[str, object]]) -> SampleList:
    """Read a list with its labels as they are written."""
    file = folder / "list.csv"
    file.write_text("".join(f"{path},{label}\n" for path, label in rows))
    return read_samples(file, first_label=0)


def told(samples: SampleList, names: Sequence[str] = NAMES, few: int = 0) -> dict[str, Finding]:
    found = check_labels(samples, names=names, few=few)
    return {one.title: one for one in found if one.where}


def of_ucf(step: int, names: Sequence[str] = NAMES) -> list[tuple[str, int]]:
    """Two videos of each class, whose labels are ``step`` too high."""
    return [
        (f"{folder}v_{name}_g0{n}_c01.avi", k + step)
        for k, name in enumerate(names)
        for n, folder in ((1, f"{name}/"), (2, ""))
    ]


@pytest.mark.parametrize("named", [False, True])
def test_a_sound_list(tmp_path: Path, named: bool) -> None:
    rows = [(path, NAMES[k] if named else k) for path, k in of_ucf(0)]
    assert told(listed(tmp_path, rows)) == {}


def test_labels_from_1_are_said_to_be_so(tmp_path: Path) -> None:
    found = told(listed(tmp_path, of_ucf(1)))
    assert [*found] == ["labels that count from 1"]
    assert found["labels that count from 1"].status == "warn"  # training reads 1 to K as such
    found = told(listed(tmp_path, of_ucf(1)[2:]))  # without the first class, it asks
    assert found["labels that count from 1"].status == "fail"
    assert found["classes without videos"].where == ("ApplyEyeMakeup (training)",)


@pytest.mark.parametrize("step", [1, -1])
def test_names_of_the_next_class(tmp_path: Path, step: int) -> None:
    rows = [(path, NAMES[(k + step) % 4]) for path, k in of_ucf(0)]
    found = told(listed(tmp_path, rows))
    assert [*found] == ["labels that are shifted"]
    summary, example = found["labels that are shifted"].where
    assert summary == f"training: 8 of 8 labels are {step:+d} from the class in the path"
    assert f"labelled {NAMES[step % 4]}, its path says ApplyEyeMakeup" in example


def test_numbers_from_0_beyond_the_classes(tmp_path: Path) -> None:
    found = told(listed(tmp_path, [("a.mp4", 0), ("b.mp4", 4), ("c.mp4", 4)]))
    unknown = found["labels that are no class of the list"]
    assert unknown.where == ("4 (training, 2 videos): the 4 classes are 0 to 3",)
    assert unknown.status == "fail"


def test_one_wrong_label_is_not_a_shift(tmp_path: Path) -> None:
    rows = of_ucf(0)
    rows[0] = (rows[0][0], 1)
    found = told(listed(tmp_path, rows))
    wrong = found["labels unlike the classes in paths"]
    assert wrong.videos == ((str(tmp_path / rows[0][0]),),)
    assert "labelled Archery, its path says ApplyEyeMakeup" in wrong.where[0]


def test_unknown_names_have_near_ones(tmp_path: Path) -> None:
    found = told(listed(tmp_path, [("a.mp4", "Archery"), ("b.mp4", "Bikeing")]))
    (line,) = found["labels that are no class of the list"].where
    assert line == "Bikeing (training, 1 videos): did you mean Biking or Bowling?"
    assert len(found["classes without videos"].where) == 3


def test_unequal_and_rare_classes(tmp_path: Path) -> None:
    rows = [(f"{k}/{n}.mp4", k) for k, count in enumerate((24, 2, 5)) for n in range(count)]
    found = told(listed(tmp_path, rows), NAMES[:3], few=4)
    (line,) = found["classes of very unequal size"].where
    assert line == "ApplyEyeMakeup has 24, Archery 2: 12 to 1"
    assert found["classes with few videos"].where == ("Archery: 2",)


def test_several_labels_of_one_video(tmp_path: Path) -> None:
    found = told(listed(tmp_path, [("a.mp4", "Archery;Biking"), ("b.mp4", "Bowling;Running")]))
    assert "Running (training" in found["labels that are no class of the list"].where[0]
    assert found["classes without videos"].where == ("ApplyEyeMakeup (training)",)
