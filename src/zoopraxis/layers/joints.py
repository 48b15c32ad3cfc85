"""Blocks of the skeleton networks after ST-GCN: a graph convolution, one over time, a shortcut."""

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["JointBlock", "joint_shortcut", "time_conv"]


def time_conv(
    in_channels: int, out_channels: int, *, kernel: int = 9, stride: int = 1
) -> nn.Sequential:
    """Convolve each joint over time, and normalise: (N, C, T, J) to (N, C', T', J)."""
    conv = nn.Conv2d(in_channels, out_channels, (kernel, 1), (stride, 1), (kernel // 2, 0))
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(out_channels)))


def joint_shortcut(in_channels: int, out_channels: int, *, stride: int) -> nn.Module:
    """Return the identity, or a 1x1 convolution where shapes differ."""
    if in_channels == out_channels and stride == 1:
        return nn.Identity()
    return time_conv(in_channels, out_channels, kernel=1, stride=stride)


class JointBlock(nn.Module):
    """A graph convolution, a convolution over time, and a shortcut past both.

    Parameters
    ----------
    graph : nn.Module
        Maps (N, C, T, J) to (N, C', T, J), its activation included.
    time : nn.Module
        Maps that to (N, C', T', J).
    shortcut : nn.Module, optional
        Maps the input to the shape of the output; by default nothing is added.
    """

    def __init__(self, graph: nn.Module, time: nn.Module, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.graph, self.time, self.shortcut = graph, time, shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map joints (N, C, T, J) to (N, C', T', J)."""
        out = self.time(self.graph(x))  # (N, C', T', J)
        if self.shortcut is not None:
            out = out + self.shortcut(x)
        return F.relu(out)
