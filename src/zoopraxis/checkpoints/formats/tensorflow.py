"""TensorFlow checkpoints (``model.ckpt.index`` and its data files), without TensorFlow.

The index is a LevelDB table: blocks of sorted keys, each stored without the prefix that it shares
with the key before. An index block has the offsets of the blocks, and a footer that of the index
block. A value is a small protocol buffer that says which bytes of which data file are the tensor.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zoopraxis.checkpoints.formats.protobuf import read_fields, read_varint
from zoopraxis.errors import CheckpointError

__all__ = ["Entry", "read_checkpoint", "read_index"]

_FOOTER = 48  # bytes: two block handles, padded, and the magic number
_MAGIC = 0xDB4775248B80FB57
_TYPES = {  # DataType of TensorFlow: little-endian numpy type
    1: "<f4",
    2: "<f8",
    3: "<i4",
    4: "u1",
    5: "<i2",
    6: "i1",
    9: "<i8",
    10: "?",
    19: "<f2",
}
_STRING = 7


@dataclass(frozen=True)
class Entry:
    """Where a variable is stored.

    Parameters
    ----------
    dtype : int
        Its type, by TensorFlow's number.
    shape : tuple of int
        Its shape.
    shard : int
        Index of its data file.
    offset, size : int
        Its bytes in that file.
    """

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """Read all variables of a checkpoint.

    Parameters
    ----------
    path : path
        The ``.index`` file; the data files are next to it.

    Returns
    -------
    dict of str to Tensor
        By name of the variable. Strings (TensorFlow 2 stores its object graph) are left out.

    Raises
    ------
    CheckpointError
        A file is missing, damaged or of another kind, or a variable has a type or layout that
        cannot be read. Checksums are not verified.
    """
    path = Path(path)
    entries = {name: e for name, e in read_index(path).items() if e.dtype != _STRING}
    shards = _find_shards(path)
    return {name: _tensor(name, entry, shards) for name, entry in entries.items()}


def read_index(path: str | Path) -> dict[str, Entry]:
    """Read the names of the variables and where they are stored, from the ``.index`` file alone.

    Raises
    ------
    CheckpointError
        As in `read_checkpoint`.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"no file {path}", "name the .index file of the checkpoint")
    data = path.read_bytes()
    if len(data) < _FOOTER or int.from_bytes(data[-8:], "little") != _MAGIC:
        raise CheckpointError(
            f"{path} is not the index of a TensorFlow checkpoint",
            "of model.ckpt.index, .meta and .data-00000-of-00001, name the first",
        )
    _, at = _handle(data, len(data) - _FOOTER)  # the meta block is empty
    index, _ = _handle(data, at)
    entries = {}
    for _, place in _records(_block(data, *index, path)):
        block, _ = _handle(place, 0)
        for key, value in _records(_block(data, *block, path)):
            if key:  # the empty key holds the header
                entries[key.decode()] = _entry(key.decode(), value)
    return entries


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Read (offset, size) of a block, and the offset after it."""
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return (offset, size), at


def _block(data: bytes, offset: int, size: int, path: Path) -> bytes:
    """Return the records of a block, without its restart points."""
    if offset + size + 1 > len(data):
        raise CheckpointError(f"{path} is truncated or damaged")
    if data[offset + size] != 0:
        raise CheckpointError(
            f"{path} has compressed blocks, which TensorFlow itself does not write",
            "save the checkpoint again with TensorFlow",
        )
    block = data[offset : offset + size]
    restarts = int.from_bytes(block[-4:], "little")
    return block[: len(block) - 4 * (restarts + 1)]


def _records(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (key, value); a key is a prefix of the key before, then bytes of its own.

    # (shared, own, value): (0, "conv/b", ...), (5, "w", ...) are the keys "conv/b" and "conv/w"
    """
    at, key = 0, b""
    while at < len(block):
        shared, at = read_varint(block, at)
        own, at = read_varint(block, at)
        size, at = read_varint(block, at)
        key = key[:shared] + block[at : at + own]
        at += own
        yield key, block[at : at + size]
        at += size


def _entry(name: str, value: bytes) -> Entry:
    """Read a BundleEntryProto: 1 type, 2 shape, 3 shard, 4 offset, 5 size, 7 slices."""
    fields = dict(read_fields(value))
    if 7 in fields:
        raise CheckpointError(
            f"variable {name!r} is split into slices, which cannot be read",
            "save the checkpoint again without partitioned variables",
        )
    numbers = [fields.get(number, 0) for number in (1, 3, 4, 5)]
    dtype, shard, offset, size = (n for n in numbers if isinstance(n, int))
    shape = fields.get(2, b"")
    return Entry(dtype, _shape(shape if isinstance(shape, bytes) else b""), shard, offset, size)


def _shape(value: bytes) -> tuple[int, ...]:
    """Read a TensorShapeProto: field 2, repeated, is an axis; its field 1 is the size."""
    axes = [dict(read_fields(axis)) for _, axis in read_fields(value) if isinstance(axis, bytes)]
    return tuple(size for axis in axes if isinstance(size := axis.get(1, 0), int))


def _tensor(name: str, entry: Entry, shards: dict[int, Path]) -> Tensor:
    """Read one variable from its data file."""
    if entry.dtype not in _TYPES:
        raise CheckpointError(
            f"variable {name!r} has TensorFlow's type {entry.dtype}, which is not numbers"
        )
    if entry.shard not in shards:
        raise CheckpointError(
            f"variable {name!r} is in data file {entry.shard}, which is missing",
            "put model.ckpt.data-... next to model.ckpt.index",
        )
    dtype, count = np.dtype(_TYPES[entry.dtype]), int(np.prod(entry.shape))
    path = shards[entry.shard]
    size = path.stat().st_size
    if count * dtype.itemsize != entry.size or entry.offset + entry.size > size:
        raise CheckpointError(
            f"{path} is truncated or damaged: its {size} bytes do not hold all of {name!r}"
        )
    values = np.fromfile(path, dtype=dtype, count=count, offset=entry.offset)
    return torch.from_numpy(values.reshape(entry.shape))


def _find_shards(path: Path) -> dict[int, Path]:
    """Data files by number: ``model.ckpt.data-00000-of-00001`` is 0."""
    prefix = path.name.removesuffix(".index")
    return {int(p.name.split("-")[-3]): p for p in path.parent.glob(f"{prefix}.data-*-of-*")}
