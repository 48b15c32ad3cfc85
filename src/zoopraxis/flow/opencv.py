"""Dense inverse search and polynomial expansion, as OpenCV computes them.

Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016. arXiv:1603.03590
Farnebäck, Two-Frame Motion Estimation Based on Polynomial Expansion, SCIA 2003.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from zoopraxis.flow.base import FlowMethod, Frame, grey, no_flow, planes

__all__ = ["DIS", "Farneback"]


@dataclass(frozen=True, kw_only=True)
class DIS(FlowMethod):
    """Dense inverse search: patches matched coarse to fine, refined by a variational step.

    Parameters
    ----------
    preset : {"ultrafast", "fast", "medium"}, default="medium"
        OpenCV's choice of patch size, stride and iterations.
    """

    name: ClassVar[str] = "dis"

    preset: Literal["ultrafast", "fast", "medium"] = "medium"

    def between(self, first: Frame, second: Frame) -> NDArray[np.float32]:
        """Compute the flow (2, H, W) from one RGB frame (H, W, 3) to the next."""
        solver = cv2.DISOpticalFlow.create(
            getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{self.preset.upper()}")
        )
        return planes(solver.calc(grey(first), grey(second), no_flow(first)))


@dataclass(frozen=True, kw_only=True)
class Farneback(FlowMethod):
    """Polynomial expansion of both frames; parameters are named as in OpenCV.

    Parameters
    ----------
    pyr_scale : float, default=0.5
        Size of a level of the pyramid relative to the one below.
    levels, winsize, iterations : int, default=5, 13, 10
        Levels of the pyramid, side of the averaging window, iterations at each level.
    poly_n : int, default=5
        Side of the neighbourhood in which the polynomial is fitted.
    poly_sigma : float, default=1.1
        Standard deviation of its Gaussian weights.
    """

    name: ClassVar[str] = "farneback"

    pyr_scale: float = 0.5
    levels: int = 5
    winsize: int = 13
    iterations: int = 10
    poly_n: int = 5
    poly_sigma: float = 1.1

    def between(self, first: Frame, second: Frame) -> NDArray[np.float32]:
        """Compute the flow (2, H, W) from one RGB frame (H, W, 3) to the next."""
        flow = cv2.calcOpticalFlowFarneback(
            grey(first), grey(second), no_flow(first), self.pyr_scale, self.levels, self.winsize,
            self.iterations, self.poly_n, self.poly_sigma, 0,
        )  # fmt: skip
        return planes(flow)
