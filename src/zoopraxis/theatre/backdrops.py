"""Backdrops: rooms, landscapes and pools, painted once per clip.

They tile horizontally, so that a runner never reaches the edge. Performers stand at y = 0; the
wall or the horizon meets the floor at `FLOOR`, a little higher in the frame.
"""

from collections.abc import Callable

import cv2
import numpy as np

from zoopraxis.theatre.body import Array
from zoopraxis.theatre.figure import fabric, hue
from zoopraxis.theatre.render import Canvas, Color, Paint, Sprite

__all__ = ["FLOOR", "paint_hills", "paint_land", "paint_pool", "paint_room"]

Rng = np.random.Generator
TOP, BOTTOM, FLOOR = -3.1, 1.1, -0.3  # metres, y down
_WIDTH = 9.6  # period of a backdrop in metres
_END = _WIDTH + 0.2  # beyond the last, partial pixel, to hide the seam


def _backdrop(density: float) -> Canvas:
    """Canvas of a whole backdrop, of low resolution so that the performer stands out."""
    return Canvas((0, TOP, _WIDTH, BOTTOM), 0.7 * density, supersample=2, margin=0)


def _finish(canvas: Canvas, rng: Rng) -> Sprite:
    """Make a backdrop pale and out of focus, as behind a performer close to the camera."""
    canvas.haze(hue(rng.random(), rng.uniform(0, 0.15), rng.uniform(0.6, 0.85)), 0.4)
    return canvas.finish(blur=0.018)


def _gradient(top: Color, bottom: Color, y0: float, y1: float) -> Paint:
    """Vertical gradient from one colour at y0 to another at y1."""
    a, b = np.array(top), np.array(bottom)

    def paint(_: Array, y: Array) -> Array:
        fraction = np.clip((y - y0) / (y1 - y0), 0, 1)[..., None]
        return np.asarray(a + fraction * (b - a))

    return paint


def _mottled(rng: Rng, color: Color, contrast: float, size: float) -> Paint:
    """Colour with soft spots, ``size`` metres large: grass, sand, plaster."""
    # Whole numbers of waves per period along x, so that the pattern tiles.
    waves = [
        (rng.integers(1, int(_WIDTH / size)) * 2 * np.pi / _WIDTH, rng.uniform(2, 6) / size,
         rng.uniform(0, 2 * np.pi))
        for _ in range(4)
    ]  # fmt: skip
    kx, ky, phase = np.transpose(waves)[..., None]  # (4, 1) each

    def paint(x: Array, y: Array) -> Array:
        # sin(a + b) = sin a cos b + cos a sin b: a row and a column of each wave are enough
        along, down = kx * x + phase, y * ky.T  # (4, w), (h, 4)
        spots = np.cos(down) @ np.sin(along) + np.sin(down) @ np.cos(along)  # (h, w)
        shade = 1 + contrast * spots / 4
        return np.asarray(cv2.merge([part * shade for part in color]))

    return paint


def _left_edges(rng: Rng, count: int, width: float) -> list[float]:
    """Left edges of objects of a given width, one in each of ``count`` equal intervals."""
    interval = _WIDTH / count
    return [i * interval + rng.uniform(0, max(interval - width, 0.01)) for i in range(count)]


def _pale(rng: Rng) -> Color:
    return hue(rng.random(), rng.uniform(0.04, 0.3), rng.uniform(0.55, 0.92))


def _floor(rng: Rng) -> Paint:
    """Planks, tiles or carpet."""
    color = hue(rng.uniform(0.03, 0.13), rng.uniform(0.15, 0.5), rng.uniform(0.3, 0.7))
    other = (color[0] * 0.86, color[1] * 0.86, color[2] * 0.86)
    kind = str(rng.choice(["stripes", "checks", "bars", "plain"]))
    return fabric(kind, color, other, float(rng.choice([0.3, 0.4, 0.6])))


