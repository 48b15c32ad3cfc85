"""Lists of labelled videos: a folder of classes, or a CSV, TSV or space separated file."""

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from zoopraxis.errors import DataError
from zoopraxis.inputs import Media

__all__ = ["IMAGE_SUFFIXES", "VIDEO_SUFFIXES", "Sample", "SampleList", "read_samples"]

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg"}
    | {".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"}
)
IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
FOLDER_LIST = "clips.csv"  # a list inside the folder that it describes
LABEL_COLUMNS = ("label", "class", "action")
BESIDE = ("flow", "skeleton", "boxes")  # columns of files beside a video

Label = int | tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Sample(Media):
    """One labelled video, or a segment of one.

    Parameters
    ----------
    path : str
        A video file, a folder of frames, or a URL.
    start, end, flow, skeleton, boxes
        As for `zoopraxis.inputs.Media`.
    label : int or tuple of int
        Index into the list's labels; a tuple, of any length, in a multi-label list.
    group : str
        What must not be on both sides of a split: the performer, the scene, the original video.
    name : str
        Name in reports: the path as the list has it, with the times of a segment.
    """

    path: str
    label: Label
    group: str
    name: str


@dataclass(frozen=True, kw_only=True)
class SampleList:
    """Labelled videos and the names of their labels.

    Parameters
    ----------
    samples : tuple of Sample
        In the order of the list.
    labels : tuple of str
        K names, in the order of their indices.
    root : str
        The folder, or the list's file, that it was read from.
    """

    samples: tuple[Sample, ...]
    labels: tuple[str, ...]
    root: str

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]

    @property
    def multi_label(self) -> bool:
        """Whether the samples may have several labels each."""
        return any(isinstance(sample.label, tuple) for sample in self.samples)

    def of_groups(self, groups: Sequence[str]) -> "SampleList":
        """Keep the samples of some groups.

        Raises
        ------
        DataError
            No group has one of these names.
        """
        known = {sample.group for sample in self.samples}
        unknown = [group for group in groups if group not in known]
        if unknown:
            raise DataError(
                f"{self.root} has no group {unknown[0]!r}",
                f"known: {', '.join(sorted(known)[:20])}",
            )
        return replace(self, samples=tuple(s for s in self.samples if s.group in groups))

    def regrouped(self, pattern: str) -> "SampleList":
        r"""Group the same samples by what a pattern finds in their names.

        Parameters
        ----------
        pattern : str
            A regular expression; its first parenthesis, or the whole match, is the group:
            ``r"_g(\d+)_"`` for UCF101's ``v_Basketball_g07_c02.avi``.

        Raises
        ------
        DataError
            The pattern is not a regular expression, or a name does not match it.
        """
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise DataError(f"the group pattern {pattern!r} is not valid: {error}") from error
        groups = [_group_in(sample.name, expression) for sample in self.samples]
        regrouped = (replace(s, group=g) for s, g in zip(self.samples, groups, strict=True))
        return replace(self, samples=tuple(regrouped))


def read_samples(
    path: str | Path, *, labels: Sequence[str] | None = None, group: str = "group"
) -> SampleList:
    """Read a folder of classes, or a list of videos.

    - A folder: every folder in it is a class, and holds video files or folders of frames,
      ``root/<class>/<clip>``; a folder between them is the group, ``root/<class>/<group>/<clip>``,
      otherwise each clip is a group of its own. A ``clips.csv`` in the folder is read instead.
    - ``.csv``, ``.tsv``, or any other text, whose columns are separated by commas, tabs or
      spaces: path and label, as in the lists of Kinetics. With a header, columns may be in any
      order, and there may be more: a group; a ``name``; ``start`` and ``end`` in seconds, so that
      a line is a segment of a file; and the files beside it, ``flow``, ``skeleton`` and ``boxes``.
      Paths are relative to the list. Several labels in one cell, ``3;17`` or ``"run,jump"``, make
      a multi-label list.

    Labels that are all whole numbers are indices. Videos are not opened here.

    Parameters
    ----------
    path : str or Path
        The folder or file.
    labels : sequence of str, optional
        Names of the K labels in the order of their indices, from the list that the model was
        trained on, for example. The default is the sorted names that occur.
    group : str, default="group"
        The column of a list that holds the groups.

    Returns
    -------
    SampleList

    Raises
    ------
    DataError
        Nothing is there, a label is unknown, or a line cannot be read; it names file and line.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(
            f"{path} does not exist", "give a folder of classes, or a list of paths and labels"
        )
    if path.is_dir() and (path / FOLDER_LIST).is_file():
        path = path / FOLDER_LIST
    rows = list(_folder_rows(path) if path.is_dir() else _file_rows(path, group))
    if not rows:
        raise DataError(f"there are no videos in {path}", _layout_hint())
    return _with_indices(rows, labels=labels, root=path)


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A sample whose labels are still names; ``where`` is its file and line."""

    path: str
    labels: tuple[str, ...]
    group: str
    name: str
    where: str
    start: float | None = None
    end: float | None = None
    beside: Mapping[str, str] = field(default_factory=dict)


