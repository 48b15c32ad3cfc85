"""Performers: a body and its appearance, painted as sprites and placed on the joints of a pose."""

import colorsys
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from zoopraxis.theatre.body import SIDES, Array, Body, draw_body, vec
from zoopraxis.theatre.render import Canvas, Color, Layer, Paint, Sprite, affine

__all__ = ["COCO", "Figure", "Performer", "View", "draw_performer", "fabric", "hue",
           "in_swimwear"]  # fmt: skip

COCO = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip

_SKINS = ((0.99, 0.85, 0.74), (0.94, 0.76, 0.62), (0.82, 0.62, 0.46), (0.6, 0.42, 0.3),
          (0.42, 0.28, 0.2))  # fmt: skip
_HAIRS = ((0.1, 0.08, 0.08), (0.3, 0.18, 0.1), (0.55, 0.36, 0.16), (0.87, 0.72, 0.4),
          (0.62, 0.2, 0.1), (0.72, 0.72, 0.74))  # fmt: skip
_FABRICS = ("plain", "plain", "stripes", "bars", "checks", "dots")
_HAIRSTYLES = ("short", "long", "bun", "cap", "bald")
_FACE = {  # position on the head in head radii: forward, up, left
    "nose": (1.0, -0.1, 0.0),
    "left_eye": (0.86, 0.2, 0.42),
    "right_eye": (0.86, 0.2, -0.42),
    "left_ear": (0.0, 0.05, 0.98),
    "right_ear": (0.0, 0.05, -0.98),
}


@dataclass(frozen=True)
class View:
    """Orthographic projection of a performer, from slightly above.

    Parameters
    ----------
    heading : float
        Direction the performer faces in radians: 0 is the right of the frame, pi/2 the viewer.
    tilt : float, default=0.25
        Metres that a point moves down in the image plane per metre towards the viewer.
    """

    heading: float
    tilt: float = 0.25

    def depth(self, point: Array) -> float:
        """Metres of a point (forward, up, left) towards the viewer."""
        forward, _, left = point.tolist()
        cosine, sine = self._direction
        return float(forward * sine - left * cosine)

    def project(self, point: Array) -> Array:
        """Project a point (forward, up, left) to the image plane (x right, y down), in metres."""
        forward, up, left = point.tolist()
        cosine, sine = self._direction
        return np.array([forward * cosine + left * sine, -up + self.tilt * self.depth(point)])

    @cached_property
    def _direction(self) -> tuple[float, float]:
        """Cosine and sine of the heading."""
        return float(np.cos(self.heading)), float(np.sin(self.heading))


def hue(h: float, saturation: float, value: float) -> Color:
    """RGB of a hue (modulo 1), saturation and value in [0, 1]."""
    return colorsys.hsv_to_rgb(h % 1.0, saturation, value)


def fabric(kind: str, first: Color, second: Color, period: float) -> Paint:
    """Fabric of a kind in two colours, with a pattern period in metres."""
    a, b = np.array(first), np.array(second)
    colors = np.array([a, a + 0.5 * (b - a), a + (b - a)], np.float32)  # (3, 3)

    def choose(x: Array, y: Array) -> Array:
        x, y = x % period, y % period
        if kind == "stripes":
            chosen = 2 * (y < period / 2)
        elif kind == "bars":
            chosen = 2 * (x < period / 2)
        elif kind == "checks":
            chosen = 1 * (x < period / 2) + (y < period / 2)
        else:  # dots
            chosen = 2 * (np.hypot(x - period / 2, y - period / 2) < 0.3 * period)
        return np.asarray(colors[chosen])

    return first if kind == "plain" else choose


@dataclass(frozen=True, kw_only=True)
class Performer:
    """A body and its appearance, which stay the same from clip to clip.

    Parameters
    ----------
    body : Body
    skin, hair, shoes, trousers : Color
    shirt : Paint
    hairstyle : {"short", "long", "bun", "cap", "bald"}
    sleeves, legs : bool
        Whether clothes cover the forearms, and the shins.
    thighs : bool, default=True
        Whether clothes cover the lower half of the thighs.
    """

    body: Body
    skin: Color
    hair: Color
    shoes: Color
    trousers: Color
    shirt: Paint
    hairstyle: str
    sleeves: bool
    legs: bool
    thighs: bool = True


