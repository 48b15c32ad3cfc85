"""TV-L1 optical flow: what the papers on two-stream networks compute.

Zach, Pock and Bischof, A Duality Based Approach for Realtime TV-L1 Optical Flow, DAGM 2007.
Sánchez, Meinhardt-Llopis and Facciolo, TV-L1 Optical Flow Estimation, IPOL 2013.
"""

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from zoopraxis.flow.base import FlowMethod, Frame, grey, no_flow, planes

__all__ = ["TVL1"]


@dataclass(frozen=True, kw_only=True)
class TVL1(FlowMethod):
    """TV-L1 flow; names, meaning and default values of the parameters are OpenCV's.

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

    name: ClassVar[str] = "tvl1"

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

    def between(self, first: Frame, second: Frame) -> NDArray[np.float32]:
        """Compute the flow (2, H, W) from one RGB frame (H, W, 3) to the next."""
        solver = cv2.optflow.DualTVL1OpticalFlow.create(
            self.tau, self.lambda_, self.theta, self.scales, self.warps, self.epsilon,
            self.inner_iterations, self.outer_iterations, self.scale_step, 0.0,
            self.median_filtering,
        )  # fmt: skip
        return planes(solver.calc(grey(first), grey(second), no_flow(first)))
