"""TensorFlow checkpoints (``model.ckpt.index`` and its data files), without TensorFlow.

The index is a LevelDB table: blocks of sorted keys, each stored without the prefix that it shares
with the key before. An index block has the offsets of the blocks, and a footer that of the index
block. A value is a small protocol buffer that says which bytes of which data file are the tensor.
"""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
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
_LONGEST_NAME = 4096  # bytes; names share their beginnings, so a small file could hold gigabytes
_MOST_AXES = 32
_LONGEST_AXIS = 1 << 62


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
    with _naming(path):
        table = _table(path)
        shards = _find_shards(path, table.pop(b""))
        entries = _entries(table)
        return {
            name: _tensor(name, entry, shards)
            for name, entry in entries.items()
            if entry.dtype != _STRING
        }


def read_index(path: str | Path) -> dict[str, Entry]:
    """Read the names of the variables and where they are stored, from the ``.index`` file alone.

    Raises
    ------
    CheckpointError
        As in `read_checkpoint`.
    """
    path = Path(path)
    with _naming(path):
        table = _table(path)
        table.pop(b"")
        return _entries(table)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the checkpoint in every error."""
    try:
        yield
    except CheckpointError as error:
        if path.name in error.problem:
            raise
        raise CheckpointError(
            f"{path} cannot be read: {error.problem}", error.hint or "download or copy it again"
        ) from error


def _table(path: Path) -> dict[bytes, bytes]:
    """Records of the index by key; that of the empty key is the header."""
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
    table: dict[bytes, bytes] = {}
    last: bytes | None = None
    for _, place in _records(_block(data, *index)):
        block, _ = _handle(place, 0)
        for key, value in _records(_block(data, *block)):
            if last is not None and key <= last:
                raise CheckpointError("it is damaged: its keys are not in order")
            table[key] = value
            last = key
    if b"" not in table:
        raise CheckpointError("it is damaged: it has no header")
    return table


def _entries(table: dict[bytes, bytes]) -> dict[str, Entry]:
    """Where each variable is stored."""
    entries = {}
    for key, value in table.items():
        try:
            name = key.decode()
        except UnicodeDecodeError:
            raise CheckpointError(f"it is damaged: {key!r:.80} is not a name") from None
        entries[name] = _entry(name, value)
    return entries


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Read (offset, size) of a block, and the offset after it."""
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return (offset, size), at


def _block(data: bytes, offset: int, size: int) -> bytes:
    """Return the records of a block, without its restart points."""
    if offset + size + 1 > len(data):
        raise CheckpointError("it is truncated or damaged: a block lies beyond its end")
    if data[offset + size] != 0:
        raise CheckpointError(
            "it has compressed blocks, which TensorFlow itself does not write",
            "save the checkpoint again with TensorFlow",
        )
    block = data[offset : offset + size]
    restarts = int.from_bytes(block[-4:], "little")
    if 4 * (restarts + 1) > size:
        raise CheckpointError("it is damaged: a block has more restart points than bytes")
    return block[: size - 4 * (restarts + 1)]


def _records(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (key, value); a key is a prefix of the key before, then bytes of its own.

    # (shared, own, value): (0, "conv/b", ...), (5, "w", ...) are the keys "conv/b" and "conv/w"
    """
    at, key = 0, b""
    while at < len(block):
        shared, at = read_varint(block, at)
        own, at = read_varint(block, at)
        size, at = read_varint(block, at)
        if shared > len(key) or at + own + size > len(block):
            raise CheckpointError("it is damaged: a record is longer than its block")
        if shared + own > _LONGEST_NAME:
            raise CheckpointError(f"it is damaged: a name of {shared + own} bytes")
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
    dtype, shard, offset, size = (_number(fields.get(n, 0), name) for n in (1, 3, 4, 5))
    shape = fields.get(2, b"")
    if isinstance(shape, int):
        raise CheckpointError(f"variable {name!r} has no shape: it is damaged")
    return Entry(dtype, _shape(shape, name), shard, offset, size)


def _number(value: int | bytes, name: str) -> int:
    if not isinstance(value, int):
        raise CheckpointError(f"variable {name!r} has a text where a number belongs: it is damaged")
    return value


def _shape(value: bytes, name: str) -> tuple[int, ...]:
    """Read a TensorShapeProto: field 2, repeated, is an axis; its field 1 is the size."""
    axes = [axis for number, axis in read_fields(value) if number == 2]
    shape = []
    for axis in axes:
        sizes = dict(read_fields(axis)) if isinstance(axis, bytes) else {1: -1}
        shape.append(_number(sizes.get(1, 0), name))
    if len(shape) > _MOST_AXES or any(not 0 <= size < _LONGEST_AXIS for size in shape):
        raise CheckpointError(f"variable {name!r} has an impossible shape: it is damaged")
    return tuple(shape)


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
    dtype, count = np.dtype(_TYPES[entry.dtype]), math.prod(entry.shape)
    path = shards[entry.shard]
    size = path.stat().st_size
    if count * dtype.itemsize != entry.size or entry.offset + entry.size > size:
        raise CheckpointError(
            f"{path} is truncated or damaged: its {size} bytes do not hold all of {name!r}"
        )
    values = np.fromfile(path, dtype=dtype, count=count, offset=entry.offset)
    return torch.from_numpy(values.reshape(entry.shape))


def _find_shards(path: Path, header: bytes) -> dict[int, Path]:
    """Data files that are there, by number: ``model.ckpt.data-00000-of-00001`` is 0.

    The header says how many there are: those of another save may lie beside them.
    """
    fields = dict(read_fields(header))
    total = _number(fields.get(1, 1), "of the header")
    if fields.get(2, 0):
        raise CheckpointError(
            "its numbers are big-endian, which is not read", "save it on a usual machine"
        )
    prefix = re.escape(path.name.removesuffix(".index"))
    pattern = re.compile(rf"{prefix}\.data-(\d{{5}})-of-{total:05}")
    found = ((pattern.fullmatch(p.name), p) for p in path.parent.iterdir())
    return {int(match[1]): p for match, p in found if match}
