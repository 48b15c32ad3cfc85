"""Objects that a performer uses, made of flat pieces that project to parallelograms."""

from dataclasses import dataclass

import numpy as np

from zoopraxis.theatre.body import Array, vec
from zoopraxis.theatre.figure import View, fabric, hue
from zoopraxis.theatre.render import Canvas, Color, Layer, Paint, Sprite, affine

__all__ = ["Box", "Cart", "Chair", "Door", "Piece", "Prop", "Support"]


@dataclass(frozen=True)
class Piece:
    """A flat painted piece: a parallelogram in space.

    Parameters
    ----------
    name : str
        Name of its layer.
    sprite : Sprite
        Its image.
    size : (width, height)
        Extent of the sprite in metres.
    corner : Array
        Position (forward, up, left) of the sprite's origin.
    right, down : Array
        Edges (forward, up, left) from the corner, along the sprite's x and y.
    """

    name: str
    sprite: Sprite
    size: tuple[float, float]
    corner: Array
    right: Array
    down: Array

    def layer(self, view: View, kind: str = "object") -> Layer:
        """Layer in image-plane metres."""
        x_axis = view.project(self.right) / self.size[0]
        y_axis = view.project(self.down) / self.size[1]
        return Layer(
            self.name, self.sprite, affine(x_axis, y_axis, view.project(self.corner)), kind
        )


Prop = list[Piece]


def _board(size: tuple[float, float], paint: Paint, density: float, light: float = 1.0) -> Sprite:
    """Board of (width, height) metres with a darker rim."""
    w, h = size
    canvas = Canvas((0, 0, w, h), density)
    canvas.rectangle((0, 0, w, h), paint)
    edge = np.minimum(np.minimum(canvas.x, w - canvas.x), np.minimum(canvas.y, h - canvas.y))
    canvas.shade(light * np.where(edge < 0.018, 0.72, 1.0))
    return canvas.finish()


def _wood(rng: np.random.Generator) -> Color:
    return hue(rng.uniform(0.05, 0.11), rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.8))


def _bright(rng: np.random.Generator) -> Color:
    return hue(rng.random(), rng.uniform(0.4, 0.9), rng.uniform(0.6, 0.95))


def _cuboid(
    name: str, sprites: tuple[Sprite, Sprite, Sprite], size: tuple[float, float, float],
    center: Array,
) -> Prop:  # fmt: skip
    """Visible faces of a cuboid (depth, height, width), for a viewer on the right and above.

    The front faces the viewer, the end faces forward, the top faces up.
    """
    d, h, w = size
    low = center - vec(d / 2, -h / 2, w / 2)  # back upper corner on the viewer's side
    return [
        Piece(f"{name}_top", sprites[2], (d, w), low + vec(0, 0, w), vec(d, 0, 0), vec(0, 0, -w)),
        Piece(f"{name}_end", sprites[1], (w, h), low + vec(d, 0, 0), vec(0, 0, w), vec(0, -h, 0)),
        Piece(f"{name}_front", sprites[0], (d, h), low, vec(d, 0, 0), vec(0, -h, 0)),
    ]


class Box:
    """A parcel, a crate or a toy chest."""

    def __init__(self, rng: np.random.Generator, size: tuple[float, float, float], density: float):
        self.size = d, h, w = size
        first, second = _bright(rng), _bright(rng)
        kind = str(rng.choice(["plain", "bars", "checks", "stripes"]))
        paint = fabric(kind, first, second, rng.uniform(0.1, 0.2))
        self.sprites = (
            _board((d, h), paint, density),
            _board((w, h), paint, density, 0.75),
            _board((d, w), paint, density, 1.15),
        )

    def at(self, center: Array) -> Prop:
        """Pieces of the box centred at a position."""
        return _cuboid("box", self.sprites, self.size, center)


class Support:
    """A low table that objects stand on."""

    def __init__(self, rng: np.random.Generator, size: tuple[float, float, float], density: float):
        d, h, w = size
        color = _wood(rng)
        self.size = size
        self.sprites = (
            _board((d, h), color, density),
            _board((w, h), color, density, 0.75),
            _board((d, w), color, density, 1.2),
        )

    def at(self, forward: float) -> Prop:
        """Pieces of the table, standing on the floor at a forward position."""
        return _cuboid("table", self.sprites, self.size, vec(forward, self.size[1] / 2))


