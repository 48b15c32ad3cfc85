"""One clip: frames and ground truth from an act, a performer and a scene."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import DataError
from zoopraxis.theatre.actions import ACTIONS, ACTS, FRAMES, REVERSED
from zoopraxis.theatre.actor import Actor, box_of, placed
from zoopraxis.theatre.body import Array
from zoopraxis.theatre.render import Drawn, Layer, affine, compose, draw, flow_between
from zoopraxis.theatre.scene import (
    DENSITY,
    VIEW,
    Camera,
    Light,
    draw_passerby,
    draw_scene,
    shadow,
)

__all__ = ["Clip", "film", "without_grain"]


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A filmed clip of T frames of H by W pixels, with its ground truth.

    Pixel centres have integer coordinates.

    Parameters
    ----------
    frames : uint8 ndarray of shape (T, H, W, 3)
        RGB frames.
    joints : float32 ndarray of shape (T, 17, 3)
        x and y in pixels of the joints in `COCO`, and 1 where the joint is visible, else 0.
    person_box, object_box : float32 ndarray of shape (T, 4)
        Box (x0, y0, x1, y1) in pixels, occluded parts included, clipped to the frame; NaN where
        there is none in the frame.
    layers : list of list of Layer
        Layers of each frame, from back to front.
    tops : int16 ndarray of shape (T, H, W)
        Index of the topmost layer at each pixel.
    """

    frames: NDArray[np.uint8]
    joints: NDArray[np.float32]
    person_box: NDArray[np.float32]
    object_box: NDArray[np.float32]
    layers: list[list[Layer]]
    tops: NDArray[np.int16]

    def reversed(self) -> "Clip":
        """Reverse the clip and its ground truth in time."""
        arrays = ("frames", "joints", "person_box", "object_box", "tops")
        backwards = {name: getattr(self, name)[::-1] for name in arrays}
        return Clip(**backwards, layers=self.layers[::-1])

    def flow(self) -> NDArray[np.float16]:
        """Optical flow (T-1, 2, H, W) in pixels, x then y, from each frame to the next."""
        pairs = zip(self.layers[:-1], self.layers[1:], self.tops[:-1], strict=True)
        return np.stack([flow_between(*pair) for pair in pairs]).astype(np.float16)


class _Take:
    """Everything drawn at random for one clip, and its layers at any time."""

    def __init__(self, action: str, seed: int, performer: int, size: tuple[int, int]) -> None:
        # One generator for each part, so that a change to one leaves the others as they are.
        act_rng, scene_rng, camera_rng, light_rng, passerby_rng, self._noise = (
            np.random.default_rng(child)
            for child in np.random.SeedSequence([seed, *action.encode()]).spawn(6)
        )
        density = DENSITY * size[1] / VIEW
        self.actor = Actor(action, performer, act_rng, density)
        self.act = self.actor.act
        self.scene = draw_scene(scene_rng, self.act.place, density)
        self.camera = Camera(camera_rng, size, mirrored=self.actor.mirrored)
        self.light = Light(light_rng, size)
        self.passerby = draw_passerby(passerby_rng, density)
        self._shadow = shadow(density) if self.scene.shadows else None

    def _to_pixels(self, t: float) -> Array:
        """Affine transform (2, 3) from the performer's image-plane metres to frame pixels."""
        return self.camera.transform(t, self._camera_target(t), offset=self.act.travel(t))

    def _camera_target(self, t: float) -> float:
        """Position along the backdrop, in metres, that the camera looks at."""
        return self.actor.look(t) + self.act.travel(t)

    def layers(self, t: float) -> list[Layer]:
        """All layers in frame pixels, from back to front."""
        to_pixels = self._to_pixels(t)
        return [
            *self.scene.background(self.camera, t, self._camera_target(t)),
            *placed(self.actor.on_stage(t, self._shadow), to_pixels),
            *self._foreground(t, to_pixels),
        ]

    def _foreground(self, t: float, to_pixels: Array) -> list[Layer]:
        """Water and passers-by."""
        layers = []
        for name, sprite in self.scene.foreground():
            transform = self.camera.transform(t, self._camera_target(t) - self.scene.ripple(t))
            layers.append(Layer(name, sprite, transform, "scene", wraps=True))
        if self.passerby is not None:
            width = VIEW * self.camera.size[0] / self.camera.size[1]
            x = self._camera_target(t) - self.act.travel(t) + self.passerby.position(t, width)
            shift = affine(np.array([1.0, 0]), np.array([0, 1.0]), np.array([x, 0]))
            transform = compose(to_pixels, shift)
            layers.append(Layer("passerby", self.passerby.sprite, transform, "occluder"))
        return layers

    def joints(self, t: float, layers: list[Layer], drawn: Drawn) -> Array:
        """COCO joints (17, 3): x and y in pixels, and 1 where visible, else 0."""
        return self.actor.joints(t, self._to_pixels(t), layers, drawn)

    def expose(self, drawn: Drawn, t: float) -> NDArray[np.uint8]:
        """Apply light and grain to a drawn frame."""
        return self.light.expose(drawn.image, t, self._noise)


def film(
    action: str,
    *,
    seed: int,
    performer: int,
    size: tuple[int, int] = (160, 120),
    grain: bool = True,
) -> Clip:
    """Film one clip.

    A clip of the second action of a reversed pair is, frame by frame, the clip of the first with
    the same seed and performer run backwards: the set of frames does not tell which it is.

    Parameters
    ----------
    action : str
        One of `ACTIONS`.
    seed : int
        Seed of the act, scene, camera, light and passers-by.
    performer : int
        Seed of the performer's body and appearance.
    size : (width, height), default=(160, 120)
        Frame size in pixels.
    grain : bool, default=True
        Whether to apply light and film grain, which vary from frame to frame. Without them, the
        flow explains every change of a pixel.

    Returns
    -------
    Clip

    Raises
    ------
    DataError
        The action is unknown.

    Examples
    --------
    >>> clip = film("stand_up", seed=3, performer=5)  # doctest: +SKIP
    >>> clip.frames.shape  # doctest: +SKIP
    (33, 120, 160, 3)
    """
    performed = REVERSED.get(action, action)
    if performed not in ACTS:
        raise DataError(f"unknown action {action!r}", f"choose one of {', '.join(ACTIONS)}")
    take = _Take(performed, seed, performer, size)
    clip = _shoot(take, size, grain=grain)
    return clip.reversed() if action in REVERSED else clip


def _shoot(take: _Take, size: tuple[int, int], *, grain: bool) -> Clip:
    times = np.linspace(0, 1, FRAMES)
    layers = [take.layers(t) for t in times]
    drawn = [draw(stack, size) for stack in layers]
    shots = list(zip(times, layers, drawn, strict=True))
    frames = [take.expose(d, t) if grain else without_grain(d) for t, _, d in shots]
    return Clip(
        frames=np.stack(frames),
        joints=np.stack([take.joints(*shot) for shot in shots]).astype(np.float32),
        person_box=np.stack([box_of(s, d, "body") for _, s, d in shots]).astype(np.float32),
        object_box=np.stack([box_of(s, d, "object") for _, s, d in shots]).astype(np.float32),
        layers=layers,
        tops=np.stack([d.top for d in drawn]),
    )


def without_grain(drawn: Drawn) -> NDArray[np.uint8]:
    """Round a drawn frame to uint8 (H, W, 3)."""
    return (np.clip(drawn.image, 0, 1) * 255 + 0.5).astype(np.uint8)
