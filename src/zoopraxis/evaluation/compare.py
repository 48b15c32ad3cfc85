"""What sets evaluated networks apart: classes gained and lost, confusions, and each one's own.

Every run answers the same videos, so that what is compared is which of them each gets right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from zoopraxis.errors import DataError
from zoopraxis.evaluation.page import COLOURS, plain_text
from zoopraxis.evaluation.paired import Paired, holm, paired, wilson
from zoopraxis.evaluation.result import Evaluation
from zoopraxis.evaluation.runs import aligned
from zoopraxis.metrics import Labels, answers

__all__ = ["ClassChange", "Comparison", "Confusion", "class_changes", "compare", "draw_comparison"]

_MOST_CLASSES = 40  # drawn: those that change most


@dataclass(frozen=True)
class ClassChange:
    """What is better or worse than before on the videos of one class.

    Parameters
    ----------
    label : str
        The class.
    pairs : Paired
        On which of its videos the first answer and the second are correct.
    p_value : float
        Exact McNemar test, adjusted for the number of classes (`zoopraxis.evaluation.paired.holm`).
    """

    label: str
    pairs: Paired
    p_value: float

    def facts(self) -> dict[str, Any]:
        """Give plain JSON."""
        return {"label": self.label, **self.pairs.facts(), "p_value": self.p_value}


def class_changes(
    labels: Sequence[str],
    truth: Labels,
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
) -> list[ClassChange]:
    """Compare two answers to each video, class by class, in the order of the classes.

    Parameters
    ----------
    labels : sequence of str
        K names.
    truth : ndarray of shape (N,)
        True classes; those that do not occur are left out.
    first, second : ndarray of bool, shape (N,)
        Whether the answers are correct.
    """
    present = np.unique(truth).tolist()
    pairs = [paired(first[truth == k], second[truth == k]) for k in present]
    adjusted = holm([pair.p_value for pair in pairs])
    return [
        ClassChange(labels[k], pair, p) for k, pair, p in zip(present, pairs, adjusted, strict=True)
    ]


@dataclass(frozen=True)
class Confusion:
    """Videos of a class that a run predicts as another: how many, and how many the first run did.

    Parameters
    ----------
    true, predicted : str
        Classes.
    first, count : int
        Videos, by the first run and by this one.
    """

    true: str
    predicted: str
    first: int
    count: int


@dataclass(frozen=True)
class Comparison:
    """Answers of R runs to the same N videos.

    Parameters
    ----------
    names : tuple of str
        Of the R runs; the first is what the others are compared with.
    labels : tuple of str
        K classes.
    videos : tuple of str
        N names.
    truth : ndarray of shape (N,)
        True classes.
    answers : ndarray of shape (R, N)
        Predicted classes; -1 for none, of a video that could not be read.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    videos: tuple[str, ...]
    truth: Labels
    answers: NDArray[np.int64]

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each answer is correct, (R, N)."""
        return np.asarray(self.answers == self.truth)

    def pair(self, first: int, second: int) -> Paired:
        """Compare two runs, by their numbers."""
        return paired(self.correct[first], self.correct[second])

    def by_class(self, run: int) -> list[ClassChange]:
        """Compare a run with the first on each class that occurs, the largest gain first."""
        changes = class_changes(self.labels, self.truth, self.correct[0], self.correct[run])
        return sorted(changes, key=lambda change: -change.pairs.change)

    def confusion_change(self, run: int) -> NDArray[np.int64]:
        """Videos by true and predicted class, (K, K): a run's minus the first run's."""
        return self._confusion(run) - self._confusion(0)

    def _confusion(self, run: int) -> NDArray[np.int64]:
        answered = self.answers[run] >= 0
        counts = np.zeros((len(self.labels),) * 2, np.int64)
        np.add.at(counts, (self.truth[answered], self.answers[run, answered]), 1)
        return counts

    def confusions(self, run: int, *, most: int = 10) -> list[Confusion]:
        """List the mistakes whose number differs most from the first run's."""
        change = self.confusion_change(run)
        np.fill_diagonal(change, 0)
        before, after = self._confusion(0), self._confusion(run)
        order = np.argsort(-abs(change), axis=None, kind="stable")[:most]
        places = zip(*np.unravel_index(order, change.shape), strict=True)
        return [
            Confusion(self.labels[t], self.labels[p], int(before[t, p]), int(after[t, p]))
            for t, p in places
            if change[t, p]
        ]

    def alone(self, run: int) -> tuple[str, ...]:
        """Videos that this run gets right, and no other."""
        only = self.correct[run] & (self.correct.sum(axis=0) == 1)
        return tuple(self.videos[n] for n in np.flatnonzero(only))

    def summary(self) -> dict[str, Any]:
        """Give everything as plain JSON, fractions of 1; each change is against the first run."""
        hits = self.correct.sum(axis=0)  # (N,)
        count = len(self.videos)
        runs = [
            {
                "run": name,
                "correct": int(right.sum()),
                "top1": float(right.mean()),
                "interval": wilson(int(right.sum()), count),
                "alone": len(self.alone(run)),
            }
            for run, (name, right) in enumerate(zip(self.names, self.correct, strict=True))
        ]
        numbers = range(len(self.names))
        return {
            "videos": count,
            "all_correct": int((hits == len(self.names)).sum()),
            "none_correct": int((hits == 0).sum()),
            "any_correct": float((hits > 0).mean()),
            "runs": runs,
            "pairs": [
                {"first": self.names[i], "second": self.names[j], **self.pair(i, j).facts()}
                for i in numbers
                for j in numbers[i + 1 :]
            ],
            "by_class": {
                self.names[run]: [change.facts() for change in self.by_class(run)]
                for run in numbers[1:]
            },
            "confusions": {
                self.names[run]: [vars(confusion) for confusion in self.confusions(run)]
                for run in numbers[1:]
            },
            "alone": {self.names[run]: self.alone(run) for run in numbers},
        }


