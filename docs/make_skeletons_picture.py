"""Draw the picture of docs/skeletons.md: ``python docs/make_skeletons_picture.py``."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from zoopraxis.skeletons import LAYOUTS, Layout

IMAGE = Path(__file__).parent / "images" / "skeletons.png"
COLOURS = {"left": "#c44e52", "right": "#4c72b0", "middle": "#444444"}

# Where parts of a standing body are, x to the side of the left hand and y upwards.
MIDDLE = {
    "head": 3.35,
    "face": 3.35,
    "nose": 3.2,
    "neck": 2.85,
    "shoulder_centre": 2.75,
    "spine_shoulder": 2.5,
    "middle_of_spine": 1.9,
    "spine": 1.9,
    "belly": 1.75,
    "hip_centre": 1.45,
    "base_of_spine": 1.45,
}
SIDES = {
    "eye": (0.16, 3.45),
    "ear": (0.38, 3.28),
    "shoulder": (0.62, 2.6),
    "elbow": (0.95, 1.95),
    "wrist": (1.15, 1.4),
    "hand": (1.2, 1.15),
    "hand_tip": (1.28, 0.85),
    "thumb": (0.98, 0.98),
    "hip": (0.32, 1.35),
    "knee": (0.4, 0.65),
    "ankle": (0.44, 0.0),
    "foot": (0.56, -0.2),
}


def side_of(name: str) -> str:
    """Side of the body: left, right or middle."""
    side = name.split("_")[0]
    return side if side in ("left", "right") else "middle"


def place_of(name: str) -> tuple[float, float]:
    """Place of a joint in the picture, seen from the front: left is on the right."""
    if side_of(name) == "middle":
        return 0.0, MIDDLE[name]
    x, y = SIDES[name.split("_", 1)[1]]
    return (x if side_of(name) == "left" else -x), y


def draw(axes: Axes, layout: Layout) -> None:
    """Draw joints with their numbers, and the bones between them."""
    places = [place_of(name) for name in layout.joints]
    for v, w in layout.edges:
        sides = {side_of(layout.joints[v]), side_of(layout.joints[w])} - {"middle"}
        colour = COLOURS[sides.pop() if sides else "middle"]
        axes.plot(*zip(places[v], places[w], strict=True), color=colour, linewidth=2, zorder=1)
    for number, (name, (x, y)) in enumerate(zip(layout.joints, places, strict=True)):
        ring = "gold" if number == layout.centre else "white"
        axes.scatter([x], [y], s=120, color=COLOURS[side_of(name)], edgecolor=ring, zorder=2)
        axes.text(
            *(x, y - 0.01, str(number)),
            color="white",
            fontsize=6,
            ha="center",
            va="center",
            zorder=3,
        )
    kind = "x, y, z" if layout.has_depth else "x, y, score"
    axes.set_title(f"{layout.name}\n{kind}", fontsize=10)
    axes.set(xlim=(-1.6, 1.6), ylim=(-0.5, 3.8), aspect="equal")
    axes.axis("off")


def main() -> None:
    """Draw every layout."""
    figure, row = plt.subplots(1, len(LAYOUTS), figsize=(2 * len(LAYOUTS), 3.4))
    for axes, layout in zip(row, LAYOUTS.values(), strict=True):
        draw(axes, layout)
    figure.subplots_adjust(left=0, right=1, wspace=0)
    figure.savefig(IMAGE, dpi=100, bbox_inches="tight", pad_inches=0.05)
    plt.close(figure)


if __name__ == "__main__":
    main()
