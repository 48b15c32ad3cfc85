"""Compute something of many videos into files: parallel, and a bad video stops no other."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import DataError, ZoopraxisError
from zoopraxis.video._base import Video
from zoopraxis.workers import num_cores, run_jobs

__all__ = ["Extracted", "Made", "extract_all", "frames_in_order", "places"]

AT_ONCE, BYTES_AT_ONCE = 64, 2**28  # frames that are decoded together, which bounds memory

Made = tuple[Path, int] | tuple[Path, int, str]


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """What became of one video.

    Parameters
    ----------
    video : str
        The video.
    file : str
        File or folder of what was computed; empty where the video could not be read.
    count : int
        Number of items in it.
    note : str
        What a user should know of it.
    error : ZoopraxisError or None
        Why there are none.
    """

    video: str
    file: str = ""
    count: int = 0
    note: str = ""
    error: ZoopraxisError | None = None


def extract_all(
    videos: Sequence[str],
    places: Sequence[Path],
    extract: Callable[[str, Path], Made],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Extracted]:
    """Call a function for each of many videos, in several processes.

    Parameters
    ----------
    videos : sequence of str
        What `zoopraxis.video.open_video` takes.
    places : sequence of Path
        Where the results of each video go.
    extract : callable
        Called with a video and its place; writes the results, or finds them finished there, and
        returns their file and number, and what a user should know of them, if anything. With
        several workers it is pickled.
    workers : int, optional
        Number of processes. The default is the number of cores.
    progress : callable, optional
        Called with the number of videos done and their total.

    Returns
    -------
    list of Extracted
        In the order of the videos; that one cannot be read, or written, is its result.

    Raises
    ------
    DataError
        Two videos have one place.
    """
    owners: dict[Path, str] = {}
    for video, place in zip(videos, places, strict=True):
        if owners.setdefault(place, video) != video:
            raise DataError(
                f"the results of {owners[place]} and {video} would both be in {place}",
                "rename one of them: they differ in their suffix alone",
            )
    jobs = [partial(_one, extract, *pair) for pair in zip(videos, places, strict=True)]
    results: dict[int, Extracted] = {}
    for number, result in run_jobs(jobs, workers=workers or num_cores()):
        results[number] = result
        if progress is not None:
            progress(len(results), len(jobs))
    return [results[number] for number in range(len(jobs))]


def _one(extract: Callable[[str, Path], Made], video: str, place: Path) -> Extracted:
    """Extract one video; its errors, which name it, are a result."""
    try:
        file, count, *notes = extract(video, place)
    except OSError as error:
        problem = f"the results of {video} cannot be written to {place}: {error}"
        return Extracted(video=video, error=DataError(problem, "choose another OUT with room"))
    except ZoopraxisError as error:
        if video in error.problem or str(place) in error.problem:
            return Extracted(video=video, error=error)
        return Extracted(video=video, error=type(error)(f"{video}: {error.problem}", error.hint))
    return Extracted(video=video, file=str(file), count=count, note="".join(notes))


def places(videos: Sequence[str], out: Path) -> list[Path]:
    """Place of each video's results: as the videos lie to one another, without their suffixes."""
    absolute = [Path(os.path.abspath(video)) for video in videos]  # noqa: PTH100 - links stay
    root = Path(os.path.commonpath([path.parent for path in absolute]))
    return [out / path.relative_to(root).with_suffix("") for path in absolute]


def frames_in_order(
    video: Video, indices: Sequence[int] | None = None, *, resize: int | None
) -> Iterator[NDArray[np.uint8]]:
    """Yield frames of a video, a few of which are in memory at a time.

    Parameters
    ----------
    video : Video
        The video.
    indices : sequence of int, optional
        Which frames, ascending, repeated or not. The default is all.
    resize : int or None
        Shorter side in pixels.

    Yields
    ------
    uint8 ndarray of shape (H, W, 3)
        A frame.
    """
    wanted = range(video.num_frames) if indices is None else indices
    scale = (resize or math.inf) / min(video.height, video.width)
    size = 3 * video.height * video.width * min(scale, 1) ** 2  # bytes, at most
    step = int(min(max(BYTES_AT_ONCE // size, 1), AT_ONCE))
    for first in range(0, len(wanted), step):
        yield from video.arrays_at(np.asarray(wanted[first : first + step]), resize=resize)
