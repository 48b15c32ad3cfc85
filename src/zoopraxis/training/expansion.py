"""The search that produced X3D: expand one axis at a time and keep the best.

Feichtenhofer, CVPR 2020. arXiv:2004.04730, sections 3.2 and 3.3

Coordinate descent: each step trains six networks, each with one axis expanded until the cost has
about doubled, and continues from the most accurate one. A search for a given cost ends with a
contraction, which undoes the part of the last step that exceeds it.

The paper does not say how finely an axis is divided, nor how X-Temporal divides its factor between
the duration of the clip and its frame rate. We take the steps from the published networks: whole
frames, sides in multiples of 8 pixels, and factors in multiples of 0.05 (width), 0.25 (bottleneck)
and 0.1 (depth). Of those, the one whose cost comes nearest to double the current network's is the
candidate. The published clips (4 frames of stride 12, 13 of 6, 16 of 5) lie on a line: twice the
frames are a frame rate of 3/2 and a duration of 4/3. With these, the axes that lead from X2D to
X3D-XL give the factors of XS, S, M, L and XL exactly.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import floor, log2

from zoopraxis.models.x3d import HIDDEN, Expansion, round_width

__all__ = [
    "AXES",
    "START",
    "Axis",
    "Step",
    "candidates",
    "contract",
    "count_expansion_macs",
    "search",
]

Score = tuple[float, ...]

START = Expansion(tau=27)
"""X2D, with the stride from which two temporal steps lead to the clip of X3D-XS, 4 x 12."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One of the expansions of section 3.2.

    Parameters
    ----------
    factor : str
        Field of `Expansion` that grows.
    grain : float
        It is a multiple of this.
    rate : float, default=0
        When the factor grows k times, the frame rate grows k ** rate times.
    """

    factor: str
    grain: float
    rate: float = 0.0

    def above(self, expansion: Expansion) -> Iterator[Expansion]:
        """Yield the expansions along this axis, from the smallest, without end."""
        before = getattr(expansion, self.factor)
        number = floor(round(before / self.grain, 6))
        while True:
            number += 1
            value = round(number * self.grain, 6)
            k = value / before
            grown = replace(expansion, tau=expansion.tau / k**self.rate)
            yield replace(grown, **{self.factor: value})


AXES: Mapping[str, Axis] = {
    "fast": Axis(factor="t", grain=1, rate=1),
    "temporal": Axis(factor="t", grain=1, rate=log2(1.5)),
    "spatial": Axis(factor="s", grain=8 / 112),
    "depth": Axis(factor="d", grain=0.1),
    "width": Axis(factor="w", grain=0.05),
    "bottleneck": Axis(factor="b", grain=0.25),
}
"""The six expansions of section 3.2.

X-Fast samples more frames from the same duration; X-Temporal more frames from a longer duration, at
a higher rate.

# from 4 frames of stride 12: fast 8 frames of stride 6; temporal 8 frames of stride 8
"""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a search.

    Parameters
    ----------
    candidates : mapping of str to Expansion
        By axis.
    axis : str
        Of the best one.
    """

    candidates: Mapping[str, Expansion]
    axis: str

    @property
    def expansion(self) -> Expansion:
        """The best candidate."""
        return self.candidates[self.axis]


def search(
    start: Expansion,
    *,
    score: Callable[[Mapping[str, Expansion]], Mapping[str, Score]],
    macs: float,
    growth: float = 2.0,
    num_classes: int = 400,
) -> Iterator[Step]:
    """Expand until nothing can be expanded within a target.

    Parameters
    ----------
    start : Expansion
        The first network.
    score : callable
        Trains the candidates of a step, by axis, and returns a score for each: a tuple, of which
        the larger is the better. Of equal ones the first in the order of `AXES` is kept.
    macs : float
        Target multiply-adds, which the last step may exceed (see `contract`).
    growth : float, default=2.0
        About the ratio of the costs of successive steps; more than 1.
    num_classes : int, default=400
        K.

    Yields
    ------
    Step
        As soon as its candidates are scored.
    """
    current = start
    while _has_room(current, macs=macs, num_classes=num_classes):
        expanded = candidates(current, growth=growth, num_classes=num_classes)
        scores = score(expanded)
        step = Step(candidates=expanded, axis=max(expanded, key=lambda axis: scores[axis]))
        yield step
        current = step.expansion


def _has_room(expansion: Expansion, *, macs: float, num_classes: int) -> bool:
    """Whether an axis can be expanded within a target."""
    ends = [contract(expansion, axis, macs=macs, num_classes=num_classes) for axis in AXES]
    costs = [count_expansion_macs(end, num_classes=num_classes) for end in (expansion, *ends)]
    return max(costs) > costs[0]


def candidates(
    expansion: Expansion, *, growth: float = 2.0, num_classes: int = 400
) -> dict[str, Expansion]:
    """Expand each axis alone until the cost has grown as nearly as possible by a factor.

    Parameters
    ----------
    expansion : Expansion
        The network to expand.
    growth : float, default=2.0
        The factor, more than 1.
    num_classes : int, default=400
        K.

    Returns
    -------
    dict of str to Expansion
        By axis, each more costly than `expansion`.
    """
    cost = count_expansion_macs(expansion, num_classes=num_classes)
    found = {}
    for name, axis in AXES.items():
        nearest = float("inf")
        for grown in axis.above(expansion):
            macs = count_expansion_macs(grown, num_classes=num_classes)
            # of the factors that make the same network, the largest: 5 blocks are d = 2.1 and 2.2
            if macs > cost and abs(macs - growth * cost) <= nearest:
                found[name], nearest = grown, abs(macs - growth * cost)
            if macs - growth * cost > nearest:
                break
    return found


def contract(before: Expansion, axis: str, *, macs: float, num_classes: int = 400) -> Expansion:
    """Contract the last step of a search to a target (backward contraction).

    Parameters
    ----------
    before : Expansion
        The network before the step.
    axis : str
        The axis that the step expanded.
    macs : float
        Target multiply-adds.
    num_classes : int, default=400
        K.

    Returns
    -------
    Expansion
        The largest expansion of this axis that costs at most `macs`; `before` if there is none.
    """
    largest = before
    for grown in AXES[axis].above(before):
        if count_expansion_macs(grown, num_classes=num_classes) > macs:
            break
        largest = grown
    return largest


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
