"""Lists of videos, in the forms that spreadsheets and other code bases write.

Everything here works on whole columns: a list may have a million lines.
"""

import csv
import io
import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.request import url2pathname

from zoopraxis.data.rows import LAYOUT, VIDEO_SUFFIXES, Rows
from zoopraxis.data.text import few, read_text
from zoopraxis.errors import DataError

__all__ = ["list_rows"]

# Names of columns, as lists of other code bases and of spreadsheets have them. The first of each
# wins over the others; of the others only one may be there.
_COLUMNS: Mapping[str, tuple[str, ...]] = {
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
}
_BESIDE = ("flow", "skeleton", "boxes")  # files beside a video
# A part of a video in a form that is not read: without it, the whole video would be trained on.
_OTHER_SEGMENTS = frozenset(
    f"{edge}_{unit}"
    for edge in ("start", "stop", "end", "begin", "first", "last")
    for unit in ("frame", "timestamp", "index")
)
_SPLIT_COLUMNS = ("split", "subset")  # several lists in one file
_SUFFIXES = "|".join(sorted(suffix[1:] for suffix in VIDEO_SUFFIXES))
_VIDEO_THEN_SPACE = re.compile(rf"(.*\.(?:{_SUFFIXES}))\s+(\S.*)", re.IGNORECASE)
_QUOTED_FIRST = re.compile(r'\s*"(?:[^"]|"")*"\s*([,;\t])')
_JSON = re.compile(r'\s*(?:\[\s*)?\{\s*"')
_FILE_URL = re.compile(r"file://(?:localhost(?=/))?", re.IGNORECASE)
_HMDB_SPLIT = re.compile(r"_test_split\d\.txt$")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


@dataclass(frozen=True, kw_only=True)
class _Table:
    """Columns of a list, under the names of its header; ``numbers`` are its lines or entries."""

    path: Path
    columns: Mapping[str, Sequence[Any]]
    numbers: Sequence[int]
    unit: str = "line"

    def where(self, index: int) -> str:
        return f"{self.path}, {self.unit} {self.numbers[index]}"


def list_rows(path: Path, *, group: str) -> Rows | None:
    """Rows of a list; None where it is empty.

    Parameters
    ----------
    path : Path
        A file of comma, tab, semicolon or space separated text, or of JSON.
    group : str
        The column that holds the groups.

    Raises
    ------
    DataError
        The file is not text, or a line cannot be read.
    """
    text = read_text(path, expected=LAYOUT)
    is_json = path.suffix.lower() in {".json", ".jsonl"} or _JSON.match(text)
    table = _json_table(path, text) if is_json else _text_table(path, text)
    return None if table is None else _rows(table, group=group)


def _text_table(path: Path, text: str) -> _Table | None:
    first = next((line for line in io.StringIO(text, newline=None) if line.strip()), "")
    delimiter = _delimiter(path, first.strip("\r\n"))
    numbers, lines = (
        _space_separated(path, text)
        if delimiter is None
        else _delimited(path, text, delimiter=delimiter)
    )
    if not lines:
        return None
    header = _header(lines[0], where=f"{path}, line {numbers[0]}")
    if header:
        numbers, lines = numbers[1:], lines[1:]
    names = header or ["path", "label"]
    wrong = next((i for i, cells in enumerate(lines) if len(cells) != len(names)), None)
    if wrong is not None:
        raise DataError(
            f"{path}, line {numbers[wrong]}: {len(lines[wrong])} columns instead of "
            f"{', '.join(names)}, got {_short(' | '.join(lines[wrong]))}",
            "every line must have the columns of the header"
            if header
            else "every line needs a path and a label; lists of tests without labels are not read"
            if len(lines[wrong]) == 1
            else "a list with more columns than path and label needs a header that names them",
        )
    if not lines:
        return None
    columns = {
        name: list(map(str.strip, map(itemgetter(k), lines))) for k, name in enumerate(names)
    }
    table = _Table(path=path, columns=columns, numbers=numbers)
    if not header:
        _refuse_other_meanings(table)
    return table


