"""What an evaluation found: the logits of every view, kept, and the metrics computed from them.

Aggregating the views in another way costs nothing.
"""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import DataError
from zoopraxis.files import write_atomically
from zoopraxis.metrics import (
    Labels,
    Scores,
    calibration,
    class_scores,
    confusion,
    mean_average_precision,
    mean_class_accuracy,
    pair_accuracy,
    top_k_accuracy,
)
from zoopraxis.prediction.aggregate import aggregate_array

__all__ = ["Evaluation", "are_probabilities", "read_evaluation"]

_REMOVE = "remove it, and evaluate again"
# what reading a file that is none of ours may raise: no archive, no such part, no such field
_NOT_OURS = (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Evaluation:
    """Logits of every view of every video, and the metrics computed from them.

    Parameters
    ----------
    model : str
        Name or file of the model.
    labels : tuple of str
        K names.
    names : tuple of str
        N videos, in the order of the list.
    paths : tuple of str
        Their paths.
    truth : tuple
        Their classes: an index each, or a tuple of indices in a multi-label list.
    logits : ndarray of shape (N, V, K)
        NaN for a video that could not be read.
    views, crops : int
        V is their product; the crops of a view are adjacent.
    unread : mapping of str to str
        Videos that could not be read, and why. They count as errors.
    key : str, default=""
        Hash of all that decides the logits: `evaluation_key`.
    done : ndarray of bool, shape (N,), optional
        Which videos have their logits; by default all but the unread. Never told from the
        logits themselves.
    trained : bool, default=True
        False for random weights, whose accuracy means nothing.
    """

    model: str
    labels: tuple[str, ...]
    names: tuple[str, ...]
    paths: tuple[str, ...]
    truth: tuple[Any, ...]
    logits: NDArray[np.float32]
    views: int
    crops: int
    unread: Mapping[str, str]
    key: str = ""
    done: NDArray[np.bool_] | None = None
    trained: bool = True

    @cached_property
    def has_logits(self) -> NDArray[np.bool_]:
        """Which videos have their logits, (N,)."""
        if self.done is not None:
            return self.done
        return np.array([name not in self.unread for name in self.names], dtype=bool)

    @property
    def multi_label(self) -> bool:
        """Whether the videos have several labels each."""
        return any(isinstance(label, tuple) for label in self.truth)

    @cached_property
    def classes(self) -> Labels:
        """True classes (N,), of a list with one label each."""
        return np.asarray(self.truth, dtype=np.int64)

    @cached_property
    def targets(self) -> NDArray[np.bool_]:
        """True classes (N, K), of a list with several labels each."""
        table = np.zeros((len(self.truth), len(self.labels)), dtype=bool)
        for row, label in zip(table, self.truth, strict=True):
            row[list(label) if isinstance(label, tuple) else label] = True
        return table

    def scores(self, *, mode: str | None = None, views: int | None = None) -> Scores:
        """Aggregate to scores (N, K), from all views or from ``views`` evenly spaced ones.

        So 2 of 10 views span the video as the 10 do.
        """
        mode = mode or ("mean_sigmoid" if self.multi_label else "mean_probability")
        logits = self.logits
        if views is not None:
            chosen = np.unique(np.round((np.arange(views) + 0.5) * self.views / views - 0.5))
            columns = (chosen[:, None] * self.crops + np.arange(self.crops)).astype(int).ravel()
            logits = logits[:, columns]
        if len(logits) == 0:
            return np.zeros((0, len(self.labels)))
        return aggregate_array(logits, mode=mode).astype(np.float64)

    def summary(
        self, *, mode: str | None = None, pairs: Sequence[tuple[int, int]] = ()
    ) -> dict[str, Any]:
        """Compute the metrics of the report: fractions of 1, over all videos, readable or not."""
        scores = self.scores(mode=mode)
        unread = int((~self.has_logits).sum())
        metrics: dict[str, Any] = {"videos": len(self.names), "unread": unread}
        if self.multi_label:
            return metrics | {"map": mean_average_precision(scores, self.targets)}
        metrics["top1"] = top_k_accuracy(scores, self.classes)
        if len(self.labels) > 5:  # of five classes all are among the first five
            metrics["top5"] = top_k_accuracy(scores, self.classes, k=5)
        metrics["mean_class"] = mean_class_accuracy(scores, self.classes)
        if are_probabilities(scores):
            metrics["calibration_error"] = calibration(scores, self.classes).error
        if pairs:
            metrics["pairs"] = pair_accuracy(scores, self.classes, pairs)
        return metrics

    def by_views(self, *, mode: str | None = None) -> dict[int, float]:
        """Top-1 accuracy (or mAP) by the number of views."""
        counts = sorted({1, *(2**n for n in range(10) if 2**n < self.views), self.views})
        values = {}
        for count in counts:
            scores = self.scores(mode=mode, views=count)
            values[count] = (
                mean_average_precision(scores, self.targets)
                if self.multi_label
                else top_k_accuracy(scores, self.classes)
            )
        return values

    def by_class(self, *, mode: str | None = None) -> dict[str, float]:
        """Accuracy of each class that occurs, of a list with one label each."""
        counts = self.confusion(mode=mode)
        total = np.bincount(self.classes, minlength=len(counts))
        return {
            self.labels[k]: float(counts[k, k] / total[k]) for k in np.flatnonzero(total).tolist()
        }

    def class_report(self, *, mode: str | None = None) -> dict[str, dict[str, float]]:
        """Precision, recall, F1 and support (videos) of each class that occurs or is predicted.

        A video is predicted as the class with the highest score; with several labels each, as all
        classes whose probability is 1/2 or more. What is not defined is NaN. With several labels
        and scores that are no probabilities there are none.
        """
        scores = self.scores(mode=mode)
        predicted = np.zeros(scores.shape, dtype=bool)  # (N, K)
        if self.multi_label:
            if not are_probabilities(scores):
                return {}
            predicted = scores >= 0.5  # False where NaN
        else:
            read = np.flatnonzero(~np.isnan(scores).any(axis=1))
            predicted[read, scores[read].argmax(axis=1)] = True
        found = class_scores(predicted, self.targets)
        names = [field.name for field in fields(found)]
        return {
            self.labels[k]: {name: getattr(found, name)[k].item() for name in names}
            for k in np.flatnonzero(~np.isnan(found.f1)).tolist()
        }

    def confusion(self, *, mode: str | None = None) -> NDArray[np.int64]:
        """Videos by true and predicted class, (K, K)."""
        return confusion(self.scores(mode=mode), self.classes)

    def save(self, path: Path) -> None:
        """Write everything to one .npz file, atomically."""
        meta = {
            "model": self.model,
            "labels": self.labels,
            "names": self.names,
            "paths": self.paths,
            "truth": self.truth,
            "views": self.views,
            "crops": self.crops,
            "unread": dict(self.unread),
            "key": self.key,
            "trained": self.trained,
        }
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer, logits=self.logits, done=self.has_logits, meta=np.array(json.dumps(meta))
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())


