"""Windows that slide over long videos, with networks whose answer is known."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from colours import BLUE, GREEN, RED, colours, painted, timed
from zoopraxis.errors import ZoopraxisError
from zoopraxis.inputs import RGB, ClipSpec, Media, Sampling
from zoopraxis.prediction.live import predict_live
from zoopraxis.prediction.timeline import (
    Hysteresis,
    Segment,
    Timeline,
    merge,
    predict_timeline,
)
from zoopraxis.prediction.windows import lay_windows, window_indices
from zoopraxis.video import ArrayVideo, open_video


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


def test_windows_are_of_our_own_rule_whatever_convention_a_clip_has():
    # this one gives two views of a whole video, and none of a window
    sampling = Sampling(num_frames=4, stride=2)
    with open_video(painted((15, RED))) as video:
        rows = [
            window_indices(video, range(15), replace(sampling, convention=name))
            for name in ("", "tsm_twice")
        ]
    assert rows[0].tolist() == rows[1].tolist()


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
    assert line.at(3.0).label == "green"
    assert line.at(99.0) is None


def test_a_timeline_without_the_class_for_nothing():
    video = painted((50, RED), (50, GREEN), (50, RED))
    line = predict_timeline(video, colours(), rule=Hysteresis(high=0.5, low=0.5, none="red"))
    (only,) = line.segments
    assert only.label == "green"
    assert [only.start, only.end] == pytest.approx([2.0, 4.0], abs=0.3)
    assert line.at(1.0) is None
    with pytest.raises(ZoopraxisError, match="no class 'rad'"):
        predict_timeline(video, colours(), rule=Hysteresis(high=0.5, low=0.5, none="rad"))


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
        "trained": True,
        "segments": [{"start": 0.0, "end": 2.0, "label": "a", "score": 0.5}],
    }


def test_a_segment_has_a_timeline_of_its_own():
    video = painted((20, RED), (20, GREEN), (20, RED))
    media = Media(path=video, start=0.8, end=1.6)  # the green frames of 25 fps
    found = predict_timeline(media, colours())
    assert [(s.start, s.end, s.label) for s in found.segments] == [
        (pytest.approx(0.8), pytest.approx(1.6), "green")
    ]


# Time stamps decide, not the mean rate.


def shown(line):
    return [(s.label, round(s.start, 2), round(s.end, 2)) for s in line.segments]


def test_a_gap_belongs_to_no_action():
    # two seconds of red, ten in which nothing is shown, two of green
    video = timed([(0.0, 2.0, RED, 25), (12.0, 14.0, GREEN, 25)])
    line = predict_timeline(video, colours())
    assert shown(line) == [("red", 0.0, 2.0), ("green", 12.0, 14.0)]
    assert line.at(1.99).label == "red"
    assert line.at(2.0) is line.at(7.0) is line.at(11.99) is None
    assert line.at(12.0).label == "green"


def test_the_same_action_before_and_after_a_gap_is_two():
    video = timed([(0.0, 1.0, RED, 25), (9.0, 10.0, RED, 25)])
    assert shown(predict_timeline(video, colours())) == [("red", 0.0, 1.0), ("red", 9.0, 10.0)]


def test_one_frame_alone_between_gaps_has_its_usual_time():
    video = timed([(0.0, 1.0, RED, 25), (5.0, 5.04, GREEN, 25), (9.0, 10.0, BLUE, 25)])
    assert shown(predict_timeline(video, colours())) == [
        ("red", 0.0, 1.0),
        ("green", 5.0, 5.04),
        ("blue", 9.0, 10.0),
    ]


def test_a_change_of_rate_does_not_move_an_action():
    # by the mean rate of the file, the red half would last 6 s of 8
    video = timed([(0.0, 4.0, RED, 50), (4.0, 8.0, GREEN, 20)])
    line = predict_timeline(video, colours(), window=1.0)
    assert [label for label, _, _ in shown(line)] == ["red", "green"]
    assert line.segments[0].end == pytest.approx(4.0, abs=0.25)
    assert line.segments[1].end == pytest.approx(8.0)


@pytest.mark.parametrize("seed", range(5))
def test_no_window_reaches_across_a_gap(seed):
    rng = np.random.default_rng(seed)
    waits = rng.choice([0.03, 0.04, 0.05, 0.4, 3.0], size=200, p=[0.2, 0.55, 0.2, 0.025, 0.025])
    times = np.cumsum(waits) - waits[0]
    frames = painted((200, RED))
    video = ArrayVideo(frames, fps=199 / times[-1], timestamps=times)
    stretches = lay_windows(video, range(200), Sampling(num_frames=8), step=0.1)
    seconds = 8 * 0.04
    for stretch in stretches:
        assert (np.diff(stretch.indices, axis=1) <= 1).all()  # consecutive, or they loop
        clips = times[stretch.indices]  # (W, T)
        assert (clips >= stretch.start).all()
        assert (clips < stretch.end).all()
        assert (np.abs(clips.mean(axis=1) - stretch.centres) <= seconds).all()
        assert (np.diff(stretch.centres) > 0).all()
    found = [(stretch.start, stretch.end) for stretch in stretches]
    gaps = [(times[n] + 0.04, times[n + 1]) for n in np.flatnonzero(np.diff(times) > seconds)]
    between = [(a[1], b[0]) for a, b in pairwise(found)]
    assert np.allclose(between, gaps)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["window", "step"])
def test_lengths_are_positive(name, seconds):
    with pytest.raises(ZoopraxisError, match=f"{name} is {seconds:g} s"):
        predict_timeline(painted((8, RED)), colours(), **{name: seconds})
    with pytest.raises(ZoopraxisError, match=f"{name} is {seconds:g} s"):
        next(predict_live("none.mp4", colours(), **{name: seconds}))
