"""Sprites, the layers that place them in a frame, and the image and optical flow of the layers.

Everything in the theatre is a `Sprite`, painted once and placed in each frame by an affine
transform. The same transforms give the exact optical flow: a pixel moves with the layer on top.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from zoopraxis.theatre.body import Array

__all__ = [
    "Canvas",
    "Color",
    "Drawn",
    "Image",
    "Layer",
    "Paint",
    "Sprite",
    "affine",
    "compose",
    "draw",
    "flow_between",
    "invert",
]

Color = tuple[float, float, float]  # RGB in 0..1
Pattern = Callable[[Array, Array], Array]  # x (1, w), y (h, 1) -> RGB, for (h, w, 3)
Paint = Color | Pattern
BOXED = ("body", "object")  # kinds of layers that get a bounding box
_NO_BOX = np.full(4, np.nan)
_ANGLES = np.linspace(0, 2 * np.pi, 24, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)  # (24, 2)

Image = NDArray[np.float32]


def affine(x_axis: Array, y_axis: Array, origin: Array) -> Array:
    """Affine transform (2, 3) of axes (1, 0), (0, 1) and origin (0, 0) to the given ones."""
    matrix = np.empty((2, 3))
    matrix[:, 0], matrix[:, 1], matrix[:, 2] = x_axis, y_axis, origin
    return matrix


def compose(outer: Array, inner: Array) -> Array:
    """Affine transform (2, 3) of ``inner`` followed by ``outer``."""
    linear = outer[:, :2] @ inner
    linear[:, 2] += outer[:, 2]
    return np.asarray(linear)


def invert(matrix: Array) -> Array:
    """Inverse of an affine transform (2, 3)."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate([linear, -linear @ matrix[:, 2:]], axis=1)  # (2, 3)


@dataclass(frozen=True)
class Sprite:
    """A painted image with transparency.

    Parameters
    ----------
    pixels : float32 ndarray of shape (h, w, 4)
        RGB premultiplied by alpha, and alpha, in [0, 1].
    from_pixels : Array
        Affine transform (2, 3) from sprite pixels to sprite metres.
    """

    pixels: Image
    from_pixels: Array


def _fixed_point(points: Array) -> NDArray[np.int32]:
    """Pixel positions as OpenCV's fixed-point integers with four fractional bits (``shift=4``)."""
    return np.round(points * 16).astype(np.int32)


