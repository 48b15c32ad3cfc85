"""Late fusion of evaluated networks: the two streams of a pipeline, and any others.

Runs (`zoopraxis.evaluation.runs`) are fused video by video, by name.
"""

import hashlib
import json
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import DataError
from zoopraxis.evaluation.result import Evaluation
from zoopraxis.evaluation.runs import aligned, as_logits, some
from zoopraxis.metrics import Labels, Scores
from zoopraxis.prediction.fusion import average_scores, choose_weights, fit_svm, svm_scores

__all__ = ["fuse", "fuse_by_svm", "weights_from"]


def fuse(
    runs: Sequence[Evaluation],
    *,
    weights: Sequence[float] | None = None,
    mode: str = "mean_probability",
) -> Evaluation:
    """Average the scores of several networks for the same videos.

    Parameters
    ----------
    runs : sequence of Evaluation
        Two or more.
    weights : sequence of float, optional
        Weights of the networks; equal by default. Only their ratios matter.
    mode : str, default="mean_probability"
        How each network's views are aggregated: a key of `zoopraxis.prediction.aggregate.MODES`.

    Returns
    -------
    Evaluation
        Of one view, in the order of the first run. A video that any network could not read counts
        as an error.

    Raises
    ------
    DataError
        The runs do not hold the same videos, classes and truth.
    """
    runs = aligned(runs, verb="fused")
    scores = average_scores([run.scores(mode=mode) for run in runs], weights=weights)
    return _fused(runs, scores, rule=["average", mode, list(weights or [])])


def weights_from(
    held_out: Sequence[Evaluation],
    runs: Sequence[Evaluation],
    *,
    mode: str = "mean_probability",
) -> tuple[float, ...]:
    """Choose the weights of `fuse` on held-out videos: see `choose_weights`.

    Parameters
    ----------
    held_out : sequence of Evaluation
        Of the same networks, in the same order, on videos that they were not trained on.
    runs : sequence of Evaluation
        What is to be fused. Its truth and scores are not looked at.
    mode : str, default="mean_probability"
        As for `fuse`.

    Raises
    ------
    DataError
        Held-out videos are among those to be fused, or come from other networks.
    """
    streams, classes = _held_out_scores(held_out, runs, mode)
    return choose_weights(streams, classes)


def fuse_by_svm(
    held_out: Sequence[Evaluation],
    runs: Sequence[Evaluation],
    *,
    mode: str = "mean_probability",
) -> Evaluation:
    """Fuse with a linear SVM, trained on held-out videos (Simonyan and Zisserman, section 5).

    Parameters, errors and result are those of `weights_from` and `fuse`; scores are signed
    distances from the planes. A class without a held-out video is never predicted.
    """
    streams, classes = _held_out_scores(held_out, runs, mode)
    readable = _readable(streams)
    svm = fit_svm([scores[readable] for scores in streams], classes[readable])
    runs = aligned(runs, verb="fused")
    tested = [run.scores(mode=mode) for run in runs]
    readable = _readable(tested)
    distances = svm_scores(svm, [scores[readable] for scores in tested])
    fused = np.full((len(readable), len(runs[0].labels)), distances.min() - 1)
    fused[np.ix_(readable, svm.classes_)] = distances
    fused[~readable] = np.nan
    return _fused(runs, fused, rule=["svm", mode, [run.key for run in held_out]])


def _readable(streams: Sequence[Scores]) -> NDArray[np.bool_]:
    """Which videos every network could read, (N,)."""
    return np.asarray(np.isfinite(np.stack(streams)).all(axis=(0, 2)))


def _held_out_scores(
    held_out: Sequence[Evaluation], runs: Sequence[Evaluation], mode: str
) -> tuple[list[Scores], Labels]:
    """Scores of every network on held-out videos, and their classes."""
    if len(held_out) != len(runs):
        raise DataError(
            f"{len(held_out)} held-out runs for {len(runs)} runs",
            "give one for each network, in the same order",
        )
    models, held_models = ([run.model for run in part] for part in (runs, held_out))
    if models != held_models and sorted(models) == sorted(held_models):
        raise DataError(
            f"the held-out runs are of {', '.join(held_models)}, the runs of {', '.join(models)}",
            "give them in the same order",
        )
    if held_out[0].labels != runs[0].labels:
        raise DataError("the held-out runs have other classes", "evaluate the same networks")
    # by file: names are relative to their list, so test/run/1.mp4 may be called as train/run/1.mp4
    files = {os.path.abspath(path) for path in held_out[0].paths}  # noqa: PTH100 - links stay
    tested = zip(runs[0].names, runs[0].paths, strict=True)
    seen = [name for name, path in tested if os.path.abspath(path) in files]  # noqa: PTH100
    if seen:
        raise DataError(
            f"{len(seen)} held-out videos are among those to be fused: {some(seen)}",
            "hold out videos that are not tested on",
        )
    held_out = aligned(held_out, verb="fused")
    return [run.scores(mode=mode) for run in held_out], held_out[0].classes


def _fused(runs: Sequence[Evaluation], scores: Scores, *, rule: list[object]) -> Evaluation:
    """Evaluation of one view from fused scores (N, K)."""
    first = runs[0]
    logits = as_logits(scores)
    identity = json.dumps([rule, first.labels, first.names, first.truth]).encode()
    return Evaluation(
        model=" + ".join(run.model for run in runs),
        labels=first.labels,
        names=first.names,
        paths=first.paths,
        truth=first.truth,
        logits=logits,
        views=1,
        crops=1,
        unread={name: why for run in runs for name, why in run.unread.items()},
        key=hashlib.sha256(identity + logits.tobytes()).hexdigest(),
        trained=all(run.trained for run in runs),
    )
