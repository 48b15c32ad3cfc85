"""MobileNet-V2 over frames.

Sandler, Howard, Zhu, Zhmoginov and Chen, CVPR 2018. arXiv:1801.04381. The classifier is left
out; widths round up to multiples of 8 and the stem keeps its 32 channels, as in the repository
of TSM.
"""

import math
import re

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.resnet3d import initialise
from zoopraxis.spec import Replacement

__all__ = [
    "RENAME_MOBILENETV2",
    "RENAME_MOBILENETV2_MMACTION2",
    "InvertedResidual",
    "MobileNetV2",
]

_STAGES = (
    # expansion, channels, blocks, stride of the first
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_LAST = 18  # place of the last convolution in the list of the TSM repository


def _block_key(match: re.Match[str]) -> str:
    """features.2.conv.3. becomes blocks.1.depthwise.conv. ."""
    block, layer = int(match[1]), int(match[2])
    parts = ("depthwise", "project") if block == 1 else ("expand", "depthwise", "project")
    return f"blocks.{block - 1}.{parts[layer // 3]}.{('conv', 'norm')[layer % 3]}."


RENAME_MOBILENETV2: tuple[tuple[str, Replacement], ...] = (
    (r"\.net\.", "."),
    (r"\bfeatures\.0\.0\.", "stem.conv."),
    (r"\bfeatures\.0\.1\.", "stem.norm."),
    (rf"\bfeatures\.{_LAST}\.0\.", "last.conv."),
    (rf"\bfeatures\.{_LAST}\.1\.", "last.norm."),
    (r"\bfeatures\.(\d+)\.conv\.(\d)\.", _block_key),
)
"""Keys of the TSM repository's MobileNet-V2 in terms of `MobileNetV2`."""


def _stage_key(match: re.Match[str]) -> str:
    """backbone.layer2.1.conv.0.conv. becomes trunk.blocks.2.expand.conv. ."""
    stage, index, layer = int(match[1]), int(match[2]), int(match[3])
    block = sum(count for _, _, count, _ in _STAGES[: stage - 1]) + index
    parts = ("expand", "depthwise", "project")[stage == 1 :]
    return f"trunk.blocks.{block}.{parts[layer]}.{_LAYERS[match[4]]}."


_LAYERS = {"conv": "conv", "bn": "norm"}
RENAME_MOBILENETV2_MMACTION2: tuple[tuple[str, Replacement], ...] = (
    (r"\.net\.", "."),
    (r"^backbone\.layer(\d)\.(\d)\.conv\.(\d)\.(conv|bn)\.", _stage_key),
    (r"^backbone\.conv1\.(conv|bn)\.", lambda m: f"trunk.stem.{_LAYERS[m[1]]}."),
    (r"^backbone\.conv2\.(conv|bn)\.", lambda m: f"trunk.last.{_LAYERS[m[1]]}."),
    (r"^cls_head\.fc_cls\.", "head.linear."),
)
"""Keys of mmaction2's recognisers on MobileNet-V2 in terms of `SegmentNetwork`."""


class ConvNorm6(nn.Module):
    """Convolution, norm, ReLU6."""

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
    """1x1 convolution and norm: the bottleneck, without activation."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H, W)."""
        out: Tensor = self.norm(self.conv(x))
        return out


class InvertedResidual(nn.Module):
    """Widen, convolve each channel alone, narrow; add the input where the shape allows.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels that come and go.
    stride : int
        Of the depth-wise convolution.
    expand : int
        How many times wider the inside is; 1 has no widening convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, expand: int) -> None:
        super().__init__()
        hidden = in_channels * expand
        self.adds = stride == 1 and in_channels == out_channels
        self.expand = ConvNorm6(in_channels, hidden, 1) if expand > 1 else nn.Identity()
        self.depthwise = ConvNorm6(hidden, hidden, 3, stride=stride, groups=hidden)
        self.project = LinearNorm(hidden, out_channels)

    def branch(self, x: Tensor) -> Tensor:
        """Branch of the convolutions: (N, C, H, W) to (N, C', H', W')."""
        out: Tensor = self.project(self.depthwise(self.expand(x)))
        return out

    def forward(self, x: Tensor, _frames: int) -> Tensor:
        """Map frames (N, C, H, W) to (N, C', H', W')."""
        return x + self.branch(x) if self.adds else self.branch(x)


class MobileNetV2(nn.Module):
    """MobileNet-V2 without classifier.

    Parameters
    ----------
    in_channels : int, default=3
        Channels of a frame, or of a stack.
    block : type, default=InvertedResidual
        Class of the blocks.
    width : float, default=1.0
        Multiplies every width but the stem's; the last is never below 1280.
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
        for expand, base, count, first in _STAGES:
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
                # fan out would count all channels, though a filter feeds one: the signal would die
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, x: Tensor, frames: int = 1) -> Tensor:
        """Map frames (N, C, H, W) to features (N, 1280, H/32, W/32)."""
        x = self.stem(x)  # (N, 32, H/2, W/2)
        for block in self.blocks:
            x = block(x, frames)
        out: Tensor = self.last(x)  # (N, 1280, H/32, W/32)
        return out
