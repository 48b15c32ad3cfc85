"""Late fusion: combine the scores of several networks for the same videos.

Simonyan and Zisserman (arXiv:1406.2199, section 5) average the class scores of their streams, or
train a linear SVM on the scores of all streams, each normalised to length one.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from zoopraxis.errors import ShapeError, ZoopraxisError
from zoopraxis.metrics import Scores, top_k_accuracy

__all__ = ["average_scores", "choose_weights", "fit_svm", "stack_scores", "svm_scores"]


def average_scores(streams: Sequence[Scores], *, weights: Sequence[float] | None = None) -> Scores:
    """Average the scores of several networks for the same videos.

    Parameters
    ----------
    streams : sequence of ndarray of shape (N, K)
        Scores of each network, all probabilities or all logits.
        A row of NaN is a video that a network could not read; so is its average.
    weights : sequence of float, optional
        Weights of the networks; equal by default. Only their ratios matter.

    Returns
    -------
    ndarray of shape (N, K)

    Raises
    ------
    ShapeError
        The networks did not score the same videos and classes.
    ZoopraxisError
        A score is not finite, or the weights do not fit.
    """
    _check_alike(streams)
    if weights is not None and (
        len(weights) != len(streams) or not np.isfinite(weights).all() or sum(weights) == 0
    ):
        raise ZoopraxisError(
            f"the weights {list(weights)} cannot average {len(streams)} networks",
            "give a number for each network; their sum may not be 0",
        )
    for number, scores in enumerate(streams):
        partly = np.isnan(scores).any(axis=1) & ~np.isnan(scores).all(axis=1)
        _refuse(number, partly | np.isinf(scores).any(axis=1))
    averaged: Scores = np.average(np.stack(streams), axis=0, weights=weights)
    return averaged


def choose_weights(
    streams: Sequence[Scores], classes: ArrayLike, *, steps: int = 10
) -> tuple[float, ...]:
    """Choose the weights of `average_scores` with the highest accuracy, by grid search.

    Choose them on videos that the networks were neither trained on nor are tested on.

    Parameters
    ----------
    streams : sequence of ndarray of shape (N, K)
        Scores of each network. A row of NaN counts as an error.
    classes : array_like of shape (N,)
        True classes.
    steps : int, default=10
        Every weight is a multiple of 1 / steps, and all of them sum to 1.

    Returns
    -------
    tuple of float
        A weight for each network. Of equally accurate weights, those closest to their mean, so the
        middle of a plateau, and of these the ones that weigh the earlier networks more.

    Raises
    ------
    ShapeError
        The networks did not score the same videos and classes.
    ZoopraxisError
        A score is not finite, or there are no videos.
    """
    labels = np.asarray(classes, dtype=np.int64)
    if len(labels) == 0:
        raise ZoopraxisError("weights cannot be chosen on no videos", "hold some videos out")
    grid = np.array(list(_compositions(steps, len(streams))))  # (G, S)
    accuracy = np.array(
        [top_k_accuracy(average_scores(streams, weights=counts), labels) for counts in grid]
    )
    best = grid[accuracy == accuracy.max()]
    # whole numbers: rounding breaks no tie
    distance = ((len(best) * best - best.sum(axis=0)) ** 2).sum(axis=1)
    return tuple((best[distance.argmin()] / steps).tolist())


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Yield all ways to write a total as a sum of counts from 0, large first counts first."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total, -1, -1):
        for others in _compositions(total - first, parts - 1):
            yield first, *others


def stack_scores(streams: Sequence[Scores]) -> Scores:
    """Concatenate the scores of several networks, each normalised to length one.

    Parameters
    ----------
    streams : sequence of ndarray of shape (N, K)
        Scores of each network; the paper uses probabilities.

    Returns
    -------
    ndarray of shape (N, len(streams) * K)

    Raises
    ------
    ShapeError
        The networks did not score the same videos and classes.
    ZoopraxisError
        A score is not finite.
    """
    _check_alike(streams)
    for number, scores in enumerate(streams):
        _refuse(number, ~np.isfinite(scores).all(axis=1))
    stacked: Scores = np.concatenate([normalize(scores) for scores in streams], axis=1)
    return stacked


def fit_svm(streams: Sequence[Scores], labels: ArrayLike, *, penalty: float = 1.0) -> LinearSVC:
    """Train a linear SVM for fusion, on videos that the networks were not trained on.

    Parameters
    ----------
    streams : sequence of ndarray of shape (N, K)
        Scores of each network.
    labels : array_like of shape (N,)
        True classes.
    penalty : float, default=1.0
        C of the SVM: the cost of an error.

    Returns
    -------
    LinearSVC
        One versus the rest.

    Raises
    ------
    ShapeError
        The networks did not score the same videos and classes.
    ZoopraxisError
        A score is not finite.
    """
    return LinearSVC(C=penalty, random_state=0).fit(stack_scores(streams), labels)


def svm_scores(svm: LinearSVC, streams: Sequence[Scores]) -> Scores:
    """Fuse with a trained SVM.

    Parameters
    ----------
    svm : LinearSVC
        From `fit_svm`.
    streams : sequence of ndarray of shape (N, K)
        Scores of the same networks, in the same order.

    Returns
    -------
    ndarray of shape (N, number of classes in training)
        Signed distances from the planes, in the order of ``svm.classes_``.
    """
    distances: Scores = svm.decision_function(stack_scores(streams))
    if distances.ndim == 1:  # two classes have one plane
        distances = np.stack([-distances, distances], axis=1)
    return distances


def _check_alike(streams: Sequence[Scores]) -> None:
    shapes = [np.shape(scores) for scores in streams]
    if len(set(shapes)) != 1 or len(shapes[0]) != 2:
        raise ShapeError(
            f"scores of shapes {', '.join(map(str, shapes)) or 'no network'} cannot be fused",
            "score the same videos and classes with every network: (N, K) each",
        )


def _refuse(number: int, rows: Any) -> None:
    """Raise if any video (N,) of a network has scores that cannot be fused."""
    if rows.any():
        raise ZoopraxisError(
            f"network {number} gives {int(rows.sum())} of {len(rows)} videos scores that are NaN "
            f"or infinite, the first is number {np.flatnonzero(rows)[0]}",
            "leave out the videos that could not be read",
        )
