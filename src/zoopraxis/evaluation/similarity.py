"""Action similarity: whether two videos show the same action, one that was never trained on.

The ASLAN benchmark: Kliper-Gross, Hassner and Wolf, "The Action Similarity Labeling Challenge",
IEEE TPAMI 34(3), 2012. The twelve (dis)similarities of Table 3 are computed of each descriptor of
a pair, and a linear SVM on all of them decides. C3D (Tran et al., ICCV 2015, section 5) and P3D
(Qiu, Yao and Mei, ICCV 2017, section 5) take four layers of a network: 48 numbers a pair, each
scaled to mean 0 and variance 1.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.svm import LinearSVC

from zoopraxis.data.pairs import VideoPair
from zoopraxis.errors import DataError, ShapeError
from zoopraxis.evaluation.features import FeatureSet

__all__ = [
    "SIMILARITIES",
    "SimilarityResult",
    "draw_pairs",
    "measure_similarity",
    "similarities",
]

Vectors = NDArray[np.float64]
_TINY = 1e-12  # keeps 0 / 0 and log 0 finite; the paper does not say what it did


def _total(x: Vectors) -> Vectors:
    total: Vectors = x.sum(axis=1)
    return total


# of vectors a and b (P, C) without negative values, in the order of Table 3
SIMILARITIES: Mapping[str, Callable[[Vectors, Vectors], Vectors]] = {
    "product": lambda a, b: _total(a * b),
    "root of product": lambda a, b: np.sqrt(_total(a * b)),
    "root of Bhattacharyya": lambda a, b: np.sqrt(_total(np.sqrt(a) * np.sqrt(b))),
    "root of harmonic": lambda a, b: np.sqrt(_total(a * b / (a + b + _TINY))),
    "cosine": lambda a, b: _total(a * b) / (np.sqrt(_total(a**2)) * np.sqrt(_total(b**2)) + _TINY),
    "root of chi-square": lambda a, b: np.sqrt(_total((a - b) ** 2 / (a + b + _TINY))),
    "L1": lambda a, b: _total(np.abs(a - b)),
    "Hellinger": lambda a, b: np.sqrt(_total((np.sqrt(a) - np.sqrt(b)) ** 2)),
    "L2": lambda a, b: np.sqrt(_total((a - b) ** 2)),
    "symmetric divergence": lambda a, b: (
        _total((a - b) * (np.log(a + _TINY) - np.log(b + _TINY))) / 2
    ),
    "maximum": lambda a, b: _total(np.sqrt(np.maximum(a, b)) / np.sqrt(a + b + _TINY)),
    "intersection": lambda a, b: _total(np.minimum(a, b)) / (_total(a) * _total(b) + _TINY),
}
"""Names and formulas of the twelve."""


@dataclass(frozen=True, kw_only=True)
class SimilarityResult:
    """How well pairs are told apart.

    Parameters
    ----------
    accuracy, auc : float
        Means over the folds, fractions of one.
    error : float
        Standard error of the mean accuracy.
    folds : tuple of (float, float)
        Accuracy and AUC of each fold.
    numbers : int
        Numbers of a pair: twelve times the layers.
    """

    accuracy: float
    error: float
    auc: float
    folds: tuple[tuple[float, float], ...]
    numbers: int


def similarities(first: NDArray[np.float32], second: NDArray[np.float32]) -> Vectors:
    """Compute the twelve (dis)similarities of pairs of descriptors.

    Parameters
    ----------
    first, second : ndarray of shape (P, C)
        Descriptors without negative values, as after a ReLU or a softmax. They are scaled to
        length one first, as both C3D and P3D do.

    Returns
    -------
    ndarray of shape (P, 12)
        In the order of `SIMILARITIES`.

    Raises
    ------
    ShapeError
        The shapes differ, or are not of vectors.
    DataError
        A value is negative: the square roots are not defined.
    """
    if first.shape != second.shape or first.ndim != 2:
        raise ShapeError(
            f"descriptors of shapes {first.shape} and {second.shape} make no pairs",
            "pass (P, C) twice",
        )
    lowest = min((float(x.min()) for x in (first, second) if x.size), default=0.0)
    if lowest < 0:
        raise DataError(
            f"a descriptor has the value {lowest:.4g}, and these similarities take none below 0",
            "choose layers after a ReLU, pooled of a network that ends in one, or prob",
        )
    a, b = (normalize(x.astype(np.float64)) for x in (first, second))
    return np.stack([formula(a, b) for formula in SIMILARITIES.values()], axis=1)


def measure_similarity(
    features: FeatureSet,
    pairs: Sequence[VideoPair],
    *,
    layers: Sequence[str],
    penalty: float = 1.0,
) -> SimilarityResult:
    """Train a linear SVM on the pairs of all folds but one, test on that one, for each fold.

    Parameters
    ----------
    features : FeatureSet
        Vectors of the videos.
    pairs : sequence of VideoPair
        Of two folds or more, each with pairs of the same action and of others.
    layers : sequence of str
        Names of the layers: ASLAN's networks take four.
    penalty : float, default=1.0
        C of the SVM.

    Raises
    ------
    DataError
        A video has no features, they are no vectors or negative, or a fold lacks either kind.
    """
    index_of = {name: n for n, name in enumerate(features.names)}
    missing = [v for p in pairs for v in (p.first, p.second) if v not in index_of]
    if missing:
        raise DataError(
            f"{len(missing)} videos of the pairs have no features in {features.folder}, the first "
            f"{missing[0]!r}",
            "write the names as in the list that was extracted",
        )
    first, second = (
        np.array([index_of[getattr(p, side)] for p in pairs]) for side in ("first", "second")
    )
    columns = []
    for layer in layers:
        x = features.read(layer)
        if x.ndim != 2:
            raise DataError(
                f"the features of {layer!r} have the shape {x.shape[1:]}",
                "extract with --keep video",
            )
        columns.append(similarities(x[first], x[second]))
    numbers = np.concatenate(columns, axis=1)  # (P, 12 L)
    same = np.array([pair.same for pair in pairs])
    fold_of = np.array([pair.fold for pair in pairs])
    folds = np.unique(fold_of)
    if len(folds) < 2 or not all(0 < same[fold_of == f].mean() < 1 for f in folds):
        raise DataError(
            f"{len(folds)} folds of pairs, of which each must have both kinds",
            "give two folds or more, each with pairs of the same action and of others",
        )
    results = []
    for fold in folds:
        test = fold_of == fold
        scaler = StandardScaler().fit(numbers[~test])
        svm = LinearSVC(C=penalty, dual=False).fit(scaler.transform(numbers[~test]), same[~test])
        scores = svm.decision_function(scaler.transform(numbers[test]))
        accuracy = float(((scores > 0) == same[test]).mean())
        results.append((accuracy, float(roc_auc_score(same[test], scores))))
    accuracies, areas = np.array(results).T
    return SimilarityResult(
        accuracy=float(accuracies.mean()),
        error=float(accuracies.std(ddof=1) / np.sqrt(len(folds))),
        auc=float(areas.mean()),
        folds=tuple(results),
        numbers=numbers.shape[1],
    )


def draw_pairs(
    features: FeatureSet, *, count: int = 600, folds: int = 10, seed: int = 0
) -> tuple[VideoPair, ...]:
    """Make pairs of a labelled list, half of them of the same action; as ASLAN's are made.

    Every action is in one fold only: what is tested was never trained on.

    Parameters
    ----------
    features : FeatureSet
        Of a list with one label a video.
    count : int, default=600
        Pairs in each fold; fewer where there are not so many.
    folds : int, default=10
        Folds, each of two actions at least.
    seed : int, default=0
        Of the draw.

    Raises
    ------
    DataError
        There are too few actions for the folds, or an action has a single video.
    """
    rng = np.random.default_rng(seed)
    classes = features.classes
    counts = np.bincount(classes, minlength=len(features.labels))
    if len(features.labels) < 2 * folds or folds < 2:
        raise DataError(
            f"{len(features.labels)} actions do not make {folds} folds of two or more",
            "give 2 folds, or more, and at most half as many as there are actions",
        )
    if counts.min() < 2:
        raise DataError(
            f"{features.labels[int(counts.argmin())]!r} has {counts.min()} videos, and a pair "
            "takes two",
            "leave it out of the list",
        )
    pairs: list[VideoPair] = []
    for fold, actions in enumerate(np.array_split(rng.permutation(len(counts)), folds)):
        members = np.flatnonzero(np.isin(classes, actions))
        i, j = np.triu_indices(len(members), k=1)
        first, second = members[i], members[j]
        same = classes[first] == classes[second]
        for kind in (True, False):
            found = np.flatnonzero(same == kind)
            chosen = rng.permutation(found)[: count // 2]
            pairs += [
                VideoPair(
                    first=features.names[first[n]],
                    second=features.names[second[n]],
                    same=kind,
                    fold=fold,
                )
                for n in chosen.tolist()
            ]
    return tuple(pairs)
