"""Probes: how well simple classifiers tell actions apart by the features of a frozen network."""

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from zoopraxis.errors import DataError
from zoopraxis.evaluation.attentive import attentive_scores
from zoopraxis.evaluation.features import FeatureSet
from zoopraxis.evaluation.protocols import Round
from zoopraxis.evaluation.result import Evaluation
from zoopraxis.evaluation.runs import as_logits
from zoopraxis.metrics import Scores, mean_average_precision, top_k_accuracy
from zoopraxis.prediction.fusion import fit_svm, svm_scores
from zoopraxis.trajectories.classify import check_classes

__all__ = ["PROBES", "Point", "Probing", "knn_scores", "linear_svm", "logistic_scores", "probe"]

Features = NDArray[np.float32]
Classes = NDArray[np.int64]
Probe = Callable[[Features, Classes, Features, int], Scores]
"""From features (N, ...) and classes (N,) of training, features (M, ...) of testing, and a seed, to
scores (M, K) of the classes 0 to K - 1, which all occur in training."""

_PENALTIES = {"C": [0.01, 0.1, 1.0, 10.0, 100.0]}
_INNER_FOLDS = 5
_NEIGHBOURS, _TEMPERATURE = 20, 0.07
_RESAMPLINGS = 2000


def linear_svm(train: Features, classes: Classes, test: Features, seed: int) -> Scores:
    """Score by linear SVMs on vectors of length one, C chosen by cross-validation.

    The protocol of C3D and P3D (Qiu, Yao and Mei, ICCV 2017, section 5), for features of the shape
    (N, C). Where a class has a single video, C is 1.

    Returns
    -------
    ndarray of shape (M, K)
        Signed distances from the planes.
    """
    penalty = _choose_penalty(LinearSVC(random_state=seed), train, classes, seed)
    with _unconverged():
        svm = fit_svm([train.astype(np.float64)], classes, penalty=penalty)
    return svm_scores(svm, [test.astype(np.float64)])


def logistic_scores(train: Features, classes: Classes, test: Features, seed: int) -> Scores:
    """Give the probabilities of a logistic regression on vectors of length one, C as for SVMs."""
    model = LogisticRegression(max_iter=1000, random_state=seed)
    model.C = _choose_penalty(model, train, classes, seed)
    with _unconverged():
        model.fit(normalize(train), classes)
    scores: Scores = model.predict_proba(normalize(test))
    return scores


def knn_scores(train: Features, classes: Classes, test: Features, seed: int) -> Scores:  # noqa: ARG001
    """Let the 20 nearest neighbours vote, by the cosine, with weights exp(cosine / 0.07).

    Wu et al., CVPR 2018 (arXiv:1805.01978), section 3.4. The votes sum to one.
    """
    cosines = normalize(test) @ normalize(train).T  # (M, N)
    count = min(_NEIGHBOURS, len(train))
    nearest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]  # (M, k)
    cosine = np.take_along_axis(cosines, nearest, axis=1).astype(np.float64)
    weights = np.exp((cosine - cosine.max(axis=1, keepdims=True)) / _TEMPERATURE)
    votes = np.zeros((len(test), int(classes.max()) + 1))
    np.add.at(votes, (np.arange(len(test))[:, None], classes[nearest]), weights)
    scores: Scores = votes / votes.sum(axis=1, keepdims=True)
    return scores


