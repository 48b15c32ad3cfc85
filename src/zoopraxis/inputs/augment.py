"""What is random in training: one draw of crop, flip and colours per clip.

A draw (`Draw`, plain numbers) is made by ``draw_augment`` and applied by
`zoopraxis.inputs.images.apply_draw`, so that what is random can be tested by tables. All frames
of a clip share it: a crop that moved from frame to frame would look like a moving camera.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from zoopraxis.inputs.crops import Box, Size, corner_positions, crop_boxes, crop_room, scaled_size

__all__ = ["Augment", "Draw", "Geometry", "draw_augment"]


class Geometry(Protocol):
    """How a kind of input made of images is resized and cropped."""

    @property
    def resize(self) -> int | Size:
        """Shorter side in pixels, or (height, width)."""

    @property
    def size(self) -> int:
        """Side of the crop in pixels."""


@dataclass(frozen=True, kw_only=True)
class Augment:
    """What is random in a training clip.

    Parameters
    ----------
    crop : {"scale_jitter", "multi_scale_corner", "resized", "random", "center"}
        ``scale_jitter``: the shorter side is resized to a random size, and a random square
        cropped (VGG, PySlowFast; the default). ``multi_scale_corner``: after resizing, a crop
        of random height and width at one of a few fixed positions (TSN, section 3.2).
        ``resized``: a random part of random area and shape (Inception). ``random``: a random
        square after resizing. ``center``: as in testing.
    jitter : (float, float), default=(1, 1.25)
        Scale jitter, in units of the input's ``resize``: 256 to 320 pixels for 256.
    scales : tuple of float, default=(1, 0.875, 0.75, 0.66)
        Multi-scale crops, in units of the shorter side.
    max_distort : int, default=1
        Steps in ``scales`` by which a multi-scale crop's height and width may differ.
    positions : {13, 5}, default=13
        Of multi-scale crops: corners and centre, or also the points between them.
    area : (float, float), default=(0.08, 1)
        Resized crops, in units of the frame's area.
    ratio : (float, float), default=(3/4, 4/3)
        Width by height of resized crops.
    flip : float, default=0.5
        Probability of a horizontal flip.
    left_right : tuple of (int, int), default=()
        Pairs of classes that a flip swaps ("swipe left", "swipe right").
    brightness, contrast, saturation : float, default=0
        Strength v of a factor drawn from [1 - v, 1 + v]; they come in random order.
    """

    crop: Literal["scale_jitter", "multi_scale_corner", "resized", "random", "center"] = (
        "scale_jitter"
    )
    jitter: tuple[float, float] = (1.0, 1.25)
    scales: tuple[float, ...] = (1.0, 0.875, 0.75, 0.66)
    max_distort: int = 1
    positions: Literal[13, 5] = 13
    area: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5
    left_right: tuple[tuple[int, int], ...] = ()
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    def relabel(self, label: int, *, flipped: bool) -> int:
        """Label of a clip after a flip."""
        swap = dict(self.left_right) | {right: left for left, right in self.left_right}
        return swap.get(label, label) if flipped else label


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One draw of an `Augment`.

    Parameters
    ----------
    scaled : (int, int)
        Height and width to which frames are resized first.
    box : (int, int, int, int)
        Top, left, height and width of the crop in the resized frame; it is then resized to S.
    flip : bool, default=False
        Left and right change places.
    colour : tuple of (str, float), default=()
        Changes in order: ("contrast", 0.9), ...
    """

    scaled: Size
    box: Box
    flip: bool = False
    colour: tuple[tuple[str, float], ...] = ()


