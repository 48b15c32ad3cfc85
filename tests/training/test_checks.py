"""What a run finds out before its first step, and says."""

import pytest

from zoopraxis.data.samples import read_samples
from zoopraxis.errors import DataError, RecipeError, TrainingError
from zoopraxis.inputs.augment import Augment
from zoopraxis.models import model_spec
from zoopraxis.training.checks import (
    check_files,
    check_left_right,
    warn_left_right,
    warn_overlap,
)
from zoopraxis.training.logs import Watcher
from zoopraxis.training.loop import train
from zoopraxis.training.recipe import TrainPart, default_recipe

SMALL = ["clip.num_frames=4", "clip.size=32", "clip.resize=36", "train.epochs=1"]
RGB, FLOW = (model_spec(name).clip for name in ("test_tsm", "test_two_stream_flow"))
STOP, SKIP = TrainPart(), TrainPart(on_bad_video="skip")


class Heard(Watcher):
    """Keeps what a run says."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


def said(data, out, *changes, model="test_r2plus1d", resume=False):
    heard = Heard()
    train(
        default_recipe(str(data), model, [*SMALL, "train.batch_size=4", *changes]),
        out,
        watcher=heard,
        accelerator="cpu",
        resume=resume,
    )
    return heard.lines


@pytest.fixture
def with_missing(squares, tmp_path):
    """A list of 16 videos, of which seven, from line 3 on, are not there."""
    paths = sorted(squares.glob("*/*.mp4"))
    lines = [f"{path},{path.parent.name}" for path in paths]
    lines[2:9] = [line.replace(".mp4", "-moved.mp4") for line in lines[2:9]]
    file = tmp_path / "list.csv"
    file.write_text("\n".join(lines))
    return file


def test_missing_files_stop_a_run_before_its_first_step(with_missing, tmp_path):
    changes = ("data.val_fraction=0",)
    with pytest.raises(DataError, match=r"7 of the 16 videos of .*list\.csv are missing") as caught:
        said(with_missing, tmp_path / "run", *changes)

    assert caught.value.problem.count("-moved.mp4") == 5  # the first five are named
    assert "list.csv, line 3: " in caught.value.problem
    assert "left/2-moved.mp4" in caught.value.problem
    assert "on_bad_video=skip" in caught.value.hint
    assert not (tmp_path / "run").exists()  # so that the mended list needs no --resume
    lines = said(with_missing, tmp_path / "run", *changes, "train.on_bad_video=skip")
    assert any("7 of the 16" in line and line.endswith("they are skipped") for line in lines)
    assert "7 videos skipped" in lines[-1]


def test_missing_validation_files_too(squares, with_missing):
    there, missing = read_samples(squares), read_samples(with_missing)
    assert check_files(there, None, clip=RGB, part=STOP) == []
    with pytest.raises(DataError, match="7 of the 16"):
        check_files(there, missing, clip=RGB, part=STOP)
    (line,) = check_files(there, missing, clip=RGB, part=SKIP)
    assert line.count("; ") == 6


def test_a_network_for_flow_needs_no_video_beside_its_flow(tmp_path):
    (tmp_path / "flow").mkdir()
    for axis in "xy":
        for n in range(3):
            write_image(tmp_path / "flow" / f"flow_{axis}_{n:05d}.jpg")
    (tmp_path / "list.csv").write_text("path,label,flow\nno.mp4,a,flow\nno.mp4,b,nowhere\n")
    samples = read_samples(tmp_path / "list.csv")

    with pytest.raises(DataError, match="1 of the 2 videos"):
        check_files(samples, clip=FLOW, part=STOP)
    with pytest.raises(DataError, match="2 of the 2 videos"):
        check_files(samples, clip=RGB, part=STOP)


def write_image(path):
    import numpy as np
    from PIL import Image

    Image.fromarray(np.full((32, 40), 128, np.uint8)).save(path)


def test_a_url_is_not_looked_for(tmp_path):
    (tmp_path / "list.csv").write_text("https://example.org/a.mp4,a\nhttps://example.org/b.mp4,b\n")
    assert check_files(read_samples(tmp_path / "list.csv"), clip=RGB, part=STOP) == []


def test_the_first_lines_say_what_is_trained(squares, tmp_path):
    lines = said(squares, tmp_path / "run")
    first, second = lines[:2]

    assert first.startswith("2 classes with 6 training videos each: left, right; test_r2plus1d ")
    assert first.endswith("starts from random weights")
    assert second == "12 videos for training, 4 for validation; 1 epoch of 3 steps of 4 clips"

    weights = tmp_path / "run" / "final.safetensors"
    again, _ = said(squares, tmp_path / "again", f"model.weights={weights}")[:2]
    assert again.endswith(f"starts from {weights}, its classifier kept")


def test_many_classes_are_counted(squares, tmp_path):
    paths = sorted(squares.glob("*/*.mp4"))
    rows = [f"{path},class {k:02d}" for k, path in enumerate(paths)]
    (tmp_path / "again.mp4").symlink_to(paths[0])
    rows.append("again.mp4,class 15")
    (tmp_path / "list.csv").write_text("\n".join(rows))

    changes = (f"model.weights={_two_classes(squares, tmp_path)}", "data.val_fraction=0")
    first = said(tmp_path / "list.csv", tmp_path / "run", *changes)[0]

    assert first.startswith("16 classes with 1-2 training videos each: class 00, class 01, ")
    assert "class 09, ... (16 classes); " in first
    assert "class 10" not in first
    assert first.endswith("its classifier re-initialised")


def _two_classes(squares, folder):
    said(squares, folder / "two")
    return folder / "two" / "final.safetensors"


def test_one_class_is_nothing_to_tell_apart(squares, tmp_path):
    listed = "\n".join(f"{path},left" for path in sorted(squares.glob("left/*.mp4")))
    (tmp_path / "list.csv").write_text(listed)
    with pytest.raises(DataError, match=r"all \d training videos of .* one class, 'left'"):
        said(tmp_path / "list.csv", tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("labels", "pairs", "named"),
    [
        (("swipe left", "swipe right", "wave"), "[[0,1]]", "'swipe left' / 'swipe right'"),
        (
            ("Pulling from Right to left", "Pulling from left to right", "Turning left"),
            "[[0,1]]",
            "'Pulling from Right to left'",
        ),
        (("TurnRight", "up", "TurnLeft"), "[[0,2]]", "'TurnRight' / 'TurnLeft'"),
    ],
)
def test_classes_that_a_flip_exchanges_are_warned_about(labels, pairs, named):
    problem, hint = warn_left_right(Augment(), labels)

    assert named in problem
    assert f"augment.left_right='{pairs}'" in hint
    assert warn_left_right(Augment(flip=0), labels) == []
    swapped = tuple(map(int, pairs.strip("[]").split(",")))
    assert warn_left_right(Augment(left_right=(swapped[::-1],)), labels) == []


def test_no_warning_without_a_pair():
    assert warn_left_right(Augment(), ("stand upright", "left", "bright light")) == []


def test_the_run_says_so(squares, tmp_path):
    lines = said(squares, tmp_path / "run")
    assert any(line.startswith("warning: clips are flipped") for line in lines)
    quiet = said(squares, tmp_path / "quiet", "augment.left_right=[[0,1]]")
    assert not any("warning" in line for line in quiet)


@pytest.mark.parametrize("pairs", [((0, 3),), ((-1, 0),), ((0, 1), (1, 2)), ((2, 2),)])
def test_pairs_of_classes_are_held_to_the_classes(pairs):
    with pytest.raises(RecipeError, match=r"augment\.left_right has the class"):
        check_left_right(Augment(left_right=pairs), ("a", "b", "c"))
    check_left_right(Augment(left_right=((0, 2),)), ("a", "b", "c"))


def test_validating_on_training_videos_is_warned_about(squares):
    samples = read_samples(squares)
    (line,) = warn_overlap(samples, samples)
    assert "16 of the 16 validation videos are trained on too: left/0.mp4" in line
    assert warn_overlap(samples.of_groups(["left/0.mp4"]), samples.of_groups(["left/1.mp4"])) == []


def test_a_finished_run_says_so_and_needs_no_data(squares, tmp_path):
    data = tmp_path / "videos"
    data.symlink_to(squares)
    said(data, tmp_path / "run")
    data.unlink()
    lines = said(data, tmp_path / "run", resume=True)
    assert lines == [f"{tmp_path / 'run'} is finished: all 1 epochs are done"]


def test_a_run_that_failed_at_once_leaves_its_folder_free(squares, tmp_path):
    with pytest.raises(DataError, match=r"data\.train = .* does not exist"):
        said(tmp_path / "nowhere", tmp_path / "run")
    assert said(squares, tmp_path / "run")


def test_other_classes_do_not_resume(squares, tmp_path):
    data = tmp_path / "videos"
    for label in ("left", "right"):
        (data / label).mkdir(parents=True)
        for clip in (squares / label).iterdir():
            (data / label / clip.name).symlink_to(clip)

    class StoppedError(Exception):
        pass

    class Stop(Watcher):
        def epoch(self, row, *, epochs, best):
            if row["epoch"] == 2:
                raise StoppedError

    recipe = default_recipe(str(data), "test_r2plus1d", [*SMALL, "train.epochs=3"])
    with pytest.raises(StoppedError):
        train(recipe, tmp_path / "run", watcher=Stop(), accelerator="cpu")
    (data / "right").rename(data / "aright")

    with pytest.raises(TrainingError, match=r"other classes: 'left' is now 'aright'"):
        train(recipe, tmp_path / "run", resume=True, accelerator="cpu")


def test_an_out_that_cannot_be_written(squares, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be written"):
        said(squares, tmp_path / "file" / "run")