class Canvas:
    """Paints one sprite in sprite metres, x to the right and y down.

    Parameters
    ----------
    box : (x0, y0, x1, y1)
        Extent of the sprite in metres.
    density : float
        Pixels per metre of the finished sprite.
    supersample : int, default=3
        Factor by which the sprite is painted larger, then reduced, for smooth edges.
    margin : int, default=1
        Transparent pixels on all sides; 0 for a sprite that tiles.
    """

    def __init__(
        self, box: tuple[float, float, float, float], density: float, *, supersample: int = 3,
        margin: int = 1,
    ) -> None:  # fmt: skip
        x0, y0, x1, y1 = box
        self.width = int(np.ceil((x1 - x0) * density)) + 2 * margin
        self.height = int(np.ceil((y1 - y0) * density)) + 2 * margin
        self.corner = np.array([x0, y0]) - margin / density
        self.density, self.fine_density = density, density * supersample
        shape = (self.height * supersample, self.width * supersample)
        self.color = np.zeros((*shape, 3), np.float32)
        self.alpha = np.zeros(shape, np.float32)
        self.x = self.corner[0] + (np.arange(shape[1]) + 0.5)[None] / self.fine_density
        self.y = self.corner[1] + (np.arange(shape[0]) + 0.5)[:, None] / self.fine_density

    def polygon(self, points: Any, paint: Paint) -> None:
        """Fill a polygon with vertices (n, 2) in metres."""
        vertices = (np.asarray(points, float) - self.corner) * self.fine_density - 0.5
        if callable(paint):
            self._fill(vertices, paint)
        else:
            cv2.fillPoly(self.color, [_fixed_point(vertices)], paint, shift=4)
        cv2.fillPoly(self.alpha, [_fixed_point(vertices)], (1.0,), shift=4)

    def _fill(self, vertices: Array, paint: Pattern) -> None:
        """Fill a polygon with vertices (n, 2) in supersampled pixels with a pattern."""
        height, width = self.alpha.shape
        x0, y0 = np.clip(np.floor(vertices.min(axis=0)).astype(int) - 1, 0, (width, height))
        x1, y1 = np.clip(np.ceil(vertices.max(axis=0)).astype(int) + 2, 0, (width, height))
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        if not mask.size:
            return
        cv2.fillPoly(mask, [_fixed_point(vertices - (x0, y0))], (255,), shift=4)
        painted = np.empty((*mask.shape, 3), np.float32)
        painted[:] = paint(self.x[:, x0:x1], self.y[y0:y1])
        cv2.copyTo(painted, mask, self.color[y0:y1, x0:x1])

    def ellipse(self, center: Any, radii: tuple[float, float], paint: Paint) -> None:
        """Fill an axis-aligned ellipse."""
        self.polygon(np.asarray(center) + np.asarray(radii) * _CIRCLE, paint)

    def rectangle(self, box: tuple[float, float, float, float], paint: Paint) -> None:
        """Fill a rectangle (x0, y0, x1, y1)."""
        x0, y0, x1, y1 = box
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], paint)

    def shade(self, light: Any) -> None:
        """Multiply the colours by an array that broadcasts to the supersampled canvas."""
        light = np.broadcast_to(np.asarray(light, np.float32), self.alpha.shape)
        self.color *= _repeated(np.ascontiguousarray(light), 3)
        np.clip(self.color, 0, 1, out=self.color)

    def haze(self, color: Color, fraction: float) -> None:
        """Blend everything painted so far with a colour, as distance does."""
        rows = self.color.reshape(len(self.color), -1)  # (h, w * 3): long rows are quick
        change = np.tile(np.array(color, np.float32), self.color.shape[1]) - rows
        change *= np.float32(fraction)
        rows += change

    def finish(self, *, opacity: float = 1.0, blur: float = 0.0) -> Sprite:
        """Reduce to a sprite.

        Parameters
        ----------
        opacity : float, default=1
            Opacity of the whole sprite.
        blur : float, default=0
            Standard deviation of a Gaussian blur, in metres.
        """
        fine: Any = cv2.cvtColor(self.color, cv2.COLOR_RGB2RGBA)  # (h, w, 4), opaque
        fine *= _repeated(self.alpha, 4)
        fine[..., 3] = self.alpha
        fine *= np.float32(opacity)
        size = (self.width, self.height)
        pixels: Any = cv2.resize(fine, size, interpolation=cv2.INTER_AREA)
        if blur:
            pixels = cv2.GaussianBlur(pixels, (0, 0), blur * self.density)
        step = 1 / self.density
        # Pixel centres are integers, so the first one lies half a pixel from the corner.
        metres = affine(np.array([step, 0]), np.array([0, step]), self.corner + 0.5 * step)
        return Sprite(pixels, metres)


def _repeated(plane: Any, channels: int) -> Any:
    """Repeat a plane (h, w) for 3 channels, or for 4 with the last at 1: (h, w, channels).

    NumPy would broadcast (h, w, 1) in a loop of three for every pixel.
    """
    code = cv2.COLOR_GRAY2RGB if channels == 3 else cv2.COLOR_GRAY2RGBA
    return cv2.cvtColor(plane, code)


@dataclass(frozen=True)
class Layer:
    """A sprite in one frame.

    Parameters
    ----------
    name : str
        Name, the same in every frame.
    sprite : Sprite
        Image to draw.
    transform : Array
        Affine transform (2, 3) from sprite metres to frame pixels.
    kind : {"scene", "shade", "object", "body", "occluder"}
        What the layer is. A ``shade`` darkens or tints the layers below and owns no pixel.
    wraps : bool, default=False
        Whether the sprite tiles the plane.
    actor : int, default=0
        Number of the performer that the layer belongs to, where there are several.
    """

    name: str
    sprite: Sprite
    transform: Array
    kind: str
    wraps: bool = False
    actor: int = 0


