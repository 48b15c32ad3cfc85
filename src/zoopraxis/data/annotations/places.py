"""Where the videos are that annotations name.

Tools write paths of their own machine, names in their own storage, or none: ``/home/me/a.mp4``,
``/data/upload/1/3d3ad63e-a.mp4``, ``v_QOlSCBRmfWY``.
"""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from zoopraxis.data.annotations.base import Annotations
from zoopraxis.data.rows import VIDEO_SUFFIXES
from zoopraxis.data.text import few
from zoopraxis.errors import DataError

__all__ = ["locate"]

_SUFFIXES = VIDEO_SUFFIXES | {".flac", ".m4a", ".mp3", ".ogg", ".wav"}  # of videos or their sound
_UPLOADED = re.compile(r"[0-9a-f]{8}-")  # before the name of a file that Label Studio keeps


def locate(found: Annotations, video: Path, *, table: Path) -> Annotations:
    """Name the videos of annotations by where they are; those that are not there are left out.

    Parameters
    ----------
    found : Annotations
        As they were read.
    video : Path
        The one video that they are of; or a folder, in which, and below it, each is looked for by
        the name of its file, with any suffix.
    table : Path
        The list that will be written: paths are relative to its folder.

    Raises
    ------
    DataError
        ``video`` is not there; the annotations are of several videos, and it is one; none is in
        the folder; or two files have the same name.
    """
    if not video.exists():
        raise DataError(f"there is no {video}", "give a video, or the folder of the videos")
    named = list(dict.fromkeys(one.path for one in found.segments))
    if video.is_dir():
        places = _places(video, named)
    elif len(named) > 1:
        raise DataError(
            f"{video} is one video, and there are segments of {len(named)}: {few(named)}",
            "give the folder of the videos",
        )
    else:
        places = dict.fromkeys(named, video)
    missing = [name for name in named if name not in places]
    if len(missing) == len(named):
        raise DataError(
            f"{video} has no video {few(missing)}", "give the folder in which the videos are"
        )
    start = table.absolute().parent
    segments = tuple(
        replace(one, path=os.path.relpath(places[one.path].absolute(), start))
        for one in found.segments
        if one.path in places
    )
    left_out = Counter(found.left_out)
    if missing:
        count = len(found.segments) - len(segments)
        left_out[f"segments of videos that are not in {video}: {few(missing)}"] = count
    return Annotations(segments=segments, left_out=left_out)


def _places(folder: Path, named: list[str]) -> dict[str, Path]:
    """Files of a folder that have one of the names of a video."""
    files: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in VIDEO_SUFFIXES:
            files[file.name].append(file)
            files[file.stem].append(file)
    places = {}
    for video in named:
        place = next((files[name] for name in _names(video) if name in files), [])
        if len(place) > 1:
            raise DataError(
                f"{video} may be {few([str(file) for file in place])}", "give the folder of one"
            )
        if place:
            places[video] = place[0]
    return places


def _names(video: str) -> Iterator[str]:
    """Names that the file of a video may have, the likeliest first."""
    name = unquote(video.replace("\\", "/").rstrip("/").rpartition("/")[2])
    stem, dot, suffix = name.rpartition(".")
    stem = stem if f"{dot}{suffix.lower()}" in _SUFFIXES else name
    yield from (name, stem, f"v_{name}")
    if _UPLOADED.match(name):
        yield from (name[9:], stem[9:])