PROBES: Mapping[str, Probe] = {
    "svm": linear_svm,
    "logistic": logistic_scores,
    "knn": knn_scores,
    "attentive": attentive_scores,
}
"""Names of the probes."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """Accuracy with some training videos of each class, as fractions of one.

    Parameters
    ----------
    shots : int or None
        Videos of each class; None for all.
    top1, top3, map : float
        Means over rounds and draws. ``map`` is the mean average precision.
    low, high : float or None
        95 % confidence interval of ``top1`` over the draws, or over the rounds where all videos
        are taken; None where there is only one.
    values : tuple of float
        ``top1`` of each draw, or round.
    """

    shots: int | None
    top1: float
    top3: float
    map: float
    low: float | None
    high: float | None
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Probing:
    """What a probe found.

    Parameters
    ----------
    name : str
        Network, layer and probe.
    points : tuple of Point
        In the order asked for.
    evaluations : tuple of Evaluation
        Of all training videos, one for each round, which `zoopraxis.evaluation.fusion` fuses with
        those of other networks; empty where only few shots were asked for.
    mode : str
        How their scores are aggregated: "sum_logit" for the distances of SVMs, and otherwise
        "mean_probability".
    """

    name: str
    points: tuple[Point, ...]
    evaluations: tuple[Evaluation, ...] = field(default=(), repr=False)
    mode: str


def probe(
    features: FeatureSet,
    rounds: Sequence[Round],
    *,
    layer: str,
    kind: str = "svm",
    shots: Sequence[int | None] = (None,),
    draws: int = 10,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Probing:
    """Train and test a probe on the features of a layer.

    Parameters
    ----------
    features : FeatureSet
        Of a list with one label a video.
    rounds : sequence of Round
        What is trained on and what is tested, of `zoopraxis.evaluation.protocols`. The result is
        the mean over the rounds.
    layer : str
        Name of the layer.
    kind : str, default="svm"
        A key of `PROBES`. "attentive" takes maps, and the others one vector a video.
    shots : sequence of int or None, default=(None,)
        Numbers of training videos of each class; None is all of them.
    draws : int, default=10
        How often few videos are drawn.
    seed : int, default=0
        Of the draws and the probes.
    progress : callable, optional
        Called with the number of probes trained, and of all.

    Returns
    -------
    Probing

    Raises
    ------
    DataError
        The features are not of the shape that the probe takes; a class has too few videos.
    TrainingError
        A class has no training video, or there is only one class.
    """
    x, classes = features.read(layer), features.classes
    if (x.ndim == 2) == (kind == "attentive"):
        raise DataError(
            f"the features of {layer!r} in {features.folder} have the shape {x.shape[1:]} for one "
            f"video, which the probe {kind!r} does not take",
            "extract with --keep maps for the attentive probe, and --keep video for others",
        )
    mode = "sum_logit" if kind == "svm" else "mean_probability"
    total = sum((draws if shot else 1) * sum(len(r) for r in rounds) for shot in shots)
    trained = 0

    def test_round(pairs: Round, shot: int | None, draw: int) -> Evaluation:
        nonlocal trained
        tested = np.concatenate([test for _, test in pairs])
        scores = []
        for number, (train, test) in enumerate(pairs):
            if shot:
                rng = np.random.default_rng([seed, draw, number, shot])
                train = _few(train, classes, shot, features, rng)
            check_classes(classes[train].tolist(), features.labels)
            scores.append(PROBES[kind](x[train], classes[train], x[test], seed + draw))
            trained += 1
            if progress is not None:
                progress(trained, total)
        return _evaluation(features, tested, np.concatenate(scores), f"{layer} {kind}")

    points: list[Point] = []
    evaluations: tuple[Evaluation, ...] = ()
    for shot in shots:
        table = [
            [test_round(r, shot, draw) for r in rounds] for draw in range(draws if shot else 1)
        ]
        measured = np.array([[_measure(e, mode) for e in row] for row in table])  # (D, R, 3)
        if not shot:
            evaluations = tuple(table[0])
        values = measured[:, :, 0].mean(axis=1) if shot else measured[0, :, 0]
        low, high = _interval(values, seed)
        top1, top3, mean_ap = measured.mean(axis=(0, 1)).tolist()
        points.append(
            Point(
                shots=shot,
                top1=top1,
                top3=top3,
                map=mean_ap,
                low=low,
                high=high,
                values=tuple(values.tolist()),
            )
        )
    return Probing(
        name=f"{features.model} {layer} {kind}",
        points=tuple(points),
        evaluations=evaluations,
        mode=mode,
    )


def _choose_penalty(model: Any, train: Features, classes: Classes, seed: int) -> float:
    """C of the highest accuracy in cross-validation; the smallest of equals."""
    folds = min(_INNER_FOLDS, int(np.bincount(classes).min()))
    if folds < 2:
        return 1.0
    inner = StratifiedKFold(folds, shuffle=True, random_state=seed)
    with _unconverged():
        search = GridSearchCV(model, _PENALTIES, cv=inner, refit=False)
        search.fit(normalize(train), classes)
    return float(search.best_params_["C"])


def _unconverged() -> "warnings.catch_warnings[None]":
    """Accept a fit that stops at its last iteration: it is tested like any other."""
    return warnings.catch_warnings(action="ignore", category=ConvergenceWarning)


def _few(
    train: NDArray[np.int64],
    classes: Classes,
    shots: int,
    features: FeatureSet,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw training videos, some of each class."""
    chosen = []
    for k, label in enumerate(features.labels):
        having = train[classes[train] == k]
        if len(having) < shots:
            raise DataError(
                f"{label!r} has {len(having)} training videos, and {shots} shots are asked for",
                "ask for fewer, or train on more videos",
            )
        chosen.append(rng.choice(having, shots, replace=False))
    return np.concatenate(chosen)


def _evaluation(
    features: FeatureSet, tested: NDArray[np.int64], scores: Scores, title: str
) -> Evaluation:
    """Scores of the tested videos, as those of any network."""
    logits = as_logits(scores)
    numbers = tested.tolist()
    names = tuple(features.names[n] for n in numbers)
    identity = json.dumps([features.identity, title, names]).encode()
    return Evaluation(
        model=f"{features.model} {title}",
        labels=features.labels,
        names=names,
        paths=tuple(features.paths[n] for n in numbers),
        truth=tuple(features.truth[n] for n in numbers),
        logits=logits,
        views=1,
        crops=1,
        unread={},
        key=hashlib.sha256(identity + logits.tobytes()).hexdigest(),
        trained=features.trained,
    )


def _measure(evaluation: Evaluation, mode: str) -> tuple[float, float, float]:
    """Top-1 and top-3 accuracy, and mean average precision."""
    scores, classes = evaluation.scores(mode=mode), evaluation.classes
    return (
        top_k_accuracy(scores, classes),
        top_k_accuracy(scores, classes, k=3),
        mean_average_precision(scores, evaluation.targets),
    )


def _interval(values: NDArray[np.float64], seed: int) -> tuple[float | None, float | None]:
    """95 % interval of a mean, by the bootstrap."""
    if len(values) < 2:
        return None, None
    rng = np.random.default_rng(seed)
    means = rng.choice(values, (_RESAMPLINGS, len(values))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975]).tolist()
    return low, high
