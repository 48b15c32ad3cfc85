"""zoopraxis flow: files and a list that training reads; and networks for flow simply work."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from videos import write
from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.saved import save_model
from zoopraxis.cli import app
from zoopraxis.data.samples import read_samples
from zoopraxis.inputs import Flow
from zoopraxis.models import model_spec

TINY = "test_two_stream_flow"


@pytest.fixture
def videos(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOOPRAXIS_HOME", str(tmp_path / "cache"))
    for label in ("left", "right"):
        (tmp_path / "videos" / label).mkdir(parents=True)
        for n in range(2):
            write(tmp_path / "videos" / label / f"{n}.mp4", frames=8 + n)
    return tmp_path / "videos"


def run(*words):
    return CliRunner().invoke(app, ["flow", *map(str, words)])


def test_a_folder_of_classes_becomes_flow_and_a_list(videos, tmp_path):
    done = run(videos, tmp_path / "out", "--short", 24, "--workers", 1, "--json")

    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert [v["fields"] for v in facts["videos"]] == [7, 8, 7, 8]
    samples = read_samples(facts["list"])
    assert samples.labels == ("left", "right")
    for sample in samples:
        assert Path(sample.path).resolve().is_relative_to(videos.resolve())
        with Flow(resize=24, size=24).open(sample) as track:
            assert track.num_frames == facts["videos"][0]["fields"] + int("1.mp4" in sample.path)


def test_segments_of_one_file_share_its_flow(videos, tmp_path):
    table = tmp_path / "list.csv"
    table.write_text(
        "path,label,start,end\nvideos/left/0.mp4,a,0,0.1\nvideos/left/0.mp4,b,0.1,0.2\n"
    )
    done = run(table, tmp_path / "out", "--short", 24, "--json")

    assert len(json.loads(done.stdout)["videos"]) == 1
    first, second = read_samples(tmp_path / "out" / "clips.csv")
    assert first.flow == second.flow
    assert (first.end, second.start) == (0.1, 0.1)


def test_one_video(videos, tmp_path):
    done = run(
        videos / "left" / "0.mp4", tmp_path / "out", "--method", "farneback", "--form", "npz"
    )

    assert done.exit_code == 0, done.output
    assert "7 fields of 1 videos" in done.stdout
    assert (tmp_path / "out" / "0.npz").is_file()


def test_a_video_to_look_at_and_no_list(videos, tmp_path):
    done = run(videos, tmp_path / "out", "--form", "video", "--workers", 1, "--full", 4, "--json")

    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["list"] is None
    assert Path(facts["videos"][0]["flow"]) == tmp_path / "out" / "left" / "0.flow.mp4"
    assert not (tmp_path / "out" / "clips.csv").exists()


def test_a_folder_of_frames_is_one_video_and_an_image_is_none(tmp_path):
    (tmp_path / "frames").mkdir()
    for number in range(3):
        image = np.random.default_rng(number).integers(0, 256, (17, 33, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "frames" / f"{number}.png"), image)

    done = run(tmp_path / "frames", tmp_path / "out", "--short", 0, "--method", "warped:farneback")

    assert done.exit_code == 0, done.output
    assert "2 fields of 1 videos" in done.stdout
    alone = run(tmp_path / "frames" / "0.png", tmp_path / "out")
    assert alone.exit_code == 1
    assert "0.png" in alone.stderr


def test_an_unknown_method_is_refused_with_a_near_one(videos, tmp_path):
    done = run(videos, tmp_path / "out", "--method", "warped:tvl")

    assert done.exit_code == 1
    assert done.exception.hint == "did you mean tvl1?"
    assert not (tmp_path / "out").exists()


def test_a_bad_video_is_named_and_the_others_are_done(videos, tmp_path):
    (videos / "left" / "0.mp4").write_bytes(b"no video")

    done = run(videos, tmp_path / "out", "--short", 24, "--workers", 1, "--json")

    assert done.exit_code == 1
    assert "0.mp4" in done.stderr
    assert "1 of 4 videos have no flow" in done.stderr
    assert len(read_samples(tmp_path / "out" / "clips.csv")) == 3


def test_predict_with_a_network_for_flow_needs_the_video_alone(videos, tmp_path):
    config = ModelConfig(name=TINY, clip=model_spec(TINY).clip, labels=("left", "right"))
    torch.manual_seed(0)
    save_model(tmp_path / "flow.safetensors", config.build(), config)

    words = [
        "predict",
        str(videos / "left" / "0.mp4"),
        "--model",
        str(tmp_path / "flow.safetensors"),
    ]
    done = CliRunner().invoke(app, [*words, "--json"])

    assert done.exit_code == 0, done.output
    assert "left" in done.stdout
    assert list((tmp_path / "cache" / "flow").glob("*/*.png"))
