"""Metrics on tables small enough to count by hand."""

import numpy as np
import pytest

from zoopraxis.errors import ShapeError
from zoopraxis.metrics import (
    calibration,
    class_scores,
    confusion,
    mean_average_precision,
    mean_class_accuracy,
    pair_accuracy,
    top_k_accuracy,
)

NAN = np.nan
SCORES = np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.1, 0.3, 0.6], [0.2, 0.5, 0.3]])
LABELS = np.array([0, 1, 2, 2])


def test_top_k():
    assert top_k_accuracy(SCORES, LABELS) == 0.5  # the first and the third
    assert top_k_accuracy(SCORES, LABELS, k=2) == 1.0
    assert top_k_accuracy(SCORES[:2], np.array([2, 2]), k=2) == 0.0


def test_a_video_that_was_not_read_counts_as_wrong():
    scores = np.vstack([SCORES, [NAN] * 3])
    labels = np.append(LABELS, 0)

    assert top_k_accuracy(scores, labels) == 2 / 5
    assert top_k_accuracy(scores, labels, k=3) == 4 / 5
    assert mean_class_accuracy(scores, labels) == pytest.approx((1 / 2 + 0 + 1 / 2) / 3)
    assert confusion(scores, labels).sum() == 4


def test_a_constant_score_is_no_guess():
    assert top_k_accuracy(np.ones((3, 4)), np.array([0, 1, 2])) == 0.0


def test_mean_class_accuracy_weighs_rare_classes_equally():
    scores = np.eye(2)[[0, 0, 0, 0]]  # always the first class
    labels = np.array([0, 0, 0, 1])

    assert top_k_accuracy(scores, labels) == 0.75
    assert mean_class_accuracy(scores, labels) == 0.5


def test_confusion_has_the_truth_in_rows():
    assert confusion(SCORES, LABELS).tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 1]]


def test_precision_recall_and_f1_by_hand():
    predicted = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]], bool)
    targets = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], bool)
    found = class_scores(predicted, targets)
    np.testing.assert_array_equal(found.precision, [1 / 2, 1, NAN, NAN])
    np.testing.assert_array_equal(found.recall, [1, 1 / 2, 0, NAN])
    np.testing.assert_array_equal(found.f1, [2 / 3, 2 / 3, 0, NAN])
    assert found.support.tolist() == [1, 2, 1, 0]
    with pytest.raises(ShapeError):
        class_scores(predicted, targets[:2])


def test_mean_average_precision():
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    targets = np.array([[True, False], [False, True], [True, False]])

    # class 0: hits at ranks 1 and 3: (1/1 + 2/3) / 2; class 1: its hit at rank 2: 1/2
    assert mean_average_precision(scores, targets) == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2)
    # unread ranks last: class 0 then has its hits at ranks 1 and 3 as before
    scores[2] = NAN
    assert mean_average_precision(scores, targets) == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)


def test_pairs_see_only_their_two_classes():
    scores = np.array([[0.3, 0.2, 0.9], [0.4, 0.1, 0.0], [0.2, 0.2, 0.0]])
    labels = np.array([0, 1, 1])

    # right, wrong, and a tie that is half right
    assert pair_accuracy(scores, labels, [(0, 1)]) == pytest.approx(1.5 / 3)


def test_calibration_error_is_the_mean_gap():
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.65, 0.35], [0.65, 0.35]])
    labels = np.array([0, 1, 0, 0])

    result = calibration(probabilities, labels)

    assert result.counts == (0, 0, 0, 0, 0, 0, 2, 0, 0, 2)
    assert result.accuracy[6] == 1.0
    assert result.accuracy[9] == 0.5
    assert result.error == pytest.approx((2 * 0.35 + 2 * 0.45) / 4)


def test_shapes_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"\(4, 3\) and labels \(2,\)"):
        top_k_accuracy(SCORES, LABELS[:2])
