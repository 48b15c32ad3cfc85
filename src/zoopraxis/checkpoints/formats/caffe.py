"""Caffe's trained nets (``.caffemodel``) and mean files (``.binaryproto``), without Caffe.

A trained net is a protocol buffer, a ``NetParameter``: a list of layers, each with a name and its
tensors, called blobs. Since 2015 the layers are field 100 (name field 1, blobs field 7); before,
and in C3D's fork of Caffe, they were field 2 (name field 4, blobs field 6). A mean file is a single
blob.

Blobs have three layouts:

    2015     data field 5 (float) or 8 (double), shape field 7
    before   data field 5 (float), shape in fields 1 to 4, always four axes: (1, 1, 1, C) of a bias
    C3D      data field 6 (float), shape in fields 1 to 5, always five axes

C3D's blobs are told apart by their field 5, a single number.

Kernels are (out, in, [T,] H, W) and matrices (out, in), as in PyTorch, so nothing is transposed.
Shapes are those of the file; `zoopraxis.weights.keys.squeeze_blobs` removes the axes of length 1.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zoopraxis.checkpoints.formats.protobuf import read_fields, read_varint
from zoopraxis.errors import CheckpointError

__all__ = ["is_caffe_file", "read_mean", "read_net"]

_LAYERS = {100: (1, 7), 2: (4, 6)}  # field of the layers: fields of a layer's name and blobs
_OLDEST = 1  # field of a layer that wraps one of the 2013 format, with its name and blobs
_BEGINNINGS = (b"\x0a", b"\x12", b"\x1a", b"\xa2\x06")  # fields 1, 2, 3 and 100 of a net
_SUFFIXES = {".caffemodel", ".prototxt", ".binaryproto"}  # the last two for their error message
_HDF5 = b"\x89HDF"
_MOST_AXES = 32  # of a blob, in Caffe

Value = int | bytes


def is_caffe_file(path: Path) -> bool:
    """Whether a file is one of Caffe's, by its suffix or its first bytes.

    Released nets are named ``x.caffemodel``, ``x.caffemodel.v5`` or ``x_iter_20000``.
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
        By ``"<layer>.<number>"``; for convolutions and linear layers ``.0`` is the weight and
        ``.1`` the bias. Layers without blobs, and gradients, are left out.

    Raises
    ------
    CheckpointError
        No such file, or it is truncated, damaged or of another kind. A file truncated between
        two layers looks like a smaller net; its conversion then fails for missing keys.
    """
    path = Path(path)
    data = _read(path)
    try:
        return _net(data)
    except CheckpointError as error:
        raise CheckpointError(
            f"{path} is not a trained net of Caffe: {error.problem}",
            "download it again if it is truncated; name the trained net, not its .prototxt",
        ) from error


def read_mean(path: str | Path) -> Tensor:
    """Read a mean file.

    Returns
    -------
    Tensor
        Of the shape in the file: (1, C, H, W) for images, (1, C, T, H, W) for clips.

    Raises
    ------
    CheckpointError
        No such file, or it is truncated, damaged or of another kind.
    """
    path = Path(path)
    data = _read(path)
    try:
        return _blob(data)
    except CheckpointError as error:
        raise CheckpointError(
            f"{path} is not a mean file of Caffe: {error.problem}",
            "name a .binaryproto; download it again if it is truncated",
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
                raise CheckpointError(f"two blobs have the name {key!r}")
            state[key] = blob
    if not state:
        raise CheckpointError("it has no layers with blobs")
    return state


def _layer(layer: bytes, name_field: int, blob_field: int) -> Iterator[tuple[str, Tensor]]:
    """Yield the blobs of a layer by key."""
    fields = _fields(layer)
    if name_field == 4 and _OLDEST in fields:
        raise CheckpointError("it has Caffe's format of 2013: run upgrade_net_proto_binary on it")
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
        raise CheckpointError(
            f"{len(values)} bytes do not hold {shape} numbers of {dtype.itemsize} bytes each"
        )
    return torch.from_numpy(np.frombuffer(values, dtype=dtype).reshape(shape).copy())


def _axes(fields: dict[int, list[Value]], *numbers: int) -> tuple[int, ...]:
    """Lengths of the axes, each in a field of its own."""
    return tuple(_integer(fields[number][-1]) if fields[number] else 0 for number in numbers)


def _dims(shapes: list[Value]) -> tuple[int, ...]:
    """Read a BlobShape: field 1, repeated or packed, has the lengths."""
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
