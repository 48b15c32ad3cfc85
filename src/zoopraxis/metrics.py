"""Metrics of predictions: pure functions of scores and truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, confusion_matrix

from zoopraxis.errors import ShapeError

__all__ = [
    "Calibration",
    "ClassScores",
    "answers",
    "calibration",
    "class_scores",
    "confusion",
    "mean_average_precision",
    "mean_class_accuracy",
    "pair_accuracy",
    "top_k_accuracy",
]

Scores = NDArray[np.float64]
Labels = NDArray[np.int64]


def answers(scores: Scores) -> Labels:
    """Predicted classes (N,) of scores (N, K): -1 where unreadable, or where the highest is tied.

    They equal the true class exactly where `top_k_accuracy` counts a video as correct.
    """
    highest = scores.max(axis=1, keepdims=True)  # (N, 1), NaN where unreadable
    alone = (scores >= highest).sum(axis=1) == 1  # (N,)
    return np.where(alone, np.nan_to_num(scores).argmax(axis=1), -1)


def top_k_accuracy(scores: Scores, labels: Labels, *, k: int = 1) -> float:
    """Fraction of videos whose true class is among the k highest scores.

    Parameters
    ----------
    scores : ndarray of shape (N, K)
        A row of NaN is a video that could not be read: it counts as an error.
    labels : ndarray of shape (N,)
        True classes.
    k : int, default=1
        Number of predictions.
    """
    _check(scores, labels)
    if len(labels) == 0:
        return float("nan")
    true = np.take_along_axis(scores, labels[:, None], axis=1)  # (N, 1)
    # ties count as errors: a constant score is not a prediction
    rank = (scores >= true).sum(axis=1)  # (N,), 1 for the highest; 0 where NaN
    return float(((rank >= 1) & (rank <= k)).mean())


def mean_class_accuracy(scores: Scores, labels: Labels) -> float:
    """Mean of the accuracies of the classes that occur."""
    _check(scores, labels)
    correct = _correct(scores, labels)
    per_class = [correct[labels == label].mean() for label in np.unique(labels)]
    return float(np.mean(per_class)) if per_class else float("nan")


def mean_average_precision(scores: Scores, targets: NDArray[np.bool_]) -> float:
    """Mean over classes of the average precision, for videos with several labels.

    Parameters
    ----------
    scores : ndarray of shape (N, K)
        A row of NaN (unreadable) ranks below all others.
    targets : ndarray of bool, shape (N, K)
        Classes without a positive are left out of the mean.
    """
    if scores.shape != targets.shape:
        raise ShapeError(f"scores {scores.shape} and targets {targets.shape} differ in shape")
    lowest = np.nanmin(scores) - 1 if np.isfinite(scores).any() else 0.0
    ranked = np.where(np.isnan(scores), lowest, scores)
    present = np.flatnonzero(targets.any(axis=0))
    values = [average_precision_score(targets[:, k], ranked[:, k]) for k in present]
    return float(np.mean(values)) if values else float("nan")


def confusion(scores: Scores, labels: Labels) -> NDArray[np.int64]:
    """Count readable videos by true (rows) and predicted class (columns), (K, K)."""
    _check(scores, labels)
    read = ~np.isnan(scores).any(axis=1)
    guesses = scores[read].argmax(axis=1)
    counts: NDArray[np.int64] = confusion_matrix(
        labels[read], guesses, labels=np.arange(scores.shape[1])
    )
    return counts


@dataclass(frozen=True)
class ClassScores:
    """How each of K classes is found; arrays (K,) of fractions of 1, NaN where not defined.

    Parameters
    ----------
    precision : ndarray
        Of the videos predicted as the class, those that are of it; NaN where there are none.
    recall : ndarray
        Of the videos of the class, those predicted as it; NaN where there are none.
    f1 : ndarray
        Harmonic mean of both, twice the hits by the sum of predicted and true videos.
    support : ndarray of int
        Videos of the class.
    """

    precision: Scores
    recall: Scores
    f1: Scores
    support: Labels


def class_scores(predicted: NDArray[np.bool_], targets: NDArray[np.bool_]) -> ClassScores:
    """Compute precision, recall and F1 of each class.

    Parameters
    ----------
    predicted, targets : ndarray of bool, shape (N, K)
        Predicted and true classes of each video; a video that could not be read has no predicted
        ones.
    """
    if predicted.shape != targets.shape:
        raise ShapeError(f"predicted {predicted.shape} and true {targets.shape} differ in shape")
    hits, found, support = (
        table.sum(axis=0).astype(np.int64) for table in (predicted & targets, predicted, targets)
    )  # (K,) each
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN
        return ClassScores(
            precision=hits / found,
            recall=hits / support,
            f1=2 * hits / (found + support),
            support=support,
        )


def pair_accuracy(scores: Scores, labels: Labels, pairs: Sequence[tuple[int, int]]) -> float:
    """Accuracy within pairs of classes, when only the two of the pair are allowed.

    For actions that are each other played backwards it is 50 % for any function of the frames
    that ignores their order. A tie counts as half.
    """
    _check(scores, labels)
    halves: list[float] = []
    for first, second in pairs:
        for true, other in ((first, second), (second, first)):
            rows = scores[labels == true]
            margin = rows[:, true] - rows[:, other]
            halves += [0.5 if m == 0 else float(m > 0) for m in margin]
    return float(np.mean(halves)) if halves else float("nan")


@dataclass(frozen=True)
class Calibration:
    """Accuracy by confidence, in bins of equal width.

    Parameters
    ----------
    edges : tuple of float
        Edges of the B bins, B + 1 numbers from 0 to 1.
    counts : tuple of int
        Videos whose highest probability falls in each bin.
    confidence, accuracy : tuple of float
        Their mean highest probability, and their accuracy; NaN in empty bins.
    error : float
        Expected calibration error: mean gap between the two, weighted by count
        (Guo et al., ICML 2017, equation 3).
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    error: float


def calibration(probabilities: Scores, labels: Labels, *, bins: int = 10) -> Calibration:
    """Compare the probability of the predicted class with its accuracy."""
    _check(probabilities, labels)
    read = ~np.isnan(probabilities).any(axis=1)
    top, correct = probabilities[read].max(axis=1), _correct(probabilities, labels)[read]
    edges = np.linspace(0, 1, bins + 1)
    which = np.clip(np.digitize(top, edges[1:-1], right=True), 0, bins - 1)  # (lower, upper]
    counts = [int((which == b).sum()) for b in range(bins)]
    confidence = [_mean(top[which == b]) for b in range(bins)]
    accuracy = [_mean(correct[which == b]) for b in range(bins)]
    gaps = [n * abs(c - a) for n, c, a in zip(counts, confidence, accuracy, strict=True) if n]
    error = sum(gaps) / max(sum(counts), 1)
    return Calibration(
        tuple(map(float, edges)), tuple(counts), tuple(confidence), tuple(accuracy), error
    )


def _correct(scores: Scores, labels: Labels) -> NDArray[np.float64]:
    """1 where the true class alone has the highest score, else 0; (N,)."""
    true = np.take_along_axis(scores, labels[:, None], axis=1)  # (N, 1)
    correct: Scores = ((scores >= true).sum(axis=1) == 1).astype(np.float64)
    return correct


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _check(scores: Scores, labels: Labels) -> None:
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise ShapeError(f"scores {scores.shape} and labels {labels.shape} are not (N, K) and (N,)")
