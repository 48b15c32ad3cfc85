"""Lists of videos: each column is given its meaning, and what has none that we read is refused.

Everything here works on whole columns: a list may have a million lines.
"""

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.request import url2pathname

from zoopraxis.data.rows import LAYOUT, Rows
from zoopraxis.data.table import COLUMNS, Table, chosen, column_name
from zoopraxis.data.table_json import json_table
from zoopraxis.data.table_parquet import is_parquet, parquet_table
from zoopraxis.data.table_parts import find_parts, parts_table
from zoopraxis.data.table_text import text_table
from zoopraxis.data.text import few, read_text
from zoopraxis.errors import DataError
from zoopraxis.video import FrameBox, box_problem

__all__ = ["list_rows"]

_EDGES = ("start", "end")  # of a segment
_CORNERS = ("x1", "y1", "x2", "y2")  # of a box
_BESIDE = ("flow", "skeleton", "boxes", "trajectories")  # files beside a video
# A part of a video in a form that is not read: without it, the whole video would be trained on.
_OTHER_SEGMENTS = frozenset(
    f"{edge}_{unit}"
    for edge in ("start", "stop", "end", "begin", "first", "last")
    for unit in ("frame", "timestamp", "index")
)
_SPLIT_COLUMNS = ("split", "subset")  # several lists in one file
_JSON = re.compile(r'\s*(?:\[\s*)?\{\s*"')
_FILE_URL = re.compile(r"file://(?:localhost(?=/))?", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def list_rows(path: Path, *, group: str) -> Rows | None:
    """Rows of a list; None where it is empty.

    Parameters
    ----------
    path : Path
        A file of comma, tab, semicolon or space separated text, of JSON, or Parquet; or a folder
        of the parts of a list in Parquet.
    group : str
        The column that holds the groups.

    Raises
    ------
    DataError
        The file is not text, or a line or row cannot be read.
    """
    table = _table(path, group=group)
    return None if table is None else _rows(table, group=group)


def _table(path: Path, *, group: str) -> Table | None:
    if path.is_dir():
        return parts_table(find_parts(path), group=group)
    if is_parquet(path):
        return parquet_table(path, group=group)
    text = read_text(path, expected=LAYOUT)
    is_json = path.suffix.lower() in {".json", ".jsonl"} or _JSON.match(text)
    return json_table(path, text) if is_json else text_table(path, text)


def _rows(table: Table, *, group: str) -> Rows:
    """Check the columns and give each its meaning."""
    column = {kind: chosen(table, kind) for kind in COLUMNS}
    _refuse_unread(table, column)
    wanted = column_name(group)
    if group != "group" and wanted not in table.columns:
        there = ", ".join(name or "(unnamed)" for name in table.columns)
        raise DataError(f"{table.path} has no column {group!r}", f"its columns are {there}")
    given = table.columns[column["path"]]
    cells = table.columns[column["label"]]
    for kind, values in (("path", given), ("label", cells), (group, table.columns.get(wanted, ()))):
        if "" in values or () in values:
            empty = next(i for i, value in enumerate(values) if not value)
            raise DataError(f"{table.where(empty)}: the {kind} is empty", _hint_of_empty(kind))
    times = {edge: _seconds(table, column[edge], edge) for edge in _EDGES if column[edge]}
    _refuse_empty_segments(table, times)
    located = _locator(table.folder)
    boxes = _boxes(table, [column[corner] for corner in _CORNERS])
    names = _named(given, times, boxes)
    if column["name"]:
        names = [a or b for a, b in zip(table.columns[column["name"]], names, strict=True)]
    beside = {
        kind: [located(cell) if cell else "" for cell in table.columns[column[kind]]]
        for kind in _BESIDE
        if column[kind]
    }
    return Rows(
        paths=[located(path) for path in given],
        cells=cells,
        groups=table.columns.get(wanted, given),
        names=names,
        where=table.wheres(),
        media={**times, **beside, **({"box": boxes} if boxes else {})},
    )


def _hint_of_empty(kind: str) -> str:
    if kind in ("path", "label"):
        return LAYOUT
    return "videos without a group would all be one; fill in every line, or leave the column out"


def _refuse_unread(table: Table, column: Mapping[str, str]) -> None:
    """Refuse columns that change what a line means, and are not read."""
    unread = [name for name in table.columns if name in _OTHER_SEGMENTS]
    if unread and not (column["start"] or column["end"]):
        raise DataError(
            f"{table.path} says which part of a video counts in {', '.join(unread)}, which are "
            "not read",
            "give columns `start` and `end` in seconds, or remove these to take whole videos",
        )
    for name in _SPLIT_COLUMNS:
        parts = sorted({*map(str, table.columns.get(name, ()))})
        if len(parts) > 1:
            raise DataError(
                f"{table.path} holds several parts of a data set: its column {name!r} has "
                f"{few(parts)}",
                "write a list for each part, for data.train and data.val; or remove the column",
            )


def _locator(folder: Path) -> Callable[[str], str]:
    """Turn paths of a list into paths to open: relative ones are relative to its folder."""
    root = str(folder)
    prefix = "" if root == "." else root.rstrip("/") + "/"
    windows = os.sep == "\\"

    def located(path: str) -> str:
        if "://" in path:
            address = _FILE_URL.match(path)
            if not address:
                return path
            path = url2pathname(path[address.end() :])
        if path[:1] == "~":
            path = os.path.expanduser(path)  # noqa: PTH111 - what is no user's name stays
        if path[:1] == "\\" or (path[1:2] == ":" and _DRIVE.match(path)):
            return path  # a path of Windows, kept whole to be found missing elsewhere
        if windows or "//" in path or "./" in path or path[-1:] in ("", "/", "."):
            return str(folder / path)
        return path if path[0] == "/" else prefix + path

    return located


def _named(
    given: Sequence[str],
    times: Mapping[str, Sequence[float | None]],
    boxes: Sequence[FrameBox | None],
) -> Sequence[str]:
    """Names for reports: the path, with the times of a segment and its box."""
    names = given
    if times:
        starts, ends = (times.get(edge, [None] * len(given)) for edge in _EDGES)
        names = [
            path
            if start is None and end is None
            else f"{path} [{start or 0:g}, {'end' if end is None else f'{end:g}'})"
            for path, start, end in zip(given, starts, ends, strict=True)
        ]
    if boxes:
        names = [
            f"{name} ({', '.join(f'{v:g}' for v in box)})" if box else name
            for name, box in zip(names, boxes, strict=True)
        ]
    return names


def _boxes(table: Table, corners: Sequence[str]) -> Sequence[FrameBox | None]:
    """Boxes in four columns, None where their cells are empty; [] where there are no columns."""
    missing = [name for name, column in zip(_CORNERS, corners, strict=True) if not column]
    if len(missing) == len(_CORNERS):
        return []
    expected = "a box is x1, y1, x2, y2 in fractions of the frame's width and height"
    if missing:
        raise DataError(f"{table.path} has boxes without {', '.join(missing)}", expected)
    boxes: list[FrameBox | None] = []
    for index, cells in enumerate(zip(*(table.columns[name] for name in corners), strict=True)):
        if not any(cell != "" for cell in cells):
            boxes.append(None)
            continue
        try:
            x1, y1, x2, y2 = map(float, cells)
        except ValueError:
            raise DataError(
                f"{table.where(index)}: the box is {', '.join(map(repr, cells))}", expected
            ) from None
        problem = box_problem((x1, y1, x2, y2))
        if problem:
            raise DataError(
                f"{table.where(index)}: the box {', '.join(map(str, cells))} {problem}", expected
            )
        boxes.append((x1, y1, x2, y2))
    return boxes


def _seconds(table: Table, column: str, kind: str) -> Sequence[float | None]:
    """Times in a column; None where a cell is empty."""
    cells = table.columns[column]
    try:
        times = [float(cell) if cell else None for cell in cells]
    except ValueError:
        times = None
    if times is not None and all(time is None or 0 <= time < math.inf for time in times):
        return times
    wrong = next(i for i, cell in enumerate(cells) if cell and not _is_time(cell))
    raise DataError(
        f"{table.where(wrong)}: {kind} is {cells[wrong]!r}", "expected seconds, such as 12.5"
    )


def _is_time(cell: str) -> bool:
    try:
        return 0 <= float(cell) < math.inf
    except ValueError:
        return False


def _refuse_empty_segments(table: Table, times: Mapping[str, Sequence[float | None]]) -> None:
    if len(times) < 2:
        return
    for index, (start, end) in enumerate(zip(times["start"], times["end"], strict=True)):
        if start is not None and end is not None and not start < end:
            raise DataError(
                f"{table.where(index)}: the segment ends at {end:g} s, before its start "
                f"{start:g} s",
                "give start and end in seconds, the start first",
            )