def _layout_hint() -> str:
    return "expected FOLDER/<class>/<clip>.mp4, or a list with a path and a label on each line"


# Folders of classes


def _folder_rows(root: Path) -> Iterator[_Row]:
    """Rows of ``root/<class>[/<group>]/<clip>``, sorted by path."""
    for class_folder in sorted(p for p in root.iterdir() if p.is_dir() and not _hidden(p)):
        for clip in _clips_in(class_folder):
            name = clip.relative_to(root).as_posix()
            between = clip.parent.relative_to(class_folder).as_posix()
            yield _Row(
                path=str(clip),
                labels=(class_folder.name,),
                group=name if between == "." else between,
                name=name,
                where=str(clip),
            )


def _clips_in(folder: Path) -> Iterator[Path]:
    """Video files, and folders with images, anywhere below a folder, sorted."""
    for entry in sorted(p for p in folder.iterdir() if not _hidden(p)):
        if entry.is_file():
            if entry.suffix.lower() in VIDEO_SUFFIXES:
                yield entry
        elif any(p.suffix.lower() in IMAGE_SUFFIXES for p in entry.iterdir()):
            yield entry
        else:
            yield from _clips_in(entry)


def _hidden(path: Path) -> bool:
    return path.name.startswith(".")


# List files


def _file_rows(path: Path, group: str) -> Iterator[_Row]:
    """Rows of a list, with or without a header."""
    lines = _cells(path)
    if not lines:
        return
    header = _header(lines[0][1])
    if header is not None:
        lines = lines[1:]
    if group != "group" and group.lower() not in (header or ()):
        there = ", ".join(header or ["path", "label"])
        raise DataError(f"{path} has no column {group!r}", f"its columns are {there}")
    for number, cells in lines:
        where = f"{path}, line {number}"
        named = _named_cells(cells, header, where)
        yield _row(named, group=group.lower(), folder=path.parent, where=where)


def _cells(path: Path) -> list[tuple[int, list[str]]]:
    """Line numbers and stripped cells of the lines that are not empty."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text: {error}", _layout_hint()) from error
    delimiter = _delimiter(path, text)
    if delimiter is None:
        return [
            (number, line.rsplit(maxsplit=1))  # a path may hold spaces, a label may not
            for number, line in enumerate(text.splitlines(), start=1)
            if line.strip()
        ]
    reader = csv.reader(text.splitlines(), delimiter=delimiter, skipinitialspace=True)
    rows = ((reader.line_num, [cell.strip() for cell in row]) for row in reader)
    return [(number, cells) for number, cells in rows if any(cells)]


def _delimiter(path: Path, text: str) -> str | None:
    """Comma, tab, or None for spaces: by the suffix, else by the first line."""
    by_suffix = {".csv": ",", ".tsv": "\t"}.get(path.suffix.lower())
    first = next((line for line in text.splitlines() if line.strip()), "")
    if by_suffix == "," and "," not in first and len(first.split()) > 1:
        return None  # Kinetics lists are called .csv and separated by spaces
    if by_suffix is not None:
        return by_suffix
    if "\t" in first:
        return "\t"
    return None if len(first.split()) > 1 else ","


def _header(cells: list[str]) -> list[str] | None:
    """Lower-case column names, when the first line names a path and a label."""
    names = [cell.lower() for cell in cells]
    return names if "path" in names and any(c in names for c in LABEL_COLUMNS) else None


def _named_cells(cells: list[str], header: list[str] | None, where: str) -> Mapping[str, str]:
    """Cells by column name."""
    names = header or ["path", "label"]
    if len(cells) == len(names):
        return dict(zip(names, cells, strict=True))
    hint = (
        "every line must have the columns of the header"
        if header
        else "a list with more columns than path and label needs a header that names them"
    )
    raise DataError(f"{where}: {len(cells)} columns instead of {', '.join(names)}", hint)


def _row(cells: Mapping[str, str], *, group: str, folder: Path, where: str) -> _Row:
    """One line of a list."""
    label = next(cells[column] for column in LABEL_COLUMNS if column in cells)
    path = cells["path"]
    for column, value in (("path", path), ("label", label)):
        if not value:
            raise DataError(f"{where}: the {column} is empty", _layout_hint())
    start, end = (_seconds(cells, column, where) for column in ("start", "end"))
    if start is not None and end is not None and not start < end:
        raise DataError(f"{where}: the segment ends at {end:g} s, before its start {start:g} s")
    whole = start is None and end is None
    segment = "" if whole else f" [{start or 0:g}, {'end' if end is None else f'{end:g}'})"
    return _Row(
        path=_joined(folder, path),
        labels=(label,),
        group=cells.get(group, path),
        name=cells.get("name", path + segment),
        where=where,
        start=start,
        end=end,
        beside={column: _joined(folder, cells[column]) for column in BESIDE if cells.get(column)},
    )


def _joined(folder: Path, path: str) -> str:
    """Path of a list's cell: a URL, or a path relative to the list."""
    return path if "://" in path else str(folder / path)


