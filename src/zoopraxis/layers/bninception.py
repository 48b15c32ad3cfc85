"""BN-Inception over frames: the backbone of TSN, TRN, ECO and Gate-Shift.

Ioffe and Szegedy, ICML 2015. arXiv:1502.03167 (the network of its appendix, Figure 5). As in
Caffe and in the TSN lineage, convolutions have a bias before their batch norm, and every pooling
rounds sizes up: 224 pixels become 112, 56, 28, 14 and 7. The ImageNet weights expect BGR pixels
from 0 to 255 minus the mean (104, 117, 128).
"""

from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.conv2d import ConvFn, conv_norm
from zoopraxis.layers.resnet3d import initialise

__all__ = ["BNInception"]

Pool = Literal["average", "max"]


class Stage(Protocol):
    """A part of the network."""

    def __call__(self, x: Tensor, num_frames: int, /) -> Tensor:
        """Map frames (N, C, H, W) to (N, C', H', W')."""


class Inception(nn.Module):
    """Four parallel branches: 1x1; 3x3; two 3x3; pooling and 1x1.

    Parameters
    ----------
    name : str
        For example "3a"; `conv` builds "3a.1x1", "3a.3x3_reduce" and so on.
    in_channels, one : int
        Input channels; output channels of the first branch.
    three, double : (int, int)
        Channels of the 1x1 reduction and of the 3x3, in the second and in the third branch.
    proj : int
        Channels after the pooling.
    pool : {"average", "max"}
        Pooling of the fourth branch.
    conv : ConvFn
        Builds the convolutions.
    """

    def __init__(
        self,
        name: str,
        in_channels: int,
        one: int,
        three: tuple[int, int],
        double: tuple[int, int],
        proj: int,
        *,
        pool: Pool,
        conv: ConvFn,
    ) -> None:
        super().__init__()
        self.conv_1x1 = conv(f"{name}.1x1", in_channels, one, 1)
        self.conv_3x3_reduce = conv(f"{name}.3x3_reduce", in_channels, three[0], 1)
        self.conv_3x3 = conv(f"{name}.3x3", *three, 3, padding=1)
        self.conv_double_3x3_reduce = conv(f"{name}.double_3x3_reduce", in_channels, double[0], 1)
        self.conv_double_3x3_1 = conv(f"{name}.double_3x3_1", *double, 3, padding=1)
        self.conv_double_3x3_2 = conv(f"{name}.double_3x3_2", double[1], double[1], 3, padding=1)
        pools = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}
        self.pool = pools[pool](3, stride=1, padding=1)
        self.conv_pool_proj = conv(f"{name}.pool_proj", in_channels, proj, 1)
        # 3a: 64 + 64 + 96 + 32 = 256
        self.out_channels = one + three[1] + double[1] + proj

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map (N, C, H, W) to (N, C', H, W)."""
        one = self.conv_1x1(x, num_frames)  # (N, ., H, W), as the others
        three = self.conv_3x3(self.conv_3x3_reduce(x, num_frames), num_frames)
        double = self.conv_double_3x3_reduce(x, num_frames)
        double = self.conv_double_3x3_2(self.conv_double_3x3_1(double, num_frames), num_frames)
        pool = self.conv_pool_proj(self.pool(x), num_frames)
        return torch.cat((one, three, double, pool), dim=1)  # (N, C', H, W)


class Reduction(nn.Module):
    """Three parallel branches of stride 2: 3x3; two 3x3; max pooling.

    The parameters are those of `Inception`.
    """

    def __init__(
        self,
        name: str,
        in_channels: int,
        three: tuple[int, int],
        double: tuple[int, int],
        *,
        conv: ConvFn,
    ) -> None:
        super().__init__()
        wide = double[1]
        self.conv_3x3_reduce = conv(f"{name}.3x3_reduce", in_channels, three[0], 1)
        self.conv_3x3 = conv(f"{name}.3x3", *three, 3, stride=2, padding=1)
        self.conv_double_3x3_reduce = conv(f"{name}.double_3x3_reduce", in_channels, double[0], 1)
        self.conv_double_3x3_1 = conv(f"{name}.double_3x3_1", *double, 3, padding=1)
        self.conv_double_3x3_2 = conv(f"{name}.double_3x3_2", wide, wide, 3, stride=2, padding=1)
        # 3c: 160 + 96 + 320 of the pooling = 576
        self.out_channels = three[1] + wide + in_channels

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map (N, C, H, W) to (N, C', H/2, W/2)."""
        # (N, ., H/2, W/2) each
        three = self.conv_3x3(self.conv_3x3_reduce(x, num_frames), num_frames)
        double = self.conv_double_3x3_reduce(x, num_frames)
        double = self.conv_double_3x3_2(self.conv_double_3x3_1(double, num_frames), num_frames)
        return torch.cat((three, double, halve(x)), dim=1)  # (N, C', H/2, W/2)


def halve(x: Tensor) -> Tensor:
    """3x3 max pooling of stride 2 that rounds sizes up."""
    return F.max_pool2d(x, 3, stride=2, ceil_mode=True)


class BNInception(nn.Module):
    """BN-Inception without classifier.

    Parameters
    ----------
    in_channels : int, default=3
        Channels of a frame, or of a stack of frames.
    conv : ConvFn, default=conv_norm
        Builds the convolutions.
    divide : int, default=1
        Divides every width, for small networks.
    """

    def __init__(self, *, in_channels: int = 3, conv: ConvFn = conv_norm, divide: int = 1) -> None:
        super().__init__()

        def scaled(*widths: int) -> tuple[int, ...]:
            return tuple(width // divide for width in widths)

        stem, last = scaled(64, 192)
        self.conv1_7x7_s2 = conv("conv1_7x7_s2", in_channels, stem, 7, stride=2, padding=3)
        self.conv2_3x3_reduce = conv("conv2_3x3_reduce", stem, stem, 1)
        self.conv2_3x3 = conv("conv2_3x3", stem, last, 3, padding=1)
        channels = last
        for name, *widths in _BLOCKS:
            one, three, three_out, double, double_out, proj = scaled(*widths)
            branches = ((three, three_out), (double, double_out))
            if one:  # a block without a 1x1 branch is a reduction
                pool: Pool = "max" if name == "5b" else "average"
                module: Inception | Reduction = Inception(
                    name, channels, one, *branches, proj, pool=pool, conv=conv
                )
            else:
                module = Reduction(name, channels, *branches, conv=conv)
            setattr(self, f"inception_{name}", module)
            channels = module.out_channels
        self.num_features = channels
        initialise(self)

    def stem1(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (N, C, H, W) to (N, 64, H/4, W/4)."""
        x = self.conv1_7x7_s2(x, num_frames)  # (N, 64, H/2, W/2)
        return halve(x)  # (N, 64, H/4, W/4)

    def stem2(self, x: Tensor, num_frames: int) -> Tensor:
        """Map (N, 64, H/4, W/4) to (N, 192, H/8, W/8)."""
        x = self.conv2_3x3(self.conv2_3x3_reduce(x, num_frames), num_frames)  # (N, 192, H/4, W/4)
        return halve(x)  # (N, 192, H/8, W/8)

    def forward_stem(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (N, C, H, W) to (N, 192, H/8, W/8)."""
        return self.stem2(self.stem1(x, num_frames), num_frames)

    def stages(self) -> list[Stage]:
        """List the two parts of the stem and the ten Inception modules, in order."""
        modules = [getattr(self, f"inception_{name}") for name, *_ in _BLOCKS]
        return [self.stem1, self.stem2, *modules]

    def forward(self, x: Tensor, num_frames: int = 1) -> Tensor:
        """Map frames (N, C, H, W) to features (N, 1024, H/32, W/32)."""
        for stage in self.stages():
            x = stage(x, num_frames)
        return x  # (N, 1024, H/32, W/32)


_BLOCKS = (
    # name, 1x1, 3x3 reduce, 3x3, double 3x3 reduce, double 3x3, after the pooling
    ("3a", 64, 64, 64, 64, 96, 32),
    ("3b", 64, 64, 96, 64, 96, 64),
    ("3c", 0, 128, 160, 64, 96, 0),
    ("4a", 224, 64, 96, 96, 128, 128),
    ("4b", 192, 96, 128, 96, 128, 128),
    ("4c", 160, 128, 160, 128, 160, 128),
    ("4d", 96, 128, 192, 160, 192, 128),
    ("4e", 0, 128, 192, 192, 256, 0),
    ("5a", 352, 192, 320, 160, 224, 128),
    ("5b", 352, 192, 320, 192, 224, 128),
)
