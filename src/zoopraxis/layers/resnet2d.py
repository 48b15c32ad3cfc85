"""ResNet over frames: the backbone of every network that adds one idea about time.

He, Zhang, Ren and Sun, CVPR 2016. arXiv:1512.03385. As in torchvision, the stride of a
bottleneck is in its 3x3 convolution. A paper chooses the class of each block by its position,
and every block receives the number of frames.
"""

from collections.abc import Callable
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.resnet3d import DEPTHS, initialise

__all__ = [
    "BasicBlock2d",
    "Block2d",
    "Bottleneck2d",
    "ChooseBlock",
    "ResNet2d",
    "Stage2d",
    "everywhere",
    "plain",
]


class Shortcut2d(nn.Module):
    """1x1 convolution with the block's stride, and a batch norm."""

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
        Input and output channels.
    stride : int
        Of the first convolution.
    shortcut : nn.Module
        Maps the input to what is added to the residual branch.
    """

    def __init__(self, in_channels: int, width: int, *, stride: int, shortcut: nn.Module) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = shortcut

    def residual(self, x: Tensor, _num_frames: int) -> Tensor:
        """Residual branch: (N, C, H, W) to (N, width, H', W')."""
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)  # (N, width, H', W')
        out: Tensor = self.norm2(self.conv2(x))  # (N, width, H', W')
        return out

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (N, C, H, W) to (N, width, H', W')."""
        return F.relu(self.residual(x, num_frames) + self.shortcut(x), inplace=True)


class Bottleneck2d(nn.Module):
    """1x1 to `width` channels, 3x3, 1x1 to `4 * width` channels, and a shortcut.

    The parameters are those of `BasicBlock2d`; the stride is that of the 3x3 convolution.
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

    def residual(self, x: Tensor, _num_frames: int) -> Tensor:
        """Residual branch: (N, C, H, W) to (N, 4 width, H', W')."""
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)  # (N, width, H, W)
        x = F.relu(self.norm2(self.conv2(x)), inplace=True)  # (N, width, H', W')
        out: Tensor = self.norm3(self.conv3(x))  # (N, 4 width, H', W')
        return out

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (N, C, H, W) to (N, 4 width, H', W')."""
        return F.relu(self.residual(x, num_frames) + self.shortcut(x), inplace=True)


class Block2d(Protocol):
    """Builds a block: a class such as `Bottleneck2d`, or a function around one."""

    def __call__(
        self, in_channels: int, width: int, *, stride: int, shortcut: nn.Module
    ) -> nn.Module:
        """Return a module called with frames (N, C, H, W) and the number of frames of a clip."""


ChooseBlock = Callable[[int, int, int], Block2d]
"""Maps (depth, stage 1..4, index in the stage) to the builder of that block."""


def plain(depth: int, _stage: int, _index: int) -> Block2d:
    """Choose blocks that see each frame alone: bottlenecks from depth 50 up."""
    return Bottleneck2d if depth >= 50 else BasicBlock2d


def everywhere(block: Block2d) -> ChooseBlock:
    """Choose the same block for every position."""

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
        x = self.relu(self.norm(self.conv(x)))  # (N, width, H/2, W/2)
        out: Tensor = self.pool(x)  # (N, width, H/4, W/4)
        return out


class Stage2d(nn.ModuleList):
    """Blocks in sequence, each called with the number of frames."""

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map (N, C, H, W) to (N, C', H', W')."""
        for block in self:
            x = block(x, num_frames)
        return x


class ResNet2d(nn.Module):
    """ResNet without classifier; the paper chooses its blocks.

    Parameters
    ----------
    depth : {10, 18, 34, 50, 101, 152}
        Layers; the blocks are bottlenecks from 50 up.
    in_channels : int, default=3
        Channels of a frame, or of a stack of frames.
    block : ChooseBlock, default=plain
        Chooses the block of each position.
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
        # depth 50: stem 64; stages 64 to 256, 256 to 512, 512 to 1024, 1024 to 2048 channels
        channels = width
        stages = []
        for stage, blocks in enumerate(DEPTHS[depth], start=1):
            layer = Stage2d()
            inner = width * 2 ** (stage - 1)
            outer = inner * expansion
            for index in range(blocks):
                # the stem has halved the size for the first stage
                stride = 2 if stage > 1 and index == 0 else 1
                same = stride == 1 and channels == outer
                shortcut = nn.Identity() if same else Shortcut2d(channels, outer, stride=stride)
                build = block(depth, stage, index)
                layer.append(build(channels, inner, stride=stride, shortcut=shortcut))
                channels = outer
            stages.append(layer)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.num_features = channels
        initialise(self)

    def forward(self, x: Tensor, num_frames: int = 1) -> Tensor:
        """Map frames (N, C, H, W) to features (N, F, H/32, W/32)."""
        x = self.stem(x)  # (N, width, H/4, W/4)
        x = self.layer1(x, num_frames)  # (N, ., H/4, W/4)
        x = self.layer2(x, num_frames)  # (N, ., H/8, W/8)
        x = self.layer3(x, num_frames)  # (N, ., H/16, W/16)
        out: Tensor = self.layer4(x, num_frames)  # (N, F, H/32, W/32)
        return out
