"""Several performers in one film, who act differently at once."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import DataError
from zoopraxis.theatre.actions import ACTIONS, ACTS, FPS, FRAMES, REVERSED
from zoopraxis.theatre.actor import Actor, box_of, placed
from zoopraxis.theatre.body import Array
from zoopraxis.theatre.film import without_grain
from zoopraxis.theatre.render import affine, compose, draw
from zoopraxis.theatre.scene import DENSITY, VIEW, Camera, Light, draw_scene, shadow

__all__ = ["GroupClip", "Part", "Segment", "film_group"]


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one performer does.

    Parameters
    ----------
    actions : tuple of str
        Actions of `ACTIONS` one after the other, each for `FRAMES` frames; not ``swim``. After a
        ``sit_down`` a ``stand_up`` gets up from the same chair, and so for the other pairs.
    performer : int
        Seed of the performer's body and appearance.
    place : float
        Metres to the right of the middle of the frame, which is 2.2 metres high.
    pauses : tuple of int, default=()
        Frames of standing still before each action and after the last, one more than there are
        actions; empty for none.

    # 2 actions, pauses (4, 0, 2): 4 frames still, both actions, 2 frames still
    """

    actions: tuple[str, ...]
    performer: int
    place: float
    pauses: tuple[int, ...] = ()

    @property
    def starts(self) -> tuple[int, ...]:
        """Frames in which the actions begin."""
        pauses = self.pauses or (0,) * len(self.actions)
        stills = accumulate(pauses[: len(self.actions)])
        return tuple(act * FRAMES + still for act, still in enumerate(stills))

    @property
    def num_frames(self) -> int:
        """Frames of all actions and pauses."""
        return FRAMES * len(self.actions) + sum(self.pauses)


@dataclass(frozen=True)
class Segment:
    """An action of one performer: what, from when to when in seconds."""

    person: int
    start: float
    end: float
    label: str


@dataclass(frozen=True, kw_only=True)
class GroupClip:
    """A film of T frames of H by W pixels with P performers, and its ground truth.

    Pixel centres have integer coordinates.

    Parameters
    ----------
    frames : uint8 ndarray of shape (T, H, W, 3)
        RGB frames.
    joints : float32 ndarray of shape (T, P, 17, 3)
        x and y in pixels of the joints in `COCO`, and 1 where the joint is visible, else 0.
    person_boxes, object_boxes : float32 ndarray of shape (T, P, 4)
        Box (x0, y0, x1, y1) in pixels of each performer and of what it acts with, occluded parts
        included, clipped to the frame; NaN where there is none in the frame.
    segments : tuple of Segment
        Who does what, and when.
    """

    frames: NDArray[np.uint8]
    joints: NDArray[np.float32]
    person_boxes: NDArray[np.float32]
    object_boxes: NDArray[np.float32]
    segments: tuple[Segment, ...]


class _Role:
    """A part with an actor for each of its actions."""

    def __init__(self, part: Part, seed: int, number: int, density: float) -> None:
        self.part = part
        self.cast = [
            # both actions of a pair have one seed, so that the second takes up where the first ends
            Actor(
                performed := REVERSED.get(action, action),
                part.performer,
                np.random.default_rng([seed, number, *performed.encode()]),
                density,
            )
            for action in part.actions
        ]

    def at(self, frame: int) -> tuple[Actor, float]:
        """Actor of a frame, and the time of its act in [0, 1].

        In a pause the performer holds the pose in which the last act ended, and before the first
        act that in which it begins.
        """
        starts = self.part.starts
        act = max(bisect_right(starts, frame) - 1, 0)
        t = min(max((frame - starts[act]) / (FRAMES - 1), 0.0), 1.0)
        return self.cast[act], 1 - t if self.part.actions[act] in REVERSED else t

    def to_pixels(self, frame: int, camera: Camera, now: float) -> Array:
        """Affine transform (2, 3) from the actor's image-plane metres to frame pixels."""
        actor, t = self.at(frame)
        # who walks passes the place half-way
        x = actor.act.travel(t) - actor.act.travel(0.5) - actor.look(0.5)
        side = -1.0 if actor.mirrored else 1.0
        own = affine(np.array([side, 0.0]), np.array([0.0, 1.0]), np.array([side * x, 0.0]))
        return compose(camera.transform(now, 0.0, offset=self.part.place), own)


