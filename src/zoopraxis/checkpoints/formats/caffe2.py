"""Caffe2 checkpoints, pickled dicts of numpy arrays, read without executing them.

A pickle is a program: it can name any function of any module and call it. This reader knows the
names that pickled numpy arrays of Python 2 and 3 consist of, and has a harmless stand-in for each;
any other name is refused before it is looked up.
"""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import CheckpointError

__all__ = ["is_torch_file", "read_blobs"]

_TORCH_ZIP = b"PK\x03\x04"
_TORCH_LEGACY = (
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the pickled number 0x1950a86a20f9469cfc6c
)


def is_torch_file(path: Path) -> bool:
    """Whether a file, whatever its suffix, was written by torch.save (zip or legacy)."""
    with path.open("rb") as file:
        return file.read(len(_TORCH_LEGACY)).startswith((_TORCH_ZIP, _TORCH_LEGACY))


def read_blobs(path: str | Path) -> dict[str, Tensor]:
    """Read the arrays of a Caffe2 ``.pkl``.

    Parameters
    ----------
    path : path
        A pickled dict from names to arrays, or one with such a dict under ``blobs``.

    Returns
    -------
    dict of str to Tensor
        The arrays; plain numbers (iteration, learning rate) are left out.

    Raises
    ------
    CheckpointError
        Not a pickle, or one that holds anything but arrays, dicts, lists, strings and numbers.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file, encoding="latin1").load()
        blobs = _blobs(content)
    except (
        pickle.UnpicklingError,
        EOFError,
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        raise CheckpointError(
            f"{path} cannot be read as arrays alone: {error}",
            "only pickled dicts of numpy arrays are read; nothing in the file was executed",
        ) from error
    return {
        name: torch.from_numpy(blob.array())
        for name, blob in blobs.items()
        if isinstance(blob, _Array)
    }


def _blobs(content: object) -> Mapping[str, object]:
    if isinstance(content, dict) and isinstance(content.get("blobs"), dict):
        content = content["blobs"]
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ValueError(f"it holds a {type(content).__name__}, not a dict of arrays by name")
    return content


class _Type:
    """Stand-in for a numpy dtype: a letter, a size, a byte order."""

    def __init__(self, code: str, *_flags: object) -> None:
        self.code = str(code)

    def __setstate__(self, state: tuple[object, ...]) -> None:
        if state[1] in ("<", ">"):
            self.code = str(state[1]) + self.code.lstrip("<>=|")

    def dtype(self) -> np.dtype[Any]:
        """Return the dtype; those of objects and records are refused."""
        dtype = np.dtype(self.code)
        if dtype.kind not in "fiub":
            raise ValueError(f"arrays of dtype {self.code!r} are not numbers")
        return dtype


class _Array:
    """Stand-in for a numpy array: its bytes, not interpreted yet."""

    shape: tuple[int, ...] = ()
    type: _Type
    columns_first: bool
    data: bytes

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, self.shape, self.type, self.columns_first, data = state
        self.data = _encode(data)

    def array(self) -> NDArray[Any]:
        """Return the array, in the machine's byte order."""
        values = np.frombuffer(self.data, dtype=self.type.dtype())
        array = values.reshape(self.shape, order="F" if self.columns_first else "C")
        return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")).copy()


def _reconstruct(*_args: object) -> _Array:
    return _Array()


def _number(dtype: _Type, data: str | bytes) -> float:
    return float(np.frombuffer(_encode(data), dtype=dtype.dtype())[0])


def _encode(text: str | bytes, _encoding: str = "latin1") -> bytes:
    """Bytes that Python 2 pickled as text."""
    return text.encode("latin1") if isinstance(text, str) else bytes(text)


_STAND_INS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _Array,
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
        """Return the stand-in of a name."""
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _STAND_INS[module, name]