def draw_performer(index: int) -> Performer:
    """Draw a performer at random; an index always gives the same one."""
    rng = np.random.default_rng([7, index])
    tint = rng.random()
    shirt = fabric(
        str(rng.choice(_FABRICS)),
        hue(tint, rng.uniform(0.3, 0.9), rng.uniform(0.5, 1.0)),
        hue(tint + rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.8), rng.uniform(0.4, 1.0)),
        rng.uniform(0.08, 0.16),
    )
    return Performer(
        body=draw_body(rng),
        skin=_SKINS[rng.integers(len(_SKINS))],
        hair=_HAIRS[rng.integers(len(_HAIRS))],
        shoes=hue(rng.random(), 0.5, rng.uniform(0.15, 0.9)),
        trousers=hue(rng.uniform(0.5, 1.1), rng.uniform(0.1, 0.6), rng.uniform(0.2, 0.6)),
        shirt=shirt,
        hairstyle=str(rng.choice(_HAIRSTYLES)),
        sleeves=bool(rng.random() < 0.5),
        legs=bool(rng.random() < 0.75),
    )


def in_swimwear(performer: Performer) -> Performer:
    """The same performer with bare arms, legs and feet."""
    return replace(performer, sleeves=False, legs=False, shoes=performer.skin, thighs=False)


def _limb(
    length: float, widths: tuple[float, float], paint: Paint, density: float, *, light: float,
    hand: Color | None = None, cuff: Color | None = None,
) -> Sprite:  # fmt: skip
    """Tapered limb along x from (0, 0) to (length, 0), with round ends.

    ``cuff`` is the colour of the part that a short sleeve or trouser leg leaves bare.
    """
    start, end = widths
    half = max(start, end) + 0.02
    canvas = Canvas((-half, -half, length + half + 0.1, half), density)
    if hand is not None:
        canvas.ellipse((length + 0.6 * end, 0), (1.25 * end, 1.05 * end), hand)
    canvas.ellipse((0, 0), (start, start), paint)
    canvas.ellipse((length, 0), (end, end), paint)
    canvas.polygon([(0, -start), (length, -end), (length, end), (0, start)], paint)
    if cuff is not None:
        canvas.rectangle((0.45 * length, -half, length + end, half), cuff)
        # The rectangle is wider than the limb: mask it by the limb's outline.
        mask = Canvas((-half, -half, length + half + 0.1, half), density)
        mask.ellipse((0, 0), (start, start), cuff)
        mask.ellipse((length, 0), (end, end), cuff)
        mask.polygon([(0, -start), (length, -end), (length, end), (0, start)], cuff)
        canvas.alpha *= mask.alpha
    canvas.shade(light * (1.06 - 0.3 * (canvas.y / half) ** 2))  # round like a cylinder
    return canvas.finish()


def _torso(performer: Performer, heading: float, density: float) -> Sprite:
    """Torso along x from the pelvis (0, 0) to the neck, with its width at this heading."""
    body = performer.body
    frontal, lateral = abs(np.sin(heading)), abs(np.cos(heading))
    chest = np.hypot(frontal * (body.shoulders + 0.035), lateral * 0.105 * body.girth)
    waist = np.hypot(frontal * (body.hips + 0.055), lateral * 0.1 * body.girth)
    top = body.torso
    half = max(chest, waist) + 0.02
    canvas = Canvas((-0.15, -half, top + 0.1, half), density)
    canvas.ellipse((0, 0), (0.1, waist), performer.trousers)
    outline = [
        (-0.02, -waist), (0.45 * top, -0.92 * waist), (0.8 * top, -chest),
        (0.95 * top, -0.8 * chest), (1.0 * top, -0.045),
        (1.0 * top, 0.045), (0.95 * top, 0.8 * chest), (0.8 * top, chest),
        (0.45 * top, 0.92 * waist), (-0.02, waist),
    ]  # fmt: skip
    canvas.polygon(outline, performer.shirt)
    canvas.rectangle((-0.02, -waist, 0.03, waist), performer.trousers)  # belt line
    canvas.shade(1.05 - 0.28 * (canvas.y / half) ** 2 + 0.1 * (canvas.x / top - 0.5))
    return canvas.finish()


def _project_face(point: tuple[float, float, float], heading: float) -> tuple[Array, float]:
    """Position (x, y) on an upright head, and depth towards the viewer, in head radii."""
    view = View(heading, tilt=0.0)
    return view.project(vec(*point)), view.depth(vec(*point))


