"""zoopraxis train and demo: what they print, and what they refuse."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from zoopraxis.cli import app
from zoopraxis.data.examine import examine_videos
from zoopraxis.data.quarantine import write_quarantine
from zoopraxis.errors import DataError, RecipeError, TrainingError

SMALL = [
    "clip.num_frames=4",
    "clip.size=32",
    "clip.resize=36",
    "train.epochs=1",
    "train.batch_size=4",
    "augment.flip=0",
]


def invoke(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def train(*words):
    return invoke("train", *words, "--accelerator", "cpu")


def tiny(squares, out, *words):
    return train("--data", squares, "--model", "test_r2plus1d", "--out", out, *SMALL, *words)


def refused(*words, error=RecipeError):
    done = train(*words)
    assert done.exit_code == 1
    assert isinstance(done.exception, error), done.output
    return done.exception


def test_a_run_says_what_it_does_and_where_things_are(squares, tmp_path):
    out = tmp_path / "run"
    done = tiny(squares, out)

    assert done.exit_code == 0, done.output
    said = done.stderr.splitlines()
    assert said[0].startswith("2 classes with 6 training videos each: left, right; ")
    assert said[-1].startswith("epoch   1/1  lr ")
    printed = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()}
    assert printed == {
        "best": f"{out}/best.safetensors",
        "final": f"{out}/final.safetensors",
        "log": f"{out}/log.csv",
        "curves": f"{out}/curves.png",
    }

    again = train("--resume", "--out", out)

    assert again.exit_code == 0, again.output
    assert again.stdout == done.stdout
    assert again.stderr.splitlines() == [f"{out} is finished: all 1 epochs are done"]


def test_unreadable_videos_are_counted_and_listed(squares, tmp_path):
    listed = [f"{path},{path.parent.name}" for path in sorted(squares.glob("*/*.mp4"))]
    (tmp_path / "text.mp4").write_text("this is no video")
    (tmp_path / "list.csv").write_text("\n".join([*listed, "text.mp4,left", "gone.mp4,right"]))

    options = ("--on-bad-video", "skip", "data.val_fraction=0", "train.batch_size=18")
    done = tiny(tmp_path / "list.csv", tmp_path / "run", *options)

    assert done.exit_code == 0, done.output
    assert "1 of the 18 videos of " in done.stderr
    assert "line 18: " in done.stderr
    assert "2 videos skipped" in done.stderr
    skipped = [line for line in done.stdout.splitlines() if line.startswith("skipped ")]
    assert [line.split("/")[-1].split(":")[0] for line in sorted(skipped)] == [
        "gone.mp4",
        "text.mp4",
    ]


def test_videos_in_quarantine_are_named_by_the_run(squares, tmp_path):
    listed = [f"{path},{path.parent.name}" for path in sorted(squares.glob("*/*.mp4"))]
    bad = tmp_path / "text.mp4"
    bad.write_text("this is no video")
    (tmp_path / "list.csv").write_text("\n".join([*listed, "text.mp4,left"]))
    file = tmp_path / "bad.csv"
    write_quarantine(file, examine_videos([str(bad)], level="headers", workers=1))

    words = ("--quarantine", file, "data.val_fraction=0", "train.batch_size=16")
    done = tiny(tmp_path / "list.csv", tmp_path / "run", *words)

    assert done.exit_code == 0, done.output
    assert "1 of 17 videos are left out" in done.stderr
    assert "left out: text.mp4\n" in done.stderr
    named = json.loads((tmp_path / "run" / "quarantined.json").read_text())
    assert list(named) == ["text.mp4"]
    assert str(bad) in named["text.mp4"]


def test_what_there_is_to_resume(tmp_path):
    error = refused("--resume", "--out", tmp_path, error=TrainingError)
    assert "holds no run to resume" in error.problem


def test_near_names_of_recipes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused("tsm_online2").hint.startswith("did you mean tsm_online")
    assert "known: " in refused("nosuch").hint
    assert "nosuch.toml cannot be read" in refused("nosuch.toml").problem
    assert "--data FOLDER" in refused("tsm", error=DataError).hint
    (tmp_path / "tsm").mkdir()  # a name is a name
    assert "data.train" in refused("tsm", error=DataError).problem
    assert "is a folder, not a recipe" in refused("./tsm").problem
    assert not (tmp_path / "runs").exists()


def test_settings_that_there_are_not(squares, tmp_path):
    options = ("--data", squares, "--model", "test_r2plus1d", "--out", tmp_path / "run")
    assert "did you mean epochs" in refused(*options, "train.epoch=1").hint
    assert "did you mean train" in refused(*options, "trian.epochs=1").hint
    error = refused(*options, *SMALL, "model.args.dropuot=0.1")
    assert "unexpected keyword argument 'dropuot'" in error.problem
    assert error.hint.startswith("did you mean dropout")
    done = invoke("train", *options, "--accelerator", "gpu")
    assert "'gpu' is not one of auto, cpu" in str(done.exception)


def test_a_folder_whose_name_is_a_number(squares, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "2024").symlink_to(squares)
    (tmp_path / "mine.toml").write_text('[model]\nname = "test_r2plus1d"\n')

    done = train("mine.toml", "--data", "2024", *SMALL)

    assert done.exit_code == 0, done.output
    assert (tmp_path / "runs" / "mine" / "final.safetensors").is_file()


KILLS_A_WORKER = """
import multiprocessing, os, signal, sys
from zoopraxis.cli import main
from zoopraxis.cli._training_bar import TrainingBar

