"""zoopraxis predict, from the outside."""

import json

import pytest
import torch
from typer.testing import CliRunner

from videos import write
from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.saved import save_model
from zoopraxis.cli import app
from zoopraxis.errors import ZoopraxisError
from zoopraxis.models import model_spec
from zoopraxis.prediction.pipeline import predict
from zoopraxis.prediction.timeline import predict_timeline
from zoopraxis.video import open_video


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny network with four named classes."""
    torch.manual_seed(0)
    spec = model_spec("test_r2plus1d")
    labels = ("walk", "run", "sit down", "stand up")
    config = ModelConfig(name=spec.name, clip=spec.clip, labels=labels)
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    return str(save_model(path, config.build(), config))


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return str(write(tmp_path_factory.mktemp("video") / "numbers.mp4", frames=40))


def call(*words):
    return CliRunner().invoke(app, ["predict", *map(str, words)])


def test_json_is_what_the_library_says(model, video):
    done = call(video, "--model", model, "--views", 3, "--crops", 3, "--top", 2, "--json")
    assert done.exit_code == 0
    expected = predict(video, model, views=3, crops=3, top=2)
    assert json.loads(done.stdout) == json.loads(expected.to_json())


def test_the_table_has_labels_scores_and_times(model, video):
    done = call(video, "--model", model, "--top", 2)
    expected = predict(video, model, top=2)
    first, *rows = done.stdout.splitlines()
    start, end = expected.times[0]
    assert first == f"{video}: seen {start:.2f}-{end:.2f} s"
    assert rows == [
        f"  {score:6.1%}  {label}"
        for label, score in zip(expected.labels, expected.scores, strict=True)
    ]


def test_a_timeline_when_asked(model, video):
    done = call(video, "--model", model, "--timeline", "--json")
    expected = predict_timeline(video, model)
    assert json.loads(done.stdout) == json.loads(expected.to_json())
    assert json.loads(done.stdout)["segments"][-1]["end"] == pytest.approx(1.6)


def test_a_long_video_becomes_a_timeline(model, tmp_path):
    path = write(tmp_path / "long.mp4", frames=33, rate=1)
    assert "timeline" in call(path, "--model", model).stdout
    assert "timeline" not in call(path, "--model", model, "--whole").stdout


def test_an_unreadable_video_does_not_stop_the_others(model, video, tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("not a video\n" * 50)
    done = call(text, video, tmp_path / "none.mp4", "--model", model)
    assert done.exit_code == 1
    assert done.stdout.startswith(f"{video}: seen")
    assert f"error: {text}" in done.stderr
    assert f"error: {tmp_path / 'none.mp4'}" in done.stderr


def test_overlays_of_several_videos_go_into_a_folder(model, video, tmp_path):
    other = write(tmp_path / "other.mp4", frames=5)
    assert call(video, other, "--model", model, "--save", tmp_path / "out").exit_code == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["numbers.overlay.mp4", "other.overlay.mp4"]
    with open_video(tmp_path / "out" / names[1]) as saved:
        assert saved.num_frames == 5
    refused = call(video, other, "--model", model, "--save", tmp_path / "one.mp4")
    assert isinstance(refused.exception, ZoopraxisError)


def test_the_overlay_of_one_video(model, video, tmp_path):
    assert call(video, "--model", model, "--save", tmp_path / "one.mp4").exit_code == 0
    with open_video(tmp_path / "one.mp4") as saved:
        assert (saved.num_frames, saved.width, saved.height) == (40, 480, 360)


def test_an_unknown_model_is_an_error(video):
    assert isinstance(call(video, "--model", "r2plus1d_19").exception, ZoopraxisError)


def test_a_folder_called_like_a_model_does_not_shadow_it(video, tmp_path, monkeypatch):
    (tmp_path / "test_r2plus1d").mkdir()
    monkeypatch.chdir(tmp_path)
    done = call(video, "--model", "test_r2plus1d", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["model"] == "test_r2plus1d"


def test_the_folder_of_a_run_is_its_best_weights(model, video, tmp_path):
    import shutil
    from pathlib import Path

    (tmp_path / "runs" / "x").mkdir(parents=True)
    for ending in (".safetensors", ".json"):
        shutil.copy(Path(model).with_suffix(ending), tmp_path / "runs" / "x" / f"best{ending}")
    done = call(video, "--model", tmp_path / "runs" / "x", "--json")
    found = json.loads(done.stdout)
    assert found["model"].endswith("runs/x/best.safetensors")
    assert found["top"] == json.loads(predict(video, model).to_json())["top"]
