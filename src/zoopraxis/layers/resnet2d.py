"""ResNet over frames: the skeleton of every "ResNet and one idea about time".

He, Zhang, Ren and Sun, CVPR 2016. arXiv:1512.03385. As in torchvision, the stride of a
bottleneck sits in its 3x3 convolution. A paper chooses the class of each block by its place;
the skeleton hands every block the number of frames.
"""

from collections.abc import Callable
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.resnet3d import DEPTHS, initialise
from zoopraxis.spec import Replacement

__all__ = [
    "RENAME_MMACTION2",
    "RENAME_RESNET2D",
    "BasicBlock2d",
    "Block2d",
    "Bottleneck2d",
    "ChooseBlock",
    "ResNet2d",
    "Stage2d",
    "everywhere",
    "plain",
]

RENAME_RESNET2D: tuple[tuple[str, Replacement], ...] = (
    (r"(^|trunk\.)conv1\.", r"\1stem.conv."),
    (r"(^|trunk\.)bn1\.", r"\1stem.norm."),
    (r"\.bn(\d)\.", r".norm\1."),
    (r"\.downsample\.0\.", ".shortcut.conv."),
    (r"\.downsample\.1\.", ".shortcut.norm."),
)
"""Keys of torchvision's ResNet in terms of `ResNet2d`, without the classifier."""

RENAME_MMACTION2: tuple[tuple[str, Replacement], ...] = (
    (r"^backbone\.conv1\.conv\.", "trunk.stem.conv."),
    (r"^backbone\.conv1\.bn\.", "trunk.stem.norm."),
    (r"^backbone\.", "trunk."),
    (r"\.conv(\d)\.conv\.(net\.)?", r".conv\1."),
    (r"\.conv(\d)\.bn\.", r".norm\1."),
    (r"\.downsample\.conv\.", ".shortcut.conv."),
    (r"\.downsample\.bn\.", ".shortcut.norm."),
    (r"^cls_head\.fc_cls\.", "head.linear."),
)
"""Keys of mmaction2's 2D recognisers in terms of `SegmentNetwork` and `ResNet2d`."""


class Shortcut2d(nn.Module):
    """1x1 convolution with the block's stride, and a norm."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H', W')."""
        out: Tensor = self.norm(self.conv(x))
        return out


class BasicBlock2d(nn.Module):
    """Two 3x3 convolutions and a shortcut.

    Parameters
    ----------
    in_channels, width : int
        Channels that come and go.
    stride : int
        Of the first convolution.
    shortcut : nn.Module
        What the input passes on the other way.
    """

    def __init__(self, in_channels: int, width: int, *, stride: int, shortcut: nn.Module) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = shortcut

    def residual(self, x: Tensor, _frames: int) -> Tensor:
        """Branch of the convolutions: (N, C, H, W) to (N, width, H', W')."""
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)
        out: Tensor = self.norm2(self.conv2(x))
        return out

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (N, C, H, W) to (N, width, H', W')."""
        return F.relu(self.residual(x, frames) + self.shortcut(x), inplace=True)


class Bottleneck2d(nn.Module):
    """1x1 down to `width`, 3x3, 1x1 up to four times that, and a shortcut.

    The parameters are those of `BasicBlock2d`; the stride is the middle convolution's.
    """

    def __init__(self, in_channels: int, width: int, *, stride: int, shortcut: nn.Module) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2: nn.Module = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(4 * width)
        self.shortcut = shortcut

    def residual(self, x: Tensor, _frames: int) -> Tensor:
        """Branch of the convolutions: (N, C, H, W) to (N, 4 width, H', W')."""
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)
        x = F.relu(self.norm2(self.conv2(x)), inplace=True)
        out: Tensor = self.norm3(self.conv3(x))
        return out

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (N, C, H, W) to (N, 4 width, H', W')."""
        return F.relu(self.residual(x, frames) + self.shortcut(x), inplace=True)


class Block2d(Protocol):
    """Makes a block: a class such as `Bottleneck2d`, or a function around one."""

    def __call__(
        self, in_channels: int, width: int, *, stride: int, shortcut: nn.Module
    ) -> nn.Module:
        """Return a module that is called with (N, C, H, W) and the number of frames."""


ChooseBlock = Callable[[int, int, int], Block2d]
"""From (depth, stage 1..4, index in the stage) to what makes the block there."""


def plain(depth: int, _stage: int, _index: int) -> Block2d:
    """Blocks that see one frame alone: bottlenecks from depth 50 on."""
    return Bottleneck2d if depth >= 50 else BasicBlock2d


def everywhere(block: Block2d) -> ChooseBlock:
    """Choose the same block for every place."""

    def choose(_depth: int, _stage: int, _index: int) -> Block2d:
        return block

    return choose


class Stem2d(nn.Module):
    """7x7 convolution of stride 2, norm, ReLU, 3x3 max pooling of stride 2."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map frames (N, C, H, W) to (N, width, H/4, W/4)."""
        out: Tensor = self.pool(self.relu(self.norm(self.conv(x))))
        return out


class Stage2d(nn.ModuleList):
    """Blocks one after the other, each told the number of frames."""

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map (N, C, H, W) to (N, C', H', W')."""
        for block in self:
            x = block(x, frames)
        return x


class ResNet2d(nn.Module):
    """ResNet without classifier, its blocks chosen by the paper.

    Parameters
    ----------
    depth : {10, 18, 34, 50, 101, 152}
        Layers; from 50 on the blocks are bottlenecks.
    in_channels : int, default=3
        Channels of a frame, or of a stack.
    block : ChooseBlock, default=plain
        What makes the block of each place.
    width : int, default=64
        Channels of the stem.
    """

    def __init__(
        self,
        depth: int,
        *,
        in_channels: int = 3,
        block: ChooseBlock = plain,
        width: int = 64,
    ) -> None:
        super().__init__()
        expansion = 4 if depth >= 50 else 1
        self.stem = Stem2d(in_channels, width)
        channels = width
        stages = []
        for stage, blocks in enumerate(DEPTHS[depth], start=1):
            made = Stage2d()
            inner = width * 2 ** (stage - 1)
            outer = inner * expansion
            for index in range(blocks):
                stride = 2 if stage > 1 and index == 0 else 1
                same = stride == 1 and channels == outer
                shortcut = nn.Identity() if same else Shortcut2d(channels, outer, stride=stride)
                make = block(depth, stage, index)
                made.append(make(channels, inner, stride=stride, shortcut=shortcut))
                channels = outer
            stages.append(made)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.num_features = channels
        initialise(self)

    def forward(self, x: Tensor, frames: int = 1) -> Tensor:
        """Map frames (N, C, H, W) to features (N, F, H/32, W/32)."""
        x = self.stem(x)  # (N, width, H/4, W/4)
        x = self.layer1(x, frames)
        x = self.layer2(x, frames)  # (N, ., H/8, W/8)
        x = self.layer3(x, frames)  # (N, ., H/16, W/16)
        out: Tensor = self.layer4(x, frames)  # (N, F, H/32, W/32)
        return out
