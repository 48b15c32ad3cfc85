"""Test a model on a list of videos: several views and crops of each, decoded once.

The logits of every view are kept, so that another way to aggregate them costs nothing.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from zoopraxis.prediction.aggregate import aggregate
from zoopraxis.data.samples import SampleList
from zoopraxis.errors import DataError, VideoError
from zoopraxis.files import write_atomically
from zoopraxis.checkpoints.hub import OpenModel
from zoopraxis.evaluation.metrics import (
    Labels,
    Scores,
    calibration,
    confusion,
    mean_average_precision,
    mean_class_accuracy,
    pair_accuracy,
    top_k_accuracy,
)
from zoopraxis.prediction.pipeline import Precision, run, view_clips
from zoopraxis.spec import ClipSpec
from zoopraxis.video import open_video

__all__ = ["Evaluation", "evaluate", "read_evaluation"]

_SAVE_EVERY = 50  # videos


@dataclass(frozen=True)
class Evaluation:
    """Logits of every view of every video, and the numbers that follow from them.

    Parameters
    ----------
    model : str
        Name or file of the model.
    labels : tuple of str
        K names.
    names : tuple of str
        N videos, in the order of the list.
    paths : tuple of str
        Where they lie.
    truth : tuple
        Their classes: a number each, or a tuple of numbers in a multi-label list.
    logits : ndarray of shape (N, V, K)
        NaN for a video that could not be read.
    views, crops : int
        V is their product; the crops of a view follow one another.
    unread : mapping of str to str
        Videos that could not be read, and why. They count as wrong.
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
        """Scores (N, K) of the videos under a way to aggregate, from their first views or all.

        ``views`` of them are taken evenly, so that 2 of 10 span the video as 10 do.
        """
        mode = mode or ("mean_sigmoid" if self.multi_label else "mean_probability")
        logits = self.logits
        if views is not None:
            chosen = np.unique(np.round((np.arange(views) + 0.5) * self.views / views - 0.5))
            places = (chosen[:, None] * self.crops + np.arange(self.crops)).astype(int).ravel()
            logits = logits[:, places]
        if len(logits) == 0:
            return np.zeros((0, len(self.labels)))
        out: Scores = aggregate(torch.from_numpy(logits), mode=mode).double().numpy()
        return out

    def summary(
        self, *, mode: str | None = None, pairs: Sequence[tuple[int, int]] = ()
    ) -> dict[str, Any]:
        """Numbers of the report: shares of 1, over all videos, read or not."""
        scores = self.scores(mode=mode)
        numbers: dict[str, Any] = {"videos": len(self.names), "unread": len(self.unread)}
        if self.multi_label:
            return numbers | {"map": mean_average_precision(scores, self.targets)}
        numbers["top1"] = top_k_accuracy(scores, self.classes)
        numbers["top5"] = top_k_accuracy(scores, self.classes, k=5)
        numbers["mean_class"] = mean_class_accuracy(scores, self.classes)
        numbers["calibration_error"] = calibration(scores, self.classes).error
        if pairs:
            numbers["pairs"] = pair_accuracy(scores, self.classes, pairs)
        return numbers

    def by_views(self, *, mode: str | None = None) -> dict[int, float]:
        """Top-1 accuracy (or mAP) against the number of views."""
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
        """Videos by true and guessed class, (K, K)."""
        return confusion(self.scores(mode=mode), self.classes)

    def save(self, path: Path) -> None:
        """Write everything to one .npz file, whole or not at all."""
        meta = {
            "model": self.model,
            "labels": self.labels,
            "names": self.names,
            "paths": self.paths,
            "truth": self.truth,
            "views": self.views,
            "crops": self.crops,
            "unread": dict(self.unread),
        }
        buffer = io.BytesIO()
        np.savez_compressed(buffer, logits=self.logits, meta=np.array(json.dumps(meta)))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())


