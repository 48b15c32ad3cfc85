"""A performer who acts: layers and joints at any time of an act."""

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from zoopraxis.theatre.actions import ACTS, Act
from zoopraxis.theatre.body import Array, solve
from zoopraxis.theatre.figure import COCO, Figure, View, draw_performer, in_swimwear
from zoopraxis.theatre.render import Drawn, Layer, Sprite, affine, compose

__all__ = ["Actor", "box_of", "placed"]


class Actor:
    """A performer and an act; what stands on stage at any time, in image-plane metres.

    Parameters
    ----------
    action : str
        A key of `ACTS`.
    performer : int
        Seed of the performer's body and appearance.
    rng : numpy.random.Generator
        Draws the act, and whether its image is mirrored.
    density : float
        Sprite pixels per metre.
    """

    def __init__(
        self, action: str, performer: int, rng: np.random.Generator, density: float
    ) -> None:
        self.mirrored = bool(rng.random() < 0.5)
        person = draw_performer(performer)
        # Flipping the image swaps the hands: use the other one to show the correct one.
        body = replace(person.body, left_handed=person.body.left_handed != self.mirrored)
        self.act: Act = ACTS[action](body, rng, density)
        self.view = View(self.act.heading)
        person = in_swimwear(person) if self.act.place == "pool" else person
        self.figure = Figure(person, self.view, density)
        self._solved = cache(lambda t: solve(self.figure.body, self.act.pose(t)))

    def look(self, t: float) -> float:
        """Metres to the right of the performer's origin that the camera looks at."""
        return float(self.view.project(np.array([self.act.look(t), 0.0, 0.0]))[0])

    def on_stage(self, t: float, shadow: Sprite | None) -> list[Layer]:
        """Layers of performer, props and shadow, from back to front."""
        joints = self._solved(t)
        behind, front = self.figure.layers(joints)
        return [
            *([] if shadow is None else [self._shadow(joints, shadow)]),
            *(piece.layer(self.view) for piece in self.act.behind(t)),
            *behind,
            *(piece.layer(self.view) for piece in self.act.held(t)),
            *front,
        ]

    def _shadow(self, joints: dict[str, Array], shadow: Sprite) -> Layer:
        """A soft spot under the body, as wide as the stance."""
        supports = (joints["left_ankle"], joints["right_ankle"], joints["pelvis"])
        # Projected onto the floor, at up = 0.
        xs, ys = np.transpose([self.view.project(point * (1, 0, 1)) for point in supports])
        transform = affine(
            np.array([xs.max() - xs.min() + 0.45, 0]), np.array([0, 0.2]),
            np.array([(xs.max() + xs.min()) / 2, ys.mean() + 0.02]),
        )  # fmt: skip
        return Layer("shadow", shadow, transform, "shade")

    def joints(
        self, t: float, to_pixels: Array, layers: list[Layer], drawn: Drawn, *, actor: int = 0
    ) -> Array:
        """COCO joints (17, 3): x and y in pixels, and 1 where visible, else 0.

        Parameters
        ----------
        t : float
            Time of the act in [0, 1].
        to_pixels : Array
            Affine transform (2, 3) from image-plane metres to frame pixels, mirrored if `mirrored`.
        layers : list of Layer
            All layers of the frame.
        drawn : Drawn
            The frame.
        actor : int, default=0
            Number of this actor among the layers.
        """
        points, facing = self.figure.keypoints(self._solved(t))
        points = points @ to_pixels[:, :2].T + to_pixels[:, 2]  # (17, 2)
        # In a flipped image, the joint of the figure's left knee shows a right knee.
        names = [_other_side(n) if self.mirrored else n for n in COCO]
        visible = [
            toward and _is_visible(name, point, layers, drawn, actor)
            for name, point, toward in zip(COCO, points, facing, strict=True)
        ]
        order = [names.index(name) for name in COCO]
        return np.column_stack([points, np.asarray(visible, float)])[order]  # (17, 3)


def placed(layers: list[Layer], to_pixels: Array, *, actor: int = 0) -> list[Layer]:
    """Layers in frame pixels, with the number of the actor they belong to."""
    return [
        replace(layer, transform=compose(to_pixels, layer.transform), actor=actor)
        for layer in layers
    ]


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


def _is_visible(name: str, point: Array, layers: list[Layer], drawn: Drawn, actor: int) -> bool:
    """Whether a joint lies in the frame and its pixel shows a part it belongs to."""
    x, y = round(float(point[0])), round(float(point[1]))
    height, width = drawn.top.shape
    if not 0 <= x < width or not 0 <= y < height:
        return False
    top = layers[int(drawn.top[y, x])]
    side, _, joint = name.partition("_")
    if top.actor != actor:
        return False
    if joint not in _PARTS_OF:
        return top.name == "head"
    parts = {part if part == "torso" else f"{side}_{part}" for part in _PARTS_OF[joint]}
    return top.name in parts


def box_of(layers: list[Layer], drawn: Drawn, kind: str, *, actor: int = 0) -> NDArray[np.float64]:
    """Bounding box (4,) of an actor's layers of a kind; NaN if there are none in the frame."""
    pairs = zip(layers, drawn.boxes, strict=True)
    boxes = np.array(
        [box for layer, box in pairs if layer.kind == kind and layer.actor == actor]
    ).reshape(-1, 4)
    boxes = boxes[~np.isnan(boxes[:, 0])]
    if not len(boxes):
        return np.full(4, np.nan)
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
