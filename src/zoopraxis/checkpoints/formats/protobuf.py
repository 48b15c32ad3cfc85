"""Fields of a protocol-buffer message, without its schema."""

from collections.abc import Iterator

from zoopraxis.errors import CheckpointError

__all__ = ["read_fields", "read_varint"]

_FIXED = {1: 8, 5: 4}  # wire type: bytes
_LONGEST = 10  # bytes of a 64-bit varint


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    r"""Read seven bits per byte, the lowest first; return the number and the offset after it.

    ``b"\xac\x02"`` is ``0x2c + (2 << 7) == 300``.

    Raises
    ------
    CheckpointError
        The data end within the number, or it has more than 64 bits.
    """
    value = 0
    for index, byte in enumerate(data[at : at + _LONGEST]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    if at + _LONGEST > len(data):
        raise CheckpointError("the file ends within a number: it is truncated or damaged")
    raise CheckpointError("not a protocol buffer: a number of more than 64 bits")


def read_fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value) of a message: an int for a varint, bytes for anything else.

    Raises
    ------
    CheckpointError
        The data are not a message.
    """
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = read_varint(data, at)
            yield number, value
            continue
        if wire == 2:
            size, at = read_varint(data, at)
        elif wire in _FIXED:
            size = _FIXED[wire]
        else:
            raise CheckpointError(f"not a protocol buffer: a field of wire type {wire}")
        if at + size > len(data):
            raise CheckpointError("the file ends within a field: it is truncated or damaged")
        yield number, data[at : at + size]
        at += size
