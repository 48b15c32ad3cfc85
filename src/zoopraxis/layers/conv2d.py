"""Convolution, batch norm and ReLU over frames, replaceable by name.

A paper that changes some convolutions of an Inception network passes its own `ConvFn`, which builds
each convolution from its name in the original network, such as ``3a.1x1`` or ``4e.3x3_reduce``.
"""

from typing import Any, Protocol

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ConvFn", "ConvNorm2d", "conv_norm"]

Size = int | tuple[int, int]


class ConvNorm2d(nn.Module):
    """Convolution, batch norm, ReLU.

    Parameters
    ----------
    in_channels, out_channels : int
        Input and output channels.
    kernel, stride, padding : int or (int, int)
        Of the convolution.
    bias : bool, default=True
        Whether the convolution has a bias in spite of the batch norm, as in Caffe's networks.
    eps : float, default=1e-5
        Epsilon of the batch norm.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Size,
        *,
        stride: Size = 1,
        padding: Size = 0,
        bias: bool = True,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, stride=stride, padding=padding, bias=bias
        )
        self.norm = nn.BatchNorm2d(out_channels, eps=eps)

    def forward(self, x: Tensor, _num_frames: int) -> Tensor:
        """Map frames (N, C, H, W) to (N, C', H', W')."""
        return F.relu(self.norm(self.conv(x)), inplace=True)


class ConvFn(Protocol):
    """Builds the convolution of a given name."""

    def __call__(
        self,
        name: str,
        in_channels: int,
        out_channels: int,
        kernel: Size,
        /,
        *,
        stride: Size = 1,
        padding: Size = 0,
        bias: bool = True,
        eps: float = 1e-5,
    ) -> nn.Module:
        """Return a module called with frames (N, C, H, W) and the number of frames of a clip."""


def conv_norm(_name: str, *sizes: Any, **options: Any) -> nn.Module:
    """Build a `ConvNorm2d`, whatever the name."""
    return ConvNorm2d(*sizes, **options)
