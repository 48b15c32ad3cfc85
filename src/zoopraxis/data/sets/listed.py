"""What a public data set of videos says of them in the files that its authors distribute."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoopraxis.data.pairs import VideoPair
from zoopraxis.data.rows import VIDEO_SUFFIXES
from zoopraxis.data.text import few, read_rows, read_text
from zoopraxis.errors import DataError
from zoopraxis.video import FrameBox

__all__ = ["Listed", "VideoSet", "find_file", "find_files", "json_of", "table_of", "words_of"]


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One video, or segment of one, as the lists of a data set have it.

    Parameters
    ----------
    file : str
        The video's place or name, with or without folders and suffix; "" where the segment is not
        distributed as a file of its own.
    labels : tuple of str
        Names of its classes; empty where they are kept secret.
    parts : mapping of str to str
        "train", "val" or "test" for each protocol that has it.
    whole : str, default=""
        Place or name of the video that it is a segment of.
    start, end : float, optional
        Seconds of the segment in ``whole``.
    box : tuple of 4 float, optional
        x1, y1, x2, y2 of one person, in fractions of the frame.
    group : str, default=""
        What must not be on both sides of a split.
    """

    file: str
    labels: tuple[str, ...]
    parts: Mapping[str, str]
    whole: str = ""
    start: float | None = None
    end: float | None = None
    box: FrameBox | None = None
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class VideoSet:
    """A data set of videos.

    Parameters
    ----------
    title : str
        Its name and paper.
    home : str
        Where its lists and videos are officially had.
    labels : str
        Name of its list of classes, for `zoopraxis.data.labels.label_names`; "" where its own
        files say them.
    entries : callable
        Reads the lists in a folder, or below it.
    classes : callable, optional
        Reads the classes from a folder, in the order of their indices.
    pairs : callable, optional
        Reads pairs of videos from a folder, by the name of their list: of sets that ask whether two
        videos show the same action. ``first`` and ``second`` are files of the entries.
    suffixes : set of str
        Of its videos, where they are not usual ones.
    """

    title: str
    home: str
    labels: str
    entries: Callable[[Path], Iterator[Listed]]
    classes: Callable[[Path], tuple[str, ...]] | None = field(default=None)
    pairs: Callable[[Path], Mapping[str, Sequence[VideoPair]]] | None = field(default=None)
    suffixes: frozenset[str] = VIDEO_SUFFIXES


def find_files(root: Path, *patterns: str) -> list[Path]:
    """Find a list of a data set in a folder, or up to two folders below, by any of its names.

    Parameters
    ----------
    root : Path
        The folder.
    *patterns : str
        Names with wildcards; the first that occurs is taken.
    """
    for pattern in patterns:
        found = [
            path
            for depth in ("", "*/", "*/*/")
            for path in sorted(root.glob(depth + pattern))
            if path.is_file()
        ]
        if found:
            return found
    return []


def find_file(root: Path, *patterns: str) -> Path:
    """Find the one list of a data set that has one of these names.

    Raises
    ------
    DataError
        There is none, or there are several.
    """
    found = find_files(root, *patterns)
    if len(found) == 1:
        return found[0]
    names = " or ".join(patterns)
    if found:
        raise DataError(
            f"{root} has several files {names}: {few([str(path) for path in found])}",
            "keep the one of the version that you want in the folder",
        )
    raise DataError(
        f"{root} has no file {names}", "unpack the data set's lists there, or in a folder of it"
    )


def table_of(
    path: Path, columns: Sequence[str], *, optional: Sequence[str] = ()
) -> Iterator[list[str]]:
    """Yield the cells of some columns of a table with a header, row by row.

    Parameters
    ----------
    path : Path
        Comma-separated text.
    columns : sequence of str
        Names of columns that must be there.
    optional : sequence of str, default=()
        Names of further columns, whose cells are "" where there is none.

    Raises
    ------
    DataError
        A column is missing, or a row is short.
    """
    rows = read_rows(path, expected="expected a table")
    header = [name.strip() for name in next(rows, (0, []))[1]]
    missing = [name for name in columns if name not in header]
    if missing:
        raise DataError(
            f"{path} has no column {missing[0]!r}; it has {few(header)}",
            f"expected the list as it is distributed, with {', '.join(columns)}",
        )
    places = [header.index(name) for name in columns]
    more = [header.index(name) for name in optional if name in header]
    for number, row in rows:
        if row and len(row) <= max(places + more):
            raise DataError(
                f"{path}, line {number}: {len(row)} cells, expected {len(header)}",
                "the file is cut off or edited: download it again",
            )
        if row:
            cells = [row[place] for place in places + more]
            yield cells + [""] * (len(optional) - len(more))


def words_of(path: Path, *, delimiter: str | None = None) -> Iterator[list[str]]:
    """Yield the words of every line that is not empty, of a list without a header."""
    for line in read_text(path, expected="expected a list of videos").splitlines():
        if line.strip():
            yield [word.strip() for word in line.split(delimiter)]


def json_of(path: Path, kind: type) -> Any:
    """Read a JSON file that holds a list, or an object.

    Raises
    ------
    DataError
        It is not JSON, or holds something else.
    """
    try:
        value = json.loads(read_text(path, expected="expected JSON"))
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}", "download it again") from error
    if not isinstance(value, kind):
        raise DataError(
            f"{path} holds {type(value).__name__}, expected {kind.__name__}",
            "expected the list as it is distributed",
        )
    return value
