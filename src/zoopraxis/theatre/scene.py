"""Places, camera, light and passers-by.

Every motion here is alike in both directions of time: drifts have a symmetric sign, waves a
uniform phase, passers-by come from either side.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoopraxis.theatre.actions import SECONDS
from zoopraxis.theatre.backdrops import paint_hills, paint_land, paint_pool, paint_room
from zoopraxis.theatre.body import Array
from zoopraxis.theatre.figure import hue
from zoopraxis.theatre.render import Canvas, Image, Layer, Sprite, affine, compose

__all__ = ["VIEW", "Camera", "Light", "Passer", "Scene", "draw_passer", "draw_scene", "shadow"]

Rng = np.random.Generator
VIEW = 2.2  # metres of the picture's height at zoom 1
_EYE = 0.95  # metres above the floor that the middle of the picture shows


def wobble(rng: Rng, size: float, rates: tuple[float, float]) -> Callable[[float], float]:
    """Smooth random function of time in [0, 1] whose law is the same when time runs back."""
    size = size * rng.uniform(0.2, 1.0)
    rate, phase = rng.uniform(*rates) * SECONDS, rng.uniform(0, 2 * np.pi)
    drift = rng.uniform(-1, 1)
    return lambda t: size * float(0.6 * np.sin(2 * np.pi * rate * t + phase) + drift * (2 * t - 1))


class Camera:
    """A hand-held camera: it follows, pans, zooms, rolls and shakes.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : (width, height)
        Of the picture in pixels.
    mirrored : bool
        Whether left and right of the picture are exchanged.
    """

    def __init__(self, rng: Rng, size: tuple[int, int], *, mirrored: bool) -> None:
        self.size, self.mirrored = size, mirrored
        self._zoom = rng.uniform(0.94, 1.06)
        self._zooming = wobble(rng, 0.04, (0.1, 0.4))
        self._pan, self._tilt = wobble(rng, 0.06, (0.1, 0.4)), wobble(rng, 0.04, (0.1, 0.4))
        self._roll = wobble(rng, 0.03, (0.2, 0.6))
        shaky = 0.01 * rng.integers(2)
        self._shake = wobble(rng, shaky, (3, 6)), wobble(rng, shaky, (3, 6))

    def place(self, t: float, x: float, *, parallax: float = 1.0, gone: float = 0.0) -> Array:
        """Affine map (2, 3) from picture metres to pixels.

        Parameters
        ----------
        t : float
            Time in [0, 1].
        x : float
            Metres along the backdrop that the camera looks at.
        parallax : float, default=1
            Less than 1 for what is far away and moves less.
        gone : float, default=0
            Metres along the backdrop at which the mapped thing has its zero.
        """
        width, height = self.size
        scale = height / VIEW * (self._zoom + parallax * self._zooming(t))
        roll = self._roll(t)
        right = scale * np.array([np.cos(roll), np.sin(roll)])
        down = scale * np.array([-np.sin(roll), np.cos(roll)])
        eye = np.array([
            parallax * (x - gone + self._pan(t) + self._shake[0](t)),
            -_EYE + parallax * (self._tilt(t) + self._shake[1](t)),
        ])  # fmt: skip
        middle = np.array([width - 1, height - 1]) / 2
        matrix = affine(right, down, middle - right * eye[0] - down * eye[1])
        if self.mirrored:
            matrix = compose(
                affine(np.array([-1, 0]), np.array([0, 1]), np.array([width - 1, 0])), matrix
            )
        return matrix


class Light:
    """Colour, vignette, flicker and grain of a take."""

    def __init__(self, rng: Rng, size: tuple[int, int]) -> None:
        width, height = size
        self._gain = wobble(rng, 0.06, (0.2, 1.0))
        self._flicker = wobble(rng, 0.03 * rng.integers(2), (3, 6))
        tint = rng.uniform(-0.06, 0.06)
        color = np.array([1 + tint, 1.0, 1 - tint]) * rng.uniform(0.88, 1.06)
        y, x = np.mgrid[:height, :width]
        angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.22)
        side = np.cos(angle) * (x / width - 0.5) + np.sin(angle) * (y / height - 0.5)
        corner = np.hypot(x / width - 0.5, y / height - 0.5)
        field = 1 + slope * side - rng.uniform(0, 0.5) * corner**2
        self._field = (field[..., None] * color).astype(np.float32)  # (H, W, 3)
        self.grain = float(rng.uniform(0.0, 0.015))

    def expose(self, image: Image, t: float, noise: Rng) -> NDArray[np.uint8]:
        """Light a float image (H, W, 3) in 0..1 at a time, add grain, round to uint8."""
        lit = image * (self._field * np.float32(1 + self._gain(t) + self._flicker(t)))
        if self.grain:
            grain = noise.standard_normal(lit.shape, dtype=np.float32)
            lit = lit + np.float32(self.grain) * grain
        lit = np.clip(lit * 255 + 0.5, 0, 255)
        return np.asarray(lit, np.uint8)


@dataclass(frozen=True)
class Scene:
    """Backdrop: layers with their parallax, from the far to the near, and what lies in front.

    Parameters
    ----------
    back : tuple of (Sprite, float)
        Painted backdrops, each with its parallax.
    front : Sprite, optional
        Water before the performer.
    ripple : callable
        Metres the front moves sideways at a time.
    shadows : bool
        Whether performers throw a shadow on the floor.
    """

    back: tuple[tuple[Sprite, float], ...]
    front: Sprite | None
    ripple: Callable[[float], float]
    shadows: bool

    def behind(self, camera: Camera, t: float, x: float) -> list[Layer]:
        """Layers of the backdrop in pixels."""
        return [
            Layer(f"back{i}", sprite, camera.place(t, x, parallax=parallax), "scene", wraps=True)
            for i, (sprite, parallax) in enumerate(self.back)
        ]

    def before(self) -> list[tuple[str, Sprite]]:
        """Named sprites in front of the performer."""
        return [("water", self.front)] if self.front is not None else []


def draw_scene(rng: Rng, place: str, density: float) -> Scene:
    """Draw a backdrop for a place, as acts name it."""
    ripple = wobble(rng, 0.08, (0.5, 1.0))
    if place == "land":
        place = str(rng.choice(["room", "outside"]))
    if place == "pool":
        back, front = paint_pool(rng, density)
        return Scene(((back, 1.0),), front, ripple, shadows=False)
    if place == "room":
        return Scene(((paint_room(rng, density), 1.0),), None, ripple, shadows=True)
    far, near = paint_hills(rng, density), paint_land(rng, density)
    return Scene(((far, 0.45), (near, 1.0)), None, ripple, shadows=True)


@dataclass(frozen=True)
class Passer:
    """Something that goes by between camera and performer."""

    sprite: Sprite
    start: float
    speed: float

    def place(self, t: float, width: float) -> float:
        """Metres right of the middle of the picture at a time."""
        return self.start + self.speed * (t - 0.5) * width


def draw_passer(rng: Rng, density: float) -> Passer | None:
    """Draw a passer-by, a post or a branch; three clips in four have none."""
    kind = rng.choice(["none", "person", "post", "plant"], p=[0.76, 0.08, 0.08, 0.08])
    if kind == "none":
        return None
    canvas = Canvas((-0.4, -2.6, 0.4, 0.6), 0.6 * density)
    dark = hue(rng.random(), 0.3, rng.uniform(0.08, 0.3))
    if kind == "person":
        _paint_stroller(canvas, rng)
    elif kind == "post":
        canvas.rectangle((-0.07, -2.6, 0.07, 0.6), dark)
    else:
        for x in rng.uniform(-0.25, 0.25, 7):
            canvas.polygon([(-0.03, 0.6), (0.03, 0.6), (x, rng.uniform(-1.2, -0.6))], dark)
    speed = rng.choice([-1, 1]) * rng.uniform(0.7, 1.5)
    return Passer(canvas.finish(blur=0.02), rng.uniform(-0.8, 0.8), speed)


def _paint_stroller(canvas: Canvas, rng: Rng) -> None:
    """Somebody in a coat, close to the camera and seen from behind."""
    coat = hue(rng.random(), rng.uniform(0.2, 0.5), rng.uniform(0.2, 0.45))
    arm = (0.8 * coat[0], 0.8 * coat[1], 0.8 * coat[2])
    canvas.ellipse((0, -1.68), (0.13, 0.16), hue(rng.uniform(0.03, 0.1), 0.5, 0.3))
    canvas.rectangle((-0.05, -1.55, 0.05, -1.4), (0.6, 0.45, 0.36))
    canvas.polygon([(-0.13, -0.6), (0.13, -0.6), (0.12, 0.6), (-0.12, 0.6)], (0.15, 0.16, 0.2))
    canvas.polygon([(-0.1, -1.5), (0.1, -1.5), (0.21, -1.38), (0.2, -0.4), (-0.2, -0.4),
                    (-0.21, -1.38)], coat)  # fmt: skip
    canvas.polygon([(-0.21, -1.38), (-0.13, -1.36), (-0.16, -0.65), (-0.24, -0.65)], arm)
    canvas.polygon([(0.21, -1.38), (0.13, -1.36), (0.16, -0.65), (0.24, -0.65)], arm)


def shadow(density: float) -> Sprite:
    """Soft dark spot of one metre across."""
    canvas = Canvas((-0.7, -0.7, 0.7, 0.7), 0.4 * density)
    canvas.ellipse((0, 0), (0.5, 0.5), (0.0, 0.0, 0.0))
    return canvas.finish(opacity=0.38, blur=0.06)
