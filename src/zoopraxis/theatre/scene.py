"""Backdrops, camera, light and passers-by.

Every motion here has the same distribution in both directions of time: drifts have a random
sign, oscillations a uniform phase, and passers-by come from either side. Nothing but the action
tells whether a clip runs backwards.
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

__all__ = [
    "DENSITY",
    "VIEW",
    "Camera",
    "Light",
    "Passerby",
    "Scene",
    "draw_passerby",
    "draw_scene",
    "shadow",
    "wobble",
]

Rng = np.random.Generator
VIEW = 2.2  # frame height in metres at zoom 1
DENSITY = 1.25  # sprite pixels per frame pixel
_EYE = 0.95  # height in metres above the floor at the centre of the frame


def wobble(rng: Rng, amplitude: float, rates: tuple[float, float]) -> Callable[[float], float]:
    """Smooth random function of time in [0, 1], with the same distribution reversed in time.

    Parameters
    ----------
    rng : numpy.random.Generator
    amplitude : float
        Upper bound of the random scale of the motion, in the units of the result.
    rates : (float, float)
        Lowest and highest frequency in Hz.
    """
    amplitude = amplitude * rng.uniform(0.2, 1.0)
    rate, phase = rng.uniform(*rates) * SECONDS, rng.uniform(0, 2 * np.pi)
    drift = rng.uniform(-1, 1)
    return lambda t: (
        amplitude * float(0.6 * np.sin(2 * np.pi * rate * t + phase) + drift * (2 * t - 1))
    )


class Camera:
    """A hand-held camera that follows, pans, zooms, rolls and shakes.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : (width, height)
        Frame size in pixels.
    mirrored : bool
        Whether frames are flipped horizontally.
    """

    def __init__(self, rng: Rng, size: tuple[int, int], *, mirrored: bool) -> None:
        self.size, self.mirrored = size, mirrored
        self._zoom = rng.uniform(0.94, 1.06)
        self._zooming = wobble(rng, 0.04, (0.1, 0.4))
        self._pan, self._tilt = wobble(rng, 0.06, (0.1, 0.4)), wobble(rng, 0.04, (0.1, 0.4))
        self._roll = wobble(rng, 0.03, (0.2, 0.6))
        shaky = 0.01 * rng.integers(2)
        self._shake = wobble(rng, shaky, (3, 6)), wobble(rng, shaky, (3, 6))

    def transform(self, t: float, x: float, *, parallax: float = 1.0, offset: float = 0.0) -> Array:
        """Affine transform (2, 3) from image-plane metres to frame pixels.

        Parameters
        ----------
        t : float
            Time in [0, 1].
        x : float
            Position along the backdrop, in metres, that the camera looks at.
        parallax : float, default=1
            Less than 1 for distant layers, which move less.
        offset : float, default=0
            Position along the backdrop, in metres, of the origin of what is transformed.
        """
        width, height = self.size
        scale = height / VIEW * (self._zoom + parallax * self._zooming(t))
        roll = self._roll(t)
        right = scale * np.array([np.cos(roll), np.sin(roll)])
        down = scale * np.array([-np.sin(roll), np.cos(roll)])
        # pixel = centre + scale * rotation(roll) @ (point - eye)
        eye = np.array([
            parallax * (x - offset + self._pan(t) + self._shake[0](t)),
            -_EYE + parallax * (self._tilt(t) + self._shake[1](t)),
        ])  # fmt: skip
        centre = np.array([width - 1, height - 1]) / 2
        matrix = affine(right, down, centre - right * eye[0] - down * eye[1])
        if self.mirrored:
            matrix = compose(
                affine(np.array([-1, 0]), np.array([0, 1]), np.array([width - 1, 0])), matrix
            )
        return matrix


class Light:
    """Colour cast, vignette, flicker and grain of a take."""

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
        """Light a float image (H, W, 3) in [0, 1] at time t, add grain, round to uint8."""
        lit = image * (self._field * np.float32(1 + self._gain(t) + self._flicker(t)))
        if self.grain:
            grain = noise.standard_normal(lit.shape, dtype=np.float32)
            grain *= np.float32(self.grain)
            lit += grain
        lit *= 255
        lit += 0.5
        return np.asarray(np.clip(lit, 0, 255, out=lit), np.uint8)


@dataclass(frozen=True)
class Scene:
    """A backdrop, and what lies in front of the performer.

    Parameters
    ----------
    back : tuple of (Sprite, float)
        Backdrops and their parallax, from far to near.
    front : Sprite, optional
        Water in front of the performer.
    ripple : callable
        Time in [0, 1] to the sideways displacement of ``front`` in metres.
    shadows : bool
        Whether performers cast a shadow on the floor.
    """

    back: tuple[tuple[Sprite, float], ...]
    front: Sprite | None
    ripple: Callable[[float], float]
    shadows: bool

    def background(self, camera: Camera, t: float, x: float) -> list[Layer]:
        """Layers of the backdrop, in frame pixels."""
        return [
            Layer(
                f"back{i}", sprite, camera.transform(t, x, parallax=parallax), "scene", wraps=True
            )
            for i, (sprite, parallax) in enumerate(self.back)
        ]

    def foreground(self) -> list[tuple[str, Sprite]]:
        """Named sprites in front of the performer."""
        return [("water", self.front)] if self.front is not None else []


def draw_scene(rng: Rng, place: str, density: float) -> Scene:
    """Draw a random scene for `Act.place`."""
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
class Passerby:
    """Something that passes between camera and performer.

    Parameters
    ----------
    sprite : Sprite
    start : float
        Metres right of the centre of the frame at the middle of the clip.
    speed : float
        Frame widths per clip; negative to the left.
    """

    sprite: Sprite
    start: float
    speed: float

    def position(self, t: float, width: float) -> float:
        """Metres right of the centre of the frame at time t, for a frame width in metres."""
        return self.start + self.speed * (t - 0.5) * width


def draw_passerby(rng: Rng, density: float) -> Passerby | None:
    """Draw a random pedestrian, post or plant; None for three clips in four."""
    kind = rng.choice(["none", "person", "post", "plant"], p=[0.76, 0.08, 0.08, 0.08])
    if kind == "none":
        return None
    canvas = Canvas((-0.4, -2.6, 0.4, 0.6), 0.6 * density)
    dark = hue(rng.random(), 0.3, rng.uniform(0.08, 0.3))
    if kind == "person":
        _paint_pedestrian(canvas, rng)
    elif kind == "post":
        canvas.rectangle((-0.07, -2.6, 0.07, 0.6), dark)
    else:
        for x in rng.uniform(-0.25, 0.25, 7):
            canvas.polygon([(-0.03, 0.6), (0.03, 0.6), (x, rng.uniform(-1.2, -0.6))], dark)
    speed = rng.choice([-1, 1]) * rng.uniform(0.7, 1.5)
    return Passerby(canvas.finish(blur=0.02), rng.uniform(-0.8, 0.8), speed)


def _paint_pedestrian(canvas: Canvas, rng: Rng) -> None:
    """Paint a person in a coat, close to the camera and seen from behind."""
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
    """Soft dark spot, one metre across."""
    canvas = Canvas((-0.7, -0.7, 0.7, 0.7), 0.4 * density)
    canvas.ellipse((0, 0), (0.5, 0.5), (0.0, 0.0, 0.0))
    return canvas.finish(opacity=0.38, blur=0.06)