class Chair:
    """A chair or stool behind the performer, facing forward.

    Parameters
    ----------
    seat : (float, float, float)
        Forward position of the front edge, height and depth of the seat in metres.
    """

    def __init__(self, rng: np.random.Generator, seat: tuple[float, float, float], density: float):
        front, height, depth = seat
        color, cushion = _wood(rng), _bright(rng)
        half, back = 0.22, front - depth
        rise = rng.choice([0.0, 0.35, 0.5, 0.6], p=[0.15, 0.3, 0.3, 0.25])
        leg = _board((0.045, height), color, density, 0.85)
        pieces = [
            Piece(f"chair_leg{i}", leg, (0.045, height), vec(f, height, side * (half - 0.02)),
                  vec(0.045, 0, 0), vec(0, -height, 0))
            for i, (f, side) in enumerate(
                [(back, 1), (front - 0.05, 1), (back, -1), (front - 0.05, -1)]
            )
        ]  # fmt: skip
        if rise:
            panel = _board((2 * half, rise), cushion, density, 0.8)
            pieces.append(
                Piece("chair_back", panel, (2 * half, rise), vec(back, height + rise, half),
                      vec(0, 0, -2 * half), vec(0, -rise, 0))
            )  # fmt: skip
            post = _board((0.05, rise), color, density)
            pieces.append(
                Piece("chair_post", post, (0.05, rise), vec(back, height + rise, -half),
                      vec(0.05, 0, 0), vec(0, -rise, 0))
            )  # fmt: skip
        seat_sprites = (
            _board((depth, 0.07), cushion, density, 0.85),
            _board((2 * half, 0.07), cushion, density, 0.7),
            _board((depth, 2 * half), cushion, density, 1.1),
        )
        middle = vec(front - depth / 2, height - 0.035)
        pieces += _cuboid("chair_seat", seat_sprites, (depth, 0.07, 2 * half), middle)
        self.pieces: Prop = pieces


class Door:
    """A door in a frame, hinged on the performer's side, that swings towards the viewer.

    Parameters
    ----------
    hinge : Array
        Position of the foot of the hinge.
    width, height : float
        Size of the panel in metres.
    """

    def __init__(
        self, rng: np.random.Generator, hinge: Array, width: float, height: float, density: float
    ):
        self.hinge, self.width, self.height = hinge, width, height
        self.grip = 0.47 * height
        color = _bright(rng) if rng.random() < 0.6 else _wood(rng)
        self.panel = _door_panel(rng, (width, height), color, self.grip, density)
        inside = hue(rng.random(), 0.3, rng.choice([0.12, 0.95]))
        frame = (width + 0.16, height + 0.08)
        canvas = Canvas((0, 0, *frame), density)
        canvas.rectangle((0, 0, *frame), _wood(rng))
        canvas.rectangle((0.08, 0.08, width + 0.08, height + 0.08), inside)
        canvas.shade(1.0 - 0.25 * np.clip(canvas.y / height, 0, 1))
        corner = hinge + vec(-0.08, frame[1], 0.01)
        self.frame = Piece(
            "door_frame", canvas.finish(), frame, corner, vec(frame[0], 0), vec(0, -frame[1])
        )

    def _edge(self, angle: float) -> Array:
        """Vector from the hinge to the free edge, with the door opened by an angle in radians."""
        return vec(self.width * np.cos(angle), 0, -self.width * np.sin(angle))

    def handle(self, angle: float) -> Array:
        """Position of the handle, with the door opened by an angle in radians."""
        return np.asarray(self.hinge + 0.88 * self._edge(angle) + vec(0, self.grip, -0.06))

    def at(self, angle: float) -> Prop:
        """Pieces of the frame and the panel, opened by an angle in radians."""
        top = self.hinge + vec(0, self.height)
        size = (self.width, self.height)
        panel = Piece("door_panel", self.panel, size, top, self._edge(angle), vec(0, -self.height))
        return [self.frame, panel]


