"""Text with a header of any names, separated by commas, semicolons or tabs."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from zoopraxis.data.annotations.base import Marked, Options
from zoopraxis.data.text import read_text, seconds_of
from zoopraxis.errors import DataError, did_you_mean

__all__ = ["read_table"]


def read_table(file: Path, options: Options) -> Iterator[Marked]:
    """Read a segment of each line; times are frames, [start, end) from 0, where fps are given."""
    text = read_text(file, expected="expected a header and lines")
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    rows = csv.DictReader(
        io.StringIO(text, newline=""), strict=True, delimiter=delimiter, skipinitialspace=True
    )
    names = list(rows.fieldnames or ())
    for column in options.columns:
        if column not in names:
            raise DataError(f"{file} has no column {column!r}", did_you_mean(column, names))
    path, start, end, label = options.columns
    for row in rows:
        try:
            if options.fps is None:
                times = [seconds_of(row[edge]) for edge in (start, end)]
            else:
                times = [float(row[edge]) / options.fps for edge in (start, end)]
        except (AttributeError, TypeError, ValueError):
            raise DataError(
                f"{file}, line {rows.line_num}: times {row[start]!r} and {row[end]!r}",
                "expected seconds, such as 12.5, or 0:00:12.5",
            ) from None
        yield Marked(path=row[path], start=times[0], end=times[1], label=row[label])
