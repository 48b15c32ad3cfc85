"""From the names of labels in a list to indices of classes.

What a cell holds is decided over the whole list: whether a comma separates labels, whether numbers
are indices, and from where they count.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from zoopraxis.data.rows import Rows
from zoopraxis.errors import DataError

__all__ = ["Label", "index_labels"]

MOST_CLASSES = 1_000_000  # a greater index is the id of something
FIRST_LABEL = (
    "data.first_label=1 to train, --first-label 1 to evaluate, "
    "read_samples(..., first_label=1) in Python, or 0"
)


Label = int | tuple[int, ...]
Cell = str | tuple[str, ...]
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?|nan|NaN", re.ASCII)


def index_labels(
    rows: Rows, *, known: tuple[str, ...], first: int | None, root: Path
) -> tuple[tuple[str, ...], list[Label]]:
    """Return all labels by index, and the index, or several, of each row.

    Parameters
    ----------
    rows : Rows
        N videos.
    known : tuple of str
        All labels in the order of their indices; empty takes the sorted names that occur.
    first : {0, 1}, optional
        Number of the first class, where labels are numbers; inferred by default.
    root : Path
        The list or folder, for messages.

    Raises
    ------
    DataError
        A label is unknown, or may mean two things.
    """
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
    return labels, [label_of[cell] for cell in rows.cells]


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
