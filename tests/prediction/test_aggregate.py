"""Named aggregations on two views of three classes, by hand."""

import json
import math

import pytest
import torch

from zoopraxis.errors import ShapeError, ZoopraxisError
from zoopraxis.prediction.aggregate import MODES, Prediction, aggregate

# softmax rows: (.6, .3, .1) and (.1, .2, .7)
PROBABILITIES = torch.tensor([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7]])
LOGITS = PROBABILITIES.log() + torch.tensor([[5.0], [-3.0]])

G = [math.sqrt(0.06), math.sqrt(0.06), math.sqrt(0.07)]  # geometric means


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("mean_probability", [0.35, 0.25, 0.4]),
        ("mean_logit", [g / sum(G) for g in G]),
        ("sum_logit", [math.log(0.06) + 2, math.log(0.06) + 2, math.log(0.07) + 2]),
        ("max_probability", [0.6, 0.3, 0.7]),
        ("vote", [0.5, 0.0, 0.5]),
        (
            "mean_sigmoid",
            [
                (sigmoid(math.log(a) + 5) + sigmoid(math.log(b) - 3)) / 2
                for a, b in zip(*PROBABILITIES.tolist(), strict=True)
            ],
        ),
        ("max_sigmoid", [sigmoid(math.log(a) + 5) for a in (0.6, 0.3, 0.1)]),
    ],
)
def test_modes(mode, expected):
    assert aggregate(LOGITS, mode=mode).tolist() == pytest.approx(expected, rel=1e-5)


def test_probabilities_are_not_softmaxed_again():
    given = aggregate(PROBABILITIES, mode="mean_given")
    assert given.tolist() == pytest.approx([0.35, 0.25, 0.4])
    with pytest.raises(ZoopraxisError, match="expects probabilities, but the model gives"):
        aggregate(LOGITS, mode="mean_given")


def test_several_videos_at_once():
    both = torch.stack([LOGITS, LOGITS.flip(1)])  # (2, V, K)
    assert torch.equal(aggregate(both)[0], aggregate(LOGITS))
    assert aggregate(both)[1].tolist() == pytest.approx([0.4, 0.25, 0.35], rel=1e-5)


@pytest.mark.parametrize("mode", [m for m in MODES if m != "mean_given"])
def test_half_precision_logits_give_float_scores(mode):
    assert aggregate(LOGITS.bfloat16(), mode=mode).dtype == torch.float32


def test_unknown_modes_and_no_views_are_refused():
    with pytest.raises(ZoopraxisError, match="unknown mode 'mean'"):
        aggregate(LOGITS, mode="mean")
    with pytest.raises(ShapeError, match="V >= 1"):
        aggregate(torch.zeros(0, 3))
    with pytest.raises(ShapeError, match="V >= 1"):
        aggregate(torch.zeros(3))


def prediction(**changes):
    arguments = {
        "video": "a.mp4",
        "model": "m",
        "labels": ("run", "sit", "wave"),
        "times": [(0.0, 1.0), (1.0, 2.5)],
        "top": 2,
    } | changes
    return Prediction.from_logits(LOGITS, **arguments)


def test_a_prediction_lists_the_best_first():
    found = prediction()
    assert found.labels == ("wave", "run")
    assert found.scores == pytest.approx((0.4, 0.35))
    assert found.times == ((0.0, 1.0), (1.0, 2.5))


def test_more_labels_than_there_are_gives_all():
    assert prediction(top=9).labels == ("wave", "run", "sit")


def test_labels_and_times_must_fit():
    with pytest.raises(ShapeError, match=r"logits \(2, 3\) for 2 views and 2 labels"):
        prediction(labels=("run", "sit"))
    with pytest.raises(ShapeError, match="for 1 views"):
        prediction(times=[(0.0, 1.0)])


def test_json_has_the_labels_and_every_view():
    found = json.loads(prediction().to_json())
    assert found["top"][0] == {"label": "wave", "score": pytest.approx(0.4)}
    assert found["views"][1]["start"] == 1.0
    assert found["views"][1]["end"] == 2.5
    assert found["views"][1]["logits"] == pytest.approx(LOGITS[1].tolist())
    assert (found["video"], found["model"], found["mode"]) == ("a.mp4", "m", "mean_probability")
