"""Which frames make a clip: integer arithmetic on counts and time stamps, before any decoding.

A track of N items (the frames of a video, the flow between them) is first resampled to the rate
that the model expects, which gives M indices (``resample``). Every rule below then speaks of
*positions* in those, 0 to M - 1; positions past the end loop or hold (``fit``), and the resampled
indices turn them into indices of the track.

    # N = 12 frames, num_frames=4, stride=2, one view: span 7, so it starts at (12 - 7) // 2
    # ..fxfxfxf...  ->  [[2, 4, 6, 8]]

The rules of other code bases, where they differ, are in `zoopraxis.inputs.conventions`, which
chooses between them and these by `Sampling.convention`.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from numbers import Integral, Real
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import RecipeError, VideoError

__all__ = [
    "NOTHING",
    "Indices",
    "Sampling",
    "Seconds",
    "Short",
    "all_clips",
    "check_frames",
    "covering_starts",
    "dense_clips",
    "evenly_moving",
    "exact_rate",
    "fit",
    "groups",
    "piece_clips",
    "random_starts",
    "resample",
    "sample_test",
    "sample_train",
    "segments_centre",
    "segments_random",
    "shifted",
    "span",
    "stack",
    "step_starts",
    "uniform_starts",
]

Indices = NDArray[np.int64]
Short = Literal["loop", "hold", "zeros"]

NOTHING = -1
"""Index of no item: its place in a clip stays empty."""
Seconds = NDArray[np.float64]

SECOND = 1_000_000  # microseconds: times are whole numbers of them
SLOWEST, FASTEST = 0.001, 10_000.0  # frames per second to which a track is resampled
SLACK = 1_000  # less than a millisecond of video is not worth one more frame


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which items of a track make a clip.

    Parameters
    ----------
    num_frames : int, default=16
        T, the frames of one clip (one from each segment with ``mode="segments"``).
    stride : int, default=1
        Frames of the track from one frame of the clip to the next (dense sampling).
    fps : float or None, default=None
        Rate to which the track is resampled, by time stamp, before the stride counts frames;
        None takes every frame of the file.
    mode : {"dense", "segments"}, default="dense"
        Clips of consecutive frames, or one frame from each of T equal segments (TSN).
    stack : int, default=1
        Consecutive frames that each of the T takes: 1 for RGB, L for stacked optical flow.
    short : {"loop", "hold", "zeros"}, default="loop"
        What a track shorter than the clip does: loop, hold its last frame, or leave `NOTHING` in
        its place, which kinds of input without pixels read as zeros. A clip for training then
        starts before the track at random, as ST-GCN's feeder pads (``auto_pading``); one for
        testing starts with it.
    convention : str, default=""
        Whose rule chooses the clips of a whole video: empty is ours, below; others are those of
        `zoopraxis.inputs.conventions`. Timelines, live videos and streams lay windows over a video
        instead, in which clips are always chosen by ours.
    """

    num_frames: int = 16
    stride: int = 1
    fps: float | None = None
    mode: Literal["dense", "segments"] = "dense"
    stack: int = 1
    short: Short = "loop"
    convention: str = ""

    def __post_init__(self) -> None:
        counts = (("num_frames", 1 << 16), ("stride", 1 << 16), ("stack", 1 << 10))
        for name, most in counts:
            value = getattr(self, name)
            whole = isinstance(value, Integral) and not isinstance(value, bool)
            if not whole or not 1 <= value <= most:
                raise RecipeError(
                    f"{name} must be a whole number from 1 to {most}, not {value!r:.40}",
                    f"give {name} the value that the network was trained with",
                )
        rate = self.fps
        if rate is not None and (not _is_number(rate) or not SLOWEST <= rate <= FASTEST):
            raise RecipeError(
                f"fps must lie between {SLOWEST} and {FASTEST:g}, not be {rate!r:.40}",
                "leave it out to take every frame of the file",
            )
        for name, choices in (
            ("mode", ("dense", "segments")),
            ("short", ("loop", "hold", "zeros")),
        ):
            value = getattr(self, name)
            if value not in choices:
                raise RecipeError(
                    f"{name} must be {' or '.join(choices)}, not {value!r:.40}", "choose one"
                )

    @property
    def length(self) -> int:
        """Frames of a clip in all: T * L."""
        return self.num_frames * self.stack


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def sample_train(
    num_frames: int,
    fps: float,
    sampling: Sampling,
    *,
    rng: np.random.Generator,
    timestamps: Seconds | None = None,
) -> Indices:
    """Draw one clip for training.

    Parameters
    ----------
    num_frames : int
        N, the number of frames.
    fps : float
        Mean frames per second.
    sampling : Sampling
        The sampling that the model expects.
    rng : numpy.random.Generator
        Draws the start of a dense clip, or a frame in every segment.
    timestamps : ndarray of shape (N,), optional
        Seconds at which the frames are shown; needed for ``sampling.fps`` of a file whose frame
        rate varies.

    Returns
    -------
    ndarray of int64, shape (1, T)
        Indices of the track; T is ``sampling.length``.

    Raises
    ------
    VideoError
        The video has no frames.
    """
    track = resample(num_frames, fps, sampling.fps, timestamps=timestamps)  # (M,)
    runs, length = groups(sampling)
    if sampling.mode == "segments":
        starts = segments_random(len(track), runs, length=length, rng=rng)  # (1, segments)
        return _items(track, stack(starts, length), sampling.short)
    earliest = min(0, len(track) - span(sampling)) if sampling.short == "zeros" else 0
    starts = random_starts(len(track), span(sampling), rng=rng, earliest=earliest)
    return dense_clips(track, sampling, starts)


