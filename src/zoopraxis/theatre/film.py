"""One clip: an act, a performer and a scene become frames and their ground truth."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zoopraxis.theatre.actions import ACTIONS, FRAMES, REVERSED, SOURCES, Act
from zoopraxis.theatre.body import Array, solve
from zoopraxis.theatre.figure import COCO, Figure, View, draw_performer, in_swimwear
from zoopraxis.theatre.render import (
    Drawn,
    Layer,
    affine,
    compose,
    draw,
    flow_between,
)
from zoopraxis.theatre.scene import VIEW, Camera, Light, draw_passer, draw_scene, shadow
from zoopraxis.errors import DataError

__all__ = ["Clip", "film"]


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A filmed clip of T frames of H by W pixels, with what is true about it.

    Pixel centres lie at whole numbers.

    Parameters
    ----------
    frames : ndarray of shape (T, H, W, 3)
        uint8 RGB.
    joints : ndarray of shape (T, 17, 3)
        float32 x and y in pixels, in the order of `COCO`, and 1 where the joint can be seen,
        else 0.
    person_box, object_box : ndarray of shape (T, 4)
        float32 (x0, y0, x1, y1) in pixels, hidden parts included, cut at the frame; NaN where
        there is none in the frame.
    layers : list of list of Layer
        What each frame was drawn from.
    tops : ndarray of shape (T, H, W)
        int16 number of the layer each pixel shows.
    """

    frames: NDArray[np.uint8]
    joints: NDArray[np.float32]
    person_box: NDArray[np.float32]
    object_box: NDArray[np.float32]
    layers: list[list[Layer]]
    tops: NDArray[np.int16]

    def reversed(self) -> "Clip":
        """The same clip run backwards."""
        arrays = ("frames", "joints", "person_box", "object_box", "tops")
        backwards = {name: getattr(self, name)[::-1] for name in arrays}
        return Clip(**backwards, layers=self.layers[::-1])

    def flow(self) -> NDArray[np.float16]:
        """Optical flow (T-1, 2, H, W) in pixels, x then y, from each frame to the next."""
        steps = zip(self.layers[:-1], self.layers[1:], self.tops[:-1], strict=True)
        return np.stack([flow_between(*step) for step in steps]).astype(np.float16)


class _Take:
    """All that is drawn at random for one clip, and its layers at any time."""

    def __init__(self, source: str, seed: int, performer: int, size: tuple[int, int]) -> None:
        act_rng, scene_rng, camera_rng, light_rng, passer_rng, self._noise = (
            np.random.default_rng(child)
            for child in np.random.SeedSequence([seed, *source.encode()]).spawn(6)
        )
        density = 1.25 * size[1] / VIEW  # a quarter finer than the picture's pixels per metre
        mirrored = bool(act_rng.random() < 0.5)
        person = draw_performer(performer)
        # Who is seen in a mirror must act with the other hand to act with the right one.
        body = replace(person.body, left_handed=person.body.left_handed != mirrored)
        self.act: Act = SOURCES[source](body, act_rng, density)
        self.view = View(self.act.heading)
        dressed = in_swimwear(person) if self.act.place == "pool" else person
        self.figure = Figure(dressed, self.view, density)
        self.scene = draw_scene(scene_rng, self.act.place, density)
        self.camera = Camera(camera_rng, size, mirrored=mirrored)
        self.light = Light(light_rng, size)
        self.passer = draw_passer(passer_rng, density)
        self._shadow = shadow(density)

    def _stage(self, t: float) -> Array:
        """Affine map (2, 3) from the performer's picture metres to pixels."""
        return self.camera.place(t, self._looked(t), gone=self.act.travel(t))

    def _looked(self, t: float) -> float:
        ahead = self.view.project(np.array([self.act.look(t), 0.0, 0.0]))
        return float(ahead[0]) + self.act.travel(t)

    def layers(self, t: float) -> list[Layer]:
        """Every layer in pixels, from the back to the front."""
        joints = solve(self.figure.body, self.act.pose(t))
        stage = self._stage(t)
        behind, front = self.figure.layers(joints)
        staged = [
            *self._shadows(joints),
            *(piece.layer(self.view) for piece in self.act.behind(t)),
            *behind,
            *(piece.layer(self.view) for piece in self.act.held(t)),
            *front,
        ]
        return [
            *self.scene.behind(self.camera, t, self._looked(t)),
            *(_placed(layer, stage) for layer in staged),
            *self._foreground(t, stage),
        ]

    def _shadows(self, joints: dict[str, Array]) -> list[Layer]:
        """A soft spot under the body, as long as the stance."""
        if not self.scene.shadows:
            return []
        above = (joints["left_ankle"], joints["right_ankle"], joints["pelvis"])
        xs, ys = np.transpose([self.view.project(point * (1, 0, 1)) for point in above])
        place = affine(
            np.array([xs.max() - xs.min() + 0.45, 0]), np.array([0, 0.2]),
            np.array([(xs.max() + xs.min()) / 2, ys.mean() + 0.02]),
        )  # fmt: skip
        return [Layer("shadow", self._shadow, place, "shade")]

    def _foreground(self, t: float, stage: Array) -> list[Layer]:
        """Water and passers-by."""
        found = []
        for name, sprite in self.scene.before():
            place = self.camera.place(t, self._looked(t) - self.scene.ripple(t))
            found.append(Layer(name, sprite, place, "scene", wraps=True))
        if self.passer is not None:
            width = VIEW * self.camera.size[0] / self.camera.size[1]
            x = self._looked(t) - self.act.travel(t) + self.passer.place(t, width)
            here = affine(np.array([1.0, 0]), np.array([0, 1.0]), np.array([x, 0]))
            place = compose(stage, here)
            found.append(Layer("passer", self.passer.sprite, place, "occluder"))
        return found

    def joints(self, t: float, layers: list[Layer], drawn: Drawn) -> Array:
        """COCO joints (17, 3) in pixels, seen or not."""
        solved = solve(self.figure.body, self.act.pose(t))
        points, turned = self.figure.keypoints(solved)
        stage = self._stage(t)
        points = points @ stage[:, :2].T + stage[:, 2]  # (17, 2)
        names = [_other_side(n) if self.camera.mirrored else n for n in COCO]
        seen = [
            ahead and _is_seen(name, point, layers, drawn)
            for name, point, ahead in zip(COCO, points, turned, strict=True)
        ]
        order = [names.index(name) for name in COCO]
        return np.column_stack([points, np.asarray(seen, float)])[order]  # (17, 3)

    def expose(self, drawn: Drawn, t: float) -> NDArray[np.uint8]:
        """Final picture of a drawn frame."""
        return self.light.expose(drawn.image, t, self._noise)


