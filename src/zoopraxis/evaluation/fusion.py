"""Late fusion of evaluated networks: the two streams of a pipeline, and any others.

A run is what `zoopraxis.evaluation.evaluate.evaluate` kept, or a plain ``.npz`` of scores. Runs
are fused video by video, by name; they must hold the same videos, in any order.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import DataError
from zoopraxis.evaluation.result import Evaluation, read_evaluation
from zoopraxis.metrics import Labels, Scores
from zoopraxis.prediction.fusion import average_scores, choose_weights, fit_svm, svm_scores

__all__ = ["fuse", "fuse_by_svm", "read_run", "weights_from"]

_NAMED = 3  # videos in a message
_PLAIN = "a plain .npz has scores (N, K), names (N,), truth (N,) as indices, and labels (K,)"


def read_run(path: str | Path) -> Evaluation:
    """Read the scores of one network.

    Parameters
    ----------
    path : str or Path
        The ``--out`` of an evaluation, its ``logits-*.npz``, or an ``.npz`` with ``scores``
        (N, K), ``names`` (N,), ``truth`` (N,) as indices and, if they have names, ``labels`` (K,).
        Scores that are probabilities count as such, and others as logits.

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError
        There is none, or there are several.
    """
    path = Path(path)
    if path.is_dir():
        found = sorted(path.glob("logits-*.npz"))
        if len(found) != 1:
            raise DataError(
                f"{path} holds {len(found)} evaluations, and one is expected",
                f"name one of {', '.join(p.name for p in found)}"
                if found
                else "give the --out of `zoopraxis evaluate`",
            )
        path = found[0]
    if not path.is_file():
        raise DataError(f"no file {path}", "give the --out of `zoopraxis evaluate`, or an .npz")
    try:
        with np.load(path) as content:
            parts = {} if "meta" in content else {key: content[key] for key in content}
    except (OSError, ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}", _PLAIN) from error
    return _plain(path, parts) if parts else read_evaluation(path)


def _plain(path: Path, parts: dict[str, NDArray[np.generic]]) -> Evaluation:
    """Make an evaluation of one view of a plain file of scores."""
    lacking = [key for key in ("scores", "names", "truth") if key not in parts]
    if lacking:
        raise DataError(f"{path} has no {' and no '.join(lacking)}", _PLAIN)
    scores, truth = parts["scores"], parts["truth"]
    count, classes = scores.shape if scores.ndim == 2 else (-1, 0)
    names = tuple(map(str, parts["names"].ravel().astype(str)))
    labels = tuple(map(str, parts.get("labels", np.arange(classes)).ravel().astype(str)))
    if (
        not np.issubdtype(scores.dtype, np.number)
        or not np.issubdtype(truth.dtype, np.integer)
        or (len(names), truth.shape, len(labels)) != (count, (count,), classes)
        or len(set(names)) != count
        or not all(0 <= k < classes for k in truth.tolist())
    ):
        shapes = ", ".join(f"{key} {parts[key].shape}" for key in sorted(parts))
        raise DataError(
            f"{path} does not hold the scores of N videos for K classes: {shapes}", _PLAIN
        )
    read = ~np.isnan(scores).any(axis=1)
    if np.isinf(scores[read]).any():
        raise DataError(f"{path} holds scores that are infinite", "leave out what was not scored")
    return Evaluation(
        model=path.stem,
        labels=labels,
        names=names,
        paths=names,
        truth=tuple(truth.tolist()),
        logits=_as_logits(scores.astype(np.float64)),
        views=1,
        crops=1,
        unread={name: "its scores are NaN" for name, r in zip(names, read, strict=True) if not r},
    )


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
    runs = _aligned(runs)
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
    runs = _aligned(runs)
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
            f"{len(seen)} held-out videos are among those to be fused: {_some(seen)}",
            "hold out videos that are not tested on",
        )
    held_out = _aligned(held_out)
    return [run.scores(mode=mode) for run in held_out], held_out[0].classes


def _aligned(runs: Sequence[Evaluation]) -> list[Evaluation]:
    """Check that runs fit together, and bring the videos of each into the order of the first."""
    if len(runs) < 2:
        raise DataError(f"{len(runs)} run cannot be fused", "give two or more")
    return [_in_order_of(runs[0], run) for run in runs]


def _in_order_of(first: Evaluation, run: Evaluation) -> Evaluation:
    for one in (first, run):
        if one.multi_label:
            raise DataError(f"{one.model}: videos with several labels are not fused", "fuse others")
        left = [
            name
            for name, done in zip(one.names, one.has_logits, strict=True)
            if not done and name not in one.unread
        ]
        if left:
            raise DataError(
                f"the evaluation of {one.model} was stopped: it lacks {len(left)} of "
                f"{len(one.names)} videos, {_some(left)}",
                "run `zoopraxis evaluate` again: it resumes",
            )
    if first.labels != run.labels:
        pairs = zip_longest(map(repr, first.labels), map(repr, run.labels), fillvalue="none")
        differing = next(f"{a} and {b}" for a, b in pairs if a != b)
        raise DataError(
            f"{first.model} has {len(first.labels)} classes and {run.model} {len(run.labels)}; "
            f"the first that differ are {differing}",
            "train both on the same classes: data.labels lists them",
        )
    for one, other in ((first, run), (run, first)):
        lacking = set(one.names) - set(other.names)
        if lacking:
            raise DataError(
                f"{other.model} lacks {len(lacking)} of the {len(one.names)} videos of "
                f"{one.model}: {_some(lacking)}",
                "evaluate every network on the same list; one of `zoopraxis flow` serves RGB too",
            )
    place = {name: index for index, name in enumerate(run.names)}
    order = [place[name] for name in first.names]
    truth = tuple(run.truth[index] for index in order)
    for name, one, other in zip(first.names, first.truth, truth, strict=True):
        if one != other:
            raise DataError(
                f"{name} is {first.labels[one]!r} for {first.model}, and {first.labels[other]!r} "
                f"for {run.model}",
                "evaluate every network on the same list",
            )
    return replace(
        run,
        names=first.names,
        paths=tuple(run.paths[index] for index in order),
        truth=truth,
        logits=run.logits[order],
        done=run.has_logits[order],
    )


def _fused(runs: Sequence[Evaluation], scores: Scores, *, rule: list[object]) -> Evaluation:
    """Evaluation of one view from fused scores (N, K)."""
    first = runs[0]
    logits = _as_logits(scores)
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


def _as_logits(scores: Scores) -> NDArray[np.float32]:
    """Logits (N, 1, K) whose softmax is the scores (N, K), where these are probabilities.

    Other scores are taken as they are.
    """
    read = scores[~np.isnan(scores).any(axis=1)]
    if (read >= 0).all() and np.allclose(read.sum(axis=1), 1, atol=1e-3):
        scores = np.log(np.maximum(scores, np.finfo(np.float32).tiny))
    return scores[:, None].astype(np.float32)


def _some(names: Collection[str]) -> str:
    """Name the first few."""
    rest = len(names) - _NAMED
    return ", ".join(sorted(names)[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
