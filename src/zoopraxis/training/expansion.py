"""The search that produced X3D: expand one axis at a time and keep the best.

Feichtenhofer, CVPR 2020. arXiv:2004.04730, sections 3.2 and 3.3

Coordinate descent: each step trains six networks, each with one axis expanded until the cost has
doubled, and continues from the most accurate one. A search for a given cost ends with a
contraction, which undoes the part of the last step that exceeds it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from zoopraxis.models.x3d import HIDDEN, Expansion, round_width

__all__ = ["AXES", "candidates", "contract", "count_expansion_macs", "search"]

Expand = Callable[[Expansion, float], Expansion]

AXES: Mapping[str, Expand] = {
    "fast": lambda x, k: replace(x, t=x.t * k, tau=x.tau / k),
    "temporal": lambda x, k: replace(x, t=x.t * k, tau=x.tau / k**0.5),
    "spatial": lambda x, k: replace(x, s=x.s * k),
    "depth": lambda x, k: replace(x, d=x.d * k),
    "width": lambda x, k: replace(x, w=x.w * k),
    "bottleneck": lambda x, k: replace(x, b=x.b * k),
}
"""The six expansions of section 3.2, by a factor k.

X-Fast samples more frames from the same duration; X-Temporal more frames from a longer duration, at
a higher rate.

# k = 4 of t = 4, tau = 12: fast 16 frames, stride 3; temporal 16 frames, stride 6
"""


def search(
    start: Expansion,
    *,
    score: Callable[[Expansion], float],
    macs: float,
    growth: float = 2.0,
) -> list[tuple[str, Expansion]]:
    """Expand until the cost reaches a target.

    Parameters
    ----------
    start : Expansion
        The first network: X2D with the `tau` that gives the duration of the clip.
    score : callable
        Trains a network and returns its accuracy; called six times per step.
    macs : float
        Target multiply-adds, which the last step may exceed (see `contract`).
    growth : float, default=2.0
        Ratio of the costs of successive steps.

    Returns
    -------
    list of (str, Expansion)
        Axis and result of each step.
    """
    path: list[tuple[str, Expansion]] = []
    current, cost = start, float(count_expansion_macs(start))
    while cost < macs:
        cost *= growth
        expanded = candidates(current, macs=cost)
        axis = max(expanded, key=lambda name: score(expanded[name]))
        current = expanded[axis]
        path.append((axis, current))
    return path


def candidates(expansion: Expansion, *, macs: float) -> dict[str, Expansion]:
    """Expand, or contract, each axis alone until the cost is `macs`, up to rounding.

    Parameters
    ----------
    expansion : Expansion
        The network to expand.
    macs : float
        Multiply-adds to reach.

    Returns
    -------
    dict of str to Expansion
        By axis.
    """
    return {axis: _reach(expand, expansion, macs) for axis, expand in AXES.items()}


def _reach(expand: Expand, expansion: Expansion, macs: float) -> Expansion:
    """Find the factor by bisection, as the cost rises with it."""
    # the cost is a step function of the factor, so no factor may meet it exactly: the bisection
    # closes in on the last step below and the first step above, and the nearer one is returned
    low, high = 1 / 16, 16.0
    for _ in range(40):
        middle = (low * high) ** 0.5
        too_much = count_expansion_macs(expand(expansion, middle)) > macs
        low, high = (low, middle) if too_much else (middle, high)
    ends = [expand(expansion, low), expand(expansion, high)]
    return min(ends, key=lambda end: abs(count_expansion_macs(end) - macs))


def contract(expansion: Expansion, axis: str, *, macs: float) -> Expansion:
    """Contract an axis until the cost is at most `macs` (backward contraction).

    An expansion that costs no more is returned unchanged.
    """
    if count_expansion_macs(expansion) <= macs:
        return expansion
    factor = 1.0
    while count_expansion_macs(AXES[axis](expansion, factor)) > macs:
        factor *= 0.99
    return AXES[axis](expansion, factor)


def count_expansion_macs(expansion: Expansion, *, num_classes: int = 400) -> int:
    """Count the multiply-adds of convolutions and matrix products without building the network.

    Parameters
    ----------
    expansion : Expansion
        Factors of the network and its clip.
    num_classes : int, default=400
        K.
    """
    num_frames, side, channels = expansion.num_frames, _halve(expansion.size), expansion.stem
    # stem: 1x3x3 from 3 channels, depth-wise 5x1x1
    macs = num_frames * side**2 * channels * (3 * 3 * 3 + 5)
    inner = 0
    for blocks, width, inner in expansion.stages():
        before, side = side, _halve(side)
        gates = (blocks + 1) // 2  # 5 blocks: the first, third and fifth
        # first 1x1x1, per inner channel; that of the first block comes before its stride
        up = before**2 * channels + (blocks - 1) * side**2 * width
        # projection shortcut of the first block; depth-wise 3x3x3 and last 1x1x1 of every block
        rest = side**2 * (channels * width + blocks * inner * (27 + width))
        macs += num_frames * (up * inner + rest) + gates * 2 * inner * round_width(inner / 16)
        channels = width
    macs += num_frames * side**2 * channels * inner  # conv5
    return macs + inner * HIDDEN + HIDDEN * num_classes


def _halve(side: int) -> int:
    """Size after a 3x3 convolution of stride 2 with padding 1."""
    return (side + 1) // 2
