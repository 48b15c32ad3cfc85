"""Which images of a folder are the frames of its video, in order."""

import re
from collections import defaultdict
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from zoopraxis.errors import VideoError

__all__ = ["SUFFIXES", "frames_of"]

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
# Optical flow beside the frames, as TSN's tools write it: flow_x_00001.jpg
_FLOW = re.compile(r"flow_[xy][_.\-]?#")
# Names that are times, in seconds, and numbers that are: 1305031102.175304.png,
# 1403636579763555584.png. (0000000001.png is a count.)
_TIME = re.compile(r"\d+\.\d+")
_SMALLEST_TIME = 10**9


class _Name(NamedTuple):
    """What the name of an image says: the series it belongs to, and its place there."""

    series: str  # img_00012.jpg belongs to img_#, where # is the number
    number: Fraction | None  # None where there is none
    is_time: bool  # rather than a count


def frames_of(folder: Path) -> list[Path]:
    """Images of a folder that are the frames of its video.

    The last number in a name counts the frames, so frame2.jpg comes before frame10.jpg; images
    whose names are otherwise the same are one video. Flow beside the frames (``flow_x_*``,
    ``flow_y_*``) and hidden files are left out. Numbers may start anywhere and advance in equal
    steps. Numbers that are times (``1305031102.175304.png``, or a thousand million and more)
    order the frames too, but nothing can be said to be missing between them.

    Raises
    ------
    VideoError
        There are no images, images of two videos, a missing frame, or two with one number.
    """
    try:
        # macOS writes ._img_1.jpg beside img_1.jpg on foreign disks: attributes, not an image.
        files = [
            file
            for file in folder.iterdir()
            if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
        ]
    except OSError as error:
        raise VideoError(
            f"{folder}: cannot be listed: {error.strerror}", "check its permissions and its disk"
        ) from error
    if not files:
        raise VideoError(
            f"{folder}: no images in this folder",
            f"frames are files ending in {', '.join(sorted(SUFFIXES))}",
        )
    return _in_order(folder, _only_series(folder, files))


def _only_series(folder: Path, files: list[Path]) -> list[tuple[_Name, Path]]:
    """Images of the one series that is not flow."""
    series: dict[str, list[tuple[_Name, Path]]] = defaultdict(list)
    for file in sorted(files):
        name = _parse(file)
        series[name.series].append((name, file))
    frames = [key for key in series if not _FLOW.fullmatch(key)] or list(series)
    if len(frames) > 1:
        examples = ", ".join(series[key][0][1].name for key in frames[:4])
        more = ", ..." if len(frames) > 4 else ""
        raise VideoError(
            f"{folder}: the images are not one video; their names differ in more than the last "
            f"number: {examples}{more}",
            "give each video a folder of its own, and name its frames img_00001.jpg, "
            "img_00002.jpg, ...",
        )
    return series[frames[0]]


def _in_order(folder: Path, frames: list[tuple[_Name, Path]]) -> list[Path]:
    """Sort by number, and raise where one is missing or given twice."""
    frames = sorted(frames, key=lambda item: (item[0].number or 0, item[1]))
    numbers = [name.number or 0 for name, _ in frames]
    steps = [b - a for a, b in pairwise(numbers)]
    if 0 in steps:
        first, second = (frames[steps.index(0) + i][1] for i in (0, 1))
        raise VideoError(
            f"{folder}: {first.name} and {second.name} are the same frame of one video",
            "remove one of them",
        )
    if any(name.is_time for name, _ in frames):
        return [file for _, file in frames]
    gap = next((i for i, step in enumerate(steps) if step != min(steps)), None)
    if gap is not None:
        before = frames[gap][1]
        raise VideoError(
            f"{folder}: {_successor(before, int(numbers[gap] + min(steps)))} is missing, the frame "
            f"between {before.name} and {frames[gap + 1][1].name}",
            "extract the frames again, or renumber those that there are",
        )
    return [file for _, file in frames]


def _parse(file: Path) -> _Name:
    match = re.search(r"(\d+)(\D*)$", file.stem)
    if match is None:
        return _Name(file.stem, None, is_time=False)
    if _TIME.fullmatch(file.stem):
        return _Name("#.#", Fraction(file.stem), is_time=True)
    number = Fraction(match[1])
    series = f"{file.stem[: match.start()]}#{match[2]}"
    return _Name(series, number, is_time=number >= _SMALLEST_TIME)


def _successor(file: Path, number: int) -> str:
    """Name of the frame with another number: img_00007.jpg for img_00006.jpg and 7."""
    match = re.search(r"(\d+)(\D*)$", file.stem)
    assert match is not None  # noqa: S101 - only numbered files have a successor
    digits = str(number).zfill(len(match[1]))
    return f"{file.stem[: match.start()]}{digits}{match[2]}{file.suffix}"