@dataclass(frozen=True)
class Drawn:
    """A drawn frame.

    Parameters
    ----------
    image : float32 ndarray of shape (H, W, 3)
        RGB in [0, 1].
    top : int16 ndarray of shape (H, W)
        Index of the topmost layer at each pixel.
    boxes : list of Array
        Box (x0, y0, x1, y1) of every layer in pixels, occluded parts included, clipped to the
        frame; NaN outside the frame and for kinds that have none (`BOXED`).
    """

    image: Image
    top: NDArray[np.int16]
    boxes: list[Array]


def _window(layer: Layer, matrix: Array, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Window (x0, y0, x1, y1) of the frame, in whole pixels, that a layer may affect."""
    width, height = size
    if layer.wraps:
        return 0, 0, width, height
    h, w = layer.sprite.pixels.shape[:2]
    window = []
    for (along_x, along_y, origin), end in zip(matrix.tolist(), size, strict=True):
        right, down = along_x * w + origin, along_y * h + origin
        corners = origin, right, down, along_x * w + along_y * h + origin
        low, high = math.floor(min(corners)) - 1, math.ceil(max(corners)) + 2
        window.append((min(max(low, 0), end), min(max(high, 0), end)))
    (x0, x1), (y0, y1) = window
    return x0, y0, x1, y1


def _box(solid: NDArray[np.bool_], x0: int, y0: int) -> Array:
    """Bounding box of the true pixels of a window whose corner is (x0, y0)."""
    x, y, width, height = cv2.boundingRect(solid.view(np.uint8))
    if not width:
        return _NO_BOX
    return np.array([x0 + x, y0 + y, x0 + x + width, y0 + y + height], float)


def draw(layers: list[Layer], size: tuple[int, int]) -> Drawn:
    """Draw layers from back to front.

    Parameters
    ----------
    layers : list of Layer
        Layers, of which the first covers the frame.
    size : (width, height)
        Frame size in pixels.
    """
    width, height = size
    image = np.zeros((height, width, 4), np.float32)
    top = np.zeros((height, width), np.int16)
    boxes = []
    for i, layer in enumerate(layers):
        matrix = compose(layer.transform, layer.sprite.from_pixels)
        x0, y0, x1, y1 = _window(layer, matrix, size)
        if x1 <= x0 or y1 <= y0:
            boxes.append(_NO_BOX)
            continue
        matrix[:, 2] -= (x0, y0)  # origin at the corner of the window
        border = cv2.BORDER_WRAP if layer.wraps else cv2.BORDER_CONSTANT
        patch = cv2.warpAffine(
            layer.sprite.pixels, matrix, (x1 - x0, y1 - y0), borderMode=border
        )  # (h, w, 4)
        alpha = patch[..., 3]
        # Alpha is premultiplied: new = patch + (1 - alpha) * old. The frame's own is not used.
        window = image[y0:y1, x0:x1]
        window *= _repeated(1 - alpha, 4)
        window += patch
        solid = alpha > 0.5
        if layer.kind != "shade":
            np.copyto(top[y0:y1, x0:x1], i, where=solid, casting="unsafe")
        boxes.append(_box(solid, x0, y0) if layer.kind in BOXED else _NO_BOX)
    rgb: Any = cv2.cvtColor(image, cv2.COLOR_RGBA2RGB)
    return Drawn(rgb, top, boxes)


def flow_between(now: list[Layer], later: list[Layer], top: NDArray[np.int16]) -> Image:
    """Optical flow (2, H, W) in pixels, x then y, from one frame to a later one.

    A pixel p that shows layer k moves to ``later[k] . now[k]^-1 (p)``. With a layer placed at
    x = 3.5 now and at x = 5.5 later, each of its pixels has a flow of (2, 0).

    Parameters
    ----------
    now, later : list of Layer
        The same layers, in the same order, in the two frames.
    top : int16 ndarray of shape (H, W)
        `Drawn.top` of the first frame.
    """
    motion = np.stack(
        [compose(b.transform, invert(a.transform)) for a, b in zip(now, later, strict=True)]
    )  # (layers, 2, 3)
    height, width = top.shape
    y, x = np.mgrid[:height, :width].astype(float)
    per_pixel = motion[top]  # (H, W, 2, 3)
    points = np.stack([x, y, np.ones_like(x)], axis=-1)  # (H, W, 3)
    moved = np.einsum("hwij,hwj->ihw", per_pixel, points)  # (2, H, W)
    flow: Image = (moved - np.stack([x, y])).astype(np.float32)
    return flow
