"""Evaluate a model on a list of videos: several views and crops of each, decoded once.

The logits of every view are kept, so that aggregating them in another way costs nothing.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from zoopraxis.checkpoints.saved import OpenModel
from zoopraxis.data.samples import Sample, SampleList
from zoopraxis.errors import DataError, VideoError
from zoopraxis.files import write_atomically
from zoopraxis.inputs import ClipSpec, Inputs
from zoopraxis.metrics import (
    Labels,
    Scores,
    calibration,
    confusion,
    mean_average_precision,
    mean_class_accuracy,
    pair_accuracy,
    top_k_accuracy,
)
from zoopraxis.prediction.aggregate import aggregate
from zoopraxis.prediction.pipeline import Precision, run, view_inputs

__all__ = ["Evaluation", "are_probabilities", "evaluate", "evaluation_key", "read_evaluation"]

_SAVE_EVERY = 50  # videos


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
        out: Scores = aggregate(torch.from_numpy(logits), mode=mode).double().numpy()
        return out

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


_REMOVE = "remove it, and evaluate again"
# what reading a file that is none of ours may raise: no archive, no such part, no such field
_NOT_OURS = (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile)


def evaluate(
    net: OpenModel,
    samples: SampleList,
    *,
    views: int = 10,
    crops: int = 1,
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
    batch_size: int = 8,
    workers: int = 0,
    keep: Path | None = None,
    reverse: bool = False,
    progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> Evaluation:
    """Run a model over all videos of a list.

    Parameters
    ----------
    net : OpenModel
        Of `zoopraxis.checkpoints.saved.open_model`.
    samples : SampleList
        Labelled with the model's labels, in any order.
    views, crops : int
        Clips over each video, and crops of each clip.
    device, precision, batch_size
        As for `zoopraxis.prediction.pipeline.run`.
    workers : int, default=0
        Processes that decode while the model runs.
    keep : Path, optional
        Folder of the logits, ``logits-<key>.npz``: written as the work proceeds, and an
        evaluation that was stopped resumes, and tries again what could not be read. The key is
        `evaluation_key`, so that nothing else is ever found there.
    reverse : bool, default=False
        Play every clip backwards.
    progress : callable, optional
        Called with the number of videos done, and of all.
    say : callable, optional
        Called with a line when kept logits are resumed, or those that are there are of another
        evaluation.

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError
        The list has labels that the model does not know, or none of its videos can be read.
    CheckpointError, ZoopraxisError
        The model's output for a video is not finite.
    """
    truth = _in_model_order(samples, net)
    key = evaluation_key(
        net, samples, views=views, crops=crops, precision=precision, reverse=reverse
    )
    kept = keep / f"logits-{key[:12]}.npz" if keep else None
    count = len(samples)
    resumed = _resumed(kept, key, say) or Evaluation(
        model=net.name,
        labels=net.labels,
        names=tuple(s.name for s in samples),
        paths=tuple(s.path for s in samples),
        truth=truth,
        logits=np.full((count, views * crops, len(net.labels)), np.nan, np.float32),
        views=views,
        crops=crops,
        unread={},
        key=key,
        done=np.zeros(count, dtype=bool),
        trained=net.trained,
    )
    logits, done = resumed.logits, resumed.has_logits.copy()
    unread: dict[str, str] = {}

    def result() -> Evaluation:
        return replace(resumed, logits=logits, done=done.copy(), unread=dict(unread))

    left = np.flatnonzero(~done).tolist()
    videos = _Videos(samples, net.clip, left, views=views, crops=crops, reverse=reverse)
    loader = DataLoader(videos, batch_size=None, num_workers=workers)
    try:
        for number, item in enumerate(loader, start=1):
            sample = samples[item.sample]
            try:
                if item.problem:
                    raise VideoError(item.problem)
                logits[item.sample] = run(
                    net.model,
                    item.inputs,
                    device=device,
                    precision=precision,
                    batch_size=batch_size,
                    video=sample.name,
                ).numpy()
                done[item.sample] = True
            except VideoError as error:
                unread[sample.name] = error.problem
            if kept and number % _SAVE_EVERY == 0:
                result().save(kept)
            if progress:
                progress(count - len(left) + number, count)
    finally:  # what was done before an error need not be done again
        if kept and left and done.any():
            result().save(kept)
    if not done.any():
        name, problem = next(iter(unread.items()))
        raise DataError(
            f"none of the {count} videos of {samples.root} can be read; the first, {name}: "
            f"{problem}",
            "check the paths in the list, and that these are videos",
        )
    return result()


def evaluation_key(
    net: OpenModel,
    samples: SampleList,
    *,
    views: int,
    crops: int,
    precision: Precision,
    reverse: bool,
) -> str:
    """Hash of all that decides the logits of an evaluation.

    The model's identity with the hash of its weights, views, crops, precision and direction, and
    of every sample its name, label, segment and files, with the size and modification time of
    files on this machine.
    """
    values = {
        "model": net.config.key,
        "views": views,
        "crops": crops,
        "precision": precision,
        "reverse": reverse,
        "labels": samples.labels,
        "samples": [_identity_of(sample) for sample in samples],
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _identity_of(sample: Sample) -> list[Any]:
    """What makes a sample this one and no other."""
    label = list(sample.label) if isinstance(sample.label, tuple) else sample.label
    files = (sample.path, sample.flow, sample.skeleton, sample.boxes)
    return [sample.name, label, sample.start, sample.end, *map(_file_stamp, files)]


def _file_stamp(path: str) -> list[Any]:
    """Path of a file, and its size and modification time where it is on this machine."""
    try:
        status = Path(path).stat() if path and "://" not in path else None
    except OSError:  # reading it will say what is wrong
        status = None
    return [path, status and status.st_size, status and status.st_mtime_ns]


def _resumed(kept: Path | None, key: str, say: Callable[[str], None] | None) -> Evaluation | None:
    """Evaluation that was begun, None if this one was not."""
    if kept is None:
        return None
    if not kept.exists():
        others = sorted(kept.parent.glob("logits-*.npz"))
        if others and say:
            say(
                f"{kept.parent} holds {len(others)} evaluation(s) of other weights, settings or "
                "videos: starting from scratch"
            )
        return None
    found = read_evaluation(kept)
    if found.key != key:
        raise DataError(f"{kept} holds another evaluation", "remove it, or choose another --out")
    if say:
        say(f"resuming from {kept}")
    return found


def _in_model_order(samples: SampleList, net: OpenModel) -> tuple[Any, ...]:
    """True classes as indices into the model's labels."""
    if len(samples) == 0:
        raise DataError(f"{samples.root} lists no videos", "choose other groups, or another list")
    index_of = {label: index for index, label in enumerate(net.labels)}
    foreign = [label for label in samples.labels if label not in index_of]
    if foreign:
        raise DataError(
            f"{samples.root} has {len(foreign)} labels that {net.name} does not know, "
            f"the first {foreign[0]!r}",
            f"the model knows: {', '.join(net.labels[:8])}...",
        )
    order = [index_of[label] for label in samples.labels]
    return tuple(
        tuple(order[k] for k in s.label) if isinstance(s.label, tuple) else order[s.label]
        for s in samples
    )


class _Item(NamedTuple):
    """Views of one video, or the reason why there are none."""

    sample: int
    inputs: Inputs
    problem: str


class _Videos(Dataset[_Item]):
    """The views of some videos of a list."""

    def __init__(
        self,
        samples: SampleList,
        clip: ClipSpec,
        left: list[int],
        *,
        views: int,
        crops: int,
        reverse: bool,
    ) -> None:
        self.samples, self.clip, self.left = samples, clip, left
        self.views, self.crops, self.reverse = views, crops, reverse

    def __len__(self) -> int:
        return len(self.left)

    def __getitem__(self, position: int) -> _Item:
        index = self.left[position]
        sample = self.samples[index]
        try:
            with self.clip.input.open(sample) as track:
                inputs, _ = view_inputs(
                    track, sample, self.clip, views=self.views, crops=self.crops
                )
        except VideoError as error:
            return _Item(index, torch.empty(0), error.problem)
        return _Item(index, self.clip.input.reverse(inputs) if self.reverse else inputs, "")