def paint_room(rng: Rng, density: float) -> Sprite:
    """Wall with wallpaper or paint, floor, and furniture along the wall."""
    canvas = _backdrop(density)
    wall = _pale(rng)
    paper = (wall[0] * 0.92, wall[1] * 0.92, wall[2] * 0.92)
    kind = str(rng.choice(["plain", "bars", "dots", "checks"]))
    canvas.rectangle((0, TOP, _END, FLOOR), fabric(kind, wall, paper, 0.4))
    canvas.rectangle((0, FLOOR, _END, BOTTOM), _floor(rng))
    canvas.rectangle((0, FLOOR - 0.09, _END, FLOOR), hue(0.08, 0.2, rng.uniform(0.25, 0.9)))
    furniture: list[Callable[[Canvas, Rng, float], None]] = [
        _window, _painting, _shelf, _plant, _lamp,
    ]  # fmt: skip
    for x in _left_edges(rng, 6, 1.3):
        furniture[rng.integers(len(furniture))](canvas, rng, x)
    canvas.shade(1.04 - 0.08 * (canvas.y - FLOOR) * (canvas.y > FLOOR))
    return _finish(canvas, rng)


def _window(canvas: Canvas, rng: Rng, x: float) -> None:
    top, w, h = rng.uniform(-2.3, -2.0), rng.uniform(0.8, 1.2), rng.uniform(0.8, 1.0)
    canvas.rectangle((x, top, x + w, top + h), (0.93, 0.93, 0.9))
    sky = _gradient((0.45, 0.68, 0.95), (0.85, 0.93, 0.98), top, top + h)
    canvas.rectangle((x + 0.06, top + 0.06, x + w - 0.06, top + h - 0.06), sky)
    canvas.rectangle((x + w / 2 - 0.02, top, x + w / 2 + 0.02, top + h), (0.9, 0.9, 0.87))
    curtain = hue(rng.random(), rng.uniform(0.2, 0.6), rng.uniform(0.5, 0.9))
    folds = fabric("bars", curtain, (curtain[0] * 0.85, curtain[1] * 0.85, curtain[2] * 0.85), 0.08)
    canvas.rectangle((x - 0.12, top - 0.05, x + 0.1, top + h + 0.25), folds)
    canvas.rectangle((x + w - 0.1, top - 0.05, x + w + 0.12, top + h + 0.25), folds)


def _painting(canvas: Canvas, rng: Rng, x: float) -> None:
    top, w, h = rng.uniform(-2.2, -1.8), rng.uniform(0.4, 0.9), rng.uniform(0.4, 0.7)
    canvas.rectangle((x, top, x + w, top + h), hue(0.09, 0.6, rng.uniform(0.2, 0.7)))
    inner = (x + 0.05, top + 0.05, x + w - 0.05, top + h - 0.05)
    canvas.rectangle(inner, _gradient(_pale(rng), _pale(rng), top, top + h))
    canvas.ellipse((x + 0.6 * w, top + 0.5 * h), (0.1, 0.08), hue(rng.random(), 0.7, 0.7))


def _shelf(canvas: Canvas, rng: Rng, x: float) -> None:
    top, w = rng.uniform(-1.9, -1.3), rng.uniform(0.7, 1.1)
    wood = hue(0.08, 0.5, rng.uniform(0.25, 0.6))
    canvas.rectangle((x, top, x + w, FLOOR + 0.05), wood)
    for y in np.arange(top + 0.06, FLOOR - 0.35, 0.42):
        inside = (wood[0] * 0.45, wood[1] * 0.45, wood[2] * 0.45)
        canvas.rectangle((x + 0.05, y, x + w - 0.05, y + 0.36), inside)
        left = x + 0.07
        while left < x + w - 0.15:
            thick, tall = rng.uniform(0.04, 0.09), rng.uniform(0.2, 0.32)
            book = hue(rng.random(), 0.5, rng.uniform(0.35, 0.8))
            canvas.rectangle((left, y + 0.36 - tall, left + thick, y + 0.36), book)
            left += thick + 0.01


def _plant(canvas: Canvas, rng: Rng, x: float) -> None:
    center, top = x + 0.5, rng.uniform(-1.3, -1.0)
    for angle in rng.uniform(-1.2, 1.2, 9):
        tip = center + 0.5 * np.sin(angle), top - 0.35 * np.cos(angle)
        green = hue(rng.uniform(0.27, 0.38), 0.6, rng.uniform(0.3, 0.6))
        canvas.polygon([(center - 0.05, FLOOR - 0.3), tip, (center + 0.05, FLOOR - 0.3)], green)
    pot = [(center - 0.17, FLOOR - 0.32), (center + 0.17, FLOOR - 0.32),
           (center + 0.12, FLOOR + 0.08), (center - 0.12, FLOOR + 0.08)]  # fmt: skip
    canvas.polygon(pot, hue(0.04, 0.6, rng.uniform(0.5, 0.8)))