def sample_test(
    num_frames: int,
    fps: float,
    sampling: Sampling,
    *,
    views: int = 1,
    timestamps: Seconds | None = None,
) -> Indices:
    """Choose the clips that a video is tested on.

    Parameters
    ----------
    num_frames, fps, sampling, timestamps
        As for `sample_train`.
    views : int, default=1
        V. Dense: clips from the first frame to the last, evenly spaced; one view is the
        centre. Segments: V evenly spaced frames of every segment; one view is the centre.

    Returns
    -------
    ndarray of int64, shape (V, T)
        Indices of the track.

    Raises
    ------
    VideoError
        The video has no frames.
    """
    track = resample(num_frames, fps, sampling.fps, timestamps=timestamps)  # (M,)
    runs, length = groups(sampling)
    if sampling.mode == "segments":
        starts = segments_centre(len(track), runs, length=length, views=views)  # (V, segments)
        return _items(track, stack(starts, length), sampling.short)
    return dense_clips(track, sampling, uniform_starts(len(track), span(sampling), views=views))


def all_clips(
    num_frames: int,
    fps: float,
    sampling: Sampling,
    *,
    step: int,
    timestamps: Seconds | None = None,
) -> Indices:
    """List every dense clip whose start is a multiple of ``step`` and that fits into the video.

    Parameters
    ----------
    num_frames, fps, sampling, timestamps
        As for `sample_train`.
    step : int
        From one clip's start to the next, in frames at the model's rate.

    Returns
    -------
    ndarray of int64, shape (V, T)
        At least one clip: a video that is too short loops or holds.

    # 10 frames, frames=4, stride=1, step=3:
    # ffff......
    # ...ffff...
    # ......ffff
    """
    track = resample(num_frames, fps, sampling.fps, timestamps=timestamps)  # (M,)
    return dense_clips(track, sampling, step_starts(len(track), span(sampling), step=step))


def piece_clips(
    num_frames: int,
    fps: float,
    sampling: Sampling,
    *,
    pieces: int = 5,
    seconds: float = 5.0,
    rng: np.random.Generator | None = None,
) -> Indices:
    """Cut pieces of a few seconds from a video, and spread one clip over each of them.

    The five five-second pieces with which P3D (Qiu, Yao and Mei, ICCV 2017) reads the minutes
    long videos of Sports-1M.

    Parameters
    ----------
    num_frames, fps, sampling
        As for `sample_train`; ``sampling.num_frames`` alone is used.
    pieces : int, default=5
        V.
    seconds : float, default=5
        Length of a piece.
    rng : numpy.random.Generator, optional
        Draws where the pieces begin; without it they are evenly spaced, end to end.

    Returns
    -------
    ndarray of int64, shape (V, T)
        In order of time.
    """
    track = resample(num_frames, fps, None)
    length = min(len(track), max(1, round(Fraction(seconds) * exact_rate(fps))))
    if rng is None:
        starts = uniform_starts(len(track), length, views=pieces)  # (V,)
    else:
        starts = np.sort(rng.integers(0, len(track) - length + 1, size=pieces))
    # Each piece is itself a short video cut into T segments, of which it shows the centres.
    positions: Indices = starts[:, None] + segments_centre(length, sampling.num_frames)  # (V, T)
    return positions


