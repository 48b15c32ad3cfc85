"""What each of several people does: crops that follow them, windows, smoothing, results."""

import csv
import json

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from colours import colours, opened
from zoopraxis.cli import app
from zoopraxis.data.samples import read_samples
from zoopraxis.errors import VideoError, ZoopraxisError
from zoopraxis.inputs import RGB, ClipSpec, Flow, RGBDiff, Sampling
from zoopraxis.prediction.people import predict_people, smoothed
from zoopraxis.regions import FrameBoxes, write_boxes
from zoopraxis.video import open_video, write_video

FRAMES, HEIGHT, WIDTH = 24, 80, 160
GREEN, RED, BLUE = (0, 250, 0), (250, 0, 0), (0, 0, 250)


@pytest.fixture
def film():
    """Two people of 20 x 20 pixels on green: one turns from red to blue, one walks, blue.

    Returns frames (24, 3, 80, 160) and boxes with their tracks, 0 and 5.
    """
    frames = np.zeros((FRAMES, 3, HEIGHT, WIDTH), np.uint8)
    frames[:, 1] = 250
    boxes = []
    for n in range(FRAMES):
        for corner, colour in (
            ((10, 10), RED if n < FRAMES // 2 else BLUE),
            ((60 + 3 * n, 40), BLUE),
        ):
            x, y = corner
            frames[n, :, y : y + 20, x : x + 20] = np.array(colour)[:, None, None]
            boxes.append((x, y, x + 20, y + 20))
    at = np.repeat(np.arange(FRAMES), 2)
    tracks = np.tile([0, 5], FRAMES)
    return torch.from_numpy(frames), FrameBoxes.of(at, np.array(boxes, float), tracks=tracks)


def clip_of(input_=None, *, frames=2):
    plain = {"resize": 16, "size": 16, "mean": (0.0,), "std": (1.0,)}
    return ClipSpec(sampling=Sampling(num_frames=frames), input=(input_ or RGB)(**plain))


def test_each_person_has_labels_of_his_own_over_time(film):
    frames, boxes = film
    result = predict_people(frames, colours(clip_of(frames=1)), boxes, smooth=1)

    assert result.persons == (0, 5)
    said = [(s.person, s.label) for s in result.segments]
    assert said == [(0, "red"), (0, "blue"), (5, "blue")]  # never green, the background
    first, second, third = result.segments
    assert (first.start, third.start) == (0.0, 0.0)
    assert third.end == pytest.approx(FRAMES / 25)
    assert second.start == first.end == pytest.approx(0.48, abs=0.04)
    assert first.box == pytest.approx((10 / 160, 10 / 80, 30 / 160, 30 / 80))
    assert third.box == pytest.approx((60 / 160, 40 / 80, (60 + 69 + 20) / 160, 60 / 80))


class Recorded(nn.Module):
    """Keeps the mean colours of what it is shown."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, x):
        mean = x.mean(dim=(2, 3, 4))
        self.seen.append(mean)
        return mean


def test_the_crop_follows_who_walks(film):
    frames, boxes = film
    model = Recorded()
    walker = boxes.chosen(boxes.tracks == 5)
    predict_people(frames, opened(model, "recorded", clip_of(frames=1), "abc"), walker, step=0.04)

    seen = torch.cat(model.seen)  # one window for every frame
    assert len(seen) == FRAMES
    # 20 of the 25 x 25 pixels around it are blue, on green
    assert torch.allclose(seen, seen[:1].expand_as(seen), atol=0.02)
    assert seen[0, 2] == pytest.approx(0.64 * 250 / 255, abs=0.03)


def test_between_the_frames_looked_at_the_box_moves_evenly(film):
    frames, boxes = film
    net = opened(Recorded(), "recorded", clip_of(frames=1), "abc")
    sparse = boxes.chosen((boxes.tracks == 5) & (boxes.at % 8 < 1) | (boxes.at == FRAMES - 1))
    sparse = sparse.chosen(sparse.tracks == 5)
    predict_people(frames, net, sparse, step=0.04)

    seen = torch.cat(net.model.seen)
    assert seen[:, 2].min() > 0.6


def test_smoothing_averages_neighbours_and_fewer_at_the_ends():
    scores = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])

    assert smoothed(scores, 1).equal(scores)
    assert smoothed(scores, 3)[:, 0].tolist() == pytest.approx([1.0, 2 / 3, 2 / 3, 0.5])


def test_a_result_does_not_depend_on_batches(film):
    frames, boxes = film
    one, many = (
        predict_people(frames, colours(clip_of()), boxes, batch_size=size) for size in (1, 50)
    )
    assert one == many


def test_nobody_is_an_empty_result(film, tmp_path):
    frames, _ = film
    none = FrameBoxes.of(np.zeros(0, int), np.zeros((0, 4)), looked=np.arange(0, FRAMES, 4))
    result = predict_people(frames, colours(clip_of()), none)

    assert result.segments == ()
    facts = json.loads(result.to_json())
    assert (facts["people"], facts["frames_looked_at"]) == ([], 6)
    result.write_csv(tmp_path / "none.csv")
    assert (tmp_path / "none.csv").read_text() == "path,start,end,x1,y1,x2,y2,label,person,score\n"


@pytest.mark.parametrize("kind", [RGB, RGBDiff])
@pytest.mark.parametrize("frame", [0, FRAMES - 1])
def test_a_track_of_one_frame_fills_its_clip(film, kind, frame):
    frames, boxes = film
    one = boxes.chosen((boxes.at == frame) & (boxes.tracks == 5))
    result = predict_people(frames, colours(clip_of(kind, frames=4)), one)

    (segment,) = result.segments
    assert segment.end == pytest.approx((frame + 1) / 25)
    if kind is RGB:
        assert segment.start == pytest.approx(frame / 25)
        assert segment.label == "blue"


def test_boxes_of_things_and_outside_the_frame_are_left_out(film):
    frames, _ = film
    given = FrameBoxes.of(
        np.array([0, 0, 0]),
        np.array([[150.0, 10, 200, 30], [300, 10, 320, 30], [10, 10, 30, 30]]),
        labels=("person", "person", "chair"),
        tracks=np.array([1, 2, 3]),
    )
    result = predict_people(frames, colours(clip_of()), given)

    assert [(s.person, s.label) for s in result.segments] == [(1, "green")]
    assert result.segments[0].box == (150 / 160, 10 / 80, 1.0, 30 / 80)


def test_what_cannot_be_done_is_said(film):
    frames, boxes = film
    flow = opened(Recorded(), "flow", clip_of(Flow), "abc")
    with pytest.raises(VideoError, match="'flow' input reads whole frames"):
        predict_people(frames, flow, boxes)
    with pytest.raises(ZoopraxisError, match="smooth is 2"):
        predict_people(frames, colours(clip_of()), boxes, smooth=2)
    with pytest.raises(VideoError, match="ends with frame 3"):
        predict_people(frames[:4], colours(clip_of()), boxes)


@pytest.fixture
def files(film, tmp_path):
    """The film and its boxes as files."""
    frames, boxes = film
    pictures = ((n / 25, frame.movedim(0, -1).numpy()) for n, frame in enumerate(frames))
    write_video(tmp_path / "film.mp4", pictures, fps=25)
    write_boxes(tmp_path / "film.csv", boxes)
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, ["people", *map(str, words)])


def test_the_command_writes_json_a_list_and_a_video(files):
    done = run(
        *(files / "film.mp4", "--model", "test_tsn", "--boxes", files / "film.csv", "--json"),
        *("--csv", files / "out.csv", "--save", files / "drawn.mp4"),
    )

    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert [entry["person"] for entry in facts["people"]] == [0, 5]
    assert not facts["trained"]
    segments = [segment for entry in facts["people"] for segment in entry["segments"]]
    with (files / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [segment["label"] for segment in segments]
    assert rows[0]["person"] == "0"
    samples = read_samples(files / "out.csv", first_label=0)
    assert samples.missing() == ()
    assert samples[0].box == pytest.approx(segments[0]["box"], abs=1e-4)
    with open_video(files / "drawn.mp4") as drawn, open_video(files / "film.mp4") as film:
        assert drawn.num_frames == film.num_frames
        assert drawn.width == 480


def test_the_command_says_who_does_what_or_that_nobody_is_there(files):
    words = (files / "film.mp4", "--model", "test_tsn", "--boxes", files / "film.csv")
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert "2 people" in done.stdout

    (files / "film.csv").write_text("frame,x1,y1,x2,y2\n0,,,,\n9,,,,\n")
    assert "no people in 2 frames looked at" in run(*words).stdout


def test_a_box_that_is_not_finite_is_refused_by_file_and_line(files):
    (files / "film.csv").write_text("frame,x1,y1,x2,y2\n0,1,1,nan,9\n")
    done = run(files / "film.mp4", "--model", "test_tsn", "--boxes", files / "film.csv")
    assert done.exit_code == 1
    assert "film.csv, line 2: the box is 1, 1, nan, 9, which is not finite" in str(done.exception)