def _lamp(canvas: Canvas, rng: Rng, x: float) -> None:
    center = x + 0.4
    canvas.rectangle((center - 0.02, -1.7, center + 0.02, FLOOR + 0.05), (0.2, 0.2, 0.22))
    shade = [(center - 0.13, -1.95), (center + 0.13, -1.95), (center + 0.24, -1.6),
             (center - 0.24, -1.6)]  # fmt: skip
    canvas.polygon(shade, hue(0.12, rng.uniform(0.1, 0.5), 0.97))
    canvas.ellipse((center, FLOOR + 0.05), (0.18, 0.04), (0.2, 0.2, 0.22))


def paint_hills(rng: Rng, density: float) -> Sprite:
    """Sky with clouds, and distant hills or houses."""
    canvas = _backdrop(density)
    evening = rng.random() < 0.25
    high = (0.3, 0.35, 0.6) if evening else (0.35, 0.6, 0.92)
    low = (0.98, 0.75, 0.5) if evening else (0.84, 0.92, 0.98)
    canvas.rectangle((0, TOP, _END, BOTTOM), _gradient(high, low, TOP, FLOOR))
    for x in _left_edges(rng, 5, 1.2):
        y, white = rng.uniform(-2.6, -1.9), (0.97, 0.95, 0.94)
        for _ in range(3):
            center = x + rng.uniform(0.25, 0.95), y + rng.uniform(-0.05, 0.05)
            canvas.ellipse(center, (0.28, rng.uniform(0.08, 0.15)), white)
    for shade in (0.75, 0.55):
        color = hue(rng.uniform(0.25, 0.6), 0.3, shade)
        for x in _left_edges(rng, 4, 1.0):
            radii = rng.uniform(0.9, 1.2), rng.uniform(0.4, 0.9) * shade
            canvas.ellipse((x + 0.6, FLOOR), radii, color)
    if rng.random() < 0.4:
        for x in _left_edges(rng, 8, 0.8):
            _house(canvas, rng, x)
    return _finish(canvas, rng)


def _house(canvas: Canvas, rng: Rng, x: float) -> None:
    w, top = rng.uniform(0.5, 0.9), FLOOR - rng.uniform(0.5, 1.3)
    canvas.rectangle((x, top, x + w, FLOOR + 0.3), _pale(rng))
    roof = [(x - 0.06, top), (x + w / 2, top - 0.3), (x + w + 0.06, top)]
    canvas.polygon(roof, hue(rng.uniform(0, 0.08), 0.5, 0.5))
    for y in np.arange(top + 0.1, FLOOR - 0.2, 0.35):
        for window in (x + 0.15 * w, x + 0.6 * w):
            canvas.rectangle((window, y, window + 0.25 * w, y + 0.17), (0.3, 0.38, 0.5))


def paint_land(rng: Rng, density: float) -> Sprite:
    """Ground with trees, bushes and fences; transparent above."""
    canvas = _backdrop(density)
    grass = hue(rng.uniform(0.2, 0.36), rng.uniform(0.3, 0.6), rng.uniform(0.4, 0.7))
    sand = hue(rng.uniform(0.08, 0.13), 0.35, rng.uniform(0.6, 0.85))
    ground = grass if rng.random() < 0.65 else sand
    canvas.rectangle((0, FLOOR - 0.02, _END, BOTTOM), _mottled(rng, ground, 0.14, 0.5))
    if rng.random() < 0.5:  # a path
        grey = rng.uniform(0.5, 0.75)
        path = _mottled(rng, (grey, grey, 0.97 * grey), 0.06, 0.4)
        canvas.rectangle((0, -0.16, _END, 0.3), path)
    if rng.random() < 0.4:
        _fence(canvas, rng)
    for x in _left_edges(rng, 5, 1.2):
        if rng.random() < 0.75:
            _tree(canvas, rng, x + 0.5)
        else:
            _bush(canvas, rng, x + 0.5)
    return _finish(canvas, rng)


