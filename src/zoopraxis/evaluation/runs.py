"""Runs: what an evaluation of one network left, and how several are brought together.

A run is what `zoopraxis.evaluation.evaluate.evaluate` kept, or a plain ``.npz`` of scores. Runs
are matched video by video, by name; they must hold the same videos, in any order.
"""

import zipfile
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import DataError
from zoopraxis.evaluation.result import Evaluation, read_evaluation
from zoopraxis.metrics import Scores

__all__ = ["aligned", "as_logits", "read_run", "some"]

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
        logits=as_logits(scores.astype(np.float64)),
        views=1,
        crops=1,
        unread={name: "its scores are NaN" for name, r in zip(names, read, strict=True) if not r},
    )


def aligned(runs: Sequence[Evaluation], *, verb: str = "compared") -> list[Evaluation]:
    """Check that runs fit together, and bring the videos of each into the order of the first.

    Parameters
    ----------
    runs : sequence of Evaluation
        Two or more.
    verb : str, default="compared"
        What is done with them, for messages.

    Raises
    ------
    DataError
        The runs do not hold the same videos, classes and truth; or one was stopped before its end.
    """
    if len(runs) < 2:
        raise DataError(f"{len(runs)} run cannot be {verb}", "give two or more")
    return [_in_order_of(runs[0], run, verb) for run in runs]


def _in_order_of(first: Evaluation, run: Evaluation, verb: str) -> Evaluation:
    for one in (first, run):
        if one.multi_label:
            raise DataError(
                f"{one.model}: videos with several labels cannot be {verb}",
                "give runs over videos of one label each",
            )
        left = [
            name
            for name, done in zip(one.names, one.has_logits, strict=True)
            if not done and name not in one.unread
        ]
        if left:
            raise DataError(
                f"the evaluation of {one.model} was stopped: it lacks {len(left)} of "
                f"{len(one.names)} videos, {some(left)}",
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
                f"{one.model}: {some(lacking)}",
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


def as_logits(scores: Scores) -> NDArray[np.float32]:
    """Logits (N, 1, K) whose softmax is the scores (N, K), where these are probabilities.

    Other scores are taken as they are.
    """
    read = scores[~np.isnan(scores).any(axis=1)]
    if (read >= 0).all() and np.allclose(read.sum(axis=1), 1, atol=1e-3):
        scores = np.log(np.maximum(scores, np.finfo(np.float32).tiny))
    return scores[:, None].astype(np.float32)


def some(names: Collection[str]) -> str:
    """Name the first few."""
    rest = len(names) - _NAMED
    return ", ".join(sorted(names)[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
