"""Parameters of TV-L1 optical flow: names, meaning and default values are OpenCV's."""

import math
from dataclasses import dataclass

from zoopraxis.errors import ZoopraxisError

__all__ = ["SMALLEST", "TVL1Parameters"]

SMALLEST = 16
"""Shorter side, in pixels, of the coarsest level of the pyramid."""


@dataclass(frozen=True, kw_only=True)
class TVL1Parameters:
    """Weights of the energy, and how often what is done.

    Parameters
    ----------
    tau : float, default=0.25
        Step of the dual variables.
    lambda_ : float, default=0.15
        Weight of the data term: smaller is smoother.
    theta : float, default=0.3
        Coupling of the flow and its auxiliary copy.
    scales : int, default=5
        Levels of the pyramid, at most; levels below 16 pixels are left out.
    warps : int, default=5
        Warpings of the second frame at each level.
    epsilon : float, default=0.01
        Mean squared update of the flow at which a warp's iterations stop.
    inner_iterations, outer_iterations : int, default=30, 10
        Iterations between two median filterings, and of those.
    scale_step : float, default=0.8
        Size of a level relative to the one below.
    median_filtering : {1, 3, 5}, default=5
        Side of the median filter; 1 is none.
    """

    tau: float = 0.25
    lambda_: float = 0.15
    theta: float = 0.3
    scales: int = 5
    warps: int = 5
    epsilon: float = 0.01
    inner_iterations: int = 30
    outer_iterations: int = 10
    scale_step: float = 0.8
    median_filtering: int = 5

    def __post_init__(self) -> None:
        """Check the parameters.

        Raises
        ------
        ZoopraxisError
            One is out of its range.
        """
        for name in ("tau", "lambda_", "theta"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise _out_of_range(name, value, "a positive number")
        if not 0 <= self.epsilon < math.inf:
            raise _out_of_range("epsilon", self.epsilon, "zero or a positive number")
        if not 0 < self.scale_step < 1:
            raise _out_of_range("scale_step", self.scale_step, "between 0 and 1, exclusive")
        for name in ("scales", "warps", "inner_iterations", "outer_iterations"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise _out_of_range(name, value, "a whole number, 1 or more")
        if self.median_filtering not in (1, 3, 5):
            raise _out_of_range("median_filtering", self.median_filtering, "1, 3 or 5")


def _out_of_range(name: str, value: object, expected: str) -> ZoopraxisError:
    return ZoopraxisError(f"{name} of TV-L1 flow is {value!r}", f"give {expected}")