def _tree(canvas: Canvas, rng: Rng, x: float) -> None:
    bark = hue(0.07, 0.45, rng.uniform(0.25, 0.45))
    canvas.rectangle((x - 0.08, -1.6, x + 0.08, FLOOR + 0.04), bark)
    green = rng.uniform(0.22, 0.4)
    if rng.random() < 0.4:  # a fir
        for y in (-1.0, -1.4, -1.8):
            fir = [(x - 0.45, y + 0.3), (x + 0.45, y + 0.3), (x, y - 0.45)]
            canvas.polygon(fir, hue(green, 0.5, 0.35 - 0.08 * y / 2))
        return
    for _ in range(6):
        center = x + rng.uniform(-0.3, 0.3), rng.uniform(-2.1, -1.5)
        canvas.ellipse(center, (0.32, 0.27), hue(green, 0.55, rng.uniform(0.35, 0.65)))


def _bush(canvas: Canvas, rng: Rng, x: float) -> None:
    green = rng.uniform(0.22, 0.4)
    for _ in range(5):
        center = x + rng.uniform(-0.35, 0.35), FLOOR - rng.uniform(0.0, 0.3)
        canvas.ellipse(center, (0.24, 0.2), hue(green, 0.5, rng.uniform(0.3, 0.6)))


def _fence(canvas: Canvas, rng: Rng) -> None:
    color = hue(0.08, rng.uniform(0.0, 0.5), rng.uniform(0.5, 0.95))
    for y in (-0.85, -0.55):
        canvas.rectangle((0, y, _END, y + 0.07), color)
    for x in np.arange(0.1, _WIDTH, 0.4):
        canvas.rectangle((x, -1.0, x + 0.07, FLOOR), color)


def paint_pool(rng: Rng, density: float) -> tuple[Sprite, Sprite]:
    """Pool or lake, and the translucent water in front of the swimmer."""
    canvas = _backdrop(density)
    water = hue(rng.uniform(0.48, 0.6), rng.uniform(0.35, 0.6), rng.uniform(0.65, 0.9))
    deep = (water[0] * 0.6, water[1] * 0.65, water[2] * 0.8)
    if rng.random() < 0.6:  # a tiled hall
        tile = _pale(rng)
        canvas.rectangle((0, TOP, _END, -1.45), fabric("checks", tile, (0.95, 0.96, 0.97), 0.4))
        canvas.rectangle((0, -1.5, _END, -1.4), (0.9, 0.9, 0.92))
        for x in _left_edges(rng, 4, 1.2):
            _window(canvas, rng, x)
    else:
        sky = _gradient((0.4, 0.65, 0.93), (0.88, 0.93, 0.97), TOP, -1.4)
        canvas.rectangle((0, TOP, _END, -1.4), sky)
        for x in _left_edges(rng, 7, 1.0):
            green = hue(rng.uniform(0.25, 0.4), 0.45, rng.uniform(0.35, 0.6))
            canvas.ellipse((x + 0.5, -1.4), (0.8, rng.uniform(0.2, 0.5)), green)
    canvas.rectangle((0, -1.42, _END, BOTTOM), _gradient(water, deep, -1.4, 0.6))
    for y in (-1.3, -1.2, 0.0, 0.2):
        canvas.rectangle((0, y, _END, y + 0.03), _lane(rng))
    return _finish(canvas, rng), _surface(rng, water, density)


def _lane(rng: Rng) -> Paint:
    """Floats of a lane rope."""
    return fabric("bars", hue(rng.random(), 0.7, 0.8), (0.95, 0.95, 0.95), 0.4)


def _surface(rng: Rng, water: Color, density: float) -> Sprite:
    """Water in front of the swimmer, with a wavy upper edge."""
    canvas = _backdrop(density)
    x = np.linspace(0, _WIDTH, 193)
    waves = int(rng.integers(12, 20)), int(rng.integers(25, 40))
    edge = 0.02 * np.sum([np.sin(2 * np.pi * k * x / _WIDTH) for k in waves], axis=0) - 0.88
    outline = [*zip(x, edge, strict=True), (_END, -0.88), (_END, BOTTOM), (0, BOTTOM)]
    canvas.polygon(outline, _mottled(rng, water, 0.2, 0.4))
    return canvas.finish(opacity=0.45)
