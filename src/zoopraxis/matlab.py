"""MATLAB files of version 5 to 7, read without trusting any length in them.

The MAT-File Level 5 format, as MathWorks documents it: elements of a type, a length and data; some
are compressed, and a matrix is an element of elements. SciPy reads these files too, but a damaged
one can end the process (seen with 1.17); here every length is held to the bytes that there are.
"""

import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoopraxis.errors import DataError

__all__ = ["read_matlab"]

HEADER = 128  # bytes
STORED = {
    **dict(enumerate(("i1", "u1", "i2", "u2", "i4", "u4", "f4"), start=1)),
    9: "f8",
    12: "i8",
    13: "u8",
}
TEXT = {
    "<": {4: "utf-16-le", 16: "utf-8", 17: "utf-16-le", 18: "utf-32-le"},
    ">": {4: "utf-16-be", 16: "utf-8", 17: "utf-16-be", 18: "utf-32-be"},
}
MATRIX, COMPRESSED = 14, 15
CELL, STRUCT, CHAR = 1, 2, 4
NUMBERS = dict(enumerate(("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"), start=6))
COMPLEX = 0x800
DEEPEST = 16  # matrices within matrices
LARGEST = 1 << 30  # bytes of one compressed variable


def read_matlab(path: str | Path) -> dict[str, Any]:
    """Read the variables of a file.

    Parameters
    ----------
    path : str or Path
        A file of version 5 to 7, of numbers, text, structs and cells.

    Returns
    -------
    dict
        Of each variable an ndarray of numbers, a string, or a tuple: of the elements of a cell
        array, or of a struct array, which are dicts. Tuples are in MATLAB's order, the first index
        fastest.

    Raises
    ------
    DataError
        The file is missing, damaged, of another version (7.3 is HDF5), or holds something else.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "give a .mat file") from error
    order = {b"IM": "<", b"MI": ">"}.get(data[126:HEADER], "")
    if not order or struct.unpack(f"{order}H", data[124:126]) != (0x0100,):
        raise DataError(
            f"{path} is not a MATLAB file of version 5 to 7",
            "save it with `save -v7`" if data[:10] == b"MATLAB 7.3" else "give a .mat file",
        )
    try:
        return dict(_variables(_Bytes(data[HEADER:], order)))
    except (_DamagedError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is damaged: {error}", "give the file whole") from error


class _DamagedError(ValueError):
    """Something that a whole file would not have."""


@dataclass
class _Bytes:
    """Bytes of which elements are taken in turn."""

    data: bytes
    order: str  # "<" or ">"
    at: int = 0

    def __bool__(self) -> bool:
        return self.at < len(self.data)

    def take(self, size: int) -> bytes:
        """Return the next bytes; there must be as many."""
        if size > len(self.data) - self.at:
            raise _DamagedError(f"it ends {size - len(self.data) + self.at} bytes early")
        self.at += size
        return self.data[self.at - size : self.at]

    def element(self) -> tuple[int, bytes]:
        """Return the type and data of the next element."""
        first, size = struct.unpack(f"{self.order}II", self.take(8))
        if first >> 16:  # type, length and up to 4 bytes of data in 8 bytes
            if first >> 16 > 4:
                raise _DamagedError(f"{first >> 16} bytes cannot stand in 4")
            return first & 0xFFFF, self.data[self.at - 4 :][: first >> 16]
        data = self.take(size)
        if first != COMPRESSED:
            self.at += -size % 8  # at the end of the file the padding may be missing
        return first, data

    def numbers(self) -> "np.ndarray[Any, Any]":
        """Return the next element's numbers (N,)."""
        kind, data = self.element()
        if kind not in STORED or len(data) % int(STORED[kind][1]):
            raise _DamagedError(f"{len(data)} bytes of type {kind} are no numbers")
        return np.frombuffer(data, self.order + STORED[kind])


def _variables(data: _Bytes) -> Any:
    """Yield names and values of the variables."""
    while data:
        kind, content = data.element()
        if kind == COMPRESSED:
            unpacker = zlib.decompressobj()
            whole = unpacker.decompress(content, LARGEST)
            if not unpacker.eof:
                raise _DamagedError(f"a variable is cut off, or larger than {LARGEST} bytes")
            kind, content = _Bytes(whole, data.order).element()
        if kind != MATRIX:
            raise _DamagedError(f"a variable is of type {kind}")
        yield _matrix(_Bytes(content, data.order), depth=0)


def _matrix(data: _Bytes, *, depth: int) -> tuple[str, Any]:
    """Name and value of a matrix."""
    if not data:
        return "", np.zeros((0, 0))
    if depth > DEEPEST:
        raise _DamagedError(f"more than {DEEPEST} matrices are in one another")
    flags = data.numbers()
    shape = tuple(map(int, data.numbers()))
    _, name = data.element()
    if not len(flags) or min(shape, default=-1) < 0 or int(flags[0]) & COMPLEX:
        raise _DamagedError(f"a matrix of shape {shape} is complex, or none")
    kind, count = int(flags[0]) & 0xFF, math.prod(shape)
    return name.decode("ascii"), _content(data, kind, shape, count, depth=depth)


def _content(
    data: _Bytes, kind: int, shape: tuple[int, ...], count: int, *, depth: int
) -> "np.ndarray[Any, Any] | str | tuple[Any, ...]":
    """Read what a matrix of some kind holds."""
    if kind == CHAR:
        stored, text = data.element()
        return text.decode(TEXT[data.order].get(stored, "latin-1"))
    if kind in NUMBERS:
        numbers = data.numbers()
        if len(numbers) != count:
            raise _DamagedError(f"{len(numbers)} numbers are not a matrix of shape {shape}")
        with np.errstate(invalid="ignore"):  # of a damaged number
            return numbers.reshape(shape, order="F").astype(NUMBERS[kind])
    if kind not in (CELL, STRUCT):
        raise _DamagedError(f"a matrix is of class {kind}: no numbers, text, cells or structs")
    if count > len(data.data) // 8:  # each takes 8 bytes or more
        raise _DamagedError(f"{count} elements do not fit into {len(data.data)} bytes")
    if kind == CELL:
        return tuple(_nested(data, depth=depth) for _ in range(count))
    lengths = data.numbers()
    length = int(lengths[0]) if len(lengths) else 0
    _, names = data.element()
    if length < 1 or len(names) % length:
        raise _DamagedError(f"{len(names)} bytes are no names of {length} characters")
    fields = [
        names[at : at + length].partition(b"\0")[0].decode("ascii")
        for at in range(0, len(names), length)
    ]
    return tuple({name: _nested(data, depth=depth) for name in fields} for _ in range(count))


def _nested(data: _Bytes, *, depth: int) -> Any:
    """Value of a matrix within another."""
    kind, content = data.element()
    if kind != MATRIX:
        raise _DamagedError(f"an element of type {kind} is in a matrix")
    return _matrix(_Bytes(content, data.order), depth=depth + 1)[1]
