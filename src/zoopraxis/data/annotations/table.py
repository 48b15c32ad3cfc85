"""Comma-separated text with a header of any names."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from zoopraxis.data.annotations.base import Marked, Options
from zoopraxis.data.text import read_text
from zoopraxis.errors import DataError, did_you_mean

__all__ = ["read_table"]


def read_table(file: Path, options: Options) -> Iterator[Marked]:
    """Read a segment of each line."""
    rows = csv.DictReader(
        io.StringIO(read_text(file, expected="expected a header and lines"), newline=""),
        strict=True,
    )
    names = list(rows.fieldnames or ())
    for column in options.columns:
        if column not in names:
            raise DataError(f"{file} has no column {column!r}", did_you_mean(column, names))
    path, start, end, label = options.columns
    for row in rows:
        try:
            times = float(row[start]), float(row[end])
        except (TypeError, ValueError):
            raise DataError(
                f"{file}, line {rows.line_num}: times {row[start]!r} and {row[end]!r}",
                "expected seconds, such as 12.5",
            ) from None
        yield Marked(path=row[path], start=times[0], end=times[1], label=row[label])
