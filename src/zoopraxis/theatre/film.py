"""One clip: frames and ground truth from an act, a performer and a scene."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import DataError
from zoopraxis.theatre.actions import ACTIONS, ACTS, FRAMES, REVERSED, Act
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
from zoopraxis.theatre.scene import VIEW, Camera, Light, draw_passerby, draw_scene, shadow

__all__ = ["Clip", "film"]


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
        density = 1.25 * size[1] / VIEW  # a quarter finer than the frame's pixels per metre
        mirrored = bool(act_rng.random() < 0.5)
        person = draw_performer(performer)
        # Flipping the frame swaps the hands: use the other one to show the correct one.
        body = replace(person.body, left_handed=person.body.left_handed != mirrored)
        self.act: Act = ACTS[action](body, act_rng, density)
        self.view = View(self.act.heading)
        person = in_swimwear(person) if self.act.place == "pool" else person
        self.figure = Figure(person, self.view, density)
        self.scene = draw_scene(scene_rng, self.act.place, density)
        self.camera = Camera(camera_rng, size, mirrored=mirrored)
        self.light = Light(light_rng, size)
        self.passerby = draw_passerby(passerby_rng, density)
        self._shadow = shadow(density)

    def _to_pixels(self, t: float) -> Array:
        """Affine transform (2, 3) from the performer's image-plane metres to frame pixels."""
        return self.camera.transform(t, self._camera_target(t), offset=self.act.travel(t))

    def _camera_target(self, t: float) -> float:
        """Position along the backdrop, in metres, that the camera looks at."""
        target = self.view.project(np.array([self.act.look(t), 0.0, 0.0]))
        return float(target[0]) + self.act.travel(t)

    def layers(self, t: float) -> list[Layer]:
        """All layers in frame pixels, from back to front."""
        joints = solve(self.figure.body, self.act.pose(t))
        to_pixels = self._to_pixels(t)
        behind, front = self.figure.layers(joints)
        on_stage = [
            *self._shadows(joints),
            *(piece.layer(self.view) for piece in self.act.behind(t)),
            *behind,
            *(piece.layer(self.view) for piece in self.act.held(t)),
            *front,
        ]
        return [
            *self.scene.background(self.camera, t, self._camera_target(t)),
            *(_transformed(layer, to_pixels) for layer in on_stage),
            *self._foreground(t, to_pixels),
        ]

    def _shadows(self, joints: dict[str, Array]) -> list[Layer]:
        """A soft spot under the body, as wide as the stance."""
        if not self.scene.shadows:
            return []
        supports = (joints["left_ankle"], joints["right_ankle"], joints["pelvis"])
        # Projected onto the floor, at up = 0.
        xs, ys = np.transpose([self.view.project(point * (1, 0, 1)) for point in supports])
        transform = affine(
            np.array([xs.max() - xs.min() + 0.45, 0]), np.array([0, 0.2]),
            np.array([(xs.max() + xs.min()) / 2, ys.mean() + 0.02]),
        )  # fmt: skip
        return [Layer("shadow", self._shadow, transform, "shade")]

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
        solved = solve(self.figure.body, self.act.pose(t))
        points, facing = self.figure.keypoints(solved)
        to_pixels = self._to_pixels(t)
        points = points @ to_pixels[:, :2].T + to_pixels[:, 2]  # (17, 2)
        # In a flipped frame, the joint of the figure's left knee shows a right knee.
        names = [_other_side(n) if self.camera.mirrored else n for n in COCO]
        visible = [
            toward and _is_visible(name, point, layers, drawn)
            for name, point, toward in zip(COCO, points, facing, strict=True)
        ]
        order = [names.index(name) for name in COCO]
        return np.column_stack([points, np.asarray(visible, float)])[order]  # (17, 3)

    def expose(self, drawn: Drawn, t: float) -> NDArray[np.uint8]:
        """Apply light and grain to a drawn frame."""
        return self.light.expose(drawn.image, t, self._noise)


def _transformed(layer: Layer, outer: Array) -> Layer:
    transform = compose(outer, layer.transform)
    return Layer(layer.name, layer.sprite, transform, layer.kind, layer.wraps)


def _other_side(name: str) -> str:
    """``left_knee`` for ``right_knee``: a flip swaps left and right."""
    side, _, rest = name.partition("_")
    swap = {"left": "right", "right": "left"}
    return f"{swap[side]}_{rest}" if side in swap else name


_PARTS_OF = {
    "shoulder": ("upper_arm", "torso"),
    "elbow": ("upper_arm", "forearm"),
    "wrist": ("forearm",),
    "hip": ("thigh", "torso"),
    "knee": ("thigh", "shin"),
    "ankle": ("shin", "foot"),
}  # parts of the body that a joint belongs to


def _is_visible(name: str, point: Array, layers: list[Layer], drawn: Drawn) -> bool:
    """Whether a joint lies in the frame and its pixel shows a part it belongs to."""
    x, y = round(float(point[0])), round(float(point[1]))
    height, width = drawn.top.shape
    if not 0 <= x < width or not 0 <= y < height:
        return False
    top = layers[int(drawn.top[y, x])].name
    side, _, joint = name.partition("_")
    if joint not in _PARTS_OF:
        return top == "head"
    parts = {part if part == "torso" else f"{side}_{part}" for part in _PARTS_OF[joint]}
    return top in parts


def _box_of(layers: list[Layer], drawn: Drawn, kind: str) -> Array:
    """Bounding box (4,) of all layers of a kind; NaN if there are none in the frame."""
    pairs = zip(layers, drawn.boxes, strict=True)
    boxes = np.array([box for layer, box in pairs if layer.kind == kind]).reshape(-1, 4)
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
    frames = [take.expose(d, t) if grain else _to_uint8(d) for t, _, d in shots]
    return Clip(
        frames=np.stack(frames),
        joints=np.stack([take.joints(*shot) for shot in shots]).astype(np.float32),
        person_box=np.stack([_box_of(s, d, "body") for _, s, d in shots]).astype(np.float32),
        object_box=np.stack([_box_of(s, d, "object") for _, s, d in shots]).astype(np.float32),
        layers=layers,
        tops=np.stack([d.top for d in drawn]),
    )


def _to_uint8(drawn: Drawn) -> NDArray[np.uint8]:
    return (np.clip(drawn.image, 0, 1) * 255 + 0.5).astype(np.uint8)
