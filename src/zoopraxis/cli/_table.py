"""Tables on stdout: aligned in a terminal, tab-separated in a pipe, and never a word cut."""

import sys
from collections.abc import Sequence

__all__ = ["print_table", "span"]


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table with a line of column names.

    Columns of numbers, percentages too, are aligned right. A pipe gets the same cells with tabs
    between them, for ``cut -f``.
    """
    lines = [head, *rows]
    if not sys.stdout.isatty():
        print("\n".join("\t".join(line) for line in lines))
        return
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    numeric = [all(map(_is_number, column)) for column in zip(*rows, strict=True)]
    for line in lines:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        print("  ".join(cells).rstrip())


def span(interval: tuple[float, float], *, sign: str = "") -> str:
    """Show an interval of fractions of 1 in percent; with ``sign="+"``, of changes."""
    low, high = (f"{100 * value:{sign}.1f}" for value in interval)
    return f"{low} to {high}"


def _is_number(cell: str) -> bool:
    return not cell or cell.removesuffix(" %").replace(".", "", 1).isdigit()
