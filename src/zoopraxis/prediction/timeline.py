"""Long and live videos: a sliding window, and the sequence of actions it predicts."""

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoopraxis.inputs import Media, Sampling, Track
from zoopraxis.inputs.base import segment_range
from zoopraxis.inputs.images import resize_frames
from zoopraxis.inputs.sampling import (
    Indices,
    covering_starts,
    exact_rate,
    sample_test,
    span,
)
from zoopraxis.prediction.aggregate import Prediction, aggregate
from zoopraxis.prediction.pipeline import Model, Precision, opened, run, view_inputs, view_times
from zoopraxis.video import ArrayVideo, live_frames

__all__ = ["Segment", "Timeline", "merge", "predict_live", "predict_timeline", "window_indices"]

SEGMENTS_WINDOW = 4.0  # seconds of one window for models of segments
CAMERA_FPS = 30.0  # assumed of a camera, to know how long its dense clips last
ROUNDING = 1e-6  # seconds by which sums of frame times may miss a step


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A part of a video, [start, end) in seconds, in which one class is predicted."""

    start: float
    end: float
    label: str
    score: float


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The sequence of actions in a long video.

    Parameters
    ----------
    video, model : str
        The video and the model.
    segments : tuple of Segment
        From the start to the end of the video (or segment), without gaps.
    """

    video: str
    model: str
    segments: tuple[Segment, ...]

    def at(self, time: float) -> Segment:
        """Return the segment that covers a time in seconds; after the end, the last one."""
        return next((s for s in self.segments if time < s.end), self.segments[-1])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        rows = [vars(segment) for segment in self.segments]
        return {"video": self.video, "model": self.model, "segments": rows}

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(self.to_dict())


def predict_timeline(
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
) -> Timeline:
    """Slide a window over a long video, and merge neighbours with the same prediction.

    Every window stands for the time around its centre, half way to its neighbours' centres.
    Memory is that of ``batch_size`` windows, however long the video is.

    Parameters
    ----------
    window : float, optional
        Seconds of one window; the default is the length of the model's clip, or 4 for models
        of segments.
    step : float, optional
        Seconds between the starts of windows; the default is half a window.
    progress : callable, optional
        Called with the fraction done after every batch.
    video, model, crops, mode, device, precision, batch_size
        As for `predict`.

    Returns
    -------
    Timeline
        A segment's score is the mean of its windows'.
    """
    net, media = opened(model), Media.of(video)
    kind = net.clip.input
    with kind.open(media) as track:
        within = segment_range(track, media)
        indices = window_indices(track, within, net.clip.sampling, window=window, step=step)
        draws = kind.crops(track, crops)
        scores = []
        for first in range(0, len(indices), batch_size):
            part = indices[first : first + batch_size]  # (b, T)
            inputs = kind.prepare_crops(kind.read(track, part, draws[0]), draws)
            logits = run(
                net.model, inputs, device=device, precision=precision, batch_size=batch_size
            )  # (b * crops, K)
            scores.append(aggregate(logits.reshape(len(part), crops, -1), mode=mode))  # (b, K)
            if progress:
                progress(sum(map(len, scores)) / len(indices))
        centres = [(start + end) / 2 for start, end in view_times(track, indices)]
        ((start, end),) = view_times(track, np.array([[within[0], within[-1]]]))
        segments = merge(torch.cat(scores), centres, start=start, end=end, labels=net.labels)
        return Timeline(video=track.name, model=net.name, segments=segments)


def window_indices(
    track: Track,
    within: range,
    sampling: Sampling,
    *,
    window: float | None = None,
    step: float | None = None,
) -> Indices:
    """Choose one clip in each of the overlapping windows that cover a part of a track: (W, T).

    Parameters
    ----------
    track : Track
        What is looked at.
    within : range
        Indices of the part that counts.
    sampling : Sampling
        The sampling that the model expects.
    window, step
        As for `predict_timeline`.
    """
    fps = exact_rate(track.fps)
    seconds = exact_rate(window) if window else _window(sampling, fps)
    length = max(1, round(fps * seconds))
    hop = max(1, round(fps * exact_rate(step)) if step else length // 2)
    length = min(length, len(within))
    starts = within.start + covering_starts(len(within), length, step=hop)  # (W,)
    stamps = track.timestamps
    clips = [
        start + sample_test(length, track.fps, sampling, timestamps=stamps[start : start + length])
        for start in starts
    ]
    return np.concatenate(clips)  # (W, T)


def _window(sampling: Sampling, fps: Fraction) -> Fraction:
    """Seconds that a model's clip spans in a video of a rate."""
    if sampling.mode == "segments":
        return Fraction(SEGMENTS_WINDOW)
    return span(sampling) / (exact_rate(sampling.fps) if sampling.fps else fps)


def predict_live(
    video: str,
    model: Model,
    *,
    window: float | None = None,
    step: float = 0.5,
    mode: str = "mean_probability",
    top: int = 5,
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
) -> Iterator[Prediction]:
    """Predict the last moments of a live video, again and again.

    Parameters
    ----------
    video : str
        ``"camera:0"``, an rtsp address, or anything `zoopraxis.video.live_frames` takes.
    window : float, optional
        Seconds to look back; the default is the length of the model's clip (at 30 frames
        a second where it has no rate), or 4 for models of segments.
    step : float, default=0.5
        Seconds from one prediction to the next.
    model, mode, top, device, precision
        As for `zoopraxis.prediction.pipeline.predict`.

    Yields
    ------
    Prediction
        The time of its only view is in seconds since the camera was opened.
    """
    net = opened(model)
    kind = net.clip.input
    length = window or float(_window(net.clip.sampling, exact_rate(CAMERA_FPS)))
    seen: deque[tuple[float, Tensor]] = deque()
    due = length
    for now, frame in live_frames(video):
        size = kind.scaled((frame.shape[-2], frame.shape[-1]))
        seen.append((now, resize_frames(frame, size)))
        while seen[0][0] < now - length - ROUNDING:
            seen.popleft()
        if now < due - ROUNDING:
            continue
        due = now + step
        times = np.array([time for time, _ in seen])
        fps = max(len(times) - 1, 1) / (times[-1] - times[0] or 1.0)
        frames = torch.stack([frame for _, frame in seen])  # (N, 3, h, w)
        media = Media(path=ArrayVideo(frames, fps=fps, timestamps=times - times[0]))
        with kind.open(media) as track:
            inputs, _ = view_inputs(track, media, net.clip)
        yield Prediction.from_logits(
            run(net.model, inputs, device=device, precision=precision),
            video=video,
            model=net.name,
            labels=net.labels,
            times=[(float(times[0]), now)],
            mode=mode,
            top=top,
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
