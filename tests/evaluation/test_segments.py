"""Metrics of segments, counted by hand."""

import numpy as np
import pytest

from zoopraxis.errors import DataError
from zoopraxis.evaluation.segments import detection_precision, frame_labels, frame_scores
from zoopraxis.prediction.timeline import Segment


def seg(start, end, label="run", score=1.0):
    return Segment(start=start, end=end, label=label, score=score)


def test_each_true_segment_is_found_once():
    truth = {"a": [(0, 10, "run")], "b": [(0, 10, "run")]}
    predicted = {"a": [seg(0, 10, score=0.9), seg(0, 9, score=0.8)], "b": [seg(0, 10, score=0.7)]}

    found = detection_precision(truth, predicted, thresholds=(0.5,))

    # hit, miss (taken), hit: precision 1 and 2/3 at recalls 1/2 and 1
    assert found["run"] == pytest.approx([(1 + 2 / 3) / 2])


def test_precision_is_interpolated():
    truth = {"a": [(0, 1, "run"), (2, 3, "run")]}
    predicted = {"a": [seg(5, 6, score=0.9), seg(0, 1, score=0.8), seg(2, 3, score=0.7)]}

    # precision 0, 1/2, 2/3; the second counts as 2/3, the best from there on
    assert detection_precision(truth, predicted, thresholds=(0.5,))["run"] == pytest.approx([2 / 3])


def test_overlap_of_exactly_the_threshold_counts_and_less_does_not():
    truth = {"a": [(0, 4, "run")], "empty": []}
    found = detection_precision(truth, {"a": [seg(0, 2)]}, thresholds=(0.3, 0.5, 0.51))
    assert found["run"].tolist() == [1, 1, 0]


def test_a_taken_segment_leaves_the_next_best():
    truth = {"a": [(0, 10, "run"), (5, 15, "run")]}
    predicted = {"a": [seg(0, 10, score=0.9), seg(2, 12, score=0.8)]}
    # the second overlaps the first truth by 8/12 (taken), the other by 7/13
    assert detection_precision(truth, predicted, thresholds=(0.5,))["run"] == [1]
    assert detection_precision(truth, predicted, thresholds=(0.6,))["run"] == [0.5]


def test_classes_without_truth_do_not_count_and_unfound_ones_are_zero():
    found = detection_precision({"a": [(0, 1, "run")]}, {"a": [seg(0, 1, "jump")]})
    assert list(found) == ["run"]
    assert found["run"].tolist() == [0] * 5


@pytest.mark.parametrize("bad", [(2, 1, "run"), (1, 1, "run"), (np.nan, 1, "run")])
def test_bad_times_are_refused(bad):
    with pytest.raises(DataError, match="start must be before"):
        detection_precision({"a": [bad]}, {})


def test_predictions_of_an_unknown_video_are_refused():
    with pytest.raises(DataError, match="'b'"):
        detection_precision({"a": []}, {"b": [seg(0, 1)]})


def test_frame_labels():
    labels = frame_labels([seg(0, 2, "a"), (3, 4, "b")], times=[0, 1, 2, 3], background="-")
    assert labels == ["a", "a", "-", "b"]


def test_frame_scores_by_hand():
    truth, predicted = ["aaaa--bb"], ["aa-a--bb"]

    scores = frame_scores(truth, predicted, background="-")

    assert scores.accuracy == 7 / 8
    assert scores.edit == pytest.approx(1 - 1 / 3)  # a b against a a b
    # a by 2/4 and b are hits, the second a (1/4) finds its segment taken: 2 of 2 and 3
    assert scores.f1 == pytest.approx({0.1: 4 / 5, 0.25: 4 / 5, 0.5: 4 / 5})


def test_order_of_actions_counts_in_the_edit_score():
    assert frame_scores(["abc"], ["cab"]).edit == pytest.approx(1 - 2 / 3)


def test_counts_are_pooled_and_edits_averaged():
    scores = frame_scores(["a", "bc"], ["a", "dd"], background="-")
    assert scores.edit == pytest.approx((1 + 0) / 2)
    assert scores.f1[0.5] == pytest.approx(2 * 1 / (2 + 3))


def test_lengths_must_agree():
    with pytest.raises(DataError, match="one label for each frame"):
        frame_scores(["aa"], ["a"])
