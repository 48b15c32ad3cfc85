"""The columns of a list of videos, under whatever names its author gave them."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoopraxis.data.rows import VIDEO_SUFFIXES
from zoopraxis.data.text import few
from zoopraxis.errors import DataError

__all__ = [
    "COLUMNS",
    "Table",
    "checked_names",
    "chosen",
    "column_name",
    "header_of",
    "is_video_name",
]

# Names of columns, as lists of other code bases and of spreadsheets have them. The first of each
# wins over the others; of the others only one may be there.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "path": (
        *("path", "file", "filename", "file_name", "filepath", "file_path", "video"),
        *("video_path", "video_file", "video_name", "clip", "clip_path", "uri", "url"),
    ),
    "label": (
        *("label", "labels", "class", "classes", "action", "actions", "label_name", "class_name"),
        *("classname", "action_name", "category", "activity", "target", "label_id", "class_id"),
        *("action_id", "label_index", "class_index", "label_idx", "class_idx"),
    ),
    "start": ("start", "start_time", "time_start", "start_seconds", "start_sec", "t_start"),
    "end": ("end", "end_time", "time_end", "end_seconds", "end_sec", "t_end"),
    "name": ("name",),
    "flow": ("flow",),
    "skeleton": ("skeleton",),
    "boxes": ("boxes",),
    "trajectories": ("trajectories",),
    **{corner: (corner,) for corner in ("x1", "y1", "x2", "y2")},
}


@dataclass(frozen=True, kw_only=True)
class Table:
    """Columns of a list, under the names of its header.

    Parameters
    ----------
    path : Path
        The file, or the folder of a list in several files.
    columns : mapping of str to sequence
        N cells of each column.
    numbers : sequence of int
        Line, or entry, of each row in its file.
    unit : str
        What the numbers count.
    files : sequence of Path
        File of each row of a list in several files; else empty.
    """

    path: Path
    columns: Mapping[str, Sequence[Any]]
    numbers: Sequence[int]
    unit: str = "line"
    files: Sequence[Path] = ()

    @property
    def folder(self) -> Path:
        """What relative paths are relative to."""
        return self.path if self.files else self.path.parent

    def where(self, index: int) -> str:
        """File and line of a row, for messages."""
        return (
            f"{self.files[index] if self.files else self.path}, {self.unit} {self.numbers[index]}"
        )

    def wheres(self) -> list[str]:
        """File and line of every row."""
        return [self.where(index) for index in range(len(self.numbers))]


def header_of(cells: Sequence[str], *, where: str) -> list[str] | None:
    """Lower-case names of the columns, when the first line names a path or a label.

    Raises
    ------
    DataError
        Only one of the two is named, or two columns have one name.
    """
    names = [column_name(cell) for cell in cells]
    path = any(name in COLUMNS["path"] for name in names)
    label = any(name in COLUMNS["label"] for name in names)
    if not (path and label) and any(cell.strip().isdigit() for cell in cells):
        return None  # `clip 1`: numbers are no names of columns
    # `a.mp4,action` is a video of the class "action"
    if not path and not (label and not any(re.search(r"[./\\]", cell) for cell in cells)):
        return None
    return checked_names(cells, where=where)


def checked_names(cells: Sequence[str], *, where: str) -> list[str]:
    """Lower-case names of the columns of a list, which are known to be names.

    Raises
    ------
    DataError
        None is the path or none the label, or two have one name.
    """
    names = [column_name(cell) for cell in cells]
    for kind in ("path", "label"):
        if not any(name in COLUMNS[kind] for name in names):
            raise DataError(
                f"{where}: the header has no column for the {kind}: {few(cells, 20)}",
                f"call it {kind!r} (also read: {few(COLUMNS[kind][1:], 8)})",
            )
    twice = next((n for i, n in enumerate(names) if n and n in names[:i]), None)
    if twice is not None:
        raise DataError(f"{where}: two columns are called {twice!r}", "rename one of them")
    return names


def column_name(cell: str) -> str:
    """Return a column's name as we compare it: ``"Start-Time"`` is ``"start_time"``."""
    return re.sub(r"[\s-]+", "_", cell.strip().strip('"').lower())


def chosen(table: Table, kind: str) -> str:
    """Name of the column of one meaning; empty where there is none."""
    names = [name for name in COLUMNS[kind] if name in table.columns]
    if len(names) > 1 and names[0] != COLUMNS[kind][0]:
        raise DataError(
            f"{table.path} has several columns for the {kind}: {', '.join(names)}",
            f"call the one to read {kind!r}",
        )
    return names[0] if names else ""


def is_video_name(text: str) -> bool:
    """Whether a text ends as the name of a video file."""
    return os.path.splitext(text)[1].lower() in VIDEO_SUFFIXES  # noqa: PTH122 - in a hot loop
