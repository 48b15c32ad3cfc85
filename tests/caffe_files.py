"""Files of Caffe, written byte by byte in every layout that its versions have used (``LAYOUTS``).

Layers are a dict from names to the arrays of their blobs.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

Blobs = Mapping[str, Sequence[np.ndarray]]

LAYOUTS = ("2015", "2015 unpacked", "2015 double", "2014", "c3d")


def varint(number: int) -> bytes:
    """Seven bits per byte, the lowest first."""
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number: int, value: int | str | bytes) -> bytes:
    """A field: a number, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def front_axes(array: np.ndarray, axes: int) -> tuple[int, ...]:
    """Shape (C,) as (1, 1, 1, C): old versions have a fixed number of axes."""
    return (1,) * (axes - array.ndim) + array.shape


def unpacked(number: int, values: bytes, size: int) -> bytes:
    """Every number as a field of its own."""
    tag = varint(number << 3 | {4: 5, 8: 1}[size])
    return b"".join(tag + values[i : i + size] for i in range(0, len(values), size))


def blob(array: np.ndarray, layout: str = "2015") -> bytes:
    """A BlobProto; where old solvers stored gradients, with gradients of zero."""
    floats = array.astype("<f4").tobytes()
    shape = field(7, field(1, b"".join(map(varint, array.shape))))
    match layout:
        case "2015":
            return field(5, floats) + shape
        case "2015 unpacked":
            dims = b"".join(field(1, size) for size in array.shape)
            return unpacked(5, floats, 4) + field(7, dims)
        case "2015 double":
            doubles = array.astype("<f8").tobytes()
            return field(8, doubles) + unpacked(9, doubles, 8) + shape
        case "2014":
            axes = enumerate(front_axes(array, 4), start=1)
            head = b"".join(field(number, size) for number, size in axes)
            return head + field(5, floats) + field(6, bytes(len(floats)))
        case "c3d":
            axes = enumerate(front_axes(array, 5), start=1)
            head = b"".join(field(number, size) for number, size in axes)
            return head + field(6, floats) + field(7, bytes(len(floats)))
    raise ValueError(layout)


def layer(name: str, arrays: Sequence[np.ndarray], layout: str) -> bytes:
    """A layer as a field of the net, with its type and the names of its input and output."""
    blobs = [blob(array, layout) for array in arrays]
    if layout.startswith("2015"):
        head = field(1, name) + field(2, "Layer") + field(3, "below") + field(4, name)
        return field(100, head + b"".join(field(7, b) for b in blobs))
    head = field(2, "below") + field(3, name) + field(4, name) + field(5, 4)
    return field(2, head + b"".join(field(6, b) for b in blobs) + field(7, b"\0\0\x80\x3f"))


def write_net(path: Path, layers: Blobs, layout: str = "2015") -> Path:
    """Write a trained net; a layer without blobs follows each, like a ReLU."""
    out = field(1, "net") + field(3, "data")
    for name, arrays in layers.items():
        out += layer(name, arrays, layout) + layer(f"relu_{name}", (), layout)
    path.write_bytes(out)
    return path


def random_layers(shapes: Mapping[str, Sequence[Sequence[int]]], seed: int = 0) -> Blobs:
    """Layers of normally distributed values; the fourth blob, a variance, is positive."""
    random = np.random.default_rng(seed)
    return {
        name: [
            np.abs(values) + 0.5 if index == 3 else values
            for index, shape in enumerate(blobs)
            for values in [0.1 * random.standard_normal(shape, dtype=np.float32)]
        ]
        for name, blobs in shapes.items()
    }
