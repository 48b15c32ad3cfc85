"""Segments by two thresholds, on scores that can be followed by hand."""

import pytest
import torch

from zoopraxis.errors import ZoopraxisError
from zoopraxis.prediction.timeline import Hysteresis, Segment, detect

CENTRES = [1.0, 2.0, 3.0, 4.0, 5.0]


def found(rows, rule, labels=("run", "idle")):
    scores = torch.tensor(rows, dtype=torch.float64).T  # (W, K)
    return detect(scores, CENTRES, rule, end=6.0, labels=labels)


def test_a_segment_needs_the_high_and_lasts_over_the_low_threshold():
    rule = Hysteresis(high=0.8, low=0.4)
    segments = found([[0.5, 0.9, 0.3, 0.5, 0.5], [0.0] * 5], rule)
    assert segments == (Segment(start=0.0, end=2.5, label="run", score=0.7),)


def test_short_segments_are_left_out():
    rows = [[0.9, 0.9, 0.0, 0.9, 0.0], [0.0] * 5]
    kept = found(rows, Hysteresis(high=0.8, low=0.4, shortest=1.5))
    assert [(s.start, s.end) for s in kept] == [(0.0, 2.5)]


def test_the_class_for_nothing_makes_no_segments_and_others_may_overlap():
    rows = [[0.0, 0.9, 0.9, 0.9, 0.0], [0.9, 0.9, 0.0, 0.0, 0.9]]
    both = found(rows, Hysteresis(high=0.8, low=0.4))
    assert [(s.start, s.end, s.label) for s in both] == [
        (0.0, 2.5, "idle"),
        (1.5, 4.5, "run"),
        (4.5, 6.0, "idle"),
    ]
    without = found(rows, Hysteresis(high=0.8, low=0.4, none="idle"))
    assert [s.label for s in without] == ["run"]


@pytest.mark.parametrize(
    "values",
    [
        {"high": 0.4, "low": 0.5},
        {"high": float("nan"), "low": 0.5},
        {"high": 0.5, "low": 0.5, "shortest": -1},
    ],
)
def test_thresholds_that_contradict_each_other_are_refused(values):
    with pytest.raises(ZoopraxisError):
        Hysteresis(**values)
