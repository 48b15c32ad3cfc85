"""Text of a user's files, in the encodings that spreadsheets and editors write."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoopraxis.errors import DataError

__all__ = ["few", "read_rows", "read_text", "seconds_of", "short"]

# UTF-32's mark begins with UTF-16's, so it is asked first
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path, *, expected: str) -> str:
    """Read UTF-8, or what the byte order mark of a file says; line ends stay as they are.

    Other encodings are not guessed: in Latin-1 every file is text, and a wrong guess makes paths
    and labels that exist nowhere.

    Parameters
    ----------
    path : Path
        The file.
    expected : str
        What should be in it, for the hint.

    Raises
    ------
    DataError
        It cannot be opened, or is not text; the line is named.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", expected) from error
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, errors="ignore").count("\n") + 1
        raise DataError(
            f"{path}, line {line}: cannot be read as text: byte {data[error.start]:#04x} is not "
            f"{encoding.upper().removesuffix('-SIG')}",
            f"save it as UTF-8, with `iconv -f latin1 -t utf-8` for example; {expected}",
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(
            f"{path}, line {line}: cannot be read as text: it has zero bytes, so it is a binary "
            "file, or UTF-16 without its byte order mark",
            f"save it as UTF-8; {expected}",
        )
    return text


def read_rows(path: Path, *, expected: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each line of comma-separated text, and its number; any line ends will do.

    Parameters
    ----------
    path : Path
        The file.
    expected : str
        What should be in it, for the hint.

    Raises
    ------
    DataError
        As for `read_text`, or a line is damaged, such as by a quote that does not end.
    """
    rows = csv.reader(io.StringIO(read_text(path, expected=expected), newline=""))
    try:
        for cells in rows:
            yield rows.line_num, cells
    except csv.Error as error:
        raise DataError(f"{path}, line {rows.line_num}: {error}", expected) from error


def few(names: Sequence[str], count: int = 5) -> str:
    """Return the first names of many, for a message: ``"a, b, c, d, e, ..."``."""
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")


def short(text: str, length: int = 80) -> str:
    """Quote a text for a message, cut where it is long."""
    return repr(text if len(text) <= length else text[: length - 3] + "...")


def seconds_of(stamp: str) -> float:
    """Seconds of a time, ``12.5``, ``0:12.5`` or ``00:00:12.5``; ValueError for another text."""
    parts = [float(part) for part in stamp.split(":")]
    if len(parts) > 3:
        raise ValueError(f"{stamp!r} is no time")
    return round(sum(part * 60.0**k for k, part in enumerate(reversed(parts))), 6)