def step(self, epoch, **measured):
    os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

TrainingBar.step = step
main()
"""


def test_a_worker_that_is_killed_takes_two_lines(squares, tmp_path):
    options = ["--data", squares, "--model", "test_r2plus1d", "--out", tmp_path / "run"]
    words = [*options, "--accelerator", "cpu", *SMALL, "data.workers=2", "train.epochs=1000"]
    python = [sys.executable, "-c", KILLS_A_WORKER, "train"]
    done = subprocess.run(
        [*python, *map(str, words)], capture_output=True, text=True, timeout=300, check=False
    )

    assert done.returncode == 1
    error, hint = done.stderr.splitlines()[-2:]
    assert error.startswith("error: a loader worker")
    assert error.endswith("was killed, most likely because memory ran out")
    assert hint.startswith("hint:  set data.workers=1 or fewer (now 2)")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("data.val_fraction=0", "keeps none"),
        ("data.train={squares}", "has others"),
        ("train.epochs=0", "train.epochs = 0 is not between"),
    ],
)
def test_the_demo_refuses_before_it_trains(squares, tmp_path, change, problem, monkeypatch):
    monkeypatch.setattr("zoopraxis.theatre.demo.make_theatre", theatre_of(squares))
    monkeypatch.setattr("zoopraxis.theatre.demo.contact_sheet", lambda *_: tmp_path)
    monkeypatch.setattr("zoopraxis.theatre.demo.train", None)

    done = invoke("demo", "--out", tmp_path / "demo", change.format(squares=squares))

    assert done.exit_code == 1
    assert isinstance(done.exception, RecipeError)
    assert problem in done.exception.problem


def theatre_of(squares):
    """Make a theatre in no time: all its actions, and always the same film."""
    from zoopraxis.theatre import ACTIONS

    def make(folder, **_):
        clip = next(squares.glob("*/*.mp4"))
        for action in ACTIONS:
            for n in range(2):
                (folder / action / f"group{n}").mkdir(parents=True)
                (folder / action / f"group{n}" / "clip.mp4").symlink_to(clip)

    return make


def test_the_demo_knows_its_recipes_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr("zoopraxis.theatre.demo.make_theatre", None)  # nothing is filmed before
    done = invoke("demo", "--out", tmp_path, "--recipe", "theatre_r2plus2d")
    assert isinstance(done.exception, RecipeError)
    assert "theatre_r2plus1d" in done.exception.hint
