"""Performers: a body with its looks, painted as sprites and hung on the joints of a pose."""

import colorsys
from dataclasses import dataclass, replace

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
_FACE = {  # on the head, in head radii: forward, up, left
    "nose": (1.0, -0.1, 0.0),
    "left_eye": (0.86, 0.2, 0.42),
    "right_eye": (0.86, 0.2, -0.42),
    "left_ear": (0.0, 0.05, 0.98),
    "right_ear": (0.0, 0.05, -0.98),
}


@dataclass(frozen=True)
class View:
    """How a performer is seen: turned, from a little above, without perspective.

    Parameters
    ----------
    heading : float
        Radians; 0 faces the right of the picture, pi/2 the viewer.
    tilt : float
        Metres a point comes down in the picture per metre towards the viewer.
    """

    heading: float
    tilt: float = 0.25

    def depth(self, point: Array) -> float:
        """Metres towards the viewer."""
        return float(point[0] * np.sin(self.heading) - point[2] * np.cos(self.heading))

    def project(self, point: Array) -> Array:
        """Picture position (x right, y down), in metres, of (forward, up, left)."""
        x = point[0] * np.cos(self.heading) + point[2] * np.sin(self.heading)
        return np.array([x, -point[1] + self.tilt * self.depth(point)])


def hue(h: float, saturation: float, value: float) -> Color:
    """RGB of a hue in 0..1."""
    return colorsys.hsv_to_rgb(h % 1.0, saturation, value)


def fabric(kind: str, first: Color, second: Color, period: float) -> Paint:
    """Cloth of a kind in two colours that repeats after a period in metres."""
    a, b = np.array(first), np.array(second)

    def choose(x: Array, y: Array) -> Array:
        across, down = x % period < period / 2, y % period < period / 2
        near = np.hypot(x % period - period / 2, y % period - period / 2) < 0.3 * period
        mixed = 0.5 * across + 0.5 * down
        share = {"stripes": down, "bars": across, "checks": mixed, "dots": near}[kind]
        return np.asarray(a + np.asarray(share, float)[..., None] * (b - a))

    return first if kind == "plain" else choose


