"""Pickles of numpy arrays, dicts, lists, strings and numbers, read without executing them.

A pickle is a program: it can name any function of any module and call it. This reader knows the
names that pickled numpy arrays of Python 2 and 3 consist of, and has a harmless stand-in for each;
any other name is refused before it is looked up.
"""

import io
import pickle
import pickletools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PickledArray", "unpickle_arrays"]

_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")
_UNKNOWN_TO_NUMPY = ("BYTEARRAY8", "NEXT_BUFFER", "READONLY_BUFFER", "EXT1", "EXT2", "EXT4")
_MOST_AXES = 32
_LONGEST_TYPE = 8  # characters of "f4" and its like


def unpickle_arrays(data: bytes) -> Any:
    """Decode a pickle in which every array is a `PickledArray`.

    Parameters
    ----------
    data : bytes
        The pickle.

    Raises
    ------
    Exception
        Of any type: a pickle is a program, and a damaged one raises anything. One that holds
        something else than arrays, dicts, lists, tuples, strings and numbers raises
        `pickle.UnpicklingError` with the name that it asks for.
    """
    _check_sizes(data)
    return _ArrayUnpickler(io.BytesIO(data), encoding="latin1").load()


def _check_sizes(data: bytes) -> None:
    """Refuse a pickle that makes the unpickler allocate more than the file holds.

    The unpickler in C allocates what a length claims, and a memo as long as the largest number of
    an entry, before it reads on; ``pickletools`` compares the lengths with the data. A pickler
    numbers its entries as they come.
    """
    for number, (opcode, value, _) in enumerate(pickletools.genops(data)):
        if opcode.name in _PUTS and int(value or 0) > number:
            raise pickle.UnpicklingError(f"it has entry {value} of its memo after {number} steps")
        if opcode.name in _UNKNOWN_TO_NUMPY:
            raise pickle.UnpicklingError(f"it has the opcode {opcode.name}")


class _Type:
    """Stand-in for a numpy dtype: a letter, a size, a byte order."""

    def __init__(self, code: str, *_flags: object) -> None:
        if not isinstance(code, str) or len(code) > _LONGEST_TYPE:
            raise ValueError("the type of an array is not a numpy letter and size")
        self.code = code

    def __setstate__(self, state: tuple[object, ...]) -> None:
        if state[1] in ("<", ">"):
            self.code = str(state[1]) + self.code.lstrip("<>=|")

    def dtype(self) -> np.dtype[Any]:
        """Return the dtype; those of objects and records are refused."""
        dtype = np.dtype(self.code)
        if dtype.kind not in "fiub":
            raise ValueError(f"arrays of dtype {self.code!r} are not numbers")
        return dtype


class PickledArray:
    """Stand-in for a numpy array: its bytes, not interpreted yet."""

    shape: tuple[int, ...] = ()
    type: _Type
    columns_first: bool
    data: bytes

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, self.shape, self.type, self.columns_first, data = state
        self.data = _encode(data)

    def array(self) -> NDArray[Any]:
        """Return the array, in the machine's byte order; what contradicts itself raises."""
        if not isinstance(self.shape, tuple) or len(self.shape) > _MOST_AXES:
            raise ValueError("the shape of an array is not a tuple of axes")
        if not all(isinstance(size, int) and size >= 0 for size in self.shape):
            raise ValueError(f"{self.shape} is not the shape of an array")
        values = np.frombuffer(self.data, dtype=self.type.dtype())
        array = values.reshape(self.shape, order="F" if self.columns_first else "C")
        return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")).copy()


def _reconstruct(*_args: object) -> PickledArray:
    return PickledArray()


def _number(dtype: _Type, data: str | bytes) -> float:
    return float(np.frombuffer(_encode(data), dtype=dtype.dtype())[0])


def _encode(text: str | bytes, _encoding: str = "latin1") -> bytes:
    """Bytes that Python 2 pickled as text."""
    if not isinstance(text, (str, bytes)):  # bytes(10**12) is a terabyte of zeros
        raise TypeError(f"the data of an array are a {type(text).__name__}")
    return text.encode("latin1") if isinstance(text, str) else bytes(text)


_STAND_INS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): dict,
    **{
        (module, name): stand_in
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")
        for name, stand_in in (("_reconstruct", _reconstruct), ("scalar", _number))
    },
}


class _ArrayUnpickler(pickle.Unpickler):
    """An unpickler that knows the names of numpy arrays and no others."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        """Return the stand-in of a name, as a function of this file's own.

        A pickle may set attributes of what it finds: those of the stand-in itself would stay.
        """
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return lambda *args: _STAND_INS[module, name](*args)