def _head(performer: Performer, heading: float, density: float) -> Sprite:
    """Upright head with neck, centred at (0, 0), y down."""
    r = performer.body.head
    canvas = Canvas((-1.6 * r, -1.5 * r, 1.6 * r, 2.2 * r), density)
    front = np.cos(heading)  # 1: the face points right, -1: left
    style, hair = performer.hairstyle, performer.hair
    if style == "long":
        canvas.ellipse((-0.3 * front * r, 0.45 * r), (1.05 * r, 1.25 * r), hair)
    if style == "bun":
        canvas.ellipse((-0.85 * front * r, -0.75 * r), (0.5 * r, 0.5 * r), hair)
    canvas.rectangle((-0.42 * r, 0.3 * r, 0.42 * r, 1.6 * r), _darker(performer.skin, 0.85))
    if style != "bald":
        canvas.ellipse((-0.12 * front * r, -0.14 * r), (1.08 * r, 1.04 * r), hair)
    canvas.ellipse((0.1 * front * r, 0.12 * r), (0.92 * r, 0.98 * r), performer.skin)
    if style != "bald":  # fringe
        canvas.polygon(_fringe(front, r), hair)
    if style == "cap":
        canvas.polygon([(-r, -0.3 * r), (-0.8 * r, -1.1 * r), (0.8 * r, -1.1 * r), (r, -0.3 * r)],
                       performer.shoes)  # fmt: skip
        canvas.rectangle(
            (min(0, 1.5 * front * r) - 0.2 * r, -0.45 * r, max(0, 1.5 * front * r), -0.25 * r),
            _darker(performer.shoes, 0.7),
        )
    _paint_face(canvas, performer, heading)
    canvas.shade(1.03 - 0.12 * (canvas.y / r))
    return canvas.finish()


def _fringe(front: float, r: float) -> list[tuple[float, float]]:
    """Outline of the hair above the forehead and behind the ear."""
    back = -front
    return [
        (-r, -0.45 * r), (-0.7 * r, -0.95 * r), (0.7 * r, -0.95 * r), (r, -0.45 * r),
        (0.4 * front * r, -0.45 * r), (back * 0.35 * r, 0.35 * r), (back * 1.0 * r, 0.5 * r),
    ]  # fmt: skip


def _paint_face(canvas: Canvas, performer: Performer, heading: float) -> None:
    """Paint the ears, eyes, nose and mouth that are visible at this heading."""
    r = performer.body.head
    dark = (0.12, 0.09, 0.1)
    for name, point in _FACE.items():
        position, depth = _project_face(point, heading)
        if depth < -0.2:
            continue
        if name.endswith("ear"):
            canvas.ellipse(position * r, (0.16 * r, 0.26 * r), _darker(performer.skin, 0.8))
        elif name.endswith("eye"):
            canvas.ellipse(position * r * 0.93, (0.15 * r, 0.2 * r), (0.97, 0.97, 0.97))
            canvas.ellipse(position * r * 0.95, (0.1 * r, 0.15 * r), dark)
        else:
            canvas.ellipse(position * r, (0.14 * r, 0.15 * r), _darker(performer.skin, 0.88))
    mouth, _ = _project_face((0.85, -0.5, 0.0), heading)
    canvas.ellipse(mouth * r, (0.24 * r, 0.08 * r), (0.6, 0.2, 0.2))


def _darker(color: Color, factor: float) -> Color:
    return (color[0] * factor, color[1] * factor, color[2] * factor)


def _shoe(performer: Performer, density: float, *, light: float) -> Sprite:
    """Shoe along x from the ankle (0, 0) to the toe, sole down (y > 0)."""
    length, sole = 0.13 * performer.body.height, performer.body.ankle
    canvas = Canvas((-0.1, -0.08, length + 0.05, sole + 0.02), density)
    outline = [(-0.06, -0.03), (0.05, -0.045), (0.6 * length, 0.2 * sole), (length, 0.5 * sole),
               (length, sole), (-0.07, sole)]  # fmt: skip
    canvas.polygon(outline, performer.shoes)
    canvas.rectangle((-0.07, 0.78 * sole, length, sole), (0.93, 0.93, 0.9))
    canvas.shade(light)
    return canvas.finish()


