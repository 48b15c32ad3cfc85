"""Lists as text: a video on each line, separated by commas, tabs, semicolons or spaces.

Spreadsheets, pandas, TSN and MMAction2 write them, with a header or without.
"""

import csv
import io
import re
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from zoopraxis.data.rows import VIDEO_SUFFIXES
from zoopraxis.data.table import COLUMNS, Table, column_name, header_of, is_video_name
from zoopraxis.data.text import short
from zoopraxis.errors import DataError

__all__ = ["text_table"]

_SUFFIXES = "|".join(sorted(suffix[1:] for suffix in VIDEO_SUFFIXES))
_VIDEO_THEN_SPACE = re.compile(rf"(.*\.(?:{_SUFFIXES}))\s+(\S.*)", re.IGNORECASE)
_QUOTED_FIRST = re.compile(r'\s*"(?:[^"]|"")*"\s*([,;\t])')
_HMDB_SPLIT = re.compile(r"_test_split\d\.txt$")


def text_table(path: Path, text: str) -> Table | None:
    """Read a list that is text; None where it is empty.

    Without a header the columns are path and label.

    Raises
    ------
    DataError
        A line has other columns than the first, or means something that we do not read.
    """
    first = next((line for line in io.StringIO(text, newline=None) if line.strip()), "")
    delimiter = _delimiter(path, first.strip("\r\n"))
    numbers, lines = (
        _space_separated(path, text)
        if delimiter is None
        else _delimited(path, text, delimiter=delimiter)
    )
    if not lines:
        return None
    header = header_of(lines[0], where=f"{path}, line {numbers[0]}")
    if header:
        numbers, lines = numbers[1:], lines[1:]
    names = header or ["path", "label"]
    wrong = next((i for i, cells in enumerate(lines) if len(cells) != len(names)), None)
    if wrong is not None:
        raise DataError(
            f"{path}, line {numbers[wrong]}: {len(lines[wrong])} columns instead of "
            f"{', '.join(names)}, got {short(' | '.join(lines[wrong]))}",
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
    table = Table(path=path, columns=columns, numbers=numbers)
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
    name = column_name(cell)
    return (
        not name or any(name in names for names in COLUMNS.values()) or is_video_name(cell.strip())
    )


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
            f"{short(lines[quoted])}",
            "separate path and label by a comma or a tab",
        )
    if not rows or {*map(len, rows)} <= {1, 2}:
        return numbers, rows
    if header_of(rows[0], where=f"{path}, line {numbers[0]}"):
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
        f"{path}, line {numbers[first]}: {longest} numbers after a folder, {short(lines[first])}",
        "expected `folder label`, or `folder frames label` on every line; several labels are "
        "written 3;17",
    )


def _refuse_other_meanings(table: Table) -> None:
    """Refuse a list without a header whose cells are not path and label."""
    paths, labels = table.columns["path"], table.columns["label"]
    if _HMDB_SPLIT.search(table.path.name) and {*labels} <= {"0", "1", "2"}:
        raise DataError(
            f"{table.path} is a split of HMDB51: its numbers say training (1) or test (2), and the "
            "class stands in the name of the file",
            "write a list of paths and classes for each part",
        )
    swapped = next((label for label in dict.fromkeys(labels) if is_video_name(label)), None)
    if swapped is not None:
        index = labels.index(swapped)
        raise DataError(
            f"{table.where(index)}: the label is {swapped!r}, the name of a video",
            "write the path first, then the label; or a header such as `label,path`",
        )
    plain = not re.search(r"[./\\]", paths[0])
    if plain and len(paths) > 1 and is_video_name(paths[1]) and labels[0] not in labels[1:]:
        raise DataError(
            f"{table.where(0)}: {paths[0]!r} and {labels[0]!r} look like the names of columns, and "
            "are not known",
            "call them `path` and `label`, or remove the line",
        )
