"""Flow as 8-bit codes, as two-stream networks store it.

Flow in [-bound, bound] pixels becomes 0 to 255, rounded to the nearest; flow beyond is clipped.
A code stands for ``code / 255 * 2 * bound - bound`` pixels, at most ``bound / 255`` from the flow
(0.08 pixels at a bound of 20); no motion lies between 127 and 128.
"""

import torch
from torch import Tensor

from zoopraxis.errors import ShapeError

__all__ = ["BOUND", "from_codes", "to_codes"]

BOUND = 20.0
"""Pixels per frame at which the papers clip flow."""


def to_codes(flow: Tensor, *, bound: float = BOUND) -> Tensor:
    """Quantise flow in pixels to uint8 codes of the same shape.

    Raises
    ------
    ShapeError
        A value is not finite.
    """
    if not torch.isfinite(flow).all():
        raise ShapeError("flow holds values that are not finite", "compute this flow again")
    return ((flow.clamp(-bound, bound) / bound + 1) * 127.5).round().to(torch.uint8)


def from_codes(codes: Tensor, *, bound: float = BOUND) -> Tensor:
    """Give the pixels, float32, that uint8 codes stand for."""
    return codes.float() / 127.5 * bound - bound