class Figure:
    """A performer in a view: sprites painted once, placed for every pose.

    Parameters
    ----------
    performer : Performer
    view : View
        View, fixed during a clip.
    density : float
        Sprite pixels per metre.
    """

    def __init__(self, performer: Performer, view: View, density: float) -> None:
        self.body = performer.body
        self.view = view
        self.near = "right" if np.cos(view.heading) >= 0 else "left"
        self.torso = _torso(performer, view.heading, density)
        self.head = _head(performer, view.heading, density)
        self.limbs: dict[str, Sprite] = {}
        for side, _ in SIDES:
            light = 1.0 if side == self.near else 0.82
            self.limbs |= self._paint_limbs(performer, side, density, light)

    def _paint_limbs(
        self, performer: Performer, side: str, density: float, light: float
    ) -> dict[str, Sprite]:
        body, g = performer.body, performer.body.girth
        sleeve = None if performer.sleeves else performer.skin
        lower = performer.shirt if performer.sleeves else performer.skin
        shin = performer.trousers if performer.legs else performer.skin
        return {
            f"{side}_upper_arm": _limb(
                body.upper_arm, (0.062 * g, 0.05 * g), performer.shirt, density, light=light,
                cuff=sleeve,
            ),
            f"{side}_forearm": _limb(
                body.forearm, (0.048 * g, 0.04 * g), lower, density, light=light,
                hand=performer.skin,
            ),
            f"{side}_thigh": _limb(
                body.thigh, (0.09 * g, 0.066 * g), performer.trousers, density, light=light,
                cuff=None if performer.thighs else performer.skin,
            ),
            f"{side}_shin": _limb(
                body.shin, (0.064 * g, 0.046 * g), shin, density, light=light
            ),
            f"{side}_foot": _shoe(performer, density, light=light),
        }  # fmt: skip

    def _bone(self, name: str, sprite: Sprite, start: Array, end: Array, length: float) -> Layer:
        """Place a sprite that extends along x from one joint to another.

        Foreshortening shortens the sprite; its width stays the same.
        """
        a, b = self.view.project(start), self.view.project(end)
        along = (b - a) / length
        across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6)
        return Layer(name, sprite, affine(along, across, a), "body")

    def _head_transform(self, joints: dict[str, Array]) -> Array:
        """Affine transform (2, 3) of the upright head into the image plane: a rotation."""
        center, crown = self.view.project(joints["head"]), self.view.project(joints["crown"])
        up = (crown - center) / np.hypot(*(crown - center))
        return affine(np.array([-up[1], up[0]]), -up, center)

    def layers(self, joints: dict[str, Array]) -> tuple[list[Layer], list[Layer]]:
        """Layers in image-plane metres, from back to front.

        Returns
        -------
        behind, front : list of Layer
            Parts behind and in front of an object held in front of the body. The near arm is in
            front of it.
        """
        body, far = self.body, "left" if self.near == "right" else "right"
        bones = {
            "upper_arm": ("shoulder", "elbow", body.upper_arm),
            "forearm": ("elbow", "wrist", body.forearm),
            "thigh": ("hip", "knee", body.thigh),
            "shin": ("knee", "ankle", body.shin),
            "foot": ("ankle", "toe", 0.13 * body.height),
        }

        def bone(side: str, part: str) -> Layer:
            start, end, length = bones[part]
            name = f"{side}_{part}"
            a, b = joints[f"{side}_{start}"], joints[f"{side}_{end}"]
            return self._bone(name, self.limbs[name], a, b, length)

        legs = [bone(side, part) for side in (far, self.near) for part in ("foot", "shin", "thigh")]
        torso = self._bone("torso", self.torso, joints["pelvis"], joints["neck"], body.torso)
        head = Layer("head", self.head, self._head_transform(joints), "body")
        far_arm = [bone(far, "upper_arm"), bone(far, "forearm")]
        near_arm = [bone(self.near, "upper_arm"), bone(self.near, "forearm")]
        if abs(np.sin(self.view.heading)) > 0.7:  # seen from the front: both arms are in front
            return [*legs, head, torso], [*far_arm, *near_arm]
        return [*far_arm, *legs, head, torso], near_arm

    def keypoints(self, joints: dict[str, Array]) -> tuple[Array, list[bool]]:
        """COCO joints (17, 2) in image-plane metres, and whether each faces the viewer.

        Only joints of the face can be turned away.
        """
        head = self._head_transform(joints)
        points, facing = [], []
        for name in COCO:
            if name in _FACE:
                position, depth = _project_face(_FACE[name], self.view.heading)
                points.append(head[:, :2] @ (position * self.body.head) + head[:, 2])
                facing.append(depth > -0.2)
            else:
                points.append(self.view.project(joints[name]))
                facing.append(True)
        return np.stack(points), facing  # (17, 2)
