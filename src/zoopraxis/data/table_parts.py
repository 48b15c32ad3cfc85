"""A list in several Parquet files of one folder, as Spark, Dask, pandas and `datasets` write it."""

import re
from collections.abc import Sequence
from pathlib import Path

from zoopraxis.data.table import Table
from zoopraxis.data.table_parquet import is_parquet, parquet_kinds, parquet_table
from zoopraxis.data.text import few
from zoopraxis.errors import DataError

__all__ = ["find_parts", "parts_table"]

# What tells the parts of one list apart: part-00001-<UUID>-c000.snappy.parquet, train-00001-of-
# 00003.parquet, part1.parquet. The numbers in split1_train and split2_train are not between marks.
_NUMBERS = re.compile(
    r"(?<![0-9a-z])(\d+|[0-9a-f]{16,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![0-9a-z])"
    r"|\d+(?=\.parquet$)"
)
_OF = re.compile(r"-(\d+)-of-(\d+)\b")


def find_parts(folder: Path) -> list[Path]:
    """Parquet files of a folder without folders in it, in the order of their numbers; else none.

    As other readers do, those whose names begin with a full stop or ``_`` are passed over.
    """
    try:
        entries = [entry for entry in folder.iterdir() if entry.name[0] not in "._"]
    except OSError:  # reading it as a folder of classes will say what is wrong
        return []
    if any(entry.is_dir() for entry in entries):  # a folder of classes, whatever lies beside them
        return []
    return sorted((entry for entry in entries if is_parquet(entry)), key=_in_order)


def _in_order(file: Path) -> list[tuple[int, str]]:
    # part-2 is before part-10
    texts = re.findall(r"[0-9]+|[^0-9]+", file.name)
    return [(int(text), "") if text[0] in "0123456789" else (-1, text) for text in texts]


def parts_table(files: Sequence[Path], *, group: str) -> Table | None:
    """Read the parts of a list one after the other; None where all are empty.

    Raises
    ------
    DataError
        They are parts of several lists, some are not there, or they disagree on the columns; or as
        `zoopraxis.data.table_parquet.parquet_table`, naming the part and its row.
    """
    folder = files[0].parent
    _refuse_several_lists(folder, files)
    _refuse_missing(folder, files)
    _refuse_other_columns(files)
    read = (parquet_table(file, group=group) for file in files)
    tables = [table for table in read if table is not None]
    if not tables:
        return None
    return Table(
        path=folder,
        columns={
            name: [cell for table in tables for cell in table.columns[name]]
            for name in tables[0].columns
        },
        numbers=[number for table in tables for number in table.numbers],
        unit=tables[0].unit,
        files=[table.path for table in tables for _ in table.numbers],
    )


def _refuse_several_lists(folder: Path, files: Sequence[Path]) -> None:
    """Refuse train.parquet beside test.parquet."""
    kinds = {_NUMBERS.sub("#", file.name.lower()): file.name for file in files}
    if len(kinds) > 1:
        raise DataError(
            f"{folder} holds several lists: {few(sorted(kinds.values()))}",
            "give one of the files; or a folder that holds the parts of one list alone",
        )


def _refuse_missing(folder: Path, files: Sequence[Path]) -> None:
    """Refuse train-00000-of-00003 without train-00001-of-00003."""
    claims = [match for file in files if (match := _OF.search(file.name))]
    there = {int(match[1]) for match in claims}
    expected = max((int(match[2]) for match in claims), default=0)
    missing = next((k for k in range(expected) if k not in there), None)
    if missing is not None:
        raise DataError(
            f"{folder} has {len(there)} of {expected} parts of a list: the one of number {missing} "
            "is missing",
            "download it again, or give one of the files",
        )


def _refuse_other_columns(files: Sequence[Path]) -> None:
    """Refuse parts whose columns have other names, or hold something else, than the first's."""
    known: dict[str, tuple[str, Path]] = {}
    for file in files:
        kinds = parquet_kinds(file)
        for name in sorted({*kinds} ^ {*known} if known else ()):
            has, lacks = (file, files[0]) if name in kinds else (files[0], file)
            raise DataError(
                f"{lacks} has no column {name!r}, which {has.name} has",
                "write all parts from one table",
            )
        for name, kind in kinds.items():
            other, first = known.get(name, ("", file))
            if kind and other and kind != other:
                raise DataError(
                    f"{file}: the column {name!r} holds {kind}, and {other} in {first.name}",
                    "write all parts from one table",
                )
            if name not in known or (kind and not other):
                known[name] = kind, file
