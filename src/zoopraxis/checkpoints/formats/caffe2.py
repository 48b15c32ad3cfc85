"""Caffe2 checkpoints, pickled dicts of numpy arrays, read without executing them."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from zoopraxis.errors import CheckpointError
from zoopraxis.pickled import PickledArray, unpickle_arrays

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
    if not path.is_file():
        raise CheckpointError(f"no file {path}")
    data = path.read_bytes()
    try:
        blobs = _blobs(unpickle_arrays(data))
        arrays = {name: b for name, b in blobs.items() if isinstance(b, PickledArray)}
        if sum(len(array.data) for array in arrays.values()) > 4 * len(data):
            raise ValueError("many arrays are of the same data")  # memory for each, as a copy
        return {name: torch.from_numpy(array.array()) for name, array in arrays.items()}
    except Exception as error:  # a pickle is a program: a damaged one raises anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(
            f"{path} cannot be read as arrays alone: {reason:.200}",
            "only pickled dicts of numpy arrays are read; nothing in the file was executed",
        ) from error


def _blobs(content: object) -> Mapping[str, object]:
    if isinstance(content, dict) and isinstance(content.get("blobs"), dict):
        content = content["blobs"]
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ValueError(f"it holds a {type(content).__name__}, not a dict of arrays by name")
    return content
