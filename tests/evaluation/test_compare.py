"""What sets runs apart, worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from zoopraxis.errors import DataError
from zoopraxis.evaluation.compare import compare, draw_comparison
from zoopraxis.evaluation.page import figure_png
from zoopraxis.evaluation.result import Evaluation

LABELS = ("sit", "stand", "walk")
TRUTH = (0, 0, 0, 1, 1, 2)


def run(name, answers, *, unread=()):
    """An evaluation in which video n is predicted as ``answers[n]``."""
    names = tuple(f"{n}.mp4" for n in range(len(answers)))
    logits = np.full((len(answers), 1, len(LABELS)), 0.0, np.float32)
    logits[np.arange(len(answers)), 0, list(answers)] = 5.0
    for n in unread:
        logits[n] = np.nan
    return Evaluation(
        model=name,
        labels=LABELS,
        names=names,
        paths=names,
        truth=TRUTH,
        logits=logits,
        views=1,
        crops=1,
        unread={names[n]: "broken" for n in unread},
    )


A = run("a", (0, 1, 1, 1, 1, 0))  # sit 1 of 3, stand 2 of 2, walk 0 of 1
B = run("b", (0, 0, 0, 0, 1, 0))  # sit 3 of 3, stand 1 of 2, walk 0 of 1


def test_gains_and_losses_by_class():
    found = compare([A, B])

    changes = found.by_class(1)
    assert [(c.label, c.pairs.second, c.pairs.first) for c in changes] == [
        ("sit", 2, 0),
        ("walk", 0, 0),
        ("stand", 0, 1),
    ]
    assert changes[0].pairs.p_value == 0.5
    assert changes[0].p_value == 1.0  # three tests


def test_confusions_that_came_and_went():
    found = compare([A, B])

    assert found.confusion_change(1).tolist() == [[2, -2, 0], [1, -1, 0], [0, 0, 0]]
    assert [(c.true, c.predicted, c.first, c.count) for c in found.confusions(1)] == [
        ("sit", "stand", 2, 0),
        ("stand", "sit", 0, 1),
    ]


def test_what_each_alone_gets_right():
    c = run("c", (1, 0, 1, 0, 0, 2))
    found = compare([A, B, c])

    assert [found.alone(n) for n in range(3)] == [("3.mp4",), ("2.mp4",), ("5.mp4",)]
    facts = found.summary()
    assert (facts["all_correct"], facts["none_correct"], facts["any_correct"]) == (0, 0, 1.0)
    assert [r["correct"] for r in facts["runs"]] == [3, 4, 2]
    assert [(p["first"], p["second"]) for p in facts["pairs"]] == [
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    ]


def test_videos_are_matched_by_name():
    order = [5, 3, 1, 0, 2, 4]
    mixed = replace(
        B,
        names=tuple(B.names[n] for n in order),
        paths=tuple(B.paths[n] for n in order),
        truth=tuple(B.truth[n] for n in order),
        logits=B.logits[order],
    )

    assert compare([A, mixed]).summary() == compare([A, B]).summary()


def test_an_unreadable_video_is_an_error_and_no_confusion():
    found = compare([A, run("b", (0, 0, 0, 0, 1, 0), unread=[1])])

    assert found.answers[1, 1] == -1
    assert found.pair(0, 1).second == 1
    assert found.confusion_change(1).sum() == -1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ("sit", "stand", "run")}, "first that differ are 'walk' and 'run'"),
        ({"names": ("0.mp4", "1.mp4", "2.mp4", "3.mp4", "4.mp4", "x.mp4")}, r"b lacks 1 .*5\.mp4"),
        ({"truth": (0, 0, 0, 1, 1, 1)}, r"5\.mp4 is 'walk' for a, and 'stand' for b"),
        ({"truth": ((0,), 0, 0, 1, 1, 2)}, "several labels cannot be compared"),
        ({"model": "a"}, "a name of its own"),
    ],
)
def test_runs_that_cannot_be_compared(change, message):
    with pytest.raises(DataError, match=message):
        compare([A, replace(B, **change)])


def test_one_run_is_not_compared():
    with pytest.raises(DataError, match="1 run cannot be compared"):
        compare([A])


def test_the_picture_shows_classes_and_runs():
    found = compare([A, B, run("c", (1, 0, 1, 0, 0, 2))])

    figure = draw_comparison(found)

    assert figure_png(figure).startswith(b"\x89PNG")
    parts = [axes for part in figure.subfigs for axes in part.axes]
    assert [bar.get_width() for bar in parts[0].patches] == pytest.approx([-50, 0, 200 / 3])
    assert [label.get_text() for label in parts[0].get_yticklabels()] == ["stand", "walk", "sit"]
    assert [bar.get_width() for bar in parts[-1].patches] == [1, 1, 1]