def _door_panel(
    rng: np.random.Generator, size: tuple[float, float], color: Color, grip: float, density: float
) -> Sprite:
    """Panel with two fields, or a window, and a handle."""
    w, h = size
    canvas = Canvas((0, 0, w, h), density)
    canvas.rectangle((0, 0, w, h), color)
    dark = (color[0] * 0.7, color[1] * 0.7, color[2] * 0.7)
    upper = (0.72, 0.86, 0.95) if rng.random() < 0.35 else dark
    canvas.rectangle((0.15 * w, 0.08 * h, 0.85 * w, 0.42 * h), upper)
    canvas.rectangle((0.15 * w, 0.62 * h, 0.85 * w, 0.93 * h), dark)
    canvas.ellipse((0.88 * w, h - grip), (0.05, 0.05), (0.95, 0.85, 0.45))
    edge = np.minimum(canvas.x, w - canvas.x)
    canvas.shade(np.where(edge < 0.025, 0.6, 1.0))
    return canvas.finish()


class Cart:
    """A trolley with a load, two wheels and a handle on the performer's side."""

    def __init__(self, rng: np.random.Generator, size: tuple[float, float, float], density: float):
        self.size = d, h, w = size
        self.radius = rng.uniform(0.1, 0.14)
        self.grip = rng.uniform(0.95, 1.05)
        first, second = _bright(rng), _bright(rng)
        load = fabric(str(rng.choice(["plain", "bars", "checks"])), first, second, 0.22)
        self.sprites = (
            _board((d, h), load, density),
            _board((w, h), load, density, 0.72),
            _board((d, w), load, density, 1.15),
        )
        self.wheel = _wheel(self.radius, density)
        self.bar = _board((0.05, self.grip - 0.2), (0.3, 0.3, 0.33), density)

    def handle(self, forward: float) -> Array:
        """Centre of the handle, with the back of the cart at a forward position."""
        return vec(forward - 0.06, self.grip)

    def at(self, forward: float) -> Prop:
        """Pieces, with the back of the cart at a forward position; the wheels roll along."""
        d, h, w = self.size
        r = self.radius
        pieces = [self._bar_piece(forward, w / 2, "far")]
        pieces += _cuboid("cart", self.sprites, self.size, vec(forward + d / 2, 2 * r + h / 2))
        angle = forward / r
        for i, f in enumerate((forward + 0.2 * d, forward + 0.8 * d)):
            axle = vec(f, r, -w / 2)
            right = 2 * r * vec(np.cos(angle), -np.sin(angle))
            down = 2 * r * vec(-np.sin(angle), -np.cos(angle))
            corner = axle - (right + down) / 2
            pieces.append(Piece(f"cart_wheel{i}", self.wheel, (2 * r, 2 * r), corner, right, down))
        return [*pieces, self._bar_piece(forward, -w / 2, "near")]

    def _bar_piece(self, forward: float, left: float, name: str) -> Piece:
        """Bar from the base of the cart up and back to the handle."""
        down = vec(0.1, 0.2 - self.grip)
        corner = self.handle(forward) + vec(0, 0, left)
        size = (0.05, self.grip - 0.2)
        return Piece(f"cart_bar_{name}", self.bar, size, corner, vec(0.05, 0), down)


def _wheel(r: float, density: float) -> Sprite:
    """Wheel with spokes, bounding box from (0, 0) to (2r, 2r)."""
    canvas = Canvas((0, 0, 2 * r, 2 * r), density)
    canvas.ellipse((r, r), (r, r), (0.12, 0.12, 0.13))
    canvas.ellipse((r, r), (0.7 * r, 0.7 * r), (0.75, 0.75, 0.78))
    canvas.rectangle((0.3 * r, 0.85 * r, 1.7 * r, 1.15 * r), (0.25, 0.25, 0.28))
    canvas.rectangle((0.85 * r, 0.3 * r, 1.15 * r, 1.7 * r), (0.8, 0.3, 0.25))
    return canvas.finish()
