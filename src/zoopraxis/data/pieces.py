"""Short pieces of long videos, drawn once: a list of segments in place of a list of videos.

P3D (Qiu, Yao and Mei, ICCV 2017, section 4) trains on five pieces of five seconds of each of the
minutes long videos of Sports-1M.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from zoopraxis.data.samples import Sample, SampleList
from zoopraxis.errors import DataError, VideoError
from zoopraxis.video import open_video
from zoopraxis.workers import num_cores, run_jobs

__all__ = ["Cut", "cut_pieces"]


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What `cut_pieces` gives.

    Parameters
    ----------
    samples : SampleList
        The pieces, in the order of the videos and of time.
    errors : tuple of VideoError
        Of videos that cannot be opened, and have no pieces.
    """

    samples: SampleList
    errors: tuple[VideoError, ...]


def cut_pieces(
    samples: SampleList,
    *,
    pieces: int = 5,
    seconds: float = 5.0,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Cut:
    """Draw pieces of a few seconds of each video of a list, anywhere in it; they may overlap.

    A video, or a segment of one, that is not longer than a piece is one piece. Pieces of a video
    are one group, unless the list has groups.

    Parameters
    ----------
    samples : SampleList
        The list.
    pieces : int, default=5
        Number of pieces of a video.
    seconds : float, default=5
        Length of a piece.
    seed : int, default=0
        Of the draw; that of a video depends on its place in the list alone.
    workers : int, optional
        Processes that find out how long videos are. The default is the number of cores.
    progress : callable, optional
        Called with the number of videos done and their total.

    Raises
    ------
    DataError
        Numbers are out of range, or no video can be opened.
    """
    if pieces < 1 or not 0 < seconds < float("inf"):
        raise DataError(f"{pieces} pieces of {seconds} s cannot be cut", "both must be positive")
    left = list(dict.fromkeys(s.path for s in samples if s.end is None))
    lengths: dict[str, float | VideoError] = {}
    jobs = [partial(_length, path) for path in left]
    for number, length in run_jobs(jobs, workers=workers or num_cores()):
        lengths[left[number]] = length
        if progress is not None:
            progress(len(lengths), len(left))
    cut: list[Sample] = []
    for number, sample in enumerate(samples):
        end = lengths[sample.path] if sample.end is None else sample.end
        if not isinstance(end, VideoError):
            rng = np.random.default_rng([seed, number])
            cut += _pieces(sample, float(end), pieces=pieces, seconds=seconds, rng=rng)
    errors = tuple(error for error in lengths.values() if isinstance(error, VideoError))
    if not cut:
        first = f"; the first: {errors[0].problem}" if errors else ""
        raise DataError(
            f"no video of {samples.root} can be cut{first}", "check the list, and the files"
        )
    return Cut(samples=replace(samples, samples=tuple(cut)), errors=errors)


def _length(path: str) -> float | VideoError:
    """Duration of a video in seconds, or why it cannot be opened."""
    try:
        with open_video(path) as video:
            return video.duration
    except VideoError as error:
        return error


def _pieces(
    sample: Sample, end: float, *, pieces: int, seconds: float, rng: np.random.Generator
) -> list[Sample]:
    """Pieces of one sample in order of time."""
    start = sample.start or 0.0
    if end - start <= seconds:
        return [sample]
    starts = np.sort(rng.uniform(start, end - seconds, size=pieces)).round(3).tolist()
    return [
        replace(sample, start=at, end=round(at + seconds, 3), name=f"{sample.path} {at:g}")
        for at in starts
    ]