def are_probabilities(scores: Scores) -> bool:
    """Whether scores (N, K) lie in [0, 1], as those of every mode but ``sum_logit`` do."""
    read = scores[~np.isnan(scores).any(axis=1)]
    return bool(((read >= 0) & (read <= 1 + 1e-4)).all())


def read_evaluation(path: str | Path) -> Evaluation:
    """Read what `Evaluation.save` wrote.

    Raises
    ------
    DataError
        It is not such a file.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(
            f"no file {path}", "`zoopraxis evaluate` writes logits-*.npz into its --out"
        )
    try:
        with path.open("rb") as opened, np.load(opened) as file:
            meta, logits, done = json.loads(str(file["meta"])), file["logits"], file["done"]
        truth = tuple(tuple(t) if isinstance(t, list) else t for t in meta.pop("truth"))
        lists: dict[str, Any] = {key: tuple(meta.pop(key)) for key in ("labels", "names", "paths")}
        found = Evaluation(truth=truth, logits=logits, done=done, **lists, **meta)
        shape = len(found.names), found.views * found.crops, len(found.labels)
    except (*_NOT_OURS, OSError) as error:
        raise DataError(f"{path} does not hold an evaluation: {error}", _REMOVE) from error
    if logits.shape != shape or done.shape != shape[:1] or done.dtype != bool:
        raise DataError(
            f"{path} has logits of shape {logits.shape} and not {shape}, or marks of "
            f"{done.shape} videos",
            _REMOVE,
        )
    if not np.isfinite(logits[done]).all():
        raise DataError(f"{path} holds logits that are NaN or infinite", _REMOVE)
    return found
