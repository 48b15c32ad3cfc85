"""Caffe's trained nets (``.caffemodel``) and mean files (``.binaryproto``), without Caffe.

A trained net is a protocol buffer, a ``NetParameter``: layers, of which each has a name and its
numbers as blobs. Since 2015 the layers are field 100 (their name field 1, their blobs field 7);
before, they were field 2 (name 4, blobs 6), and so they are in C3D's fork of Caffe. A mean file is
one blob by itself.

Blobs have three layouts. Caffe's own gives the data as field 5 (floats) or 8 (doubles), and the
shape as field 7, or, before 2015, as four axes in fields 1 to 4: a bias of C numbers is then
1 x 1 x 1 x C. In C3D's fork every blob has five axes, fields 1 to 5, and the data are field 6: its
blobs are known by field 5 being one number.

Kernels lie as in PyTorch, (out, in, [T,] H, W), and so do the matrices of linear layers; so
nothing here is transposed. Shapes are given as the file has them, and
`zoopraxis.checkpoints.convert.squeeze_blobs` takes away the axes of length 1.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zoopraxis.errors import CheckpointError
from zoopraxis.checkpoints.formats.protobuf import read_fields, read_varint

__all__ = ["is_caffe_file", "read_mean", "read_net"]

_LAYERS = {100: (1, 7), 2: (4, 6)}  # field of the layers: fields of a layer's name and blobs
_OLDEST = 1  # field of a layer that wraps one of the format before; it has names and blobs inside
_BEGINNINGS = (b"\x0a", b"\x12", b"\x1a", b"\xa2\x06")  # a net's name, layers, input; its layer
_SUFFIXES = {".caffemodel", ".prototxt", ".binaryproto"}  # the last two to be told what they are
_HDF5 = b"\x89HDF"
_MOST_AXES = 32  # of a blob, in Caffe

Value = int | bytes


def is_caffe_file(path: Path) -> bool:
    """Whether a file is called as Caffe's are, or begins as a trained net does.

    Released nets are called ``x.caffemodel``, ``x.caffemodel.v5`` or ``x_iter_20000``.
    """
    if not _SUFFIXES.isdisjoint(path.suffixes):
        return True
    with path.open("rb") as file:
        return file.read(2).startswith(_BEGINNINGS)


def read_net(path: str | Path) -> dict[str, Tensor]:
    """Read the blobs of a trained net.

    Parameters
    ----------
    path : path
        Of the ``.caffemodel``.

    Returns
    -------
    dict of str to Tensor
        By ``"<layer>.<number>"``: of convolutions and linear layers ``.0`` is the weight and
        ``.1`` the bias. Layers without blobs, and gradients kept beside the data, are left out.

    Raises
    ------
    CheckpointError
        No such file, or it is cut off, damaged or of another kind. A file that is cut off just
        behind a layer cannot be told from a smaller net; its conversion fails for missing keys.
    """
    path = Path(path)
    data = _read(path)
    try:
        return _net(data)
    except CheckpointError as error:
        raise CheckpointError(
            f"{path} is not a trained net of Caffe: {error.problem}",
            "fetch the file again if it is cut off; name the trained net, not its .prototxt",
        ) from error


def read_mean(path: str | Path) -> Tensor:
    """Read a mean file.

    Returns
    -------
    Tensor
        Of the shape in the file: (1, C, H, W) of images, (1, C, T, H, W) of clips.

    Raises
    ------
    CheckpointError
        No such file, or it is cut off, damaged or of another kind.
    """
    path = Path(path)
    data = _read(path)
    try:
        return _blob(data)
    except CheckpointError as error:
        raise CheckpointError(
            f"{path} is not a mean file of Caffe: {error.problem}",
            "it takes a .binaryproto; fetch the file again if it is cut off",
        ) from error


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise CheckpointError(f"no file {path}")
    data = path.read_bytes()
    if data.startswith(_HDF5):
        raise CheckpointError(
            f"{path} is a trained net of Caffe in HDF5, which is not read",
            "load it in Caffe and save it as .caffemodel",
        )
    return data


def _net(data: bytes) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for number, value in read_fields(data):
        if number not in _LAYERS:
            continue
        for key, blob in _layer(_message(value), *_LAYERS[number]):
            if key in state:
                raise CheckpointError(f"two blobs are called {key!r}")
            state[key] = blob
    if not state:
        raise CheckpointError("it has no layers with blobs")
    return state


def _layer(layer: bytes, name_field: int, blob_field: int) -> Iterator[tuple[str, Tensor]]:
    """Yield the blobs of a layer by key."""
    fields = _fields(layer)
    if name_field == 4 and _OLDEST in fields:
        raise CheckpointError("it is of Caffe's format of 2013; upgrade_net_proto_binary renews it")
    try:
        name = b"".join(map(_message, fields[name_field])).decode()
    except UnicodeDecodeError as error:
        raise CheckpointError("the name of a layer is not text") from error
    for index, value in enumerate(fields[blob_field]):
        key = f"{name}.{index}"
        try:
            yield key, _blob(_message(value))
        except CheckpointError as error:
            raise CheckpointError(f"blob {key!r}: {error.problem}") from error


def _blob(data: bytes) -> Tensor:
    """Read a blob of any of the three layouts."""
    fields = _fields(data)
    if any(isinstance(value, int) for value in fields[5]):  # of C3D's fork
        shape, numbers, dtype = _axes(fields, 1, 2, 3, 4, 5), fields[6], np.dtype("<f4")
    else:
        old = any(fields[axis] for axis in (1, 2, 3, 4))
        shape = _axes(fields, 1, 2, 3, 4) if old else _dims(fields[7])
        double = bool(fields[8])
        numbers, dtype = fields[8 if double else 5], np.dtype("<f8" if double else "<f4")
    if len(shape) > _MOST_AXES:
        raise CheckpointError(f"{len(shape)} axes are more than Caffe's {_MOST_AXES}")
    values = b"".join(map(_message, numbers))
    if not values or len(values) != math.prod(shape) * dtype.itemsize:
        raise CheckpointError(f"{len(values)} bytes are not {shape} numbers of {dtype.itemsize}")
    return torch.from_numpy(np.frombuffer(values, dtype=dtype).reshape(shape).copy())


def _axes(fields: dict[int, list[Value]], *numbers: int) -> tuple[int, ...]:
    """Lengths of the axes that are a field each."""
    return tuple(_integer(fields[number][-1]) if fields[number] else 0 for number in numbers)


def _dims(shapes: list[Value]) -> tuple[int, ...]:
    """Read a BlobShape: field 1, repeated or packed into one, has the lengths."""
    dims: list[int] = []
    for value in shapes:
        for packed in _fields(_message(value))[1]:
            if isinstance(packed, int):
                dims.append(packed)
                continue
            at = 0
            while at < len(packed):
                dim, at = read_varint(packed, at)
                dims.append(dim)
    return tuple(dims)


def _fields(message: bytes) -> dict[int, list[Value]]:
    """Values of a message by field number."""
    fields: dict[int, list[Value]] = defaultdict(list)
    for number, value in read_fields(message):
        fields[number].append(value)
    return fields


def _message(value: Value) -> bytes:
    if isinstance(value, int):
        raise CheckpointError("a field is a number where it should be a message")
    return value


def _integer(value: Value) -> int:
    if not isinstance(value, int):
        raise CheckpointError("a field is a message where it should be a number")
    return value
