"""zoopraxis ava: list, predict, score, from a film of the theatre's size to mAP."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.saved import save_model
from zoopraxis.cli import app
from zoopraxis.data.samples import read_samples
from zoopraxis.models import model_spec
from zoopraxis.video import write_video

TINY = "test_r2plus1d"


def run(*words):
    done = CliRunner().invoke(app, ["ava", *map(str, words)])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def ava(tmp_path):
    """One film with three moments, and boxes of two people."""
    (tmp_path / "videos").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (40, 32, 64, 3), dtype=np.uint8)
    write_video(
        tmp_path / "videos/film.mp4", ((i / 8, frame) for i, frame in enumerate(noise)), fps=8
    )
    (tmp_path / "train.csv").write_text(
        "film,0902,0.1,0.1,0.5,0.9,12,0\nfilm,0902,0.1,0.1,0.5,0.9,80,0\n"
        "film,0903,0.5,0.1,0.9,0.9,11,1\nfilm,0904,0.5,0.1,0.9,0.9,12,1\n"
    )
    (tmp_path / "excluded.csv").write_text("film,0904\n")
    return tmp_path


def test_from_boxes_to_map(ava):
    torch.manual_seed(0)
    labels = ("sit", "stand", "watch (a person)")
    config = ModelConfig(name=TINY, clip=model_spec(TINY).clip, labels=labels)
    save_model(ava / "net.safetensors", config.build(), config)
    options = ("--exclude", ava / "excluded.csv", "--offset", 900)

    said = run("list", ava / "train.csv", ava / "videos", ava / "list.jsonl", *options)
    assert said.startswith("2 clips of 1 videos")
    samples = read_samples(ava / "list.jsonl")
    assert samples.labels == labels
    assert [sample.label for sample in samples] == [(1, 2), (0,)]

    command = ("predict", ava / "train.csv", ava / "videos", ava / "out")
    facts = json.loads(run(*command, "--model", ava / "net.safetensors", *options, "--json"))
    results = (ava / "out/results.csv").read_text().splitlines()
    assert facts["people"] == 2
    assert len(results) == 2 * 3
    assert results[0].startswith("film,0902,0.1000,0.1000,0.5000,0.9000,11,0.")

    score = ("score", ava / "train.csv", facts["results"], "--exclude", ava / "excluded.csv")
    facts = json.loads(run(*score, "--json"))
    each = facts["average_precision"]
    assert facts["moments"] == 2
    assert {name for name, value in each.items() if value is not None} == set(labels)
    # each action has one true box and two candidates
    assert set(each.values()) - {None} <= {0.5, 1.0}
    assert facts["mAP"] == pytest.approx(sum(each[label] for label in labels) / 3)
    lines = run(*score).splitlines()
    assert len(lines) == 61
    assert lines[-1] == f"{facts['mAP']:6.1%}  mAP of 2 moments"
