"""AVA's rule on cases computed by hand, and people whose actions are known."""

import numpy as np
import pytest

from colours import BLUE, RED, colours
from zoopraxis.data.sets.ava import AvaBoxes, ava_people
from zoopraxis.errors import DataError
from zoopraxis.evaluation.ava import predict_ava, score_ava
from zoopraxis.video import write_video

LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)
NEAR_LEFT = (0.0, 0.0, 0.5, 0.5)  # an intersection over union of 0.5 with LEFT
STAND, WALK, SIT = 12, 14, 11


def made(*rows):
    """Boxes of (second, box, action[, score])."""
    return AvaBoxes(
        moments=tuple(("film", row[0]) for row in rows),
        boxes=np.array([row[1] for row in rows], float),
        actions=np.array([row[2] for row in rows]),
        scores=np.array([row[3] if len(row) > 3 else 1.0 for row in rows]),
    )


def stand_of(truth, found, **options):
    return score_ava(truth, found, **options).average_precision["stand"]


def test_precision_is_that_at_this_recall_and_above():
    truth = made((902, LEFT, STAND), (902, RIGHT, STAND), (903, LEFT, STAND), (904, LEFT, STAND))
    found = made(
        (902, LEFT, STAND, 0.9),  # right: 1 of 1
        (903, RIGHT, STAND, 0.8),  # wrong
        (903, LEFT, STAND, 0.7),  # right: 2 of 3, but 3 of 4 comes later
        (902, RIGHT, STAND, 0.6),  # right: 3 of 4
    )
    assert stand_of(truth, found) == pytest.approx((1 + 3 / 4 + 3 / 4) / 4)  # one is not found


def test_a_true_box_is_found_once_and_half_overlap_is_enough():
    truth = made((902, LEFT, STAND), (903, LEFT, STAND))
    twice = made((902, LEFT, STAND, 0.9), (902, LEFT, STAND, 0.8), (903, NEAR_LEFT, STAND, 0.7))
    assert stand_of(truth, twice) == pytest.approx((1 + 2 / 3) / 2)
    assert stand_of(truth, twice, min_iou=0.51) == pytest.approx(1 / 2)


def test_the_box_that_overlaps_most_may_be_taken_already():
    other = (0.0, 0.0, 0.625, 1.0)  # overlaps LEFT by 0.8
    truth = made((902, LEFT, STAND), (902, other, STAND))
    found = made((902, LEFT, STAND, 0.9), (902, (0.0, 0.0, 0.51, 1.0), STAND, 0.8))
    assert stand_of(truth, found) == pytest.approx(1 / 2)  # not matched to the other


def test_moments_without_truth_and_those_excluded():
    truth = made((902, LEFT, STAND), (903, LEFT, STAND))
    found = made((905, LEFT, STAND, 0.9), (902, LEFT, STAND, 0.8), (903, RIGHT, STAND, 0.7))
    assert stand_of(truth, found) == pytest.approx(1 / 2 / 2)
    assert stand_of(truth, found, excluded={("film", 905)}) == pytest.approx(1 / 2)
    assert stand_of(truth, found, excluded={("film", 905), ("film", 903)}) == 1
    with pytest.raises(DataError, match="no true boxes of evaluated"):
        score_ava(truth, found, excluded={("film", 902), ("film", 903)})


def test_the_mean_is_over_the_actions_that_occur():
    truth = made((902, LEFT, STAND), (902, LEFT, WALK), (902, LEFT, 2))  # 2 is not evaluated
    found = made((902, LEFT, STAND, 0.9), (902, LEFT, SIT, 0.8), (902, LEFT, 2, 0.8))

    score = score_ava(truth, found)

    assert score.mean == pytest.approx(1 / 2)  # all of stand, nothing of walk
    assert np.isnan(score.average_precision["sit"])
    assert score.to_dict()["average_precision"]["sit"] is None
    assert score.moments == 1


def test_only_the_highest_scores_of_a_moment_count():
    truth = made((902, LEFT, STAND), (902, LEFT, WALK))
    found = made((902, LEFT, STAND, 0.9), (902, RIGHT, WALK, 0.8), (902, LEFT, WALK, 0.7))
    assert score_ava(truth, found, per_moment=2).mean == pytest.approx(1 / 2)
    assert score_ava(truth, found, per_moment=None).mean == pytest.approx((1 + 1 / 2) / 2)


@pytest.fixture
def film(tmp_path):
    """A film of three seconds: red on the left, blue on the right."""
    frame = np.zeros((32, 64, 3), np.uint8)
    frame[:, :32], frame[:, 32:] = RED, BLUE
    write_video(tmp_path / "film.mp4", ((i / 8, frame) for i in range(24)), fps=8)
    return tmp_path


def test_people_are_scored_by_their_own_boxes(film, tmp_path):
    boxes = made((901, (0.1, 0.2, 0.3, 0.8), STAND), (902, (0.7, 0.2, 0.9, 0.8), SIT))
    people = ava_people(boxes, film, seconds=1, offset=900)
    net = colours(labels=("stand", "walk", "sit"))  # as red, green and blue

    found = predict_ava(net, people)

    assert found.moments == (("film", 901),) * 3 + (("film", 902),) * 3
    assert found.actions.tolist() == [STAND, WALK, SIT] * 2
    red, _, no_blue, no_red, _, blue = found.scores
    assert min(red, blue) > 0.7 > 0.55 > max(no_red, no_blue) > 0
    assert score_ava(boxes, found).mean == 1
    with pytest.raises(DataError, match="labels that AVA does not have, the first 'red'"):
        predict_ava(colours(), people)
