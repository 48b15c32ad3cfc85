"""Runs as real processes: killed and resumed, two at once, from the command line."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from zoopraxis.cli.train import train as command_train
from zoopraxis.errors import RecipeError
from zoopraxis.training.loop import train
from zoopraxis.training.recipe import default_recipe

SETTINGS = [
    "clip.num_frames=4",
    "clip.size=32",
    "clip.resize=36",
    "train.epochs=3",
    "train.batch_size=4",
    "train.ema=0.9",
    "optim.clip_grad=1.0",
]


@pytest.fixture
def one_thread(monkeypatch):
    """Sums come out the same whoever adds them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield
    torch.set_num_threads(before)


def command(data: Path, out: Path, *words: str) -> list[str]:
    options = ["--data", str(data), "--model", "test_r2plus1d", "--out", str(out)]
    python = [sys.executable, "-W", "error", "-m", "zoopraxis", "train"]
    return [*python, *options, "--accelerator", "cpu", *words]


def finish(words: list[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done


def test_killed_in_an_epoch_it_goes_on_to_the_same_weights(squares, tmp_path, one_thread):
    settings = [
        *SETTINGS,
        "train.checkpoint_steps=1",
        "train.mixup=0.3",
        "train.label_smoothing=0.1",
        "model.args.dropout=0.5",
        "optim.name=adamw",
        "optim.warmup_epochs=1",
        "augment.brightness=0.3",
    ]
    recipe = default_recipe(str(squares), "test_r2plus1d", settings)
    whole = train(recipe, tmp_path / "whole", accelerator="cpu")
    out = tmp_path / "killed"

    process = subprocess.Popen(command(squares, out, *settings), stderr=subprocess.DEVNULL)
    while not any((out / "last" / f"{step:09d}").exists() for step in (4, 5)):
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "final.safetensors").exists()
    resumed = finish(command(squares, out, "--resume", *settings))

    assert "resuming at epoch 2, step " in resumed.stderr
    for name in ("best.safetensors", "final.safetensors"):
        expected, found = load_file(whole.out / name), load_file(out / name)
        assert all(torch.equal(expected[key], found[key]) for key in expected)
    columns = [
        [line.split(",")[:5] for line in (folder / "log.csv").read_text().splitlines()]
        for folder in (whole.out, out)
    ]
    assert columns[0] == columns[1]


@pytest.mark.slow
def test_two_processes_learn_what_one_does(squares, tmp_path, one_thread):
    # Frozen norms: with statistics of its own half batch each process would see other norms.
    settings = [*SETTINGS, "train.freeze_norms=all", "optim.lr=0.1"]
    recipe = default_recipe(str(squares), "test_r2plus1d", settings)
    alone = train(recipe, tmp_path / "alone", accelerator="cpu")

    done = finish(command(squares, tmp_path / "two", "--devices", "2", *settings))

    assert done.stdout.count("final ") == 1  # one of them prints
    one, two = (load_file(f / "final.safetensors") for f in (alone.out, tmp_path / "two"))
    for key in one:
        torch.testing.assert_close(one[key], two[key], rtol=1e-3, atol=1e-5)
    logs = [(f / "log.csv").read_text().splitlines()[-1] for f in (alone.out, tmp_path / "two")]
    losses = [[float(v) for v in (line.split(",")[i] for i in (3, 4, 8, 9))] for line in logs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_command_line_refuses_what_it_cannot_mean(squares, tmp_path):
    with pytest.raises(RecipeError, match="give one recipe, or --data and --model"):
        command_train(data=str(squares))
    with pytest.raises(RecipeError, match="is not one of stop, skip"):
        command_train(data=str(squares), model="test_r2plus1d", on_bad_video="ignore")


def test_command_line_prints_where_things_are(squares, tmp_path, capsys):
    out = tmp_path / "run"
    changes = ["train.epochs=1", *SETTINGS[:3]]

    command_train(changes, data=str(squares), model="test_r2plus1d", out=out)
    command_train(out=out, resume=True)  # finished: says the same again

    lines = capsys.readouterr().out.splitlines()
    assert lines[: len(lines) // 2] == lines[len(lines) // 2 :]
    assert [line.split()[0] for line in lines[:4]] == ["best", "final", "log", "curves"]
    assert str(out / "final.safetensors") in lines[1]
