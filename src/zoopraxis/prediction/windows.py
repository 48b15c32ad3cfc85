"""Windows over a video: one after another in time, and a clip in each."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import ZoopraxisError
from zoopraxis.inputs import Sampling, Track
from zoopraxis.inputs.sampling import (
    Indices,
    covering_starts,
    exact_rate,
    sample_test,
    shifted,
    span,
)

__all__ = ["Stretch", "check_seconds", "lay_windows", "window_indices", "window_seconds"]

SEGMENTS_WINDOW = 4.0  # seconds of one window for models of segments
LEAST_PAUSE = 3  # frames: a shorter wait for the next one is jitter, never a gap


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Windows over a stretch of a video without gaps.

    Parameters
    ----------
    start, end : float
        Seconds [start, end) of the stretch.
    centres : tuple of float
        Centres of its W windows in seconds, ascending.
    indices : ndarray of int64, shape (W, T)
        One clip in each.
    """

    start: float
    end: float
    centres: tuple[float, ...]
    indices: Indices


def window_indices(
    track: Track,
    within: range,
    sampling: Sampling,
    *,
    window: float | None = None,
    step: float | None = None,
) -> Indices:
    """Choose one clip in each window of `lay_windows`: (W, T)."""
    stretches = lay_windows(track, within, sampling, window=window, step=step)
    return np.concatenate([stretch.indices for stretch in stretches])


def lay_windows(
    track: Track,
    within: range,
    sampling: Sampling,
    *,
    window: float | None = None,
    step: float | None = None,
) -> list[Stretch]:
    """Cover a part of a track with overlapping windows, and choose one clip in each.

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

    Returns
    -------
    list of Stretch
        One, and one more for every gap longer than a window.

    # frames at 0, 1, 2, 9, 10, 11 s, windows of 3 s:  [0, 3) and [9, 12)
    """
    check_seconds(window=window, step=step)
    shown = track.timestamps[within.start : within.stop]  # (N,)
    fps = _usual_rate(shown, track.fps)
    seconds = exact_rate(window) if window else window_seconds(sampling, fps)
    length = max(1, round(fps * seconds))  # windows and steps are whole numbers of usual frames
    hop = max(1, round(fps * exact_rate(step)) if step else length // 2)
    # the time until the next frame, or the end, of every frame
    rest = track.timestamps[within.stop :]
    until = np.append(shown[1:], rest[0] if len(rest) else track.duration) - shown  # (N,)
    pause = float(max(length, LEAST_PAUSE) / fps)
    ends = [*(np.flatnonzero(until[:-1] > pause) + 1).tolist(), len(shown)]
    stretches = []
    for first, last in zip([0, *ends[:-1]], ends, strict=True):
        start = float(shown[first])
        final = float(until[last - 1] if until[last - 1] <= pause else 1 / fps)
        end = float(shown[last - 1]) + final
        count = max(1, round((end - start) * fps))  # usual frames, were they evenly spaced
        size = min(length, count)
        places = covering_starts(count, size, step=hop)  # (W,)
        clips = [
            shifted(
                _clip(shown[first:last], start + n / fps, size, fps, sampling), within.start + first
            )
            for n in places.tolist()
        ]
        stretches.append(
            Stretch(
                start=start,
                end=end,
                centres=tuple(float(start + (n + size / 2) / fps) for n in places.tolist()),
                indices=np.concatenate(clips),
            )
        )
    return stretches


def _clip(
    shown: NDArray[np.float64], start: float, size: int, fps: Fraction, sampling: Sampling
) -> Indices:
    """Choose the clip (1, T) of a window: indices into the frames shown in it, at least one.

    By our rule: a convention (`Sampling.convention`) is of whole videos.
    """
    slack = 0.25 / float(fps)  # containers round the times of frames, by up to a millisecond
    end = start + size / float(fps)
    first = max(int(np.searchsorted(shown, start + slack, side="right")) - 1, 0)
    last = max(int(np.searchsorted(shown, end - slack, side="left")), first + 1)
    times = shown[first:last]
    return shifted(sample_test(last - first, float(fps), sampling, timestamps=times), first)


def _usual_rate(shown: NDArray[np.float64], mean: float) -> Fraction:
    """Frames a second where a video has no gaps: by the median of the times between them.

    The mean rate is taken where the two agree to 1 %: it is not rounded.
    """
    waits = np.diff(shown)
    if len(waits) == 0 or np.median(waits) <= 0:
        return exact_rate(mean)
    usual = 1 / float(np.median(waits))
    # Times rounded to milliseconds give 30.3 or 29.4 for 30 frames a second.
    rounding = 0.001 * usual
    return exact_rate(mean if abs(usual - mean) <= max(0.01, rounding) * usual else usual)


def check_seconds(**lengths: float | None) -> None:
    """Raise if a length in seconds is given and not positive."""
    for name, seconds in lengths.items():
        if seconds is not None and not 0 < seconds < float("inf"):
            raise ZoopraxisError(f"{name} is {seconds:g} s", "pass a positive number of seconds")


def window_seconds(sampling: Sampling, fps: Fraction) -> Fraction:
    """Seconds that a model's clip spans in a video of a rate."""
    if sampling.mode == "segments":
        return Fraction(SEGMENTS_WINDOW)
    return span(sampling) / (exact_rate(sampling.fps) if sampling.fps else fps)