def _delimiter(path: Path, first: str) -> str | None:
    """Separator of a list by its first line; None for spaces.

    A separator counts where a path or the name of a column stands before it:
    ``my clip.mp4,run`` is separated by a comma, ``my clip.mp4 3,17`` by a space.
    """
    quoted = _QUOTED_FIRST.match(first)
    if quoted:
        return quoted[1]
    for mark in ("\t", ",", ";"):
        if mark in first and _may_stand_first(first.split(mark, 1)[0]):
            return mark
    spaced = len(first.split()) > 1
    if _VIDEO_THEN_SPACE.match(first):
        return None
    if "\t" in first or path.suffix.lower() == ".tsv":
        return "\t"
    if spaced and path.suffix.lower() != ".csv":
        return None
    # Kinetics lists are called .csv and separated by spaces
    return next((mark for mark in ",;" if mark in first), None if spaced else ",")


def _may_stand_first(cell: str) -> bool:
    """Whether a cell is surely a path, or a column: the unnamed one of pandas is the index."""
    name = _column_name(cell)
    return (
        not name
        or any(name in names for names in _COLUMNS.values())
        or _is_video_name(cell.strip())
    )


def _is_video_name(text: str) -> bool:
    return os.path.splitext(text)[1].lower() in VIDEO_SUFFIXES  # noqa: PTH122 - in a hot loop


def _delimited(
    path: Path, text: str, *, delimiter: str
) -> tuple[Sequence[int], list[Sequence[str]]]:
    """Line numbers and cells of the lines that are not empty."""

    def reader() -> Any:
        # strict: a quote that is never closed would swallow the rest of the file
        source = io.StringIO(text, newline="")
        return csv.reader(source, delimiter=delimiter, skipinitialspace=True, strict=True)

    lines = reader()
    try:
        rows = list(lines)
        numbers: Sequence[int] = range(1, len(rows) + 1)
        if lines.line_num != len(rows):  # a quoted cell has line breaks
            again = reader()
            numbers = [again.line_num for _ in again]
    except csv.Error as error:
        again, begun = reader(), 1
        try:
            for _ in again:
                begun = again.line_num + 1
        except csv.Error:
            pass
        raise DataError(
            f"{path}, line {begun}: cannot be read: {error}",
            'close every quote; a cell with a quote in it is written "5"" disc.mp4"',
        ) from error
    if not all(map(any, rows)):
        kept = [i for i, cells in enumerate(rows) if any(cells)]
        numbers, rows = [numbers[i] for i in kept], [rows[i] for i in kept]
    return numbers, rows


def _space_separated(path: Path, text: str) -> tuple[Sequence[int], list[Sequence[str]]]:
    """Line numbers and cells, path and label: a path may hold spaces, a label may not."""
    lines = [line.strip() for line in io.StringIO(text, newline=None)]
    numbers = [number for number, line in enumerate(lines, start=1) if line]
    lines = [line for line in lines if line]
    rows: list[Sequence[str]] = [line.split() for line in lines]
    quoted = next((i for i, line in enumerate(lines) if line.startswith('"')), None)
    if quoted is not None:
        raise DataError(
            f"{path}, line {numbers[quoted]}: a quoted path in a list that spaces separate, "
            f"{_short(lines[quoted])}",
            "separate path and label by a comma or a tab",
        )
    if not rows or {*map(len, rows)} <= {1, 2}:
        return numbers, rows
    if _header(rows[0], where=f"{path}, line {numbers[0]}"):
        two = len(rows[0]) == 2
        return numbers, [line.rsplit(maxsplit=1) for line in lines] if two else rows
    matches = [_VIDEO_THEN_SPACE.fullmatch(line) for line in lines]
    rows = [line.rsplit(maxsplit=1) for line in lines]
    videos = [i for i, match in enumerate(matches) if match]
    after = [match[2].split() for match in matches if match]
    _labels_after_videos(
        path, rows, [match[1] for match in matches if match], after, videos, numbers
    )
    folders = [i for i, match in enumerate(matches) if not match]
    _labels_after_folders(path, rows, lines, folders, numbers)
    return numbers, rows


