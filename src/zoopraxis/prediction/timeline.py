"""Long videos: a window that slides in time, and the sequence of actions it predicts."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.checkpoints.saved import OpenModel
from zoopraxis.errors import ZoopraxisError, did_you_mean
from zoopraxis.inputs import Media
from zoopraxis.inputs.base import segment_range
from zoopraxis.prediction.aggregate import aggregate
from zoopraxis.prediction.pipeline import Model, Precision, opened, run
from zoopraxis.prediction.windows import lay_windows

__all__ = [
    "Hysteresis",
    "Segment",
    "Timeline",
    "WindowScores",
    "check_none",
    "detect",
    "merge",
    "predict_timeline",
    "score_windows",
]


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A part of a video, [start, end) in seconds, in which one class is predicted.

    Parameters
    ----------
    start, end : float
        Seconds from the start of the video.
    label : str
        The class.
    score : float
        The mean over its windows: a probability, unless the mode gives something else.
    """

    start: float
    end: float
    label: str
    score: float


@dataclass(frozen=True, kw_only=True)
class Hysteresis:
    """When an action counts: two thresholds, a shortest duration, and a class for nothing.

    A segment of a class is a run of windows that score ``low`` or more, at least one of them
    ``high`` or more: a score that wavers around one threshold does not cut an action to pieces
    (as edges in Canny, A Computational Approach to Edge Detection, PAMI 1986, section VIII).

    Parameters
    ----------
    high, low : float
        Scores of windows, ``low`` at most ``high``; probabilities with the default mode.
    shortest : float, default=0
        Seconds; shorter segments are left out.
    none : str, default=""
        The class of the model that means nothing happens: it makes no segments.

    Raises
    ------
    ZoopraxisError
        ``low`` is above ``high``, one of them is not a number, or ``shortest`` is negative.
    """

    high: float
    low: float
    shortest: float = 0.0
    none: str = ""

    def __post_init__(self) -> None:
        if not self.low <= self.high:  # NaN too
            raise ZoopraxisError(
                f"low threshold {self.low:g} and high threshold {self.high:g}",
                "the low one must be at most the high one",
            )
        if not 0 <= self.shortest < float("inf"):
            raise ZoopraxisError(
                f"the shortest duration is {self.shortest:g} s", "pass seconds, 0 or more"
            )


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The sequence of actions in a long video.

    Parameters
    ----------
    video, model : str
        The video and the model.
    segments : tuple of Segment
        In order, from the start to the end of the video (or segment). Neighbours touch, except
        where the video shows no frame for longer than a window: that gap belongs to none. By
        `Hysteresis`, in the order of their starts: between them nothing may happen, and those of
        different classes may overlap.
    trained : bool, default=True
        False for random weights, whose predictions mean nothing.
    """

    video: str
    model: str
    segments: tuple[Segment, ...]
    trained: bool = True

    def at(self, time: float) -> Segment | None:
        """Return the segment that covers a time in seconds; None in a gap, and outside."""
        return next((s for s in self.segments if s.start <= time < s.end), None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        rows = [vars(segment) for segment in self.segments]
        return {
            "video": self.video,
            "model": self.model,
            "trained": self.trained,
            "segments": rows,
        }

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(self.to_dict())


def predict_timeline(
    video: Any,
    model: Model,
    *,
    window: float | None = None,
    step: float | None = None,
    rule: Hysteresis | None = None,
    crops: int = 1,
    mode: str = "mean_probability",
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
    batch_size: int = 8,
    progress: Callable[[float], None] | None = None,
) -> Timeline:
    """Slide a window over a long video, and merge neighbours with the same prediction.

    Every window stands for the time around its centre, half way to its neighbours' centres.
    Windows are laid by the time stamps of the frames. Where the next frame is farther away than
    a window lasts (and than three frames), the frame before it counts for its usual time and
    then there is a gap: no window reaches across it, and the timeline has no segment there.
    Memory is that of ``batch_size`` windows, however long the video is.

    Parameters
    ----------
    window : float, optional
        Seconds of one window; the default is the length of the model's clip, or 4 for models
        of segments.
    step : float, optional
        Seconds between the starts of windows; the default is half a window.
    rule : Hysteresis, optional
        When an action counts; without it the best class of every window does.
    progress : callable, optional
        Called with the fraction done after every batch.
    video, model, crops, mode, device, precision, batch_size
        As for `predict`.

    Returns
    -------
    Timeline
        A segment's score is the mean of its windows'.
    """
    net = opened(model)
    check_none(net, rule.none if rule else "")
    found = score_windows(
        video,
        net,
        window=window,
        step=step,
        crops=crops,
        mode=mode,
        device=device,
        precision=precision,
        batch_size=batch_size,
        progress=progress,
    )
    return Timeline(
        video=found.video,
        model=net.name,
        segments=found.segments(net.labels, rule),
        trained=net.trained,
    )


def check_none(net: OpenModel, none: str) -> None:
    """Raise if a class for nothing is named that the model does not have."""
    if none and none not in net.labels:
        raise ZoopraxisError(f"{net.name} has no class {none!r}", did_you_mean(none, net.labels))


@dataclass(frozen=True, kw_only=True)
class WindowScores:
    """Scores of the W windows over one video; any rule makes segments of them.

    Parameters
    ----------
    video : str
        The video.
    times : float64 ndarray of shape (N,)
        Seconds at which its frames, or those of its segment, are shown.
    bounds : float64 ndarray of shape (S, 2)
        Seconds [start, end) of its stretches without gaps.
    counts : int64 ndarray of shape (S,)
        Windows in each.
    centres : float64 ndarray of shape (W,)
        Centres of the windows in seconds.
    scores : Tensor of shape (W, K)
        Of each window for each class.
    """

    video: str
    times: NDArray[np.float64]
    bounds: NDArray[np.float64]
    counts: NDArray[np.int64]
    centres: NDArray[np.float64]
    scores: Tensor

    def segments(
        self, labels: Sequence[str], rule: Hysteresis | None = None
    ) -> tuple[Segment, ...]:
        """Make segments by a rule; without it, of windows with the same best class."""
        counts = self.counts.tolist()
        centres = np.split(self.centres, np.cumsum(counts)[:-1])
        return tuple(
            segment
            for (start, end), middle, part in zip(
                self.bounds.tolist(), centres, torch.split(self.scores, counts), strict=True
            )
            for segment in (
                detect(part, middle.tolist(), rule, start=start, end=end, labels=labels)
                if rule
                else merge(part, middle.tolist(), start=start, end=end, labels=labels)
            )
        )


def score_windows(
    video: Any,
    model: Model,
    *,
    window: float | None = None,
    step: float | None = None,
    crops: int = 1,
    mode: str = "mean_probability",
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
    batch_size: int = 8,
    progress: Callable[[float], None] | None = None,
) -> WindowScores:
    """Score the windows that slide over a long video.

    Parameters
    ----------
    video, model, window, step, crops, mode, device, precision, batch_size, progress
        As for `predict_timeline`.
    """
    net, media = opened(model), Media.of(video)
    kind = net.clip.input
    with kind.open(media) as track:
        within = segment_range(track, media)
        stretches = lay_windows(track, within, net.clip.sampling, window=window, step=step)
        indices = np.concatenate([stretch.indices for stretch in stretches])  # (W, T)
        draws = kind.crops(track, crops)
        scores = []
        for first in range(0, len(indices), batch_size):
            part = indices[first : first + batch_size]  # (b, T)
            inputs = kind.prepare_crops(kind.read(track, part, draws[0]), draws)
            logits = run(
                net.model,
                inputs,
                device=device,
                precision=precision,
                batch_size=batch_size,
                video=track.name,
            )  # (b * crops, K)
            scores.append(aggregate(logits.reshape(len(part), crops, -1), mode=mode))  # (b, K)
            if progress:
                progress(sum(map(len, scores)) / len(indices))
        return WindowScores(
            video=track.name,
            times=track.timestamps[within.start : within.stop],
            bounds=np.array([(stretch.start, stretch.end) for stretch in stretches]),
            counts=np.array([len(stretch.centres) for stretch in stretches]),
            centres=np.concatenate([stretch.centres for stretch in stretches]),
            scores=torch.cat(scores),
        )


def merge(
    scores: Tensor,
    centres: Sequence[float],
    *,
    end: float,
    labels: Sequence[str],
    start: float = 0.0,
) -> tuple[Segment, ...]:
    """Merge neighbouring windows with the same predicted class.

    Parameters
    ----------
    scores : Tensor of shape (W, K)
        Scores of each window.
    centres : sequence of W floats
        Centres of the windows in seconds, ascending.
    end : float
        Seconds at which the video, or its segment, ends.
    labels : sequence of K str
        Names of the classes.
    start : float, default=0
        Seconds at which it starts.

    # centres 1 2 3 4, best classes a a b b, end 5:  [0, 2.5) a, [2.5, 5) b
    """
    bounds = [start, *((a + b) / 2 for a, b in pairwise(centres)), end]
    values, classes = scores.max(dim=1)  # (W,), (W,)
    best = list(enumerate(classes.tolist()))
    segments = []
    for k, group in groupby(best, key=lambda item: item[1]):
        rows = [row for row, _ in group]
        segments.append(
            Segment(
                start=bounds[rows[0]],
                end=bounds[rows[-1] + 1],
                label=labels[k],
                score=float(values[rows].mean()),
            )
        )
    return tuple(segments)


def detect(
    scores: Tensor,
    centres: Sequence[float],
    rule: Hysteresis,
    *,
    end: float,
    labels: Sequence[str],
    start: float = 0.0,
) -> tuple[Segment, ...]:
    """Find the segments of every class by two thresholds, in the order of their starts.

    Parameters
    ----------
    rule : Hysteresis
        When an action counts.
    scores, centres, end, labels, start
        As for `merge`; a segment's score is the mean of its windows'.

    # high 0.8, low 0.4, scores of a class 0.5 0.9 0.3 0.5 0.5:  the first two windows
    """
    bounds = [start, *((a + b) / 2 for a, b in pairwise(centres)), end]
    segments = []
    for k, label in enumerate(labels):
        if label == rule.none:
            continue
        for on, group in groupby(enumerate(scores[:, k].tolist()), lambda x: x[1] >= rule.low):
            rows, values = zip(*group, strict=True)
            first, last = bounds[rows[0]], bounds[rows[-1] + 1]
            if on and max(values) >= rule.high and last - first >= rule.shortest:
                score = float(np.mean(values))
                segments.append(Segment(start=first, end=last, label=label, score=score))
    return tuple(sorted(segments, key=lambda one: (one.start, one.end)))