def read_evaluation(path: str | Path) -> Evaluation:
    """Read what `Evaluation.save` wrote.

    Raises
    ------
    DataError
        Not such a file.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"no file {path}", "`zoopraxis evaluate` writes logits.npz into its --out")
    try:
        with np.load(path) as file:
            meta, logits = json.loads(str(file["meta"])), file["logits"]
    except (ValueError, KeyError, OSError) as error:
        raise DataError(f"{path} does not hold an evaluation: {error}") from error
    truth = tuple(tuple(t) if isinstance(t, list) else t for t in meta.pop("truth"))
    lists: dict[str, Any] = {key: tuple(meta.pop(key)) for key in ("labels", "names", "paths")}
    return Evaluation(truth=truth, logits=logits, **lists, **meta)


def evaluate(
    net: OpenModel,
    samples: SampleList,
    *,
    views: int = 10,
    crops: int = 1,
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
    batch: int = 8,
    workers: int = 0,
    keep: Path | None = None,
    reverse: bool = False,
) -> Evaluation:
    """Run a model over all videos of a list.

    Parameters
    ----------
    net : OpenModel
        Of `zoopraxis.checkpoints.hub.open_model`.
    samples : SampleList
        Labelled with the model's labels, in any order.
    views, crops : int
        Clips over each video, and crops of each clip.
    device, precision, batch
        As for `zoopraxis.prediction.pipeline.run`.
    workers : int, default=0
        Processes that decode while the model runs.
    keep : Path, optional
        File of the logits: written as the work goes on, and a run that was stopped goes on.
    reverse : bool, default=False
        Play every clip backwards.

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError
        The list has labels that the model does not know, or `keep` is of another evaluation.
    """
    truth = _in_model_order(samples, net)
    done = _started(net, samples, truth, views=views, crops=crops, keep=keep)
    left = [n for n in range(len(samples)) if np.isnan(done.logits[n]).all()]
    unread = dict(done.unread)
    left = [n for n in left if samples[n].name not in unread]
    videos = _Videos(samples, net.clip, left, views=views, crops=crops)
    loader = DataLoader(videos, batch_size=None, num_workers=workers)
    for count, item in enumerate(_with_bar(loader, total=len(left), name="evaluating"), start=1):
        name = samples[item.number].name
        if item.problem:
            unread[name] = item.problem
        else:
            clips = item.clips.flip(2) if reverse else item.clips  # (V, C, T, S, S)
            done.logits[item.number] = run(
                net.model, clips, device=device, precision=precision, batch=batch
            ).numpy()
        if keep and (count % _SAVE_EVERY == 0 or count == len(left)):
            _with_unread(done, unread).save(keep)
    return _with_unread(done, unread)


def _with_unread(done: Evaluation, unread: Mapping[str, str]) -> Evaluation:
    return replace(done, unread=dict(unread))


def _started(
    net: OpenModel,
    samples: SampleList,
    truth: tuple[Any, ...],
    *,
    views: int,
    crops: int,
    keep: Path | None,
) -> Evaluation:
    """Begin an evaluation with no logits, or take up the one that was kept."""
    empty = np.full((len(samples), views * crops, len(net.labels)), np.nan, np.float32)
    fresh = Evaluation(
        model=net.name,
        labels=net.labels,
        names=tuple(s.name for s in samples),
        paths=tuple(s.path for s in samples),
        truth=truth,
        logits=empty,
        views=views,
        crops=crops,
        unread={},
    )
    if keep is None or not keep.exists():
        return fresh
    kept = read_evaluation(keep)
    for field in ("model", "labels", "names", "truth", "views", "crops"):
        if getattr(kept, field) != getattr(fresh, field):
            raise DataError(
                f"{keep} holds another evaluation: its {field} differ",
                "choose another --out, or remove it",
            )
    return kept


def _in_model_order(samples: SampleList, net: OpenModel) -> tuple[Any, ...]:
    """True classes as the model numbers them."""
    if len(samples) == 0:
        raise DataError(f"no videos in {samples.root}")
    place = {label: index for index, label in enumerate(net.labels)}
    foreign = [label for label in samples.labels if label not in place]
    if foreign:
        raise DataError(
            f"{samples.root} has {len(foreign)} labels that {net.name} does not know, "
            f"the first {foreign[0]!r}",
            f"the model knows: {', '.join(net.labels[:8])}...",
        )
    order = [place[label] for label in samples.labels]
    return tuple(
        tuple(order[k] for k in s.label) if isinstance(s.label, tuple) else order[s.label]
        for s in samples
    )


class _Item(NamedTuple):
    """Views of one video (V, C, T, S, S), or the reason why there are none."""

    number: int
    clips: Tensor
    problem: str


class _Videos(Dataset[_Item]):
    """The views of some videos of a list."""

    def __init__(
        self, samples: SampleList, clip: ClipSpec, left: list[int], *, views: int, crops: int
    ) -> None:
        self.samples, self.clip, self.left = samples, clip, left
        self.views, self.crops = views, crops

    def __len__(self) -> int:
        return len(self.left)

    def __getitem__(self, index: int) -> _Item:
        number = self.left[index]
        try:
            with open_video(self.samples[number].path) as video:
                clips, _ = view_clips(video, self.clip, views=self.views, crops=self.crops)
        except VideoError as error:
            return _Item(number, torch.empty(0), error.problem)
        return _Item(number, clips, "")


def _with_bar(items: Any, *, total: int, name: str) -> Iterator[Any]:
    """Go through items with a progress bar on stderr."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as progress:
        yield from progress.track(items, total=total, description=name)
