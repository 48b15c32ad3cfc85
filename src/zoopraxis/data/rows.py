"""What a list or a folder says of its videos, before labels become indices: whole columns.

A list may have a million lines; an object for each would cost more than reading them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
    media : mapping of str to sequence
        Further fields of `zoopraxis.inputs.Media`, as many as the list has: ``start`` and ``end``
        in seconds or None; files beside the videos, "" where there is none; ``box`` or None.
    """

    paths: Sequence[str]
    cells: Sequence[str | tuple[str, ...]]
    groups: Sequence[str]
    names: Sequence[str]
    where: Sequence[str]
    media: Mapping[str, Sequence[Any]] = field(default_factory=dict)