def film_group(
    parts: Sequence[Part], *, seed: int, size: tuple[int, int] = (320, 180), grain: bool = True
) -> GroupClip:
    """Film several performers side by side.

    The camera stands: it shakes and zooms, and follows nobody. Later parts stand in front of
    earlier ones.

    Parameters
    ----------
    parts : sequence of Part
        Who does what, and where; all for the same number of frames.
    seed : int
        Seed of the acts, scene, camera and light.
    size : (width, height), default=(320, 180)
        Frame size in pixels.
    grain : bool, default=True
        Whether to apply light and film grain.

    Returns
    -------
    GroupClip
        `FRAMES` frames for each action, and those of the pauses.

    Raises
    ------
    DataError
        An action is unknown or needs a pool, the parts differ in their number of frames, or the
        number of pauses does not fit.

    Examples
    --------
    >>> parts = [Part(actions=("wave",), performer=1, place=-0.9),
    ...          Part(actions=("sit_down",), performer=2, place=0.9)]
    >>> clip = film_group(parts, seed=3, size=(96, 64))
    >>> clip.frames.shape, clip.person_boxes.shape, clip.segments[1].label
    ((33, 64, 96, 3), (33, 2, 4), 'sit_down')
    """
    _check(parts)
    scene_rng, camera_rng, light_rng, noise = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(4)
    )
    density = DENSITY * size[1] / VIEW
    roles = [_Role(part, seed, number, density) for number, part in enumerate(parts)]
    num_frames = parts[0].num_frames
    places = {actor.act.place for role in roles for actor in role.cast}
    scene = draw_scene(scene_rng, "room" if "room" in places else "land", density)
    camera, light = Camera(camera_rng, size, mirrored=False), Light(light_rng, size)
    spot = shadow(density) if scene.shadows else None
    frames, joints = [], []
    people: list[list[Array]] = []
    objects: list[list[Array]] = []
    for frame, now in enumerate(np.linspace(0, 1, num_frames)):
        on_stage = [(*role.at(frame), role.to_pixels(frame, camera, now)) for role in roles]
        layers = scene.background(camera, now, 0.0)
        for number, (actor, t, to_pixels) in enumerate(on_stage):
            layers += placed(actor.on_stage(t, spot), to_pixels, actor=number)
        drawn = draw(layers, size)
        frames.append(light.expose(drawn.image, now, noise) if grain else without_grain(drawn))
        joints.append(
            [
                actor.joints(t, to_pixels, layers, drawn, actor=number)
                for number, (actor, t, to_pixels) in enumerate(on_stage)
            ]
        )
        for boxes, kind in ((people, "body"), (objects, "object")):
            boxes.append([box_of(layers, drawn, kind, actor=i) for i in range(len(roles))])
    return GroupClip(
        frames=np.stack(frames),
        joints=np.asarray(joints, np.float32),
        person_boxes=np.asarray(people, np.float32),
        object_boxes=np.asarray(objects, np.float32),
        segments=tuple(
            Segment(number, start / FPS, (start + FRAMES) / FPS, action)
            for number, part in enumerate(parts)
            for start, action in zip(part.starts, part.actions, strict=True)
        ),
    )


def _check(parts: Sequence[Part]) -> None:
    """Refuse parts that cannot be filmed."""
    for part in parts:
        if part.pauses and (len(part.pauses) != len(part.actions) + 1 or min(part.pauses) < 0):
            raise DataError(
                f"the pauses of {len(part.actions)} actions are {part.pauses}",
                "give frames, 0 or more, before each action and after the last",
            )
    if len({part.num_frames for part in parts}) != 1 or not parts[0].actions:
        raise DataError(
            f"the parts have {[len(part.actions) for part in parts]} actions in "
            f"{[part.num_frames for part in parts]} frames",
            "give one performer or more, each with actions for the same number of frames",
        )
    for part in parts:
        for action in part.actions:
            performed = REVERSED.get(action, action)
            if performed not in ACTS or performed == "swim":
                known = ", ".join(name for name in ACTIONS if name != "swim")
                raise DataError(f"{action!r} cannot be filmed in a group", f"choose of {known}")