def compare(
    runs: Sequence[Evaluation], *, names: Sequence[str] | None = None, mode: str | None = None
) -> Comparison:
    """Compare evaluations of the same videos.

    Parameters
    ----------
    runs : sequence of Evaluation
        Two or more: of `zoopraxis.evaluation.runs.read_run`, say. The first is the baseline.
    names : sequence of str, optional
        What to call them; by default their models' names.
    mode : str, optional
        How views are aggregated (`zoopraxis.prediction.aggregate.MODES`); by default the mean of
        their probabilities.

    Returns
    -------
    Comparison

    Raises
    ------
    DataError
        The runs do not hold the same videos, classes and truth; or two have the same name.
    """
    runs = aligned(runs)
    names = tuple(names if names is not None else (run.model for run in runs))
    if len(names) != len(runs) or len(set(names)) < len(names):
        raise DataError(
            f"{len(runs)} runs are called {', '.join(names)}", "give each a name of its own"
        )
    if not len(runs[0].names):
        raise DataError("the runs hold no videos", "evaluate the networks on a list of some")
    return Comparison(
        names=names,
        labels=runs[0].labels,
        videos=runs[0].names,
        truth=runs[0].classes,
        answers=np.stack([answers(run.scores(mode=mode)) for run in runs]),
    )


def draw_comparison(comparison: Comparison) -> Figure:
    """Draw the classes that each run gains and loses against the first, and each one's own videos.

    Of many classes, the 40 that change most are drawn.
    """
    names = [*map(plain_text, comparison.names)]
    others = range(1, len(names))
    changes = [comparison.by_class(run) for run in others]
    shown = [
        sorted(
            sorted(change, key=lambda c: -abs(c.pairs.change))[:_MOST_CLASSES],
            key=lambda c: c.pairs.change,
        )
        for change in changes
    ]
    heights = 0.8 + 0.24 * max(len(change) for change in shown), 1.2 + 0.3 * len(names)
    figure = Figure(figsize=(5.2 * len(shown), sum(heights)))
    figure.set_layout_engine("constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=heights)
    bars, below = parts
    for axes, run, change in zip(
        bars.subplots(1, len(shown), squeeze=False)[0], others, shown, strict=True
    ):
        values = [100 * c.pairs.change for c in change]
        colours = [COLOURS["accent" if value < 0 else "calm"] for value in values]
        axes.barh(range(len(change)), values, color=colours)
        stars = [plain_text(c.label) + (" *" if c.p_value < 0.05 else "") for c in change]
        axes.set_yticks(range(len(change)), stars, fontsize=8)
        axes.axvline(0, color=COLOURS["ink"], linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("change of accuracy, points")
        axes.set_title(f"{names[run]} against {names[0]}", fontsize=9)
    axes = below.subplots()
    counts = [len(comparison.alone(run)) for run in range(len(names))]
    axes.barh(range(len(counts)), counts, color=COLOURS["calm"])
    axes.set_yticks(range(len(counts)), names, fontsize=8)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"videos of {len(comparison.videos)} that it alone gets right")
    return figure
