"""Lists of labelled videos: a folder of classes, or a file of paths and labels."""

import gc
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from typing import Literal

from zoopraxis.data.folders import folder_rows
from zoopraxis.data.lists import list_rows
from zoopraxis.data.rows import LAYOUT, VIDEO_SUFFIXES, Rows
from zoopraxis.errors import DataError
from zoopraxis.inputs import Media
from zoopraxis.video import is_live

__all__ = ["Label", "Sample", "SampleList", "read_samples"]

FOLDER_LIST = "clips.csv"  # a list inside the folder that it describes
MOST_CLASSES = 1_000_000  # a greater index is the id of something
FIRST_LABEL = (
    "data.first_label=1 to train, --first-label 1 to evaluate, "
    "read_samples(..., first_label=1) in Python, or 0"
)

Label = int | tuple[int, ...]
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?|nan|NaN", re.ASCII)


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
    where : str, default=""
        The file and line that it was read from, for messages. Samples that differ in nothing else
        are equal.
    """

    path: str
    label: Label
    group: str
    name: str
    where: str = field(default="", compare=False, repr=False)


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

    def missing(self) -> tuple[str, ...]:
        """Local files and folders that do not exist, each once, with its place in the list.

        # ("videos/a.mp4 (list.csv, line 3)", ...)
        Videos and the files beside them are looked up, not opened. URLs and cameras are left out.
        """
        first: dict[str, str] = {}
        for sample in self.samples:
            for path in (sample.path, sample.flow, sample.skeleton, sample.boxes):
                if path and path not in first:
                    first[path] = sample.where
        return tuple(
            f"{path} ({where})" if where and where != path else path
            for path, where in first.items()
            if "://" not in path and not is_live(path)
            if not os.path.exists(path)  # noqa: PTH110 - a Path for each of a million is slow
        )

    def of_groups(self, groups: Sequence[str]) -> "SampleList":
        """Keep the samples of some groups.

        Raises
        ------
        DataError
            No group has one of these names.
        """
        known, wanted = {sample.group for sample in self.samples}, set(groups)
        unknown = [group for group in groups if group not in known]
        if unknown:
            raise DataError(
                f"{self.root} has no group {unknown[0]!r}",
                f"known: {', '.join(sorted(known)[:20])}",
            )
        return replace(self, samples=tuple(s for s in self.samples if s.group in wanted))

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
        regrouped = (
            Sample(**{**vars(s), "group": g}) for s, g in zip(self.samples, groups, strict=True)
        )
        return replace(self, samples=tuple(regrouped))


def read_samples(
    path: str | Path,
    *,
    labels: Sequence[str] | None = None,
    group: str = "group",
    first_label: int | None = None,
) -> SampleList:
    """Read a folder of classes, or a list of videos.

    - A folder: every folder in it is a class, and holds video files or folders of frames,
      ``root/<class>/<clip>``; a folder between them is the group, ``root/<class>/<group>/<clip>``,
      otherwise each clip is a group of its own. A ``clips.csv`` in the folder is read instead.
    - A text file with a video on each line, its path and its label, separated by commas, tabs,
      semicolons or spaces (the first line decides). With a header, columns may be in any order,
      and there may be more: a group; a ``name``; ``start`` and ``end`` in seconds, so that a line
      is a segment of a file; and the files beside it, ``flow``, ``skeleton`` and ``boxes``. Other
      columns are ignored. Without one, TSN's ``folder frames label`` is read too, and MMAction2's
      ``a.mp4 1 3 5`` where videos have different numbers of labels.
    - A JSON list of objects with the same keys, or an object on each line.

    Paths are relative to the list; ``~``, URLs and ``file://`` are understood. Text is UTF-8, or
    UTF-16 with a byte order mark. Videos are not opened here.

    Several labels in a cell, ``run;jump``, make a multi-label list. A comma separates numbers
    (``"3,17"``) and names that are all among ``labels``; otherwise it is part of the name, as in
    "Pushing something, quickly".

    Labels that are all whole numbers are indices from 0. Lists that count from 1, as UCF101's do,
    are known by having exactly the numbers 1 to K, and read as such; other lists without a 0 are
    refused, for each of their classes could be one of two. Numbers with leading zeros (``007``)
    are names.

    Parameters
    ----------
    path : str or Path
        The folder or file.
    labels : sequence of str, optional
        Names of the K labels in the order of their indices, from the list that the model was
        trained on, for example. The default is the sorted names that occur.
    group : str, default="group"
        The column of a list that holds the groups.
    first_label : {0, 1}, optional
        Number of the first class, where labels are numbers; inferred by default.

    Returns
    -------
    SampleList

    Raises
    ------
    DataError
        Nothing is there, a label is unknown, a line cannot be read, or two lines say different
        things of one video; it names file and line.
    """
    if first_label not in (None, 0, 1):
        raise DataError(f"first_label is {first_label!r}", "pass 0 or 1, or None to infer it")
    root = Path(os.path.expanduser(path))  # noqa: PTH111 - what is no user's name stays
    try:
        root.stat()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        raise DataError(
            f"{root} " + ("does not exist" if missing else f"cannot be opened: {error.strerror}"),
            "give a folder of classes, or a list of paths and labels",
        ) from error
    if root.is_file() and root.suffix.lower() in VIDEO_SUFFIXES:
        raise DataError(
            f"{root} is a video, expected many of them", "give a folder of classes, or a list"
        )
    if root.is_dir() and (root / FOLDER_LIST).is_file():
        root = root / FOLDER_LIST
    if root.is_dir() and group != "group":
        raise DataError(
            f"{root} is a folder and has no column {group!r}",
            "a folder between class and clip is its group; or give a list with that column",
        )
    with _no_collection():
        known = tuple(labels or ())
        rows = folder_rows(root, known=known) if root.is_dir() else list_rows(root, group=group)
        if rows is None or not rows.paths:
            raise DataError(f"there are no videos in {root}", LAYOUT)
        return _with_indices(rows, known=known, first=first_label, root=root)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Stop the collection of cycles: it would walk through all samples again and again."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


# Labels

Cell = str | tuple[str, ...]


def _with_indices(
    rows: Rows, *, known: tuple[str, ...], first: int | None, root: Path
) -> SampleList:
    """Replace the names of labels by their indices."""
    listed = set(known)
    names_of = _names_of_cells(rows, listed)
    names = list(dict.fromkeys(name for names in names_of.values() for name in names))

    def where(name: str) -> str:
        cell = next(cell for cell, names in names_of.items() if name in names)
        return rows.where[rows.cells.index(cell)]

    _refuse_no_index([name for name in names if name not in listed], where)
    labels, index = _indices(names, known=known, first=first, root=root)
    unknown = next((name for name in names if name not in index), None)
    if unknown is not None:
        raise _unknown(unknown, labels, index, where(unknown))
    multi_label = any(len(names) > 1 for names in names_of.values())
    label_of: dict[Cell, Label] = {
        cell: tuple(sorted({index[name] for name in names})) if multi_label else index[names[0]]
        for cell, names in names_of.items()
    }
    label_column = [label_of[cell] for cell in rows.cells]
    _refuse_repeats(rows, label_column)
    beside = rows.beside
    samples = tuple(
        Sample(
            path=path,
            label=label,
            group=group,
            name=name,
            where=place,
            start=start,
            end=end,
            flow=flow,
            skeleton=skeleton,
            boxes=boxes,
        )
        for path, label, group, name, place, start, end, flow, skeleton, boxes in zip(
            rows.paths,
            label_column,
            rows.groups,
            rows.names,
            rows.where,
            rows.starts or repeat(None),
            rows.ends or repeat(None),
            beside.get("flow") or repeat(""),
            beside.get("skeleton") or repeat(""),
            beside.get("boxes") or repeat(""),
            strict=False,
        )
    )
    return SampleList(samples=samples, labels=labels, root=str(root))


def _names_of_cells(rows: Rows, known: set[str]) -> dict[Cell, tuple[str, ...]]:
    """Names in every cell that occurs, in the order of the list.

    Raises
    ------
    DataError
        A cell holds only separators, or a comma may separate labels or be part of one.
    """
    names_of = {
        cell: cell if isinstance(cell, tuple) else _split(cell, known)
        for cell in dict.fromkeys(rows.cells)
    }
    empty = next((cell for cell, names in names_of.items() if not names), None)
    if empty is not None:
        raise DataError(
            f"{rows.where[rows.cells.index(empty)]}: the label is {empty!r}, only separators",
            "write one label, or several as run;jump",
        )
    cells = [(cell, names) for cell, names in names_of.items() if isinstance(cell, str)]
    alone = {name: cell for cell, names in cells for name in names}
    for cell, names in cells:
        for name in () if known else names:
            part = next((p for p in _parts(name, ",") if p != name and p in alone), None)
            if part is not None:
                raise DataError(
                    f"{rows.where[rows.cells.index(cell)]}: {name!r} may be one label or several, "
                    f"since {part!r} is a label of its own "
                    f"({rows.where[rows.cells.index(alone[part])]})",
                    f"write several labels as {';'.join(_parts(name, ','))}; or give the names of "
                    "all labels (data.labels), among which one with commas is one",
                )
    return names_of


def _split(cell: str, known: set[str]) -> tuple[str, ...]:
    """Labels of one cell; a known label is never split."""
    if cell in known:
        return (cell,)
    names: list[str] = []
    for name in _parts(cell, ";"):
        parts = _parts(name, ",")
        several = all(part in known or _is_index(part) for part in parts)
        names += parts if several and name not in known else [name]
    return tuple(names)


def _parts(cell: str, separator: str) -> list[str]:
    return [part.strip() for part in cell.split(separator) if part.strip()]


def _is_index(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 19


def _refuse_no_index(names: Sequence[str], where: Callable[[str], str]) -> None:
    """Refuse numbers that are neither an index nor, being none of the known labels, a name."""
    strange = [name for name in names if _NUMBER.fullmatch(name) and not name.isdigit()]
    if not strange:
        return
    if strange[0].startswith("-") or strange[0].lower() == "nan":
        raise DataError(
            f"{where(strange[0])}: the label is {strange[0]}, which is no class",
            "lists of tests have it where labels are kept secret, those of pandas where a cell was "
            "empty: give a list with labels",
        )
    if all(_NUMBER.fullmatch(name) for name in names):
        raise DataError(
            f"{where(strange[0])}: the label is {strange[0]}, expected a whole number or a name",
            "write indices as 3, not 3.0: a spreadsheet makes such of a column with empty cells",
        )


def _indices(
    names: Sequence[str], *, known: tuple[str, ...], first: int | None, root: Path
) -> tuple[tuple[str, ...], Mapping[str, int]]:
    """All labels, and the index of each name that may occur in the list."""
    by_name = {name: index for index, name in enumerate(known)}
    numbers = all(map(_is_index, names)) and not any(n != "0" and n[0] == "0" for n in names)
    # names that are numbers themselves are names: "7" of the labels ("3", "7") has index 1
    if known and (not numbers or any(map(_is_index, known)) or all(n in by_name for n in names)):
        twice = next((n for n in names if n in by_name and known.count(n) > 1), None)
        if twice is not None:
            raise DataError(
                f"{root}: the label {twice!r} is the name of {known.count(twice)} classes",
                "give every class a name of its own",
            )
        return known, by_name
    if not numbers:
        _refuse_twins(names, root)
        labels = tuple(sorted(names))
        return labels, {name: index for index, name in enumerate(labels)}
    values = {int(name) for name in names}
    if not known and max(values) >= MOST_CLASSES:
        raise DataError(
            f"{root}: the label {max(values)} as an index would make {max(values) + 1} classes",
            "write names, or indices counted from 0",
        )
    if first is None:
        first = _first(values, classes=len(known) or max(values), named=bool(known), root=root)
    labels = known or tuple(str(i) for i in range(first, max(values) + 1))
    return labels, {str(i + first): i for i in range(len(labels))}


def _refuse_twins(names: Sequence[str], root: Path) -> None:
    """Refuse two ways of writing one name, which would be two classes."""
    written: dict[int | str, str] = {}
    for name in names:
        # é is one character, or two as folders of macOS have it
        same = int(name) if _is_index(name) else unicodedata.normalize("NFC", name)
        other = written.setdefault(same, name)
        if other != name:
            raise DataError(
                f"{root}: the labels {other!a} and {name!a} are one, written in two ways",
                "write each label in one way throughout",
            )


def _first(values: set[int], *, classes: int, named: bool, root: Path) -> Literal[0, 1]:
    """Number of the first class of a list: 0, or 1 where exactly 1 to K occur."""
    if 0 in values:
        return 0
    if values == set(range(1, classes + 1)):
        return 1
    if max(values) >= classes and named:
        return 0  # one that is refused by name, with its line
    raise DataError(
        f"{root}: its labels are numbers from {min(values)} to {max(values)} without 0 and without "
        f"some others, so they may count from 0 or from 1"
        + (f" ({classes} labels are known)" if named else ""),
        f"write the names of the labels in place of numbers, or say which it is: {FIRST_LABEL}",
    )


def _unknown(name: str, labels: Sequence[str], index: Mapping[str, int], where: str) -> DataError:
    some = ", ".join(list(index)[:5]) + (", ..." if len(index) > 5 else "")
    hint = f"known labels: {some}"
    if _is_index(name) and not any(map(_is_index, labels)):
        hint += f" ({', '.join(labels[:3])}, ...); if the list counts from 1, say so: {FIRST_LABEL}"
    return DataError(f"{where}: the label {name!r} is not one of the {len(index)} known ones", hint)


def _refuse_repeats(rows: Rows, labels: Sequence[Label]) -> None:
    """Refuse two lines of the same video, which would count twice or contradict each other."""
    columns = [rows.paths, rows.starts, rows.ends, *rows.beside.values()]
    columns = [column for column in columns if column]
    keys: Sequence[object] = list(zip(*columns, strict=True)) if columns[1:] else rows.paths
    if len(set(keys)) == len(keys):
        return
    first: dict[object, int] = {}
    repeats = 0
    again: tuple[int, int] | None = None
    for i, key in enumerate(keys):
        j = first.setdefault(key, i)
        if labels[i] != labels[j]:
            raise DataError(
                f"{rows.where[i]}: {rows.names[i]} has another label than in {rows.where[j]}",
                "write one line for each video, with several labels as run;jump",
            )
        if i != j:
            repeats, again = repeats + 1, again or (i, j)
    assert again is not None  # noqa: S101 - for the type checker
    raise DataError(
        f"{rows.where[again[0]]}: {rows.names[again[0]]} is listed before, in "
        f"{rows.where[again[1]]} ({repeats} lines are repeated)",
        "remove the repeated lines: they would count more than once",
    )


def _group_in(name: str, expression: re.Pattern[str]) -> str:
    match = expression.search(name)
    if match is None:
        raise DataError(
            f"the group pattern {expression.pattern!r} finds nothing in {name}",
            r"write a pattern that every name matches, such as '_g(\d+)_'",
        )
    return match.group(1) if expression.groups else match.group()
