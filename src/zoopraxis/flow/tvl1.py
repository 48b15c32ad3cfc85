"""TV-L1 optical flow: what the papers on two-stream networks compute.

Zach, Pock and Bischof, A Duality Based Approach for Realtime TV-L1 Optical Flow, DAGM 2007.
Sánchez, Meinhardt-Llopis and Facciolo, TV-L1 Optical Flow Estimation, IPOL 2013.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import ShapeError, ZoopraxisError
from zoopraxis.flow._tvl1_parameters import TVL1Parameters
from zoopraxis.flow.base import FlowMethod, Frame, grey
from zoopraxis.flow.tvl1_torch import solve

__all__ = ["TVL1", "TVL1Torch", "tvl1_flow"]


@dataclass(frozen=True, kw_only=True)
class TVL1(TVL1Parameters, FlowMethod):
    """TV-L1 flow, with the parameters of `zoopraxis.flow._tvl1_parameters.TVL1Parameters`."""

    name: ClassVar[str] = "tvl1"

    def between(self, first: Frame, second: Frame) -> NDArray[np.float32]:
        """Compute the flow (2, H, W) from one RGB frame (H, W, 3) to the next."""
        from zoopraxis.flow import _tvl1_numba  # compiles on its first call

        return _tvl1_numba.solve(grey(first), grey(second), parameters=self)


@dataclass(frozen=True, kw_only=True)
class TVL1Torch(TVL1Parameters, FlowMethod):
    """TV-L1 flow by `tvl1_flow`: many pairs of frames at once, on a GPU where there is one.

    Its flow is that of `TVL1` but for rounding, which can end a warp's iterations one earlier or
    later: the two then differ by some hundredths of a pixel, ``epsilon``. On a CPU it is slower.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}, default="auto"
        Where it is computed; "auto" is CUDA if there is one, else the CPU.
    """

    name: ClassVar[str] = "tvl1_torch"
    at_once: ClassVar[int] = 32

    device: Literal["auto", "cpu", "cuda"] = "auto"

    def check(self) -> None:
        """Raise `ZoopraxisError` if there is no such device."""
        here = ("auto", "cpu", *(["cuda"] if torch.cuda.is_available() else []))
        if self.device not in here:
            raise ZoopraxisError(
                f"there is no device {self.device!r} for TV-L1 flow", f"choose {' or '.join(here)}"
            )

    def between(self, first: Frame, second: Frame) -> NDArray[np.float32]:
        """Compute the flow (2, H, W) from one RGB frame (H, W, 3) to the next."""
        return next(iter(self.along((first, second))))

    @torch.no_grad()
    def along(self, frames: Sequence[Frame]) -> Iterable[NDArray[np.float32]]:
        """Compute the flow (2, H, W) from each of some frames (H, W, 3) of one size to the next."""
        self.check()
        auto = "cuda" if torch.cuda.is_available() else "cpu"
        device = auto if self.device == "auto" else self.device
        images = torch.from_numpy(np.stack([grey(frame) for frame in frames])).to(device)
        flow = tvl1_flow(images[:-1], images[1:], parameters=self)  # (N - 1, 2, H, W)
        return iter(flow.cpu().numpy())


def tvl1_flow(first: Tensor, second: Tensor, *, parameters: TVL1Parameters | None = None) -> Tensor:
    """Compute the TV-L1 flow of a batch of pairs: differentiable, on the device of the frames.

    Parameters
    ----------
    first, second : Tensor of shape (N, H, W)
        Grey frames, values from 0 to 255; uint8 or any floating-point type.
    parameters : TVL1Parameters, optional
        The default is `TVL1Parameters()`. With an ``epsilon`` of zero the number of iterations is
        fixed, as an unrolled network has it.

    Returns
    -------
    Tensor of shape (N, 2, H, W)
        Pixels, x (to the right) then y (downwards); float64 if the frames are, else float32.

    Raises
    ------
    ShapeError
        The frames are no two batches of grey images of one size.
    """
    if first.ndim != 3 or first.shape != second.shape:
        raise ShapeError(
            f"frames {tuple(first.shape)} and {tuple(second.shape)} are no pairs of grey frames",
            "give two tensors (N, H, W)",
        )
    return solve(first, second, parameters=parameters or TVL1Parameters())
