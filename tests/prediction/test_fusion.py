"""Late fusion by hand, and where an SVM knows better than an average."""

import numpy as np
import pytest

from zoopraxis.errors import ShapeError, ZoopraxisError
from zoopraxis.prediction.fusion import (
    average_scores,
    choose_weights,
    fit_svm,
    stack_scores,
    svm_scores,
)


def test_average_by_hand():
    rgb, flow = np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([[0.0, 1.0], [0.25, 0.75]])

    assert average_scores([rgb, flow]).tolist() == [[0.5, 0.5], [0.375, 0.625]]
    assert average_scores([rgb, flow], weights=[1, 3]).tolist() == [[0.25, 0.75], [0.3125, 0.6875]]


def test_every_network_has_length_one_in_the_stack():
    stacked = stack_scores([np.array([[3.0, 4.0]]), np.array([[0.0, 20.0]])])

    np.testing.assert_allclose(stacked, [[0.6, 0.8, 0.0, 1.0]])


def test_svm_learns_which_network_to_believe():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 300)
    good = np.eye(3)[labels] + random.normal(0, 0.3, (300, 3))
    loud = 5.0 * random.normal(0, 1, (300, 3))  # knows nothing, and says so at the top of its voice
    train, test = slice(0, 200), slice(200, 300)

    svm = fit_svm([good[train], loud[train]], labels[train])
    fused = svm_scores(svm, [good[test], loud[test]]).argmax(axis=1)
    averaged = average_scores([good[test], loud[test]]).argmax(axis=1)

    assert (fused == labels[test]).mean() > 0.9
    assert (averaged == labels[test]).mean() < 0.6


@pytest.mark.parametrize("other", [(4, 3), (5, 2)])
def test_says_what_does_not_fit(other):
    with pytest.raises(ShapeError, match="cannot be fused"):
        average_scores([np.zeros((5, 3)), np.zeros(other)])


def test_scores_that_are_not_finite_are_refused():
    good, bad = np.ones((3, 2)), np.ones((3, 2))
    bad[1, 0] = np.nan
    with pytest.raises(ZoopraxisError, match=r"network 1 gives 1 of 3 videos .* number 1"):
        average_scores([good, bad])
    with pytest.raises(ZoopraxisError, match=r"network 1 gives 1 of 3 videos .* number 1"):
        stack_scores([good, bad])
    bad[1] = np.nan  # a video that was not read
    assert np.isnan(average_scores([good, bad])).tolist() == [[False] * 2, [True] * 2, [False] * 2]


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [1.0, float("nan")]])
def test_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(ZoopraxisError, match="cannot average 2 networks"):
        average_scores([np.ones((3, 2))] * 2, weights=weights)


def test_an_svm_of_two_classes_has_a_score_for_each():
    labels = np.array([0, 1, 0, 1])
    scores = np.eye(2)[labels]

    fused = svm_scores(fit_svm([scores], labels), [scores])

    assert fused.shape == (4, 2)
    assert fused.argmax(axis=1).tolist() == labels.tolist()


def test_weights_are_chosen_by_accuracy():
    labels = np.array([0, 1, 2])
    right, wrong = np.eye(3), np.eye(3)[[1, 2, 0]]

    assert choose_weights([right, wrong], labels) == (0.8, 0.2)  # the middle of 0.6 to 1
    assert choose_weights([wrong, right], labels) == (0.2, 0.8)
    assert choose_weights([right, right], labels) == (0.5, 0.5)
    assert choose_weights([right] * 3, labels) == (0.4, 0.3, 0.3)  # the earlier network weighs more
    assert choose_weights([wrong, right], labels, steps=1) == (0.0, 1.0)


def test_weights_count_unread_videos_as_errors():
    labels = np.array([0, 1])
    unread = np.array([[np.nan, np.nan], [1.0, 0.0]])

    assert choose_weights([np.eye(2), unread], labels) == (0.8, 0.2)


def test_weights_need_videos():
    with pytest.raises(ZoopraxisError, match="on no videos"):
        choose_weights([np.empty((0, 3))] * 2, [])