def _seconds(cells: Mapping[str, str], column: str, where: str) -> float | None:
    """Time in a cell; None where there is none."""
    text = cells.get(column, "")
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise DataError(f"{where}: {column} is {text!r}", "expected seconds, such as 12.5")
    return seconds


# Labels


def _with_indices(rows: Sequence[_Row], *, labels: Sequence[str] | None, root: Path) -> SampleList:
    """Replace the names of labels by their indices."""
    known = set(labels or ())
    named = [_split_label(row, known) if root.is_file() else row.labels for row in rows]
    if labels is None:
        labels = _occurring(named)
    index = {name: i for i, name in enumerate(labels)}
    if not all(name in index for names in named for name in names) and _all_numbers(named):
        index = {str(i): i for i in range(len(labels))}
    multi_label = any(len(names) > 1 for names in named)
    samples = []
    for row, names in zip(rows, named, strict=True):
        numbers = tuple(_index_of(name, index, row.where) for name in names)
        label: Label = tuple(sorted(set(numbers))) if multi_label else numbers[0]
        samples.append(
            Sample(
                path=row.path,
                label=label,
                group=row.group,
                name=row.name,
                start=row.start,
                end=row.end,
                **row.beside,
            )
        )
    return SampleList(samples=tuple(samples), labels=tuple(labels), root=str(root))


def _split_label(row: _Row, known: set[str]) -> tuple[str, ...]:
    """Labels of one cell; a known label that contains a comma is not split."""
    (cell,) = row.labels
    if cell in known:
        return (cell,)
    return tuple(name.strip() for name in re.split("[;,]", cell) if name.strip())


def _all_numbers(named: Sequence[tuple[str, ...]]) -> bool:
    return all(name.isdecimal() for names in named for name in names)


def _occurring(named: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Names of the labels that occur, sorted; 0 to the greatest if all are numbers."""
    if _all_numbers(named):
        greatest = max(int(name) for names in named for name in names)
        return tuple(str(i) for i in range(greatest + 1))
    return tuple(sorted({name for names in named for name in names}))


def _index_of(name: str, index: Mapping[str, int], where: str) -> int:
    if name in index:
        return index[name]
    some = ", ".join(list(index)[:5]) + (", ..." if len(index) > 5 else "")
    raise DataError(
        f"{where}: the label {name!r} is not one of the {len(index)} known ones",
        f"known labels: {some}",
    )


def _group_in(name: str, expression: re.Pattern[str]) -> str:
    match = expression.search(name)
    if match is None:
        raise DataError(
            f"the group pattern {expression.pattern!r} finds nothing in {name}",
            r"write a pattern that every name matches, such as '_g(\d+)_'",
        )
    return match.group(1) if expression.groups else match.group()
