"""Windows that slide over long videos, with networks whose answer is known."""

import json

import pytest
import torch

from colours import GREEN, RED, MeanColour, colours, opened, painted
from videos import write
from zoopraxis.inputs import RGB, ClipSpec, Media, Sampling
from zoopraxis.prediction.timeline import (
    Segment,
    Timeline,
    merge,
    predict_live,
    predict_timeline,
    window_indices,
)
from zoopraxis.video import open_video


def test_merge_joins_neighbours_and_leaves_no_gap():
    scores = torch.tensor([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.6, 0.4]])
    segments = merge(scores, [1.0, 2.0, 3.0, 4.0], end=5.0, labels=("a", "b"))
    assert segments == (
        Segment(start=0.0, end=2.5, label="a", score=pytest.approx(0.8)),
        Segment(start=2.5, end=3.5, label="b", score=pytest.approx(0.8)),
        Segment(start=3.5, end=5.0, label="a", score=pytest.approx(0.6)),
    )


def test_windows_cover_the_video_to_its_end():
    clip = ClipSpec(sampling=Sampling(num_frames=4, stride=2), input=RGB())  # span 7, hop 3
    with open_video(painted((15, RED))) as video:
        starts = window_indices(video, range(video.num_frames), clip.sampling)[:, 0]
        rows = window_indices(
            video, range(video.num_frames), clip.sampling, step=0.2
        )  # five frames at 25 fps
    assert starts.tolist() == [0, 3, 6, 8]
    assert rows.tolist() == [[0, 2, 4, 6], [5, 7, 9, 11], [8, 10, 12, 14]]


def test_windows_of_a_model_of_segments():
    clip = ClipSpec(sampling=Sampling(num_frames=2, mode="segments"), input=RGB())
    with open_video(painted((20, RED))) as video:
        rows = window_indices(
            video, range(video.num_frames), clip.sampling, window=0.4
        )  # ten frames: centres 2 and 7
    assert rows.tolist() == [[2, 7], [7, 12], [12, 17]]


def test_windows_at_the_rate_of_the_model():
    clip = ClipSpec(
        sampling=Sampling(num_frames=4, fps=5.0), input=RGB()
    )  # 0.8 s are 20 frames of 25 fps, every fifth
    with open_video(painted((30, RED))) as video:
        assert window_indices(video, range(video.num_frames), clip.sampling).tolist() == [
            [0, 5, 10, 15],
            [10, 15, 20, 25],
        ]


def test_a_video_shorter_than_a_window():
    with open_video(painted((3, RED))) as video:
        assert window_indices(video, range(video.num_frames), Sampling(num_frames=4)).tolist() == [
            [0, 1, 2, 0]
        ]


def test_timeline_of_two_colours():
    video = painted((50, RED), (50, GREEN))
    told = []
    line = predict_timeline(video, colours(), batch_size=7, progress=told.append)
    assert [s.label for s in line.segments] == ["red", "green"]
    assert line.segments[0].end == pytest.approx(2.0, abs=0.05)
    assert line.segments[0].start == 0
    assert line.segments[1].end == pytest.approx(4.0)
    assert told == sorted(told)
    assert told[-1] == 1
    assert line.at(1.0).label == "red"
    assert line.at(3.0).label == line.at(99.0).label == "green"


def test_crops_of_a_window_are_aggregated():
    line = predict_timeline(painted((8, RED)), colours(), crops=10)
    one = predict_timeline(painted((8, RED)), colours())
    assert line.segments[0].label == "red"
    assert line.segments[0].score == pytest.approx(one.segments[0].score)


def test_json_of_a_timeline():
    segment = Segment(start=0.0, end=2.0, label="a", score=0.5)
    line = Timeline(video="v", model="m", segments=(segment,))
    assert json.loads(line.to_json()) == {
        "video": "v",
        "model": "m",
        "segments": [{"start": 0.0, "end": 2.0, "label": "a", "score": 0.5}],
    }


def test_live_predictions_roll_with_the_frames(tmp_path):
    path = write(tmp_path / "numbers.mp4", frames=40)
    clip = ClipSpec(
        sampling=Sampling(num_frames=2),
        input=RGB(resize=(48, 64), size=48, mean=(0.0,), std=(1.0,)),
    )
    net = opened(MeanColour(), "colours", clip, ("red", "green", "blue"))
    found = list(predict_live(str(path), net, window=0.4, step=0.4))
    # the first window ends at frame 10 (0.4 s), then one each 0.4 s to frame 39
    ends = [prediction.times[0][1] for prediction in found]
    assert ends == pytest.approx([0.4, 0.8, 1.2])
    starts = [prediction.times[0][0] for prediction in found]
    assert starts == pytest.approx([0.0, 0.4, 0.8])
    # the centre two of the eleven frames that each window holds
    with open_video(path) as video:
        frames = video.frames_at([14, 15], resize=(48, 64))[..., 8:56]
    expected = frames.float().mean(dim=(0, 2, 3)) / 255
    torch.testing.assert_close(found[1].logits[0], expected, rtol=1e-4, atol=1e-4)


def test_a_segment_has_a_timeline_of_its_own():
    video = painted((20, RED), (20, GREEN), (20, RED))
    media = Media(path=video, start=0.8, end=1.6)  # the green frames of 25 fps
    found = predict_timeline(media, colours())
    assert [(s.start, s.end, s.label) for s in found.segments] == [
        (pytest.approx(0.8), pytest.approx(1.6), "green")
    ]