def _labels_after_videos(
    path: Path,
    rows: list[Sequence[str]],
    videos: Sequence[str],
    after: Sequence[Sequence[str]],
    where: Sequence[int],
    numbers: Sequence[int],
) -> None:
    """Put in what stands after video files: a label, or numbers of several, ``a.mp4 1 3 5``."""
    several = next((i for i, cells in enumerate(after) if len(cells) > 1), None)
    if several is None:
        for i, video, cells in zip(where, videos, after, strict=True):
            rows[i] = [video, cells[0]]
        return
    numeric = all(cell.isdigit() for cells in after for cell in cells)
    # As many numbers on every line may as well be frames and a label, or start, end and label.
    if numeric and len({*map(len, after)}) > 1:
        for i, video, cells in zip(where, videos, after, strict=True):
            rows[i] = [video, ";".join(cells)]
        return
    found = " ".join(after[several])
    raise DataError(
        f"{path}, line {numbers[where[several]]}: {found!r} after {videos[several]}, expected one "
        "label",
        f"write several labels as {';'.join(after[several])}, and only the label where the numbers "
        "are frames or times"
        if numeric
        else "a label with spaces needs a comma or a tab before it",
    )


def _labels_after_folders(
    path: Path,
    rows: list[Sequence[str]],
    lines: Sequence[str],
    where: Sequence[int],
    numbers: Sequence[int],
) -> None:
    """Put in what stands after folders: a label, or TSN's number of frames and a label."""
    counts = []
    for i in where:
        cells = lines[i].split()
        trailing = next((n for n, c in enumerate(reversed(cells)) if not c.isdigit()), len(cells))
        counts.append(min(trailing, len(cells) - 1))
    longest = max(counts, default=0)
    if longest < 2:
        return
    first = where[counts.index(longest)]
    if (path.parent / rows[first][0]).exists():  # `take 3 1`: a space in the name of the folder
        return
    if {*counts} == {2}:
        for i in where:
            folder, _, label = lines[i].rsplit(maxsplit=2)
            rows[i] = [folder, label]
        return
    raise DataError(
        f"{path}, line {numbers[first]}: {longest} numbers after a folder, {_short(lines[first])}",
        "expected `folder label`, or `folder frames label` on every line; several labels are "
        "written 3;17",
    )


def _header(cells: Sequence[str], *, where: str) -> list[str] | None:
    """Lower-case names of the columns, when the first line names a path or a label.

    Raises
    ------
    DataError
        Only one of the two is named.
    """
    names = [_column_name(cell) for cell in cells]
    twice = next((n for i, n in enumerate(names) if n and n in names[:i]), None)
    path = any(name in _COLUMNS["path"] for name in names)
    label = any(name in _COLUMNS["label"] for name in names)
    if path and label and twice is None:
        return names
    if path and label:
        raise DataError(f"{where}: two columns are called {twice!r}", "rename one of them")
    if any(cell.strip().isdigit() for cell in cells):
        return None  # `clip 1`: numbers are no names of columns
    # `a.mp4,action` is a video of the class "action"
    if not path and not (label and not any(re.search(r"[./\\]", cell) for cell in cells)):
        return None
    lacking, known = ("label", _COLUMNS["label"]) if path else ("path", _COLUMNS["path"])
    raise DataError(
        f"{where}: the header has no column for the {lacking}: {', '.join(cells)}",
        f"call it {lacking!r} (also read: {few(known[1:], 8)})",
    )


def _column_name(cell: str) -> str:
    return re.sub(r"[\s-]+", "_", cell.strip().strip('"').lower())


