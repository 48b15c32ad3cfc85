"""What a list or a folder says of its videos, before labels become indices: whole columns.

A list may have a million lines; an object for each would cost more than reading them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["IMAGE_SUFFIXES", "LAYOUT", "VIDEO_SUFFIXES", "Rows"]

VIDEO_SUFFIXES = frozenset(
    {".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".m1v", ".m2ts"}
    | {".m2v", ".m4v", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mpv", ".mts", ".mxf"}
    | {".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".y4m"}
)
IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
LAYOUT = "expected FOLDER/<class>/<clip>.mp4, or a list with a path and a label on each line"


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Columns of N videos whose labels are still names.

    Parameters
    ----------
    paths : sequence of str
        As they are opened.
    cells : sequence of str or tuple of str
        Labels: a cell that may hold several names, or the names.
    groups, names, where : sequence of str
        Group, name in reports, and the file and line that it was read from.
    starts, ends : sequence of float or None
        Seconds; empty where no line is a segment.
    beside : mapping
        Files beside the videos, by kind; "" where there is none.
    """

    paths: Sequence[str]
    cells: Sequence[str | tuple[str, ...]]
    groups: Sequence[str]
    names: Sequence[str]
    where: Sequence[str]
    starts: Sequence[float | None] = ()
    ends: Sequence[float | None] = ()
    beside: Mapping[str, Sequence[str]] = field(default_factory=dict)
