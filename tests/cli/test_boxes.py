"""zoopraxis boxes: files and a list that training reads, resumed and drawn."""

import json

import pytest
from typer.testing import CliRunner

from zoopraxis.cli import app
from zoopraxis.data.samples import read_samples
from zoopraxis.inputs import Regions
from zoopraxis.regions import read_boxes
from zoopraxis.theatre import film
from zoopraxis.theatre.make import encode
from zoopraxis.video import open_video


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two classes, a walk and its reverse, of six frames."""
    folder = tmp_path_factory.mktemp("videos")
    frames = film("walk", seed=2, performer=2, size=(320, 240)).frames[:6]
    for label, shown in (("back", frames[::-1]), ("forth", frames)):
        (folder / label).mkdir()
        (folder / label / "walk.mp4").write_bytes(encode(shown, fps=15))
    return folder


def run(*words):
    return CliRunner().invoke(app, ["boxes", *map(str, words), "--detector", "opencv"])


def test_a_folder_of_classes_becomes_boxes_and_a_list(videos, tmp_path):
    done = run(videos, tmp_path / "out", "--every", 3, "--workers", 2, "--json")

    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["every"] == 3
    samples = read_samples(facts["list"])
    assert samples.labels == ("back", "forth")
    for sample, video in zip(samples, facts["videos"], strict=True):
        boxes = read_boxes(sample.boxes)
        assert boxes.looked.tolist() == [0, 3]
        assert len(boxes.boxes) == video["found"] > 0
        with Regions(resize=96, size=96).open(sample) as track:
            assert (track.rows >= 0).all()  # between the frames looked at, the nearest
    first = (tmp_path / "out" / "back" / "walk.csv").stat().st_mtime_ns
    again = run(videos, tmp_path / "out", "--every", 3, "--workers", 1, "--json")
    assert json.loads(again.stdout) == facts
    assert (tmp_path / "out" / "back" / "walk.csv").stat().st_mtime_ns == first

    other = run(videos, tmp_path / "out", "--every", 2, "--workers", 1)
    assert other.exit_code == 1
    assert "every 3 frames, and opencv, scores from 0, every 2 frames is asked" in other.stderr


def test_the_boxes_of_one_video_are_drawn(videos, tmp_path):
    drawn = tmp_path / "drawn.mp4"
    done = run(videos / "forth" / "walk.mp4", tmp_path / "out", "--overlay", drawn)

    assert done.exit_code == 0, done.output
    with open_video(drawn) as video, open_video(videos / "forth" / "walk.mp4") as plain:
        assert video.num_frames == plain.num_frames
        difference = video.frames_at([0]).float() - plain.frames_at([0], resize=(360, 480)).float()
    x1, y1, x2, y2 = (1.5 * read_boxes(tmp_path / "out" / "walk.csv").boxes[0]).round().astype(int)
    edge, inside = (int(y1 + y2) // 2, x2 - 1), (int(y1 + y2) // 2, x1 + 12)
    assert difference[0, :, *edge].abs().max() > 40
    assert difference[0, :, *inside].abs().max() < 40


def test_a_list_is_not_drawn(videos, tmp_path):
    done = run(videos, tmp_path / "out", "--overlay", tmp_path / "drawn.mp4")
    assert done.exit_code == 1
    assert "draws one video" in str(done.exception)