def _refuse_other_meanings(table: _Table) -> None:
    """Refuse a list without a header whose cells are not path and label."""
    paths, labels = table.columns["path"], table.columns["label"]
    if _HMDB_SPLIT.search(table.path.name) and {*labels} <= {"0", "1", "2"}:
        raise DataError(
            f"{table.path} is a split of HMDB51: its numbers say training (1) or test (2), and the "
            "class stands in the name of the file",
            "write a list of paths and classes for each part",
        )
    swapped = next((label for label in dict.fromkeys(labels) if _is_video_name(label)), None)
    if swapped is not None:
        index = labels.index(swapped)
        raise DataError(
            f"{table.where(index)}: the label is {swapped!r}, the name of a video",
            "write the path first, then the label; or a header such as `label,path`",
        )
    plain = not re.search(r"[./\\]", paths[0])
    if plain and len(paths) > 1 and _is_video_name(paths[1]) and labels[0] not in labels[1:]:
        raise DataError(
            f"{table.where(0)}: {paths[0]!r} and {labels[0]!r} look like the names of columns, and "
            "are not known",
            "call them `path` and `label`, or remove the line",
        )


def _short(text: str, length: int = 80) -> str:
    return repr(text if len(text) <= length else text[: length - 3] + "...")


# JSON


def _json_table(path: Path, text: str) -> _Table | None:
    """Objects of a JSON list, or of lines of JSON."""
    unit, numbers = "entry", list[int]()
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        by_line = _json_lines(path, text, error)
        unit, numbers, entries = "line", [*by_line], [*by_line.values()]
    expected = 'expected [{"path": "a.mp4", "label": "run"}, ...]'
    if isinstance(entries, dict) and unit == "entry" and path.suffix.lower() == ".jsonl":
        entries = [entries]
    if not isinstance(entries, list):
        keys = few([*entries]) if isinstance(entries, dict) else type(entries).__name__
        raise DataError(f"{path} is not a JSON list of videos: it holds {_short(keys)}", expected)
    numbers = numbers or list(range(1, len(entries) + 1))
    for number, entry in zip(numbers, entries, strict=True):
        if not isinstance(entry, dict):
            raise DataError(f"{path}, {unit} {number}: {_short(str(entry))}", expected)
    if not entries:
        return None
    names = list(dict.fromkeys(_column_name(key) for entry in entries for key in entry))
    where = f"{path}, {unit} {numbers[0]}"
    _header(names, where=where)
    if not any(n in _COLUMNS["path"] for n in names) or len({*names}) != len(names):
        raise DataError(f"{where}: the keys are {few(names)}", expected)
    plain = [{_column_name(key): value for key, value in entry.items()} for entry in entries]
    columns = {name: [entry.get(name, "") for entry in plain] for name in names}
    table = _Table(path=path, columns=columns, numbers=numbers, unit=unit)
    label = _chosen(table, "label")
    for name in names:
        convert = _json_label if name == label else _json_cell
        columns[name] = [convert(v, table.where(i), name) for i, v in enumerate(columns[name])]
    return table


def _json_lines(path: Path, text: str, error: json.JSONDecodeError) -> dict[int, Any]:
    """Values of lines of JSON by their number; ``error`` is that of the text as a whole."""
    found: dict[int, Any] = {}
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        try:
            found |= {number: json.loads(line)} if line.strip() else {}
        except json.JSONDecodeError:
            where = number if number > 1 else error.lineno
            raise DataError(
                f"{path}, line {where}: not JSON: {error.msg}",
                "check it with `python -m json.tool`",
            ) from error
    return found


def _json_label(value: Any, where: str, name: str) -> str | tuple[str, ...]:
    """Labels of one entry: a list names each; a string is one name, whatever is in it."""
    values = value if isinstance(value, list) else [value]
    for item in values:
        if isinstance(item, bool) or not isinstance(item, str | int) or item == "":
            raise DataError(
                f"{where}: {name} is {value!r}", "expected a name, an index, or a list of them"
            )
    return tuple(str(item).strip() for item in values)


