"""Inception-v3 over frames, as built by torchvision and by the TSN lineage.

Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, CVPR 2016. arXiv:1512.00567

The two differ in five details, the fields of `Build`: in the TSN lineage convolutions have a bias
before their batch norm, whose epsilon is 1e-5; poolings round sizes up; the last module has a max
pooling; and the two kernels of a pair such as 1x7 and 7x1 are swapped. Not every input size works,
as the branches of a module must have one size: 299 (TRN) and 229 (Gate-Shift) do, 224 does not.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.conv2d import ConvFn, conv_norm
from zoopraxis.layers.resnet2d import Stage2d
from zoopraxis.layers.resnet3d import initialise

__all__ = ["TORCHVISION", "TSN_LINEAGE", "Build", "InceptionV3"]


@dataclass(frozen=True, kw_only=True)
class Build:
    """What differs between the code bases.

    Parameters
    ----------
    bias : bool
        Whether convolutions have a bias.
    eps : float
        Epsilon of the batch norms.
    ceil : bool
        Whether poolings round sizes up.
    last_pool : {"average", "max"}
        Pooling of the last module.
    first : {"wide", "tall"}
        Which kernel of a pair is first in the short branches: 1x7 or 7x1.
    """

    bias: bool
    eps: float
    ceil: bool
    last_pool: Literal["average", "max"]
    first: Literal["wide", "tall"]

    def pair(self, n: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the kernels 1 x n and n x 1 that factorise n x n, in order."""
        wide, tall = (1, n), (n, 1)
        return (wide, tall) if self.first == "wide" else (tall, wide)


TORCHVISION = Build(bias=False, eps=1e-3, ceil=False, last_pool="average", first="wide")
TSN_LINEAGE = Build(bias=True, eps=1e-5, ceil=True, last_pool="max", first="tall")