@dataclass(frozen=True, kw_only=True)
class Performer:
    """A body and its looks: what stays the same from clip to clip.

    Parameters
    ----------
    body : Body
    skin, hair, shoes, trousers : Color
    shirt : Paint
    hairstyle : {"short", "long", "bun", "cap", "bald"}
    sleeves, thighs, legs : bool, thighs=True
        Whether the forearms, the thighs below their upper half, and the shins are covered.
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


def draw_performer(number: int) -> Performer:
    """Draw the performer of a number, the same for ever."""
    rng = np.random.default_rng([7, number])
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
    """Tapered limb along x from (0, 0) to (length, 0), with round ends."""
    start, end = widths
    room = max(start, end) + 0.02
    canvas = Canvas((-room, -room, length + room + 0.1, room), density)
    if hand is not None:
        canvas.ellipse((length + 0.6 * end, 0), (1.25 * end, 1.05 * end), hand)
    canvas.ellipse((0, 0), (start, start), paint)
    canvas.ellipse((length, 0), (end, end), paint)
    canvas.polygon([(0, -start), (length, -end), (length, end), (0, start)], paint)
    if cuff is not None:  # bare below a short sleeve
        canvas.rectangle((0.45 * length, -room, length + end, room), cuff)
        mask = Canvas((-room, -room, length + room + 0.1, room), density)
        mask.ellipse((0, 0), (start, start), cuff)
        mask.ellipse((length, 0), (end, end), cuff)
        mask.polygon([(0, -start), (length, -end), (length, end), (0, start)], cuff)
        canvas.alpha *= mask.alpha
    canvas.shade(light * (1.06 - 0.3 * (canvas.y / room) ** 2))  # round like a cylinder
    return canvas.finish()


def _torso(performer: Performer, heading: float, density: float) -> Sprite:
    """Trunk along x from the pelvis (0, 0) to the neck, as wide as it is seen."""
    body = performer.body
    seen = abs(np.sin(heading)), abs(np.cos(heading))
    chest = np.hypot(seen[0] * (body.shoulders + 0.035), seen[1] * 0.105 * body.girth)
    waist = np.hypot(seen[0] * (body.hips + 0.055), seen[1] * 0.1 * body.girth)
    top = body.torso
    room = max(chest, waist) + 0.02
    canvas = Canvas((-0.15, -room, top + 0.1, room), density)
    canvas.ellipse((0, 0), (0.1, waist), performer.trousers)
    outline = [
        (-0.02, -waist), (0.45 * top, -0.92 * waist), (0.8 * top, -chest),
        (0.95 * top, -0.8 * chest), (1.0 * top, -0.045),
        (1.0 * top, 0.045), (0.95 * top, 0.8 * chest), (0.8 * top, chest),
        (0.45 * top, 0.92 * waist), (-0.02, waist),
    ]  # fmt: skip
    canvas.polygon(outline, performer.shirt)
    canvas.rectangle((-0.02, -waist, 0.03, waist), performer.trousers)  # belt line
    canvas.shade(1.05 - 0.28 * (canvas.y / room) ** 2 + 0.1 * (canvas.x / top - 0.5))
    return canvas.finish()


def _seen_on_head(point: tuple[float, float, float], heading: float) -> tuple[Array, float]:
    """Position (x, y) on an upright head, and depth towards the viewer, in head radii."""
    view = View(heading, tilt=0.0)
    return view.project(vec(*point)), view.depth(vec(*point))


def _head(performer: Performer, heading: float, density: float) -> Sprite:
    """Head with neck, upright, centre at (0, 0), y down."""
    r = performer.body.head
    canvas = Canvas((-1.6 * r, -1.5 * r, 1.6 * r, 2.2 * r), density)
    front = np.cos(heading)  # which way the face is turned
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
    """Hair above the forehead and behind the ear."""
    back = -front
    return [
        (-r, -0.45 * r), (-0.7 * r, -0.95 * r), (0.7 * r, -0.95 * r), (r, -0.45 * r),
        (0.4 * front * r, -0.45 * r), (back * 0.35 * r, 0.35 * r), (back * 1.0 * r, 0.5 * r),
    ]  # fmt: skip


def _paint_face(canvas: Canvas, performer: Performer, heading: float) -> None:
    """Ears, eyes, nose and mouth where the heading shows them."""
    r = performer.body.head
    dark = (0.12, 0.09, 0.1)
    for name, point in _FACE.items():
        place, depth = _seen_on_head(point, heading)
        if depth < -0.2:
            continue
        if name.endswith("ear"):
            canvas.ellipse(place * r, (0.16 * r, 0.26 * r), _darker(performer.skin, 0.8))
        elif name.endswith("eye"):
            canvas.ellipse(place * r * 0.93, (0.15 * r, 0.2 * r), (0.97, 0.97, 0.97))
            canvas.ellipse(place * r * 0.95, (0.1 * r, 0.15 * r), dark)
        else:
            canvas.ellipse(place * r, (0.14 * r, 0.15 * r), _darker(performer.skin, 0.88))
    mouth, _ = _seen_on_head((0.85, -0.5, 0.0), heading)
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
    """A performer in a view: sprites painted once, layers for every pose.

    Parameters
    ----------
    performer : Performer
    view : View
        Fixed during a clip.
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
        """Layer of a sprite along x that is laid from a joint to another.

        Foreshortening shrinks it along, never across.
        """
        a, b = self.view.project(start), self.view.project(end)
        along = (b - a) / length
        across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6)
        return Layer(name, sprite, affine(along, across, a), "body")

    def _head_place(self, joints: dict[str, Array]) -> Array:
        """Affine map (2, 3) of the upright head into the picture: turned, not bent."""
        center, crown = self.view.project(joints["head"]), self.view.project(joints["crown"])
        up = (crown - center) / np.hypot(*(crown - center))
        return affine(np.array([-up[1], up[0]]), -up, center)

    def layers(self, joints: dict[str, Array]) -> tuple[list[Layer], list[Layer]]:
        """Layers in picture metres, from the back to the front.

        Returns
        -------
        behind, front : list of Layer
            What lies behind a thing held in front of the body, and the near arm before it.
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
            ends = joints[f"{side}_{start}"], joints[f"{side}_{end}"]
            return self._bone(name, self.limbs[name], *ends, length)

        legs = [bone(side, part) for side in (far, self.near) for part in ("foot", "shin", "thigh")]
        trunk = self._bone("torso", self.torso, joints["pelvis"], joints["neck"], body.torso)
        head = Layer("head", self.head, self._head_place(joints), "body")
        far_arm = [bone(far, "upper_arm"), bone(far, "forearm")]
        near_arm = [bone(self.near, "upper_arm"), bone(self.near, "forearm")]
        if abs(np.sin(self.view.heading)) > 0.7:  # seen from the front, both arms are before it
            return [*legs, head, trunk], [*far_arm, *near_arm]
        return [*far_arm, *legs, head, trunk], near_arm

    def keypoints(self, joints: dict[str, Array]) -> tuple[Array, list[bool]]:
        """COCO joints (17, 2) in picture metres, and whether their side of the head is seen."""
        head = self._head_place(joints)
        points, turned = [], []
        for name in COCO:
            if name in _FACE:
                place, depth = _seen_on_head(_FACE[name], self.view.heading)
                points.append(head[:, :2] @ (place * self.body.head) + head[:, 2])
                turned.append(depth > -0.2)
            else:
                points.append(self.view.project(joints[name]))
                turned.append(True)
        return np.stack(points), turned  # (17, 2)
