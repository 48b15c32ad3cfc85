"""Segments marked in annotation tools, and the list of them that training reads.

Each tool has a file with a reader of what it exports; it yields segments, with times in seconds,
and what it leaves out.
"""

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoopraxis.data.annotations.activitynet import read_activitynet
from zoopraxis.data.annotations.base import Annotations, LeftOut, Marked, Options, Reader
from zoopraxis.data.annotations.cvat import read_cvat
from zoopraxis.data.annotations.elan import read_elan
from zoopraxis.data.annotations.fiftyone import write_fiftyone
from zoopraxis.data.annotations.label_studio import read_label_studio
from zoopraxis.data.annotations.places import locate
from zoopraxis.data.annotations.table import read_table
from zoopraxis.data.annotations.via import read_via
from zoopraxis.data.write import write_list
from zoopraxis.errors import DataError, did_you_mean

__all__ = [
    "ANNOTATION_FORMATS",
    "Annotations",
    "Marked",
    "locate",
    "read_annotations",
    "write_fiftyone",
    "write_segments",
]

ANNOTATION_FORMATS: Mapping[str, Reader] = {
    "activitynet": read_activitynet,
    "csv": read_table,
    "cvat": read_cvat,
    "elan": read_elan,
    "labelstudio": read_label_studio,
    "via": read_via,
}
"""Readers by the name that ``zoopraxis data import`` takes."""

_TAKE = {
    "fps": ("csv", "cvat", "labelstudio"),
    "tier": ("cvat", "elan", "via"),
    "subset": ("activitynet",),
}
"""Formats for which an option says something."""


def read_annotations(
    file: Path,
    kind: str,
    *,
    fps: float | None = None,
    tier: str = "",
    subset: str = "",
    columns: tuple[str, str, str, str] = ("path", "start", "end", "label"),
) -> Annotations:
    """Read the segments that an annotation tool wrote.

    Segments without a label, of no length, or that end before they start are left out, since
    published files have some.

    Parameters
    ----------
    file : Path
        As the tool exports it.
    kind : str
        One of `ANNOTATION_FORMATS`.
    fps : float, optional
        Frames per second of what counts in frames: CVAT; timelines of Label Studio, at the
        ``framerate`` of its ``Video`` tag; columns of a CSV file, whose end is not included.
    tier : str, default=""
        The tier of an ELAN file, or the attribute of a project of VIA or of tracks of CVAT; empty
        takes every tier, every attribute, or the labels of the tracks.
    subset : str, default=""
        The subset of ActivityNet's JSON, such as "training"; empty takes every subset.
    columns : tuple of 4 str
        Names of the columns of a CSV file: path, start and end (seconds, or 0:00:12.5), label.

    Raises
    ------
    DataError
        The file is not what ``kind`` says, has no segments, or one with a time that is below 0,
        infinite or no number; or frames come without ``fps``.
    """
    if kind not in ANNOTATION_FORMATS:
        raise DataError(f"no format is called {kind!r}", did_you_mean(kind, ANNOTATION_FORMATS))
    if fps is not None and not 0 < fps < math.inf:
        raise DataError(f"{fps:g} frames per second", "give a positive number")
    given = {"fps": fps is not None, "tier": bool(tier), "subset": bool(subset)}
    for option in (name for name, is_given in given.items() if is_given):
        if kind not in _TAKE[option]:
            raise DataError(
                f"{kind} takes no --{option}", f"leave it out; it is for {', '.join(_TAKE[option])}"
            )
    options = Options(fps=fps, tier=tier, subset=subset, columns=columns)
    try:
        return _read(file, kind, options)
    except DataError as error:
        other = _other(file, kind)
        if not other:
            raise
        hint = f"it seems to be of {other}: zoopraxis data import {other} ..."
        raise DataError(error.problem, hint) from error


def _read(file: Path, kind: str, options: Options) -> Annotations:
    """Read a file with the reader of its format, and check what comes."""
    segments: list[Marked] = []
    left_out: Counter[str] = Counter()
    try:
        for one in ANNOTATION_FORMATS[kind](file, options):
            if isinstance(one, LeftOut):
                left_out[one.what] += 1
            elif not one.label:
                left_out["segments without a label"] += 1
            elif one.end <= one.start:
                how = "of no length" if one.start == one.end else "that end before they start"
                left_out[f"segments {how}"] += 1
            else:
                segments.append(one)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise DataError(
            f"{file} is not as expected of {kind}: {error!r}", "export it again from the tool"
        ) from error
    if not segments:
        others = ", ".join(f"{count} {what}" for what, count in left_out.items())
        raise DataError(
            f"{file} has no segments{', but ' if others else ''}{others}",
            f"is it an export of {kind}, with labels?",
        )
    for one in segments:
        if not 0 <= one.start < one.end < math.inf:  # false for NaN too
            raise DataError(
                f"{file}: {one.label!r} of {one.path} is from {one.start:g} to {one.end:g} s",
                "expected a start of 0 s or later, and an end",
            )
    return Annotations(segments=tuple(segments), left_out=left_out)


def _other(file: Path, kind: str) -> str:
    """Another format that reads the file; "" where there is none."""
    for other in ANNOTATION_FORMATS:
        try:
            if other != kind and _read(file, other, Options(fps=25.0)):
                return other
        except DataError:
            continue
    return ""


def write_segments(table: Path, segments: Sequence[Marked]) -> None:
    """Write segments as a list for training: path, start, end, label; see `write_list`.

    Raises
    ------
    DataError
        A segment has no video.
    """
    nameless = next((one for one in segments if not one.path), None)
    if nameless:
        raise DataError(
            f"the annotations do not say of which video the {len(segments)} segments are, the "
            f"first {nameless.label!r} from {nameless.start:g} to {nameless.end:g} s",
            "give the video: --video clip.mp4",
        )
    columns: dict[str, Sequence[Any]] = {
        "path": [one.path for one in segments],
        "start": [_short(one.start) for one in segments],
        "end": [_short(one.end) for one in segments],
        "label": [(one.label,) for one in segments],
    }
    write_list(table, columns)


def _short(seconds: float) -> float:
    """Seconds to a microsecond, which `zoopraxis.inputs.segment_range` allows: 2, 12.5."""
    rounded = round(seconds, 6)
    return int(rounded) if rounded.is_integer() else rounded
