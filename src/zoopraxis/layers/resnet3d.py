"""The residual skeleton of the 3D networks: blocks around a convolution that the paper chooses."""

from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.spec import Replacement

__all__ = [
    "DEPTHS",
    "RENAME_MMACTION2",
    "RENAME_PYTORCHVIDEO",
    "RENAME_TORCHVISION",
    "BasicBlock3d",
    "Bottleneck3d",
    "ConvMaker",
    "Projection",
    "Shortcut3d",
    "initialise",
    "make_stage",
    "project",
    "set_norm_eps",
]

DEPTHS: dict[int, tuple[int, int, int, int]] = {
    10: (1, 1, 1, 1),
    18: (2, 2, 2, 2),
    26: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
"""Blocks per stage; the depths from 50 (and 26) count three convolutions a block."""


RENAME_TORCHVISION: tuple[tuple[str, Replacement], ...] = (
    (r"^stem\.0\.", "stem.conv."),
    (r"^stem\.1\.", "stem.norm."),
    (r"\.conv(\d)\.0\.", r".conv\1."),
    (r"\.conv(\d)\.1\.", r".norm\1."),
    (r"\.downsample\.0\.", ".shortcut.conv."),
    (r"\.downsample\.1\.", ".shortcut.norm."),
    (r"^fc\.", "head.linear."),
)
"""Keys of torchvision's VideoResNet (and VMZ's PyTorch port) in terms of these blocks."""

_LETTERS = {"a": "1", "b": "2", "c": "3"}
RENAME_PYTORCHVIDEO: tuple[tuple[str, Replacement], ...] = (
    (r"^model\.blocks\.", "blocks."),  # trained by PySlowFast or Lightning
    (r"^blocks\.0\.", "stem."),
    (r"^blocks\.([1-4])\.res_blocks\.", r"layer\1."),
    (r"\.branch1_(conv|norm)\.", r".shortcut.\1."),
    (r"\.branch2\.(conv|norm)_([abc])\.", lambda m: f".{m[1]}{_LETTERS[m[2]]}."),
    (r"^blocks\.5\.proj\.", "head.linear."),
)
"""Keys of PyTorchVideo's residual networks in terms of these blocks."""

RENAME_MMACTION2: tuple[tuple[str, Replacement], ...] = (
    (r"^data_preprocessor\.", None),
    (r"^backbone\.conv1\.conv\.", "stem.conv."),
    (r"^backbone\.conv1\.bn\.", "stem.norm."),
    (r"^backbone\.", ""),
    (r"\.conv(\d)\.conv\.", r".conv\1."),
    (r"\.conv(\d)\.bn\.", r".norm\1."),
    (r"\.downsample\.conv\.", ".shortcut.conv."),
    (r"\.downsample\.bn\.", ".shortcut.norm."),
    (r"^cls_head\.fc_cls\.", "head.linear."),
)
"""Keys of mmaction2's residual networks in terms of these blocks."""


class ConvMaker(Protocol):
    """Makes the spatiotemporal convolution of a block."""

    def __call__(
        self, block_in: int, /, in_channels: int, out_channels: int, *, stride: tuple[int, int]
    ) -> nn.Module:
        """Return the module.

        `block_in` is the number of channels that enter the block; `stride` is that in time and
        that in space.
        """


class Projection(Protocol):
    """Makes the projection of a shortcut."""

    def __call__(
        self, in_channels: int, out_channels: int, *, stride: tuple[int, int]
    ) -> nn.Module:
        """Return the module; `stride` is that in time and that in space."""


class Shortcut3d(nn.Module):
    """A projecting convolution and its norm."""

    def __init__(self, conv: nn.Module, channels: int) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T', H', W')."""
        out: Tensor = self.norm(self.conv(x))
        return out


def project(in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> nn.Module:
    """Shortcut of type B: 1x1x1 convolution with the block's stride, and a norm."""
    t, s = stride
    conv = nn.Conv3d(in_channels, out_channels, 1, stride=(t, s, s), bias=False)
    return Shortcut3d(conv, out_channels)


class BasicBlock3d(nn.Module):
    """Two convolutions and a shortcut.

    Parameters
    ----------
    in_channels, width : int
        Channels that come and go.
    conv : ConvMaker
        Makes both convolutions.
    stride : (int, int)
        Of the first, in time and in space.
    shortcut : nn.Module
        What the input passes on the other way.
    """

    expansion = 1

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        conv: ConvMaker,
        stride: tuple[int, int],
        shortcut: nn.Module,
    ) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, in_channels, width, stride=stride)
        self.norm1 = nn.BatchNorm3d(width)
        self.conv2 = conv(in_channels, width, width, stride=(1, 1))
        self.norm2 = nn.BatchNorm3d(width)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, width, T', H', W')."""
        out = F.relu(self.norm1(self.conv1(x)), inplace=True)
        out = self.norm2(self.conv2(out))
        return F.relu(out + self.shortcut(x), inplace=True)


class Bottleneck3d(nn.Module):
    """1x1x1 down to `width`, the paper's convolution, 1x1x1 up to four times that, and a shortcut.

    The parameters are those of `BasicBlock3d`; the stride is the middle convolution's.
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        conv: ConvMaker,
        stride: tuple[int, int],
        shortcut: nn.Module,
    ) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = nn.Conv3d(in_channels, width, 1, bias=False)
        self.norm1 = nn.BatchNorm3d(width)
        self.conv2 = conv(width, width, width, stride=stride)
        self.norm2 = nn.BatchNorm3d(width)
        self.conv3 = nn.Conv3d(width, out_channels, 1, bias=False)
        self.norm3 = nn.BatchNorm3d(out_channels)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, 4 width, T', H', W')."""
        out = F.relu(self.norm1(self.conv1(x)), inplace=True)
        out = F.relu(self.norm2(self.conv2(out)), inplace=True)
        out = self.norm3(self.conv3(out))
        return F.relu(out + self.shortcut(x), inplace=True)


def make_stage(
    block: type[BasicBlock3d] | type[Bottleneck3d],
    in_channels: int,
    width: int,
    *,
    blocks: int,
    stride: tuple[int, int],
    conv: ConvMaker,
    project: Projection = project,
) -> nn.Sequential:
    """Stack the blocks of one stage; the first takes the stride and a projection if needed.

    Parameters
    ----------
    block : type
        `BasicBlock3d` or `Bottleneck3d`.
    in_channels, width : int
        Channels that come; channels inside a block.
    blocks : int
        How many.
    stride : (int, int)
        Of the first block, in time and in space.
    conv : ConvMaker
        Makes the spatiotemporal convolutions.
    project : Projection, default=project
        Makes the first block's shortcut where the shape changes.
    """
    out_channels = width * block.expansion
    stage: list[nn.Module] = []
    for index in range(blocks):
        step = stride if index == 0 else (1, 1)
        same = step == (1, 1) and in_channels == out_channels
        shortcut = nn.Identity() if same else project(in_channels, out_channels, stride=step)
        stage.append(block(in_channels, width, conv=conv, stride=step, shortcut=shortcut))
        in_channels = out_channels
    return nn.Sequential(*stage)


def set_norm_eps(model: nn.Module, eps: float) -> None:
    """Give every batch norm this eps."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.eps = eps


def initialise(model: nn.Module) -> None:
    """He-normal convolutions (fan out), norms at one and zero, linear layers N(0, 0.01)."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
