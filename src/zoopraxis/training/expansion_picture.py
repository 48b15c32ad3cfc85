"""The complexity-accuracy picture of a search, as figure 2 of the paper."""

import io
from pathlib import Path

from zoopraxis.files import write_atomically
from zoopraxis.training.expansion import AXES
from zoopraxis.training.ledger import Ledger

__all__ = ["draw_expansion"]

MARKERS = dict(zip(AXES, "><sD^o", strict=True))


def draw_expansion(ledger: Ledger, path: Path) -> None:
    """Draw the accuracy of every network over its cost, and the path of the search.

    A line leads from the best network of a step to each candidate of the next one, and a heavy one
    to that which was chosen; a dashed one leads to the contracted network at the target. The bar at
    the first network is the largest standard error of an accuracy on so many videos.

    Parameters
    ----------
    ledger : Ledger
        With one network at least.
    path : Path
        The PNG file.
    """
    from matplotlib.figure import Figure  # slow to import

    places = {
        name: (network.macs / 1e9, 100 * network.score) for name, network in ledger.networks.items()
    }
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    begin = next(iter(places.values()))  # the first network is trained first
    error = ledger.standard_error
    axes.errorbar(
        *begin,
        yerr=None if error is None else 100 * error,
        fmt="k*",
        markersize=12,
        capsize=3,
        label="start",
    )
    labelled: set[str] = set()
    before = current = begin
    for step in ledger.steps:
        before, current = current, places[step.name]
        for number, (axis, name) in enumerate(step.candidates.items()):
            chosen = axis == step.axis
            there = places[name]
            axes.plot(
                *zip(before, there, strict=True),
                color="black" if chosen else "lightgrey",
                linewidth=2 if chosen else 1,
                zorder=1,
            )
            axes.plot(
                *there,
                MARKERS[axis],
                color=f"C{number}",
                label=None if axis in labelled else axis,
            )
            labelled.add(axis)
    if ledger.final and places[ledger.final] != current:
        end = places[ledger.final]
        axes.plot(*zip(before, end, strict=True), "k--", linewidth=1, zorder=1)
        axes.plot(*end, "kP", markersize=9, label="contracted")
    axes.axvline(ledger.macs / 1e9, color="grey", linestyle=":", label="target")
    axes.set(
        xscale="log",
        xlabel="GMACs of a clip",
        ylabel=f"{'top-1 accuracy' if ledger.metric == 'val_top1' else 'mAP'}, validation, %",
    )
    costs = [cost for cost, _ in places.values()]
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}" if max(costs) < 10 * min(costs) else "")
    axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside right upper", fontsize=8)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    write_atomically(path, picture.getvalue())
