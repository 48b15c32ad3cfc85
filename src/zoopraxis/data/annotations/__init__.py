"""Segments marked in annotation tools, and the list of them that training reads.

Each tool has a file with a reader of what it exports; it yields segments, with times in seconds,
and what it leaves out.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoopraxis.data.annotations.activitynet import read_activitynet
from zoopraxis.data.annotations.base import LeftOut, Marked, Options, Reader
from zoopraxis.data.annotations.cvat import read_cvat
from zoopraxis.data.annotations.elan import read_elan
from zoopraxis.data.annotations.fiftyone import write_fiftyone
from zoopraxis.data.annotations.label_studio import read_label_studio
from zoopraxis.data.annotations.table import read_table
from zoopraxis.data.annotations.via import read_via
from zoopraxis.data.write import write_list
from zoopraxis.errors import DataError, did_you_mean

__all__ = [
    "ANNOTATION_FORMATS",
    "Annotations",
    "Marked",
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


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """What a file of an annotation tool holds.

    Parameters
    ----------
    segments : tuple of Marked
        In the order of the file.
    left_out : mapping of str to int
        What was not read, and how many: ``{"segments without a label": 2}``.
    """

    segments: tuple[Marked, ...]
    left_out: Mapping[str, int]


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

    Segments without a label or of no length, which published files have, are left out.

    Parameters
    ----------
    file : Path
        As the tool exports it.
    kind : str
        One of `ANNOTATION_FORMATS`.
    fps : float, optional
        Frames per second of the videos: CVAT and Label Studio count in frames.
    tier : str, default=""
        The tier of an ELAN file; empty takes every tier.
    subset : str, default=""
        The subset of ActivityNet's JSON, such as "training"; empty takes every subset.
    columns : tuple of 4 str
        Names of the columns of a CSV file: path, start, end (seconds) and label.

    Raises
    ------
    DataError
        The file is not what ``kind`` says, has no segments, or one that ends before it starts or
        has a time that is no number; or frames come without ``fps``.
    """
    if kind not in ANNOTATION_FORMATS:
        raise DataError(f"no format is called {kind!r}", did_you_mean(kind, ANNOTATION_FORMATS))
    if fps is not None and not 0 < fps < math.inf:
        raise DataError(f"{fps:g} frames per second", "give a positive number")
    options = Options(fps=fps, tier=tier, subset=subset, columns=columns)
    segments: list[Marked] = []
    left_out: Counter[str] = Counter()
    try:
        for one in ANNOTATION_FORMATS[kind](file, options):
            if isinstance(one, LeftOut):
                left_out[one.what] += 1
            elif not one.label:
                left_out["segments without a label"] += 1
            elif one.start == one.end:
                left_out["segments of no length"] += 1
            else:
                segments.append(one)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
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
                "a segment starts at 0 s or later, and ends after its start",
            )
        if not one.path:
            raise DataError(
                f"{file}: the segment from {one.start:g} to {one.end:g} s has no video",
                "fill it in with the tool, or remove the segment",
            )
    return Annotations(segments=tuple(segments), left_out=left_out)


def write_segments(table: Path, segments: Sequence[Marked]) -> None:
    """Write segments as a list for training: path, start, end, label; see `write_list`."""
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
