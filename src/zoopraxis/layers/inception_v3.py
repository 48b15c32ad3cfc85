"""Inception-v3 over frames, in torchvision's and in the TSN lineage's build.

Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, CVPR 2016. arXiv:1512.00567

The two builds part in five places, all in `Build`: the TSN lineage's convolutions have a bias in
front of their norm, of eps 1e-5; its poolings round up; the last module pools by the maximum;
and of every pair of long kernels it runs the tall one where torchvision runs the wide one. Sizes
must make the branches of a module meet: 299 pixels, as TRN takes, or 229, as Gate-Shift, not 224.
"""

import re
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.conv2d import ConvMaker, conv_norm
from zoopraxis.layers.resnet2d import Stage2d
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.spec import Replacement

__all__ = [
    "RENAME_INCEPTIONV3",
    "RENAME_INCEPTIONV3_TORCHVISION",
    "TORCHVISION",
    "TSN_LINEAGE",
    "Build",
    "InceptionV3",
    "mixed_branch",
]


@dataclass(frozen=True, kw_only=True)
class Build:
    """Whose Inception-v3 it is.

    Parameters
    ----------
    bias : bool
        Whether convolutions have one.
    eps : float
        Of the norms.
    ceil : bool
        Whether poolings round up.
    last_pool : {"average", "max"}
        Of the last module.
    first : {"wide", "tall"}
        Which of two long kernels comes first in the short branches: 1x7 or 7x1.
    """

    bias: bool
    eps: float
    ceil: bool
    last_pool: Literal["average", "max"]
    first: Literal["wide", "tall"]

    def long(self, n: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Long kernels of n pixels, in order."""
        wide, tall = (1, n), (n, 1)
        return (wide, tall) if self.first == "wide" else (tall, wide)


TORCHVISION = Build(bias=False, eps=1e-3, ceil=False, last_pool="average", first="wide")
TSN_LINEAGE = Build(bias=True, eps=1e-5, ceil=True, last_pool="max", first="tall")


class Mixed(nn.Module):
    """An Inception module: branches of convolutions side by side.

    Parameters
    ----------
    name : str
        Its number, "0" to "10"; with the name of the convolution it is what `conv` is told.
    in_channels : int
        Channels that come.
    conv : ConvMaker
        Makes the convolutions.
    build : Build
        Whose.
    """

    def __init__(self, name: str, in_channels: int, *, conv: ConvMaker, build: Build) -> None:
        super().__init__()
        self.name = name
        self.in_channels = in_channels
        self.make = partial(conv, bias=build.bias, eps=build.eps)
        self.build = build

    def branch(
        self, name: str, *layers: tuple[int, int | tuple[int, int]], stride: int = 1
    ) -> Stage2d:
        """Make a row of convolutions of (channels, kernel), called ``name_1``, ``name_2`` ...

        The last one has the stride, and with a stride it is not padded.
        """
        channels = self.in_channels
        made = Stage2d()
        for index, (out_channels, kernel) in enumerate(layers, start=1):
            k = kernel if isinstance(kernel, tuple) else (kernel, kernel)
            last = stride > 1 and index == len(layers)
            part = name if len(layers) == 1 else f"{name}_{index}"
            made.append(
                self.make(
                    f"{self.name}.{part}",
                    channels,
                    out_channels,
                    k,
                    stride=stride if last else 1,
                    padding=(0, 0) if last else (k[0] // 2, k[1] // 2),
                )
            )
            channels = out_channels
        return made

    def reduce(self, x: Tensor) -> Tensor:
        """Max pooling 3x3 of stride 2."""
        return F.max_pool2d(x, 3, stride=2, ceil_mode=self.build.ceil)


def smooth(x: Tensor) -> Tensor:
    """Average pooling 3x3 of stride 1, zeros beyond the border counted."""
    return F.avg_pool2d(x, 3, stride=1, padding=1)


class MixedA(Mixed):
    """35x35: 1x1; 5x5; two of 3x3; pooling (Figure 5)."""

    def __init__(
        self, name: str, in_channels: int, proj: int, *, conv: ConvMaker, build: Build
    ) -> None:
        super().__init__(name, in_channels, conv=conv, build=build)
        self.branch1x1 = self.branch("branch1x1", (64, 1))
        self.branch5x5 = self.branch("branch5x5", (48, 1), (64, 5))
        self.branch3x3dbl = self.branch("branch3x3dbl", (64, 1), (96, 3), (96, 3))
        self.branch_pool = self.branch("branch_pool", (proj, 1))
        self.out_channels = 64 + 64 + 96 + proj

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map (N, C, H, W) to (N, C', H, W)."""
        parts = (
            self.branch1x1(x, frames),
            self.branch5x5(x, frames),
            self.branch3x3dbl(x, frames),
            self.branch_pool(smooth(x), frames),
        )
        return torch.cat(parts, dim=1)  # (N, C', H, W)


class MixedB(Mixed):
    """35x35 to 17x17: 3x3; two of 3x3; pooling."""

    def __init__(self, name: str, in_channels: int, *, conv: ConvMaker, build: Build) -> None:
        super().__init__(name, in_channels, conv=conv, build=build)
        self.branch3x3 = self.branch("branch3x3", (384, 3), stride=2)
        self.branch3x3dbl = self.branch("branch3x3dbl", (64, 1), (96, 3), (96, 3), stride=2)
        self.out_channels = 384 + 96 + in_channels

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map (N, C, H, W) to (N, C', H/2, W/2)."""
        parts = (
            self.branch3x3(x, frames),
            self.branch3x3dbl(x, frames),
            self.reduce(x),
        )
        return torch.cat(parts, dim=1)  # (N, C', H/2, W/2)


class MixedC(Mixed):
    """17x17: 1x1; 7x7 in two; 7x7 in two, twice; pooling (Figure 6)."""

    def __init__(
        self, name: str, in_channels: int, inner: int, *, conv: ConvMaker, build: Build
    ) -> None:
        super().__init__(name, in_channels, conv=conv, build=build)
        a, b = build.long(7)
        self.branch1x1 = self.branch("branch1x1", (192, 1))
        self.branch7x7 = self.branch("branch7x7", (inner, 1), (inner, a), (192, b))
        self.branch7x7dbl = self.branch(
            "branch7x7dbl", (inner, 1), (inner, b), (inner, a), (inner, b), (192, a)
        )
        self.branch_pool = self.branch("branch_pool", (192, 1))
        self.out_channels = 4 * 192

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map (N, C, H, W) to (N, 768, H, W)."""
        parts = (
            self.branch1x1(x, frames),
            self.branch7x7(x, frames),
            self.branch7x7dbl(x, frames),
            self.branch_pool(smooth(x), frames),
        )
        return torch.cat(parts, dim=1)  # (N, 768, H, W)


class MixedD(Mixed):
    """17x17 to 8x8: 3x3; 7x7 in two and 3x3; pooling."""

    def __init__(self, name: str, in_channels: int, *, conv: ConvMaker, build: Build) -> None:
        super().__init__(name, in_channels, conv=conv, build=build)
        a, b = build.long(7)
        self.branch3x3 = self.branch("branch3x3", (192, 1), (320, 3), stride=2)
        self.branch7x7x3 = self.branch(
            "branch7x7x3", (192, 1), (192, a), (192, b), (192, 3), stride=2
        )
        self.out_channels = 320 + 192 + in_channels

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map (N, C, H, W) to (N, C', H/2, W/2)."""
        parts = (
            self.branch3x3(x, frames),
            self.branch7x7x3(x, frames),
            self.reduce(x),
        )
        return torch.cat(parts, dim=1)  # (N, C', H/2, W/2)


class MixedE(Mixed):
    """8x8: 1x1; 3x3 in two side by side; 3x3 and that; pooling (Figure 7)."""

    def __init__(
        self,
        name: str,
        in_channels: int,
        pool: Literal["average", "max"],
        *,
        conv: ConvMaker,
        build: Build,
    ) -> None:
        super().__init__(name, in_channels, conv=conv, build=build)
        self.branch1x1 = self.branch("branch1x1", (320, 1))
        self.branch_pool = self.branch("branch_pool", (192, 1))
        self.branch3x3 = self.branch("branch3x3", (384, 1))
        self.branch3x3dbl = self.branch("branch3x3dbl", (448, 1), (384, 3))
        self.in_channels = 384
        a, b = build.long(3)
        self.branch3x3_2a = self.branch("branch3x3_2a", (384, a))
        self.branch3x3_2b = self.branch("branch3x3_2b", (384, b))
        self.branch3x3dbl_3a = self.branch("branch3x3dbl_3a", (384, a))
        self.branch3x3dbl_3b = self.branch("branch3x3dbl_3b", (384, b))
        pools = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}
        self.pool = pools[pool](3, stride=1, padding=1)
        self.out_channels = 320 + 4 * 384 + 192

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map (N, C, H, W) to (N, 2048, H, W)."""
        short = self.branch3x3(x, frames)
        double = self.branch3x3dbl(x, frames)
        parts = (
            self.branch1x1(x, frames),
            self.branch3x3_2a(short, frames),
            self.branch3x3_2b(short, frames),
            self.branch3x3dbl_3a(double, frames),
            self.branch3x3dbl_3b(double, frames),
            self.branch_pool(self.pool(x), frames),
        )
        return torch.cat(parts, dim=1)  # (N, 2048, H, W)


class InceptionV3(nn.Module):
    """Inception-v3 without classifier.

    Parameters
    ----------
    in_channels : int, default=3
        Channels of a frame, or of a stack.
    conv : ConvMaker, default=conv_norm
        Makes the convolutions.
    build : Build, default=TSN_LINEAGE
        Whose.
    """

    num_features = 2048

    def __init__(
        self,
        *,
        in_channels: int = 3,
        conv: ConvMaker = conv_norm,
        build: Build = TSN_LINEAGE,
    ) -> None:
        super().__init__()
        self.build = build
        make = partial(conv, bias=build.bias, eps=build.eps)
        self.conv_0 = make("conv_0", in_channels, 32, 3, stride=2)
        self.conv_1 = make("conv_1", 32, 32, 3)
        self.conv_2 = make("conv_2", 32, 64, 3, padding=1)
        self.conv_3 = make("conv_3", 64, 80, 1)
        self.conv_4 = make("conv_4", 80, 192, 3)
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

    def forward_stem(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (N, C, 229, 229) to (N, 192, 27, 27)."""
        x = self.conv_2(self.conv_1(self.conv_0(x, frames), frames), frames)
        x = F.max_pool2d(x, 3, stride=2, ceil_mode=self.build.ceil)
        x = self.conv_4(self.conv_3(x, frames), frames)
        return F.max_pool2d(x, 3, stride=2, ceil_mode=self.build.ceil)

    def forward(self, x: Tensor, frames: int = 1) -> Tensor:
        """Map frames (N, C, H, W) to features (N, 2048, H/32, W/32)."""
        x = self.forward_stem(x, frames)
        for index in range(11):
            x = getattr(self, f"mixed_{index}")(x, frames)
        return x


# The TSN lineage's names, after TensorFlow's: what each module calls its branches.
_SQUARE = {
    "conv": "branch1x1.0",
    "tower_conv": "branch5x5.0",
    "tower_conv_1": "branch5x5.1",
    "tower_1_conv": "branch3x3dbl.0",
    "tower_1_conv_1": "branch3x3dbl.1",
    "tower_1_conv_2": "branch3x3dbl.2",
    "tower_2_conv": "branch_pool.0",
}
_HALVE = {
    "conv": "branch3x3.0",
    "tower_conv": "branch3x3dbl.0",
    "tower_conv_1": "branch3x3dbl.1",
    "tower_conv_2": "branch3x3dbl.2",
}
_LONG = {
    "conv": "branch1x1.0",
    "tower_conv": "branch7x7.0",
    "tower_conv_1": "branch7x7.1",
    "tower_conv_2": "branch7x7.2",
    "tower_1_conv": "branch7x7dbl.0",
    "tower_1_conv_1": "branch7x7dbl.1",
    "tower_1_conv_2": "branch7x7dbl.2",
    "tower_1_conv_3": "branch7x7dbl.3",
    "tower_1_conv_4": "branch7x7dbl.4",
    "tower_2_conv": "branch_pool.0",
}
_HALVE_AGAIN = {
    "tower_conv": "branch3x3.0",
    "tower_conv_1": "branch3x3.1",
    "tower_1_conv": "branch7x7x3.0",
    "tower_1_conv_1": "branch7x7x3.1",
    "tower_1_conv_2": "branch7x7x3.2",
    "tower_1_conv_3": "branch7x7x3.3",
}
_SPLIT = {
    "conv": "branch1x1.0",
    "tower_conv": "branch3x3.0",
    "tower_mixed_conv": "branch3x3_2a.0",
    "tower_mixed_conv_1": "branch3x3_2b.0",
    "tower_1_conv": "branch3x3dbl.0",
    "tower_1_conv_1": "branch3x3dbl.1",
    "tower_1_mixed_conv": "branch3x3dbl_3a.0",
    "tower_1_mixed_conv_1": "branch3x3dbl_3b.0",
    "tower_2_conv": "branch_pool.0",
}
_BRANCHES = (*(_SQUARE,) * 3, _HALVE, *(_LONG,) * 4, _HALVE_AGAIN, _SPLIT, _SPLIT)
_PARTS = {"Conv2D": "conv", "batchnorm": "norm", "bn": "norm", "conv": "conv"}


def _stem_key(match: re.Match[str]) -> str:
    """conv_1_Conv2D. becomes conv_1.conv. ."""
    return f"conv_{match[1] or 0}.{_PARTS[match[2]]}."


def _mixed_key(match: re.Match[str]) -> str:
    """mixed_3_tower_conv_Conv2D. becomes mixed_3.branch3x3dbl.0.conv. ."""
    return f"{mixed_branch(match)}.{_PARTS[match[3]]}."


def mixed_branch(match: re.Match[str]) -> str:
    """Our name of a convolution: groups 1 and 2 are the module's number and the lineage's name."""
    index = int(match[1] or 0)
    return f"mixed_{index}.{_BRANCHES[index][match[2]]}"


RENAME_INCEPTIONV3: tuple[tuple[str, Replacement], ...] = (
    (r"\bmixed_?(\d+)?_((?:tower|conv)\w*)_(Conv2D|batchnorm)\.", _mixed_key),
    (r"\bconv_?(\d)?_(Conv2D|batchnorm)\.", _stem_key),
)
"""Keys of the TSN lineage's Inception-v3 in terms of `InceptionV3`, without the classifier."""

_STEM = ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3")
_MIXED = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")


def _branch_key(match: re.Match[str]) -> str:
    """.branch5x5_2. becomes .branch5x5.1. ."""
    name, number, half = match.groups()
    if half:
        return f".branch{name}_{number}{half}.0."
    return f".branch{name}.{int(number or 1) - 1}."


RENAME_INCEPTIONV3_TORCHVISION: tuple[tuple[str, Replacement], ...] = (
    (r"^AuxLogits\.", None),
    (r"\bConv2d_(\w+)\.(conv|bn)\.", lambda m: f"conv_{_STEM.index(m[1])}.{_PARTS[m[2]]}."),
    (r"\bMixed_(\w+)\.", lambda m: f"mixed_{_MIXED.index(m[1])}."),
    (r"\.branch(_pool|[a-z0-9]+)(?:_(\d)([ab])?)?\.", _branch_key),
    (r"\.bn\.", ".norm."),
)
"""Keys of torchvision's Inception-v3 in terms of `InceptionV3`; its auxiliary head is dropped."""
