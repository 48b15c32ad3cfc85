"""zoopraxis data frames: folders of JPEG files and a list that training reads."""

import json

from typer.testing import CliRunner

from videos import numbers_of, write
from zoopraxis.cli import app
from zoopraxis.data.samples import read_samples
from zoopraxis.video import open_video


def run(*words):
    return CliRunner().invoke(app, ["data", "frames", *map(str, words)])


def test_a_folder_of_classes_becomes_frames_and_a_list(squares, tmp_path):
    done = run(squares, tmp_path / "out", "--short", 24, "--fps", 5, "--workers", 2, "--json")

    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert {v["frames"] for v in facts["videos"]} == {6}
    samples = read_samples(facts["list"])
    assert samples.labels == ("left", "right")
    assert len(samples) == 16
    with open_video(samples[0].path) as video:
        assert (video.height, video.width, video.num_frames, video.fps) == (24, 32, 6, 5)
    # a folder of classes as any other, too
    (tmp_path / "out" / "clips.csv").unlink()
    assert len(read_samples(tmp_path / "out")) == 16


def test_one_video_and_a_bad_one(tmp_path):
    done = run(write(tmp_path / "a.mp4", frames=5), tmp_path / "out", "--short", 0)
    assert done.exit_code == 0, done.output
    with open_video(tmp_path / "out" / "a") as video:
        assert numbers_of(video.frames_at(range(5))) == [0, 1, 2, 3, 4]

    (tmp_path / "b.mp4").write_text("no video")
    done = run(tmp_path / "b.mp4", tmp_path / "out")
    assert done.exit_code == 1
    assert "1 of 1 videos have no frames" in done.stderr
