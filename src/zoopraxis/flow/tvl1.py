"""TV-L1 optical flow: what the papers on two-stream networks compute.

Zach, Pock and Bischof, A Duality Based Approach for Realtime TV-L1 Optical Flow, DAGM 2007.
Sánchez, Meinhardt-Llopis and Facciolo, TV-L1 Optical Flow Estimation, IPOL 2013.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from zoopraxis.flow._tvl1_parameters import TVL1Parameters
from zoopraxis.flow.base import FlowMethod, Frame, grey

__all__ = ["TVL1"]


@dataclass(frozen=True, kw_only=True)
class TVL1(TVL1Parameters, FlowMethod):
    """TV-L1 flow, with the parameters of `zoopraxis.flow._tvl1_parameters.TVL1Parameters`."""

    name: ClassVar[str] = "tvl1"

    def between(self, first: Frame, second: Frame) -> NDArray[np.float32]:
        """Compute the flow (2, H, W) from one RGB frame (H, W, 3) to the next."""
        from zoopraxis.flow._tvl1_numba import solve  # compiles on its first call

        return solve(grey(first), grey(second), parameters=self)