class Mixed(nn.Module):
    """An Inception module: parallel branches of convolutions.

    Parameters
    ----------
    name : str
        Number of the module, "0" to "10"; prefix of the names of its convolutions.
    in_channels : int
        Input channels.
    conv : ConvFn
        Builds the convolutions.
    build : Build
        Details of a code base.
    """

    def __init__(self, name: str, in_channels: int, *, conv: ConvFn, build: Build) -> None:
        super().__init__()
        self.name = name
        self.in_channels = in_channels
        self.conv = partial(conv, bias=build.bias, eps=build.eps)
        self.build = build

    def branch(
        self, name: str, *layers: tuple[int, int | tuple[int, int]], stride: int = 1
    ) -> Stage2d:
        """Build a sequence of convolutions from their output channels and kernels.

        The last one has the stride; with stride 2 it is not padded.

        # module "0", name "branch5x5", layers (48, 1), (64, 5): 1x1 "0.branch5x5_1" to 48 channels,
        # 5x5 "0.branch5x5_2" to 64
        """
        channels = self.in_channels
        convs = Stage2d()
        for index, (out_channels, kernel) in enumerate(layers, start=1):
            k = kernel if isinstance(kernel, tuple) else (kernel, kernel)
            last = stride > 1 and index == len(layers)
            part = name if len(layers) == 1 else f"{name}_{index}"
            convs.append(
                self.conv(
                    f"{self.name}.{part}",
                    channels,
                    out_channels,
                    k,
                    stride=stride if last else 1,
                    padding=(0, 0) if last else (k[0] // 2, k[1] // 2),
                )
            )
            channels = out_channels
        return convs

    def reduce(self, x: Tensor) -> Tensor:
        """3x3 max pooling of stride 2."""
        return F.max_pool2d(x, 3, stride=2, ceil_mode=self.build.ceil)


def smooth(x: Tensor) -> Tensor:
    """3x3 average pooling of stride 1 that counts the padding."""
    return F.avg_pool2d(x, 3, stride=1, padding=1)


class MixedA(Mixed):
    """35x35: 1x1; 5x5; two 3x3; pooling (Figure 5)."""

    def __init__(
        self, name: str, in_channels: int, proj: int, *, conv: ConvFn, build: Build
    ) -> None:
        super().__init__(name, in_channels, conv=conv, build=build)
        self.branch1x1 = self.branch("branch1x1", (64, 1))
        self.branch5x5 = self.branch("branch5x5", (48, 1), (64, 5))
        self.branch3x3dbl = self.branch("branch3x3dbl", (64, 1), (96, 3), (96, 3))
        self.branch_pool = self.branch("branch_pool", (proj, 1))
        self.out_channels = 64 + 64 + 96 + proj

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map (N, C, H, W) to (N, C', H, W)."""
        parts = (
            self.branch1x1(x, num_frames),
            self.branch5x5(x, num_frames),
            self.branch3x3dbl(x, num_frames),
            self.branch_pool(smooth(x), num_frames),
        )
        return torch.cat(parts, dim=1)  # (N, C', H, W)


class MixedB(Mixed):
    """35x35 to 17x17: 3x3; two 3x3; pooling."""

    def __init__(self, name: str, in_channels: int, *, conv: ConvFn, build: Build) -> None:
        super().__init__(name, in_channels, conv=conv, build=build)
        self.branch3x3 = self.branch("branch3x3", (384, 3), stride=2)
        self.branch3x3dbl = self.branch("branch3x3dbl", (64, 1), (96, 3), (96, 3), stride=2)
        self.out_channels = 384 + 96 + in_channels

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map (N, C, H, W) to (N, C', H/2, W/2)."""
        parts = (
            self.branch3x3(x, num_frames),
            self.branch3x3dbl(x, num_frames),
            self.reduce(x),
        )
        return torch.cat(parts, dim=1)  # (N, C', H/2, W/2)


class MixedC(Mixed):
    """17x17: 1x1; 7x7 factorised; two 7x7 factorised; pooling (Figure 6)."""

    def __init__(
        self, name: str, in_channels: int, inner: int, *, conv: ConvFn, build: Build
    ) -> None:
        super().__init__(name, in_channels, conv=conv, build=build)
        a, b = build.pair(7)
        self.branch1x1 = self.branch("branch1x1", (192, 1))
        self.branch7x7 = self.branch("branch7x7", (inner, 1), (inner, a), (192, b))
        self.branch7x7dbl = self.branch(
            "branch7x7dbl", (inner, 1), (inner, b), (inner, a), (inner, b), (192, a)
        )
        self.branch_pool = self.branch("branch_pool", (192, 1))
        self.out_channels = 4 * 192

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map (N, C, H, W) to (N, 768, H, W)."""
        parts = (
            self.branch1x1(x, num_frames),
            self.branch7x7(x, num_frames),
            self.branch7x7dbl(x, num_frames),
            self.branch_pool(smooth(x), num_frames),
        )
        return torch.cat(parts, dim=1)  # (N, 768, H, W)


class MixedD(Mixed):
    """17x17 to 8x8: 3x3; 7x7 factorised and 3x3; pooling."""

    def __init__(self, name: str, in_channels: int, *, conv: ConvFn, build: Build) -> None:
        super().__init__(name, in_channels, conv=conv, build=build)
        a, b = build.pair(7)
        self.branch3x3 = self.branch("branch3x3", (192, 1), (320, 3), stride=2)
        self.branch7x7x3 = self.branch(
            "branch7x7x3", (192, 1), (192, a), (192, b), (192, 3), stride=2
        )
        self.out_channels = 320 + 192 + in_channels

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map (N, C, H, W) to (N, C', H/2, W/2)."""
        parts = (
            self.branch3x3(x, num_frames),
            self.branch7x7x3(x, num_frames),
            self.reduce(x),
        )
        return torch.cat(parts, dim=1)  # (N, C', H/2, W/2)


class MixedE(Mixed):
    """8x8: 1x1; parallel 1x3 and 3x1; 3x3, then parallel 1x3 and 3x1; pooling (Figure 7)."""

    def __init__(
        self,
        name: str,
        in_channels: int,
        pool: Literal["average", "max"],
        *,
        conv: ConvFn,
        build: Build,
    ) -> None:
        super().__init__(name, in_channels, conv=conv, build=build)
        self.branch1x1 = self.branch("branch1x1", (320, 1))
        self.branch_pool = self.branch("branch_pool", (192, 1))
        self.branch3x3 = self.branch("branch3x3", (384, 1))
        self.branch3x3dbl = self.branch("branch3x3dbl", (448, 1), (384, 3))
        self.in_channels = 384  # of the parallel 1x3 and 3x1, which follow the two branches above
        a, b = build.pair(3)
        self.branch3x3_2a = self.branch("branch3x3_2a", (384, a))
        self.branch3x3_2b = self.branch("branch3x3_2b", (384, b))
        self.branch3x3dbl_3a = self.branch("branch3x3dbl_3a", (384, a))
        self.branch3x3dbl_3b = self.branch("branch3x3dbl_3b", (384, b))
        pools = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}
        self.pool = pools[pool](3, stride=1, padding=1)
        self.out_channels = 320 + 4 * 384 + 192

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map (N, C, H, W) to (N, 2048, H, W)."""
        short = self.branch3x3(x, num_frames)  # (N, 384, H, W)
        double = self.branch3x3dbl(x, num_frames)  # (N, 384, H, W)
        parts = (
            self.branch1x1(x, num_frames),
            self.branch3x3_2a(short, num_frames),
            self.branch3x3_2b(short, num_frames),
            self.branch3x3dbl_3a(double, num_frames),
            self.branch3x3dbl_3b(double, num_frames),
            self.branch_pool(self.pool(x), num_frames),
        )
        return torch.cat(parts, dim=1)  # (N, 2048, H, W)


class InceptionV3(nn.Module):
    """Inception-v3 without classifier.

    Parameters
    ----------
    in_channels : int, default=3
        Channels of a frame, or of a stack of frames.
    conv : ConvFn, default=conv_norm
        Builds the convolutions.
    build : Build, default=TSN_LINEAGE
        Details of a code base.
    """

    num_features = 2048

    def __init__(
        self,
        *,
        in_channels: int = 3,
        conv: ConvFn = conv_norm,
        build: Build = TSN_LINEAGE,
    ) -> None:
        super().__init__()
        self.build = build
        stem = partial(conv, bias=build.bias, eps=build.eps)
        self.conv_0 = stem("conv_0", in_channels, 32, 3, stride=2)
        self.conv_1 = stem("conv_1", 32, 32, 3)
        self.conv_2 = stem("conv_2", 32, 64, 3, padding=1)
        self.conv_3 = stem("conv_3", 64, 80, 1)
        self.conv_4 = stem("conv_4", 80, 192, 3)
        parts: dict[str, Any] = {"conv": conv, "build": build}
        self.mixed_0 = MixedA("0", 192, 32, **parts)
        self.mixed_1 = MixedA("1", 256, 64, **parts)
        self.mixed_2 = MixedA("2", 288, 64, **parts)
        self.mixed_3 = MixedB("3", 288, **parts)
        self.mixed_4 = MixedC("4", 768, 128, **parts)
        self.mixed_5 = MixedC("5", 768, 160, **parts)
        self.mixed_6 = MixedC("6", 768, 160, **parts)
        self.mixed_7 = MixedC("7", 768, 192, **parts)
        self.mixed_8 = MixedD("8", 768, **parts)
        self.mixed_9 = MixedE("9", 1280, "average", **parts)
        self.mixed_10 = MixedE("10", 2048, build.last_pool, **parts)
        initialise(self)

    def forward_stem(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (N, C, 229, 229) to (N, 192, 27, 27)."""
        x = self.conv_1(self.conv_0(x, num_frames), num_frames)  # (N, 32, 112, 112)
        x = self.conv_2(x, num_frames)  # (N, 64, 112, 112)
        x = F.max_pool2d(x, 3, stride=2, ceil_mode=self.build.ceil)  # (N, 64, 56, 56)
        x = self.conv_4(self.conv_3(x, num_frames), num_frames)  # (N, 192, 54, 54)
        return F.max_pool2d(x, 3, stride=2, ceil_mode=self.build.ceil)  # (N, 192, 27, 27)

    def forward(self, x: Tensor, num_frames: int = 1) -> Tensor:
        """Map frames (N, C, H, W) to features (N, 2048, H/32, W/32)."""
        x = self.forward_stem(x, num_frames)  # (N, 192, H/8, W/8)
        for index in range(11):  # modules 3 and 8 halve the size
            x = getattr(self, f"mixed_{index}")(x, num_frames)
        return x  # (N, 2048, H/32, W/32)