def _json_cell(value: Any, where: str, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str | int | float):
        return str(value).strip()
    if name in {column for columns in _COLUMNS.values() for column in columns}:
        raise DataError(f"{where}: {name} is {_short(str(value))}", "expected text or a number")
    return ""  # a key of somebody else's


# Columns


def _rows(table: _Table, *, group: str) -> Rows:
    """Check the columns and give each its meaning."""
    folder = table.path.parent
    column = {kind: _chosen(table, kind) for kind in _COLUMNS}
    _refuse_unread(table, column)
    wanted = _column_name(group)
    if group != "group" and wanted not in table.columns:
        there = ", ".join(name or "(unnamed)" for name in table.columns)
        raise DataError(f"{table.path} has no column {group!r}", f"its columns are {there}")
    given = table.columns[column["path"]]
    cells = table.columns[column["label"]]
    for kind, values in (("path", given), ("label", cells), (group, table.columns.get(wanted, ()))):
        if "" in values or () in values:
            empty = next(i for i, value in enumerate(values) if not value)
            raise DataError(f"{table.where(empty)}: the {kind} is empty", _hint_of_empty(kind))
    starts, ends = (_seconds(table, column[edge], edge) for edge in ("start", "end"))
    _refuse_empty_segments(table, starts, ends)
    located = _locator(folder)
    names = _named(given, starts, ends)
    if column["name"]:
        names = [a or b for a, b in zip(table.columns[column["name"]], names, strict=True)]
    return Rows(
        paths=[located(path) for path in given],
        cells=cells,
        groups=table.columns.get(wanted, given),
        names=names,
        where=[f"{table.path}, {table.unit} {number}" for number in table.numbers],
        starts=starts,
        ends=ends,
        beside={
            kind: [located(cell) if cell else "" for cell in table.columns[column[kind]]]
            for kind in _BESIDE
            if column[kind]
        },
    )


def _hint_of_empty(kind: str) -> str:
    if kind in ("path", "label"):
        return LAYOUT
    return "videos without a group would all be one; fill in every line, or leave the column out"


def _chosen(table: _Table, kind: str) -> str:
    """Name of the column of one meaning; empty where there is none."""
    names = [name for name in _COLUMNS[kind] if name in table.columns]
    if len(names) > 1 and names[0] != _COLUMNS[kind][0]:
        raise DataError(
            f"{table.path} has several columns for the {kind}: {', '.join(names)}",
            f"call the one to read {kind!r}",
        )
    return names[0] if names else ""


def _refuse_unread(table: _Table, column: Mapping[str, str]) -> None:
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
    given: Sequence[str], starts: Sequence[float | None], ends: Sequence[float | None]
) -> Sequence[str]:
    """Names for reports: the path, with the times of a segment."""
    if not starts and not ends:
        return given
    nothing = [None] * len(given)
    return [
        path
        if start is None and end is None
        else f"{path} [{start or 0:g}, {'end' if end is None else f'{end:g}'})"
        for path, start, end in zip(given, starts or nothing, ends or nothing, strict=True)
    ]


def _seconds(table: _Table, column: str, kind: str) -> list[float | None]:
    """Times in a column; empty where there is no such column."""
    if not column:
        return []
    cells = table.columns[column]
    try:
        times = [float(cell) if cell else None for cell in cells]
    except ValueError:
        times = []
    if times and all(time is None or 0 <= time < math.inf for time in times):
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


def _refuse_empty_segments(
    table: _Table, starts: Sequence[float | None], ends: Sequence[float | None]
) -> None:
    for index, (start, end) in enumerate(zip(starts, ends, strict=False)):
        if start is not None and end is not None and not start < end:
            raise DataError(
                f"{table.where(index)}: the segment ends at {end:g} s, before its start "
                f"{start:g} s",
                "give start and end in seconds, the start first",
            )