def _placed(layer: Layer, stage: Array) -> Layer:
    return Layer(layer.name, layer.sprite, compose(stage, layer.place), layer.kind, layer.wraps)


def _other_side(name: str) -> str:
    """``left_knee`` for ``right_knee``: a mirrored right is a left."""
    side, _, rest = name.partition("_")
    swap = {"left": "right", "right": "left"}
    return f"{swap[side]}_{rest}" if side in swap else name


_LIMB_OF = {
    "shoulder": ("upper_arm", "torso"),
    "elbow": ("upper_arm", "forearm"),
    "wrist": ("forearm",),
    "hip": ("thigh", "torso"),
    "knee": ("thigh", "shin"),
    "ankle": ("shin", "foot"),
}  # what carries each joint


def _is_seen(name: str, point: Array, layers: list[Layer], drawn: Drawn) -> bool:
    """Whether a joint lies in the frame on a part that carries it."""
    x, y = round(float(point[0])), round(float(point[1]))
    height, width = drawn.top.shape
    if not 0 <= x < width or not 0 <= y < height:
        return False
    shown = layers[int(drawn.top[y, x])].name
    side, _, joint = name.partition("_")
    if joint not in _LIMB_OF:
        return shown == "head"
    carriers = {part if part == "torso" else f"{side}_{part}" for part in _LIMB_OF[joint]}
    return shown in carriers


def _union(layers: list[Layer], drawn: Drawn, kind: str) -> Array:
    """Box around all layers of a kind; NaN without any."""
    found = zip(layers, drawn.boxes, strict=True)
    boxes = np.array([box for layer, box in found if layer.kind == kind]).reshape(-1, 4)
    boxes = boxes[~np.isnan(boxes[:, 0])]
    if not len(boxes):
        return np.full(4, np.nan)
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def film(
    action: str,
    *,
    seed: int,
    performer: int,
    size: tuple[int, int] = (160, 120),
    grain: bool = True,
) -> Clip:
    """Film one clip.

    The clip of the second of a reversed pair is, frame for frame, the clip of the first of
    the same seed run backwards: a set of frames tells nothing about which of the two it is.

    Parameters
    ----------
    action : str
        One of `ACTIONS`.
    seed : int
        Draws act, scene, camera, light and passers-by.
    performer : int
        Draws the body and its looks.
    size : (width, height), default=(160, 120)
        Pixels.
    grain : bool, default=True
        Whether light and film grain change from frame to frame; without, the flow explains
        every change of a pixel.

    Raises
    ------
    DataError
        There is no such action.
    """
    source = REVERSED.get(action, action)
    if source not in SOURCES:
        raise DataError(f"the theatre plays no {action!r}", f"known: {', '.join(ACTIONS)}")
    take = _Take(source, seed, performer, size)
    clip = _shoot(take, size, grain=grain)
    return clip.reversed() if action in REVERSED else clip


def _shoot(take: _Take, size: tuple[int, int], *, grain: bool) -> Clip:
    times = np.linspace(0, 1, FRAMES)
    layers = [take.layers(t) for t in times]
    drawn = [draw(stack, size) for stack in layers]
    shots = list(zip(times, layers, drawn, strict=True))
    frames = [take.expose(d, t) if grain else _rounded(d) for t, _, d in shots]
    return Clip(
        frames=np.stack(frames),
        joints=np.stack([take.joints(*shot) for shot in shots]).astype(np.float32),
        person_box=np.stack([_union(s, d, "body") for _, s, d in shots]).astype(np.float32),
        object_box=np.stack([_union(s, d, "object") for _, s, d in shots]).astype(np.float32),
        layers=layers,
        tops=np.stack([d.top for d in drawn]),
    )


def _rounded(drawn: Drawn) -> NDArray[np.uint8]:
    return (np.clip(drawn.image, 0, 1) * 255 + 0.5).astype(np.uint8)
