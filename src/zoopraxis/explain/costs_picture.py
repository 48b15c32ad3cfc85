"""The picture of published accuracy against cost."""

from collections.abc import Sequence
from itertools import product
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from zoopraxis.checkpoints.saved import is_file
from zoopraxis.errors import ZoopraxisError
from zoopraxis.evaluation.page import COLOURS, new_axes
from zoopraxis.weights import find_weights, weights_of

__all__ = ["draw_costs"]

_DOT = 6  # pixels from the middle of a point that no name may enter


def draw_costs(
    costs: Sequence[tuple[str, float]], *, axis: str = "GMACs of one clip"
) -> tuple[Figure, int]:
    """Draw published accuracy against cost.

    Parameters
    ----------
    costs : sequence of (str, float)
        Name or ``name.tag``, and its cost. A bare name stands for all of its checkpoints.
    axis : str, default="GMACs of one clip"
        What the cost is.

    Returns
    -------
    (Figure, int)
        Top-1 in percent over cost, a colour for each data set, and the number of points.
        Protocols differ in views and crops: the cost is that of one clip.

    Raises
    ------
    ZoopraxisError
        No accuracy of any of them is published.
    """
    points: dict[str, list[tuple[str, float, float]]] = {}
    for ref, cost in costs:
        if is_file(ref):
            continue
        name, _, tag = ref.partition(".")
        for weights in [find_weights(name, tag)] if tag else weights_of(name):
            if weights.top1 is not None:
                label = f"{name}.{weights.tag}"
                points.setdefault(weights.dataset, []).append((label, cost, weights.top1))
    if not points:
        raise ZoopraxisError(
            "no accuracy is published for " + ", ".join(ref for ref, _ in costs),
            "`zoopraxis info NAME` lists what is published",
        )
    figure, axes = new_axes(8, 5)
    for dataset, some in sorted(points.items()):
        axes.scatter([cost for _, cost, _ in some], [top1 for *_, top1 in some], label=dataset)
    axes.set_xscale("log")
    axes.margins(x=0.1)
    axes.set_xlabel(axis)
    axes.set_ylabel("published top-1, %")
    axes.legend(fontsize=8)
    _label(figure, axes, [point for some in points.values() for point in some])
    return figure, sum(map(len, points.values()))


def _label(figure: Figure, axes: Any, points: Sequence[tuple[str, float, float]]) -> None:
    """Name points at their sides, the highest first, each where it hides no other and no name.

    One that must move up or down to find room is joined to its point by a line.
    """
    canvas: Any = FigureCanvasAgg(figure)
    renderer = canvas.get_renderer()
    figure.draw_without_rendering()  # which places the axes and the legend
    taken = [axes.get_legend().get_window_extent(renderer)]
    for _, cost, top1 in points:
        x, y = axes.transData.transform((cost, top1))
        taken.append(Bbox.from_extents(x - _DOT, y - _DOT, x + _DOT, y + _DOT))
    steps = [0, *(sign * n for n in range(1, len(points) + 1) for sign in (1, -1))]
    for label, cost, top1 in sorted(points, key=lambda point: -point[2]):
        text = axes.annotate(
            label,
            (cost, top1),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=7,
            va="center",
        )
        for step, side in product(steps, ("left", "right")):
            text.set(position=(6 if side == "left" else -6, 9 * step), ha=side)
            box = text.get_window_extent(renderer)
            within = all(axes.bbox.contains(*corner) for corner in (box.min, box.max))
            if within and not any(map(box.overlaps, taken)):
                break
        taken.append(box)
        if step:
            line = {"arrowstyle": "-", "lw": 0.5, "color": COLOURS["soft"], "shrinkA": 0}
            axes.annotate(
                "",
                (cost, top1),
                xytext=text.get_position(),
                textcoords="offset points",
                arrowprops=line,
            )
