"""zoopraxis trajectories: extract, train, evaluate and predict, from videos to a report."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from videos import write_frames
from zoopraxis.cli import app
from zoopraxis.data.samples import read_samples
from zoopraxis.evaluation.result import read_evaluation
from zoopraxis.theatre import film
from zoopraxis.trajectories.store import summarise

SMALL = ("--components", "2", "--workers", "1")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Folder of classes with three clips each."""
    root = tmp_path_factory.mktemp("videos")
    for action in ("push", "wave"):
        for seed in range(3):
            frames = film(action, seed=seed, performer=seed, size=(96, 72)).frames
            write_frames(root / action / f"{seed}.mp4", frames)
    return root


@pytest.fixture(scope="module")
def extracted(videos, tmp_path_factory):
    """Folder of their trajectories, and what was printed."""
    out = tmp_path_factory.mktemp("extracted")
    done = run("extract", videos, out, "--camera", "none", "--workers", 1, "--json")
    assert done.exit_code == 0, done.output
    return out, json.loads(done.stdout)


@pytest.fixture(scope="module")
def trained(extracted, tmp_path_factory):
    """Folder of a model, and what was printed."""
    out = tmp_path_factory.mktemp("trained")
    done = run("train", extracted[0], out, "--val", extracted[0], *SMALL, "--json")
    assert done.exit_code == 0, done.output
    return out, json.loads(done.stdout)


def run(*words):
    return CliRunner().invoke(app, ["trajectories", *map(str, words)])


def test_a_folder_of_classes_becomes_trajectories_and_a_list(extracted, videos):
    out, facts = extracted

    assert facts["settings"]["camera"] == "none"
    assert all(video["count"] > 100 for video in facts["videos"] if "push" in video["video"])
    samples = read_samples(facts["list"])
    assert samples.labels == ("push", "wave")
    assert samples.missing() == ()
    for sample, video in zip(samples, facts["videos"], strict=True):
        assert Path(sample.trajectories).samefile(video["trajectories"])
        assert summarise(sample.trajectories).count == video["count"]
    again = run("extract", videos, out, "--camera", "none", "--workers", 1, "--json")
    assert json.loads(again.stdout)["videos"] == facts["videos"]


def test_a_bad_video_is_named_and_the_others_are_done(videos, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    table = tmp_path / "list.csv"
    table.write_text(f"path,label\nbad.mp4,a\n{videos}/wave/0.mp4,b\n")

    done = run("extract", table, tmp_path / "out", "--scales", 1, "--workers", 1)

    assert done.exit_code == 1
    assert "bad.mp4" in done.stderr
    assert "1 of 2 videos have no trajectories" in done.stderr
    assert len(read_samples(tmp_path / "out" / "clips.csv")) == 1


def test_the_groups_of_a_list_are_kept(videos, tmp_path):
    table = tmp_path / "list.csv"
    table.write_text(f"path,label,scene\n{videos}/wave/0.mp4,a,kitchen\n")

    done = run("extract", table, tmp_path, "--group", "scene", "--scales", 1, "--workers", 1)

    assert done.exit_code == 0, done.output
    assert [s.group for s in read_samples(tmp_path / "clips.csv")] == ["kitchen"]


def test_a_folder_of_frames_is_a_video(tmp_path):
    for number, frame in enumerate(film("push", seed=0, performer=0, size=(96, 72)).frames):
        cv2.imwrite(str(tmp_path / f"{number:03d}.png"), frame[..., ::-1])

    done = run("extract", tmp_path, tmp_path / "out", "--scales", 1, "--json")

    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["list"] is None
    assert facts["videos"][0]["count"] > 50


def test_one_video(videos, tmp_path):
    done = run("extract", videos / "wave" / "0.mp4", tmp_path, "--camera", "none")

    assert done.exit_code == 0, done.output
    assert "trajectories of 1 videos" in done.stdout
    assert (tmp_path / "0.safetensors").is_file()


def test_training_prints_the_accuracy_on_other_videos(trained):
    out, facts = trained

    assert facts["val"]["top1"] == 1
    assert facts["components"] == 2
    assert facts["videos"] == 6
    assert (out / "model.safetensors").is_file()


def test_evaluation_writes_a_report_and_scores(trained, extracted, tmp_path):
    done = run("evaluate", trained[0], extracted[0], "--out", tmp_path, "--json")

    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["top1"] == 1
    assert facts["by_class"] == {"push": 1, "wave": 1}
    assert "Calibration" not in (tmp_path / "report.html").read_text()  # no probabilities
    (file,) = tmp_path.glob("logits-*.npz")
    assert read_evaluation(file).logits.shape == (6, 1, 2)
    text = run("evaluate", trained[0], extracted[0], "--out", tmp_path)
    assert "100.00 %" in text.stdout


def test_a_prediction_is_what_the_evaluation_has(trained, extracted, videos, tmp_path):
    run("evaluate", trained[0], extracted[0], "--out", tmp_path)
    (file,) = tmp_path.glob("logits-*.npz")
    expected = read_evaluation(file).logits[0, 0]

    done = run("predict", trained[0], videos / "push" / "0.mp4", "--json")

    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["top"][0]["label"] == "push"
    assert facts["mode"] == "sum_logit"
    np.testing.assert_allclose(facts["views"][0]["logits"], expected, atol=1e-5)
    text = run("predict", trained[0], videos / "push" / "0.mp4", "--top", 1)
    assert text.stdout.splitlines()[1].endswith("push")
    assert len(text.stdout.splitlines()) == 2


def test_a_video_without_trajectories(trained, tmp_path):
    write_frames(tmp_path / "still.mp4", np.full((20, 48, 64, 3), 90, np.uint8))

    done = run("predict", trained[0], tmp_path / "still.mp4", "--json")

    assert done.exit_code == 0, done.output
    assert "has no trajectories: its Fisher vectors are all zero" in done.stderr
    scores = [pair["score"] for pair in json.loads(done.stdout)["top"]]
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("train", "{videos}/nothing", "{out}"), "does not exist"),
        (("evaluate", "{out}", "{videos}"), "model.safetensors"),
        (("predict", "{out}/model.safetensors", "{videos}/push/0.mp4"), "no file"),
    ],
)
def test_what_is_not_there(words, problem, videos, tmp_path):
    done = run(*(word.format(videos=videos, out=tmp_path) for word in words))

    assert done.exit_code == 1
    assert problem in done.exception.problem


def test_a_list_with_other_trajectories_than_the_model(trained, videos, tmp_path):
    run("extract", videos, tmp_path / "t", "--camera", "none", "--scales", 1, "--workers", 1)

    done = run("evaluate", trained[0], tmp_path / "t", "--out", tmp_path / "out")

    assert done.exit_code == 1
    assert "scales=1" in done.exception.problem
    assert "same settings" in done.exception.hint


def test_more_gaussians_than_trajectories(extracted, tmp_path):
    done = run("train", extracted[0], tmp_path, "--sample", 80)

    assert done.exit_code == 1
    assert "80 descriptors are too few for 256 Gaussians" in done.exception.problem
    assert "--components" in done.exception.hint