def resample(
    num_frames: int, fps: float, rate: float | None, *, timestamps: Seconds | None = None
) -> Indices:
    """Resample a video to another rate: the nearest frame at 0, 1/rate, 2/rate ... seconds.

    Parameters
    ----------
    num_frames : int
        N.
    fps : float
        Rate of the file.
    rate : float or None
        Wanted rate; None keeps every frame.
    timestamps : ndarray of shape (N,), optional
        Seconds at which frames are shown; without them, n / fps.

    Returns
    -------
    ndarray of int64, shape (M,)
        Indices, not decreasing; M = ceil(duration * rate), up to a millisecond.
        Between two frames that are
        equally near, the earlier.

    Raises
    ------
    VideoError
        ``num_frames`` is not positive.

    # 30 to 10 fps: fxxfxxf      25 to 30 fps: 0 1 2 2 3 4 | 5 6 7 7 8 9
    """
    check_frames(num_frames)
    if rate is None:
        return np.arange(num_frames)
    period, wait = SECOND / exact_rate(fps), SECOND / exact_rate(rate)
    if timestamps is None:
        count = _ticks_within(num_frames * period, wait)
        # The nearest integer to k * step, halves down: ceil(k * step - 1/2).
        step = 2 * wait / period
        nearest = -(
            (step.denominator - np.arange(count) * step.numerator) // (2 * step.denominator)
        )
        return np.minimum(nearest, num_frames - 1)  # (M,)
    shown = np.rint((timestamps - timestamps[0]) * SECOND).astype(np.int64)  # (N,)
    count = _ticks_within(int(shown[-1]) + period, wait)
    return _nearest(shown, np.arange(count) * wait.numerator // wait.denominator)  # (M,)


def check_frames(num_frames: int) -> None:
    """Refuse a video without frames."""
    if num_frames < 1:
        raise VideoError(f"a video of {num_frames} frames has no clips", "check the file")


def exact_rate(fps: float) -> Fraction:
    """Turn a rate into the fraction it stands for: 29.97002997 is 30000/1001."""
    return Fraction(fps).limit_denominator(1001)


def _ticks_within(duration: Fraction, wait: Fraction) -> int:
    """Count the times 0, wait, 2 * wait ... before the end of the video."""
    return max(1, ceil((duration - SLACK) / wait))


def _nearest(shown: Indices, wanted: Indices) -> Indices:
    """Index into sorted ``shown`` (N,) nearest to each of ``wanted`` (M,), ties to the earlier."""
    after = np.searchsorted(shown, wanted).clip(0, len(shown) - 1)
    before = (after - 1).clip(0)
    # Times are rounded, so equally near may look one microsecond farther.
    return np.where(wanted - shown[before] <= abs(shown[after] - wanted) + 1, before, after)


def groups(sampling: Sampling) -> tuple[int, int]:
    """Runs of consecutive frames in a clip, and frames of each: (segments, stack) or (1, T * L)."""
    if sampling.mode == "segments":
        return sampling.num_frames, sampling.stack
    return 1, sampling.length


def span(sampling: Sampling) -> int:
    """Frames from a dense clip's first to its last, both counted: # fxfxfxf is 7."""
    return (sampling.length - 1) * sampling.stride + 1


def fit(positions: Indices, count: int, short: Short) -> Indices:
    """Bring positions past the end of a track of ``count`` frames back into it.

    # 3 frames, positions 0 to 6: loop 0120120, hold 0122222, zeros 012 and four of `NOTHING`
    """
    if short == "zeros":
        return np.where((positions >= 0) & (positions < count), positions, NOTHING)
    return positions % count if short == "loop" else np.minimum(positions, count - 1)


def shifted(indices: Indices, start: int) -> Indices:
    """Indices within a part of a track that begins at ``start``, as those of the track."""
    return np.where(indices == NOTHING, NOTHING, indices + start)


def _items(track: Indices, positions: Indices, short: Short) -> Indices:
    """Indices of a track (M,) at some positions (V, T)."""
    fitted = fit(positions, len(track), short)
    return np.where(fitted == NOTHING, NOTHING, track[fitted])


def dense_clips(track: Indices, sampling: Sampling, starts: Indices) -> Indices:
    """Read every ``stride``-th frame of a track (M,) from each start (V,): (V, T)."""
    positions = starts[:, None] + np.arange(sampling.length) * sampling.stride  # (V, T)
    return _items(track, positions, sampling.short)


def random_starts(
    count: int, length: int, *, rng: np.random.Generator, earliest: int = 0
) -> Indices:
    """Draw one start (1,) of a clip of ``length`` among those that fit into ``count`` frames."""
    return rng.integers(earliest, max(count - length, 0) + 1, size=1)


def uniform_starts(count: int, length: int, *, views: int) -> Indices:
    """Spread ``views`` starts (V,) evenly from the first to the last that fits.

    One view is the centre; the others are those of torchvision's UniformClipSampler.

    # 10 frames, length 4: 1 view [3], 2 views [0, 6], 3 views [0, 3, 6], 4 views [0, 2, 4, 6]
    """
    free = max(count - length, 0)
    if views == 1:
        return np.array([free // 2])
    return np.arange(views) * free // (views - 1)


def step_starts(count: int, length: int, *, step: int) -> Indices:
    """List the starts (V,) at the multiples of ``step`` whose clip fits, at least one."""
    return np.arange(0, max(count - length, 0) + 1, step)


def covering_starts(count: int, length: int, *, step: int) -> Indices:
    """List the starts of `step_starts`, and one that ends with the video where frames are left.

    # 11 frames, length 4, step 3: [0, 3, 6, 7]
    """
    starts = step_starts(count, length, step=step)
    last = max(count - length, 0)
    return starts if starts[-1] == last else np.append(starts, last)


def segments_random(
    count: int, segments: int, *, length: int = 1, rng: np.random.Generator
) -> Indices:
    """Draw one start in each of ``segments`` equal parts of a track (TSN, section 3.1).

    Parameters
    ----------
    count : int
        M, the frames of the track.
    segments : int
        Parts of the M - length + 1 positions at which a stack can start. Where they are fewer
        than the segments, neighbouring segments share them.
    length : int, default=1
        Indices of a stack.
    rng : numpy.random.Generator
        One draw per segment.

    Returns
    -------
    ndarray of int64, shape (1, segments)
        Unlike in the official code (`zoopraxis.inputs.conventions.tsn_train`), the parts cover
        the whole video, and one with fewer frames than segments does not become a still.
    """
    bounds = np.arange(segments + 1) * max(count - length + 1, 1) // segments  # (segments + 1,)
    low, high = bounds[:-1], bounds[1:]
    return rng.integers(low, np.maximum(high, low + 1))[None]  # (1, segments)


def segments_centre(count: int, segments: int, *, length: int = 1, views: int = 1) -> Indices:
    """List ``views`` evenly spaced starts in each of ``segments`` equal parts of a track.

    Returns
    -------
    ndarray of int64, shape (V, segments)
        One view is the centre of each part, as in the official TSN code.

    # 9 frames, 3 segments: 1 view [[1, 4, 7]], 2 views [[0, 3, 6], [2, 5, 8]]
    """
    free = max(count - length + 1, 1)
    offset = 2 * np.arange(views)[:, None] + 1  # (V, 1) in units of 1 / (2 V) of a segment
    whole = 2 * views * np.arange(segments)  # (segments,)
    starts: Indices = (whole + offset) * free // (2 * views * segments)  # (V, segments)
    return starts


def stack(starts: Indices, length: int) -> Indices:
    """Take ``length`` consecutive positions from every start: (V, segments) to (V, T).

    # starts [[0, 5]], length 3: [[0, 1, 2, 5, 6, 7]]
    """
    runs = starts[:, :, None] + np.arange(length)  # (V, segments, length)
    return runs.reshape(len(starts), -1)


def evenly_moving(moved: NDArray[np.floating]) -> NDArray[np.float64]:
    """Find N times, in items, between which a track moves equally far.

    Parameters
    ----------
    moved : ndarray of shape (N - 1,)
        How far each item is from the one before.
    """
    if not moved.any():
        return np.arange(len(moved) + 1.0)
    moved = moved.astype(np.float64)
    path = np.append(0.0, np.cumsum(moved + 1e-6 * moved.mean()))  # defined within a pause too
    return np.interp(np.linspace(0, path[-1], len(path)), path, np.arange(len(path)))
