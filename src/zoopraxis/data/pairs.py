"""Lists of pairs of videos: whether both show the same action, and in which fold it is asked."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}", _FORM) from error
    rows = csv.DictReader(io.StringIO(text))
    if not set(_COLUMNS) <= set(rows.fieldnames or ()):
        raise DataError(f"{path} has the columns {', '.join(rows.fieldnames or ())}", _FORM)
    pairs = []
    for row in rows:
        if row["same"] not in ("0", "1") or not (row["fold"] or "").isdecimal():
            raise DataError(
                f"{path}, line {rows.line_num}: same is {row['same']!r} and fold {row['fold']!r}",
                _FORM,
            )
        pairs.append(
            VideoPair(
                first=row["first"],
                second=row["second"],
                same=row["same"] == "1",
                fold=int(row["fold"]),
            )
        )
    return tuple(pairs)


def write_pairs(path: Path, pairs: Sequence[VideoPair]) -> None:
    """Write what `read_pairs` reads, atomically."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([p.first, p.second, int(p.same), p.fold] for p in pairs)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.getvalue().encode())