def draw_augment(
    size: Size, geometry: Geometry, augment: Augment, *, rng: np.random.Generator
) -> Draw:
    """Draw the crop, flip and colours of one clip.

    Parameters
    ----------
    size : (int, int)
        Height and width of the decoded frames.
    geometry : Geometry
        How the input is resized and cropped.
    augment : Augment
        What is random.
    rng : numpy.random.Generator
        One draw per clip.
    """
    scaled, box = _CROPS[augment.crop](size, geometry, augment, rng)
    strengths = {k: getattr(augment, k) for k in ("brightness", "contrast", "saturation")}
    colour = [(k, float(rng.uniform(1 - v, 1 + v))) for k, v in strengths.items() if v]
    order = rng.permutation(len(colour))
    return Draw(
        scaled=scaled,
        box=box,
        flip=bool(rng.random() < augment.flip),
        colour=tuple(colour[i] for i in order),
    )


def _center(
    size: Size, geometry: Geometry, _: Augment, __: np.random.Generator
) -> tuple[Size, Box]:
    """Crop as in testing."""
    scaled = scaled_size(size, geometry.resize)
    return scaled, crop_boxes(scaled, geometry.size, 1)[0][0]


def _random(
    size: Size, geometry: Geometry, _: Augment, rng: np.random.Generator
) -> tuple[Size, Box]:
    """Crop a random square after resizing."""
    scaled = scaled_size(size, geometry.resize)
    return scaled, _random_square(scaled, geometry.size, rng)


def _random_square(size: Size, crop: int, rng: np.random.Generator) -> Box:
    """Place a square, every position as likely."""
    down, right = crop_room(size, crop)
    return (int(rng.integers(0, down + 1)), int(rng.integers(0, right + 1)), crop, crop)


def _scale_jitter(
    size: Size, geometry: Geometry, augment: Augment, rng: np.random.Generator
) -> tuple[Size, Box]:
    """Crop a random square after resizing at random (PySlowFast, uniform in the shorter side)."""
    factor = rng.uniform(*augment.jitter)
    if isinstance(geometry.resize, int):
        scaled = scaled_size(size, round(factor * geometry.resize))
    else:
        scaled = (round(factor * geometry.resize[0]), round(factor * geometry.resize[1]))
    return scaled, _random_square(scaled, geometry.size, rng)


def _multi_scale_corner(
    size: Size, geometry: Geometry, augment: Augment, rng: np.random.Generator
) -> tuple[Size, Box]:
    """Crop one of some sizes at one of some positions (TSN's GroupMultiScaleCrop)."""
    scaled = scaled_size(size, geometry.resize)
    sides = [int(min(scaled) * scale) for scale in augment.scales]
    sides = [geometry.size if abs(side - geometry.size) < 3 else side for side in sides]
    shapes = [
        (height, width)
        for i, height in enumerate(sides)
        for j, width in enumerate(sides)
        if abs(i - j) <= augment.max_distort
    ]
    shape = shapes[rng.integers(len(shapes))]
    places = corner_positions(scaled, shape, augment.positions)
    return scaled, (*places[rng.integers(len(places))], *shape)


def _resized(
    size: Size, _: Geometry, augment: Augment, rng: np.random.Generator
) -> tuple[Size, Box]:
    """Crop a part of random area and shape (Inception; ten tries, then the largest fit)."""
    for _try in range(10):
        area = rng.uniform(*augment.area) * size[0] * size[1]
        ratio = math.exp(rng.uniform(*np.log(augment.ratio)))
        height, width = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
        if 0 < height <= size[0] and 0 < width <= size[1]:
            top = int(rng.integers(0, size[0] - height + 1))
            return size, (top, int(rng.integers(0, size[1] - width + 1)), height, width)
    low, high = augment.ratio
    height = min(size[0], round(size[1] / low))
    width = min(size[1], round(size[0] * high))
    return size, ((size[0] - height) // 2, (size[1] - width) // 2, height, width)


_Crop = Callable[[Size, Geometry, Augment, np.random.Generator], tuple[Size, Box]]
_CROPS: Mapping[str, _Crop] = {
    "center": _center,
    "random": _random,
    "scale_jitter": _scale_jitter,
    "multi_scale_corner": _multi_scale_corner,
    "resized": _resized,
}
