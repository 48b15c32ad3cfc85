"""The residual skeleton of the 3D networks; each paper chooses the convolution in its blocks."""

from collections.abc import Iterator
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "DEPTHS",
    "BasicBlock3d",
    "Bottleneck3d",
    "ConvFn",
    "Projection",
    "Shortcut3d",
    "initialise",
    "make_stage",
    "project",
    "set_norms",
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
"""Blocks per stage; depth 26 and depths from 50 up have bottlenecks of three convolutions."""


class ConvFn(Protocol):
    """Builds a convolution over space and time."""

    def __call__(
        self, in_channels: int, out_channels: int, *, stride: tuple[int, int]
    ) -> nn.Module:
        """Return a module that maps (B, C, T, H, W) to (B, C', T', H', W').

        The strides are in time and in space.
        """


Projection = ConvFn
"""Builds the shortcut of a block whose input and output differ in shape."""


class Shortcut3d(nn.Module):
    """A convolution and its batch norm, for shortcuts that change shape.

    Parameters
    ----------
    conv : nn.Module
        The convolution.
    channels : int
        Its output channels.
    """

    def __init__(self, conv: nn.Module, channels: int) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T', H', W')."""
        out: Tensor = self.norm(self.conv(x))
        return out


def project(in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> nn.Module:
    """Shortcut of type B: 1x1x1 convolution with the block's stride, batch norm."""
    t, s = stride
    conv = nn.Conv3d(in_channels, out_channels, 1, stride=(t, s, s), bias=False)
    return Shortcut3d(conv, out_channels)


class BasicBlock3d(nn.Module):
    """Two convolutions and a shortcut.

    Parameters
    ----------
    in_channels, width : int
        Input and output channels.
    conv : ConvFn
        Builds both convolutions.
    stride : (int, int)
        Of the first convolution, in time and in space.
    shortcut : nn.Module
        Maps the input to the shape of the output.
    """

    expansion = 1

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        conv: ConvFn,
        stride: tuple[int, int],
        shortcut: nn.Module,
    ) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, width, stride=stride)
        self.norm1 = nn.BatchNorm3d(width)
        self.conv2 = conv(width, width, stride=(1, 1))
        self.norm2 = nn.BatchNorm3d(width)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, width, T', H', W')."""
        out = F.relu(self.norm1(self.conv1(x)), inplace=True)  # (B, width, T', H', W')
        out = self.norm2(self.conv2(out))  # (B, width, T', H', W')
        return F.relu(out + self.shortcut(x), inplace=True)


class Bottleneck3d(nn.Module):
    """1x1x1 down to `width`, the paper's convolution, 1x1x1 up to four times that, and a shortcut.

    Parameters
    ----------
    in_channels, width : int
        Input channels; channels inside. The output has ``expansion * width``.
    conv : ConvFn
        Builds the middle convolution.
    stride : (int, int)
        Of the middle convolution, in time and in space.
    shortcut : nn.Module
        Maps the input to the shape of the output.
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        conv: ConvFn,
        stride: tuple[int, int],
        shortcut: nn.Module,
    ) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = nn.Conv3d(in_channels, width, 1, bias=False)
        self.norm1 = nn.BatchNorm3d(width)
        self.conv2 = conv(width, width, stride=stride)
        self.norm2 = nn.BatchNorm3d(width)
        self.conv3 = nn.Conv3d(width, out_channels, 1, bias=False)
        self.norm3 = nn.BatchNorm3d(out_channels)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, 4 width, T', H', W')."""
        out = F.relu(self.norm1(self.conv1(x)), inplace=True)  # (B, width, T, H, W)
        out = F.relu(self.norm2(self.conv2(out)), inplace=True)  # (B, width, T', H', W')
        out = self.norm3(self.conv3(out))  # (B, 4 width, T', H', W')
        return F.relu(out + self.shortcut(x), inplace=True)


def make_stage(
    block: type[BasicBlock3d] | type[Bottleneck3d],
    in_channels: int,
    width: int,
    *,
    blocks: int,
    stride: tuple[int, int],
    conv: ConvFn,
    project: Projection = project,
) -> nn.Sequential:
    """Stack the blocks of one stage; the first has the stride, and a projection where needed.

    Parameters
    ----------
    block : type
        `BasicBlock3d` or `Bottleneck3d`.
    in_channels, width : int
        Input channels of the stage; channels inside its blocks.
    blocks : int
        Number of blocks.
    stride : (int, int)
        Of the first block, in time and in space.
    conv : ConvFn
        Builds the spatiotemporal convolutions.
    project : Projection, default=project
        Builds the first block's shortcut where the shape changes.
    """
    out_channels = width * block.expansion
    stage: list[nn.Module] = []
    # bottlenecks of width 128 after 256 channels: the first maps 256 to 512 with the stride and a
    # projection, the others 512 to 512 with the identity
    for index in range(blocks):
        step = stride if index == 0 else (1, 1)
        same = step == (1, 1) and in_channels == out_channels
        shortcut = nn.Identity() if same else project(in_channels, out_channels, stride=step)
        stage.append(block(in_channels, width, conv=conv, stride=step, shortcut=shortcut))
        in_channels = out_channels
    return nn.Sequential(*stage)


def set_norms(model: nn.Module, **values: float) -> None:
    """Set the ``eps`` or ``momentum`` of all batch norms."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            for name, value in values.items():
                setattr(module, name, value)


def initialise(model: nn.Module) -> None:
    """Initialise convolutions He-normal (fan out), batch norms (1, 0), linear layers N(0, 0.01).

    Modules with a method ``initialise`` of their own, such as non-local blocks and
    shifting filters, keep what it set.
    """
    for module in _without_own(model):
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


def _without_own(model: nn.Module) -> Iterator[nn.Module]:
    """Yield a network and its modules, but those that initialise themselves."""
    yield model
    for child in model.children():
        if not hasattr(child, "initialise"):
            yield from _without_own(child)
