"""The search that made X3D: grow one axis at a time, keep the best.

Feichtenhofer, CVPR 2020, arXiv:2004.04730, sections 3.2 and 3.3. It descends by coordinates: of
the six networks that come of growing a single axis until the cost has doubled, each is trained and
the most accurate one is grown further. A search for a given cost ends with a contraction, which
takes back as much of the last step as there is too much.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from zoopraxis.models.x3d import HIDDEN, Expansion, round_width

__all__ = ["AXES", "candidates", "contract", "count_expansion_macs", "search"]

Grow = Callable[[Expansion, float], Expansion]

AXES: Mapping[str, Grow] = {
    "fast": lambda x, k: replace(x, t=x.t * k, tau=x.tau / k),
    "temporal": lambda x, k: replace(x, t=x.t * k, tau=x.tau / k**0.5),
    "spatial": lambda x, k: replace(x, s=x.s * k),
    "depth": lambda x, k: replace(x, d=x.d * k),
    "width": lambda x, k: replace(x, w=x.w * k),
    "bottleneck": lambda x, k: replace(x, b=x.b * k),
}
"""The expansions of section 3.2 by factor. X-Fast takes more frames of the same time, X-Temporal
more frames of a longer time, at a higher rate."""


def count_expansion_macs(expansion: Expansion, *, num_classes: int = 400) -> int:
    """Multiply-adds of one clip's convolutions and matrix products, without building the network.

    Parameters
    ----------
    expansion : Expansion
        Of the network and its clip.
    num_classes : int, default=400
        K.
    """
    frames, side, channels = expansion.frames, _halve(expansion.size), expansion.stem
    macs = frames * side**2 * channels * (3 * 3 * 3 + 5)  # spatial, then channel-wise temporal
    inner = 0
    for blocks, width, inner in expansion.stages():
        before, side = side, _halve(side)
        gates = (blocks + 1) // 2
        up = before**2 * channels + (blocks - 1) * side**2 * width
        rest = side**2 * (channels * width + blocks * inner * (27 + width))
        macs += frames * (up * inner + rest) + gates * 2 * inner * round_width(inner / 16)
        channels = width
    macs += frames * side**2 * channels * inner
    return macs + inner * HIDDEN + HIDDEN * num_classes


def _halve(side: int) -> int:
    """Size behind a 3x3 convolution of stride 2 that is padded by 1."""
    return (side + 1) // 2


def candidates(expansion: Expansion, *, macs: float) -> dict[str, Expansion]:
    """Grow, or shrink, each axis alone until the cost is `macs`, as nearly as rounding lets it.

    Parameters
    ----------
    expansion : Expansion
        Where to start.
    macs : float
        Cost to reach.

    Returns
    -------
    dict of str to Expansion
        By axis.
    """
    return {axis: _reach(grow, expansion, macs) for axis, grow in AXES.items()}


def _reach(grow: Grow, expansion: Expansion, macs: float) -> Expansion:
    """Find the factor by bisection: the cost rises with it, in steps."""
    low, high = 1 / 16, 16.0
    for _ in range(40):
        middle = (low * high) ** 0.5
        too_much = count_expansion_macs(grow(expansion, middle)) > macs
        low, high = (low, middle) if too_much else (middle, high)
    ends = [grow(expansion, low), grow(expansion, high)]
    return min(ends, key=lambda end: abs(count_expansion_macs(end) - macs))


def search(
    start: Expansion,
    *,
    score: Callable[[Expansion], float],
    macs: float,
    growth: float = 2.0,
) -> list[tuple[str, Expansion]]:
    """Expand until the cost has reached a target.

    Parameters
    ----------
    start : Expansion
        The network to begin with: X2D, with a `tau` that says how long its clip is.
    score : callable
        How good a network is: its accuracy once trained. It is called six times a step.
    macs : float
        Target cost, which the last step passes (see `contract`).
    growth : float, default=2.0
        Cost of a step over that of the step before.

    Returns
    -------
    list of (str, Expansion)
        The axis of each step, and what it led to.
    """
    path: list[tuple[str, Expansion]] = []
    current, cost = start, float(count_expansion_macs(start))
    while cost < macs:
        cost *= growth
        grown = candidates(current, macs=cost)
        axis = max(grown, key=lambda name: score(grown[name]))
        current = grown[axis]
        path.append((axis, current))
    return path


def contract(expansion: Expansion, axis: str, *, macs: float) -> Expansion:
    """Take back so much of an axis that the cost is at most `macs` (backward contraction).

    An expansion that costs no more is left as it is.
    """
    if count_expansion_macs(expansion) <= macs:
        return expansion
    factor = 1.0
    while count_expansion_macs(AXES[axis](expansion, factor)) > macs:
        factor *= 0.99
    return AXES[axis](expansion, factor)
