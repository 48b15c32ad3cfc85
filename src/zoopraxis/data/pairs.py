"""Lists of pairs of videos: whether both show the same action, and in which fold it is asked."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoopraxis.data.text import read_rows
from zoopraxis.errors import DataError
from zoopraxis.files import write_atomically

__all__ = ["VideoPair", "read_pairs", "write_pairs"]

_COLUMNS = ("first", "second", "same", "fold")
_FORM = "the columns are first, second (names of videos), same (1 or 0) and fold"


@dataclass(frozen=True, kw_only=True)
class VideoPair:
    """Two videos.

    Parameters
    ----------
    first, second : str
        Their names in the list.
    same : bool
        Whether they show the same action.
    fold : int
        Number of the fold in which the pair is tested.
    """

    first: str
    second: str
    same: bool
    fold: int


def read_pairs(path: str | Path) -> tuple[VideoPair, ...]:
    """Read a CSV of pairs, with the columns ``first,second,same,fold``.

    Raises
    ------
    DataError
        It is missing or none; the error names the line.
    """
    path = Path(path)
    rows = read_rows(path, expected=_FORM)
    header = next(rows, (0, []))[1]
    if not set(_COLUMNS) <= set(header):
        raise DataError(f"{path} has the columns {', '.join(header)}", _FORM)
    pairs = []
    for number, cells in rows:
        if not cells:
            continue
        if len(cells) != len(header):
            raise DataError(
                f"{path}, line {number}: {len(cells)} cells under {len(header)} columns", _FORM
            )
        row = dict(zip(header, cells, strict=True))
        first, second, same, fold = (row[column] for column in _COLUMNS)
        if not first or not second or same not in ("0", "1") or not fold.isdecimal():
            raise DataError(
                f"{path}, line {number}: same is {same!r} and fold {fold!r} of {first!r} and "
                f"{second!r}",
                _FORM,
            )
        pairs.append(VideoPair(first=first, second=second, same=same == "1", fold=int(fold)))
    return tuple(pairs)


def write_pairs(path: Path, pairs: Sequence[VideoPair]) -> None:
    """Write what `read_pairs` reads, atomically."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([p.first, p.second, int(p.same), p.fold] for p in pairs)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.getvalue().encode())
