"""Sprites, the layers that place them in a frame, and the image and optical flow of the layers.

Everything in the theatre is a `Sprite`, painted once and placed in each frame by an affine
transform. The same transforms give the exact optical flow: a pixel moves with the layer on top.
"""

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
Pattern = Callable[[Array, Array], Array]  # x and y (n,) in metres -> RGB (n, 3)
Paint = Color | Pattern
BOXED = ("body", "object")  # kinds of layers that get a bounding box
_NO_BOX = np.full(4, np.nan)

Image = NDArray[np.float32]


def affine(x_axis: Array, y_axis: Array, origin: Array) -> Array:
    """Affine transform (2, 3) of axes (1, 0), (0, 1) and origin (0, 0) to the given ones."""
    return np.stack([x_axis, y_axis, origin], axis=1)  # (2, 3)


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
        inside = mask > 0
        x, y = np.broadcast_arrays(self.x[:, x0:x1], self.y[y0:y1])  # (h, w)
        self.color[y0:y1, x0:x1][inside] = paint(x[inside], y[inside])

    def ellipse(self, center: Any, radii: tuple[float, float], paint: Paint) -> None:
        """Fill an axis-aligned ellipse."""
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        ring = np.stack([radii[0] * np.cos(angles), radii[1] * np.sin(angles)], axis=1)  # (24, 2)
        self.polygon(np.asarray(center) + ring, paint)

    def rectangle(self, box: tuple[float, float, float, float], paint: Paint) -> None:
        """Fill a rectangle (x0, y0, x1, y1)."""
        x0, y0, x1, y1 = box
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], paint)

    def shade(self, light: Any) -> None:
        """Multiply the colours by an array that broadcasts to the supersampled canvas."""
        light = np.broadcast_to(np.asarray(light, np.float32), self.alpha.shape)
        np.clip(self.color * light[..., None], 0, 1, out=self.color)

    def haze(self, color: Color, fraction: float) -> None:
        """Blend everything painted so far with a colour, as distance does."""
        self.color += np.float32(fraction) * (np.array(color, np.float32) - self.color)

    def finish(self, *, opacity: float = 1.0, blur: float = 0.0) -> Sprite:
        """Reduce to a sprite.

        Parameters
        ----------
        opacity : float, default=1
            Opacity of the whole sprite.
        blur : float, default=0
            Standard deviation of a Gaussian blur, in metres.
        """
        fine = np.dstack([self.color * self.alpha[..., None], self.alpha]) * opacity
        size = (self.width, self.height)
        pixels: Any = cv2.resize(fine.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        if blur:
            pixels = cv2.GaussianBlur(pixels, (0, 0), blur * self.density)
        step = 1 / self.density
        # Pixel centres are integers, so the first one lies half a pixel from the corner.
        metres = affine(np.array([step, 0]), np.array([0, step]), self.corner + 0.5 * step)
        return Sprite(pixels, metres)


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
    corners = np.array([[0, w, 0, w], [0, 0, h, h], [1, 1, 1, 1]])
    points = matrix @ corners  # (2, 4)
    low = np.floor(points.min(axis=1)).astype(int) - 1
    high = np.ceil(points.max(axis=1)).astype(int) + 2
    x0, y0 = np.clip(low, 0, size)
    x1, y1 = np.clip(high, 0, size)
    return int(x0), int(y0), int(x1), int(y1)


def _box(solid: NDArray[np.bool_], x0: int, y0: int) -> Array:
    """Bounding box of the true pixels of a window whose corner is (x0, y0)."""
    columns, rows = np.flatnonzero(solid.any(axis=0)), np.flatnonzero(solid.any(axis=1))
    if not len(columns):
        return _NO_BOX
    return np.array([x0 + columns[0], y0 + rows[0], x0 + columns[-1] + 1, y0 + rows[-1] + 1], float)


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
    image = np.zeros((height, width, 3), np.float32)
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
        # Alpha is premultiplied: new = patch + (1 - alpha) * old.
        window = image[y0:y1, x0:x1]
        window *= 1 - alpha[..., None]
        window += patch[..., :3]
        solid = alpha > 0.5
        if layer.kind != "shade":
            top[y0:y1, x0:x1][solid] = i
        boxes.append(_box(solid, x0, y0) if layer.kind in BOXED else _NO_BOX)
    return Drawn(image, top, boxes)


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
