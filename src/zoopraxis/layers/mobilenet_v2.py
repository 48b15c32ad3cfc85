"""MobileNet-V2 over frames.

Sandler, Howard, Zhu, Zhmoginov and Chen, CVPR 2018. arXiv:1801.04381. As in the TSM repository,
widths are rounded up to multiples of 8 and the stem always has 32 channels.
"""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.resnet3d import initialise

__all__ = ["STAGES", "InvertedResidual", "MobileNetV2"]

STAGES = (
    # expansion, channels, blocks, stride of the first block
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class ConvNorm6(nn.Module):
    """Convolution, batch norm, ReLU6."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            kernel,
            stride=stride,
            padding=kernel // 2,
            groups=groups,
            bias=False,
        )
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H', W')."""
        return F.relu6(self.norm(self.conv(x)), inplace=True)


class LinearNorm(nn.Module):
    """1x1 convolution and batch norm: the linear bottleneck, without activation."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H, W)."""
        out: Tensor = self.norm(self.conv(x))
        return out


class InvertedResidual(nn.Module):
    """Expand, convolve depth-wise, project; add the input where the shapes allow.

    Parameters
    ----------
    in_channels, out_channels : int
        Input and output channels.
    stride : int
        Of the depth-wise convolution.
    expand : int
        Ratio of the inner channels to ``in_channels``; a block with 1 has no first convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, expand: int) -> None:
        super().__init__()
        hidden = in_channels * expand
        self.adds = stride == 1 and in_channels == out_channels
        self.expand = ConvNorm6(in_channels, hidden, 1) if expand > 1 else nn.Identity()
        self.depthwise = ConvNorm6(hidden, hidden, 3, stride=stride, groups=hidden)
        self.project = LinearNorm(hidden, out_channels)

    def branch(self, x: Tensor) -> Tensor:
        """Residual branch: (N, C, H, W) to (N, C', H', W')."""
        x = self.depthwise(self.expand(x))  # (N, hidden, H', W')
        out: Tensor = self.project(x)  # (N, C', H', W')
        return out

    def forward(self, x: Tensor, _num_frames: int) -> Tensor:
        """Map frames (N, C, H, W) to (N, C', H', W')."""
        return x + self.branch(x) if self.adds else self.branch(x)


class MobileNetV2(nn.Module):
    """MobileNet-V2 without classifier.

    Parameters
    ----------
    in_channels : int, default=3
        Channels of a frame, or of a stack of frames.
    block : type, default=InvertedResidual
        Class of the blocks.
    width : float, default=1.0
        Multiplies every width but the stem's; the last convolution has at least 1280 channels.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        block: type[InvertedResidual] = InvertedResidual,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        channels = 32
        self.stem = ConvNorm6(in_channels, channels, 3, stride=2)
        self.blocks = nn.ModuleList()
        for expand, base, count, first in STAGES:
            # width 0.25: 24 channels become 8 * ceil(6 / 8) = 8
            wide = base if expand == 1 else 8 * math.ceil(base * width / 8)
            for index in range(count):
                stride = first if index == 0 else 1
                self.blocks.append(block(channels, wide, stride=stride, expand=expand))
                channels = wide
        self.num_features = 8 * math.ceil(1280 * max(width, 1.0) / 8)
        self.last = ConvNorm6(channels, self.num_features, 1)
        initialise(self)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.groups > 1:
                # fan-out counts all output channels, of which a depth-wise filter feeds only one:
                # scaled by it, the signal would vanish
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, x: Tensor, num_frames: int = 1) -> Tensor:
        """Map frames (N, C, H, W) to features (N, 1280, H/32, W/32)."""
        x = self.stem(x)  # (N, 32, H/2, W/2)
        for block in self.blocks:
            x = block(x, num_frames)
        out: Tensor = self.last(x)  # (N, 1280, H/32, W/32)
        return out
