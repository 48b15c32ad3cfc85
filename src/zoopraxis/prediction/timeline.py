"""Long and endless videos: a window that slides, and the actions it sees one after another."""

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

from zoopraxis.prediction.aggregate import Prediction, aggregate
from zoopraxis.inputs.crops import scaled_size
from zoopraxis.prediction.pipeline import Model, Precision, Source, opened, run, view_times
from zoopraxis.inputs.sampling import Frames, covering_starts, exact_rate, sample_test, span
from zoopraxis.spec import ClipSpec
from zoopraxis.inputs.transforms import prepare_test, resize_frames
from zoopraxis.video import Video, live_frames, open_video

__all__ = ["Segment", "Timeline", "merge", "predict_live", "predict_timeline", "window_clips"]

SEGMENTS_WINDOW = 4.0  # seconds that a model of segments sees at once
CAMERA_FPS = 30.0  # of a camera, before it has been watched: how long its dense clips last
ROUNDING = 1e-6  # seconds by which sums of frame times miss a whole step


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A part of a video, [start, end) in seconds, in which one class is the best."""

    start: float
    end: float
    label: str
    score: float


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The actions of a long video, one after another.

    Parameters
    ----------
    source, model : str
        The video and the model.
    segments : tuple of Segment
        From 0 to the video's end, without gaps.
    """

    source: str
    model: str
    segments: tuple[Segment, ...]

    def at(self, time: float) -> Segment:
        """Segment that covers a time in seconds; the last one after the end."""
        return next((s for s in self.segments if time < s.end), self.segments[-1])

    def to_dict(self) -> dict[str, Any]:
        """Give plain values, for JSON."""
        rows = [vars(segment) for segment in self.segments]
        return {"source": self.source, "model": self.model, "segments": rows}

    def to_json(self) -> str:
        """Give one line of JSON."""
        return json.dumps(self.to_dict())


def predict_timeline(
    source: Source,
    model: Model,
    *,
    window: float | None = None,
    step: float | None = None,
    crops: int = 1,
    mode: str = "mean_probability",
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
    batch: int = 8,
    progress: Callable[[float], None] | None = None,
) -> Timeline:
    """Slide a window over a long video, and merge neighbours that show the same action.

    Every window speaks for the time around its centre, up to half way to its neighbours'.
    Memory is that of ``batch`` windows, however long the video is.

    Parameters
    ----------
    window : float, optional
        Seconds that the model sees at once; the default is the length of its clip, or 4 for
        models of segments.
    step : float, optional
        Seconds from one window to the next; the default is half a window.
    progress : callable, optional
        Told the fraction done after every batch.
    source, model, crops, mode, device, precision, batch
        As for `predict`.

    Returns
    -------
    Timeline
        A segment's score is the mean of its windows'.
    """
    net = opened(model)
    with open_video(source) as video:
        indices = window_clips(video, net.clip, window=window, step=step)  # (W, T)
        scores = []
        for part in _parts(indices, batch):
            frames = video.frames_at(part, resize=net.clip.resize)  # (b, T, 3, H, W)
            clips = prepare_test(frames, net.clip, crops=crops)  # (b * crops, C, T, S, S)
            logits = run(net.model, clips, device=device, precision=precision, batch=batch)
            scores.append(aggregate(logits.reshape(len(part), crops, -1), mode=mode))  # (b, K)
            if progress:
                progress(sum(map(len, scores)) / len(indices))
        centres = [(start + end) / 2 for start, end in view_times(video, indices)]
        segments = merge(torch.cat(scores), centres, end=video.duration, labels=net.labels)
        return Timeline(source=video.name, model=net.name, segments=segments)


def _parts(indices: Frames, batch: int) -> Iterator[Frames]:
    """Cut windows (W, T) into batches (b, T)."""
    for first in range(0, len(indices), batch):
        yield indices[first : first + batch]


def window_clips(
    video: Video, clip: ClipSpec, *, window: float | None = None, step: float | None = None
) -> Frames:
    """Choose one clip in each of the overlapping windows that cover a video: (W, T).

    Parameters
    ----------
    window, step
        As for `predict_timeline`.
    """
    fps = exact_rate(video.fps)
    seconds = exact_rate(window) if window else _window(clip, fps)
    length = max(1, round(fps * seconds))
    hop = max(1, round(fps * exact_rate(step)) if step else length // 2)
    length = min(length, video.num_frames)
    starts = covering_starts(video.num_frames, length, step=hop)  # (W,)
    stamps = video.timestamps
    clips = [
        start + sample_test(length, video.fps, clip, timestamps=stamps[start : start + length])
        for start in starts
    ]
    return np.concatenate(clips)  # (W, T)


def _window(clip: ClipSpec, fps: Fraction) -> Fraction:
    """Seconds that a model's clip lasts in a video of that rate."""
    if clip.sampling == "segments":
        return Fraction(SEGMENTS_WINDOW)
    return span(clip) / (exact_rate(clip.fps) if clip.fps else fps)


def predict_live(
    source: str,
    model: Model,
    *,
    window: float | None = None,
    step: float = 0.5,
    mode: str = "mean_probability",
    top: int = 5,
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
) -> Iterator[Prediction]:
    """Name what a camera has seen in the last moments, again and again.

    Parameters
    ----------
    source : str
        ``"camera:0"``, an rtsp address, or anything `zoopraxis.video.live_frames` takes.
    window : float, optional
        Seconds that are looked back; the default is the length of the model's clip (at 30 frames
        a second where it has no rate), or 4 for models of segments.
    step : float, default=0.5
        Seconds from one prediction to the next.
    model, mode, top, device, precision
        As for `zoopraxis.prediction.pipeline.predict`.

    Yields
    ------
    Prediction
        Its only view has the seconds since the source was opened.
    """
    net = opened(model)
    length = window or float(_window(net.clip, exact_rate(CAMERA_FPS)))
    seen: deque[tuple[float, Tensor]] = deque()
    due = length
    for now, frame in live_frames(source):
        size = scaled_size((frame.shape[-2], frame.shape[-1]), net.clip.resize)
        seen.append((now, resize_frames(frame, size)))
        while seen[0][0] < now - length - ROUNDING:
            seen.popleft()
        if now < due - ROUNDING:
            continue
        due = now + step
        times = np.array([time for time, _ in seen])
        fps = max(len(times) - 1, 1) / (times[-1] - times[0] or 1.0)
        chosen = sample_test(len(seen), fps, net.clip, timestamps=times)[0]  # (T,)
        frames = torch.stack([seen[i][1] for i in chosen])  # (T, 3, H, W)
        clips = prepare_test(frames[None], net.clip)  # (1, C, T, S, S)
        yield Prediction.from_logits(
            run(net.model, clips, device=device, precision=precision),
            source=source,
            model=net.name,
            labels=net.labels,
            times=[(float(times[0]), now)],
            mode=mode,
            top=top,
        )


def merge(
    scores: Tensor, centres: Sequence[float], *, end: float, labels: Sequence[str]
) -> tuple[Segment, ...]:
    """Join neighbouring windows whose best class is the same.

    Parameters
    ----------
    scores : Tensor of shape (W, K)
        Scores of each window.
    centres : sequence of W floats
        Seconds at the windows' middles, ascending.
    end : float
        Duration of the video.
    labels : sequence of K str
        Names of the classes.

    # centres 1 2 3 4, best classes a a b b, end 5:  [0, 2.5) a, [2.5, 5) b
    """
    bounds = [0.0, *((a + b) / 2 for a, b in pairwise(centres)), end]
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
