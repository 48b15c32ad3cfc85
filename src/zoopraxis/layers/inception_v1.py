"""Inception-v1 (GoogLeNet) in two and in three dimensions: one skeleton, layers to choose.

Going Deeper with Convolutions. Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke
and Rabinovich, CVPR 2015. arXiv:1409.4842. With batch norms (arXiv:1502.03167) behind every
convolution, as all the networks here have it.

A stem of three convolutions, then nine modules; a module looks at its input through four
branches at once (1x1; 1x1 then 3x3, twice; pooling then 1x1) and lays their channels side by
side. The paper's 5x5 branch is a 3x3 here, as in TensorFlow's build, from which the others
come. What a convolution and a pooling are is the network's choice (`Layers`): 2D for images,
3D for I3D, separable for S3D. Layers bear TensorFlow's names.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.resnet3d import initialise
from zoopraxis.layers.same import SamePad
from zoopraxis.spec import Replacement, Source

__all__ = [
    "GOOGLENET_TORCHVISION",
    "NUM_FEATURES",
    "ConvNorm",
    "GoogLeNet",
    "ImageLayers",
    "InceptionV1",
    "Layers",
    "Mixed",
    "VideoLayers",
    "pool_size",
]

MODULES: dict[str, tuple[int, int, int, int, int, int]] = {
    # branch 0; reduction and 3x3 of branch 1, of branch 2; behind the pooling of branch 3
    "mixed_3b": (64, 96, 128, 16, 32, 32),
    "mixed_3c": (128, 128, 192, 32, 96, 64),
    "mixed_4b": (192, 96, 208, 16, 48, 64),
    "mixed_4c": (160, 112, 224, 24, 64, 64),
    "mixed_4d": (128, 128, 256, 24, 64, 64),
    "mixed_4e": (112, 144, 288, 32, 64, 64),
    "mixed_4f": (256, 160, 320, 32, 128, 128),
    "mixed_5b": (256, 160, 320, 32, 128, 128),
    "mixed_5c": (384, 192, 384, 48, 128, 128),
}
NUM_FEATURES = 1024
EPS = 1e-3  # of the norms, in all builds but one
FLAT_POOLS = ("pool_2a", "pool_3a")  # the video networks do not pool these over time


class Layers(Protocol):
    """Makes the layers of the skeleton; `name` is a layer's path, as "mixed_3b.branch1.0"."""

    def conv(
        self, name: str, /, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1
    ) -> nn.Module:
        """Return a convolution with its norm and ReLU, padded to keep size / stride."""

    def pool(self, name: str, /, kernel: int, *, stride: int) -> nn.Module:
        """Return a max pooling, padded to keep size / stride."""


class ConvNorm(nn.Module):
    """A convolution, its norm and a ReLU.

    Parameters
    ----------
    conv : nn.Conv2d or nn.Conv3d
        Without bias.
    pad : nn.Module, optional
        What comes before it.
    """

    def __init__(self, conv: nn.Conv2d | nn.Conv3d, pad: nn.Module | None = None) -> None:
        super().__init__()
        norm = nn.BatchNorm3d if isinstance(conv, nn.Conv3d) else nn.BatchNorm2d
        self.pad = pad or nn.Identity()
        self.conv = conv
        self.norm = norm(conv.out_channels, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, ...) to (B, C', ...)."""
        return F.relu(self.norm(self.conv(self.pad(x))), inplace=True)


@dataclass(frozen=True)
class ImageLayers:
    """Layers for (B, C, H, W): symmetric padding, and poolings that end with the image."""

    def conv(
        self, _name: str, /, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1
    ) -> nn.Module:
        """Return a k x k convolution."""
        return ConvNorm(
            nn.Conv2d(
                in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, bias=False
            )
        )

    def pool(self, _name: str, /, kernel: int, *, stride: int) -> nn.Module:
        """Return a k x k pooling; the last window may be cut off."""
        padding = kernel // 2 if stride == 1 else 0
        return nn.MaxPool2d(kernel, stride=stride, padding=padding, ceil_mode=True)


def pool_size(name: str, kernel: int, stride: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Kernel and stride (t, h, w) of a pooling: the first two leave time alone."""
    if name in FLAT_POOLS:
        return (1, kernel, kernel), (1, stride, stride)
    return (kernel,) * 3, (stride,) * 3


@dataclass(frozen=True)
class VideoLayers:
    """Layers for (B, C, T, H, W): cubic kernels, TensorFlow's padding.

    Parameters
    ----------
    measured : int, default=3
        Axes (of T, H, W, from the first on) whose padding follows the size they have:
        see `SamePad`.
    """

    measured: int = 3

    def conv(
        self, _name: str, /, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1
    ) -> nn.Module:
        """Return a k x k x k convolution."""
        if stride == 1:
            return ConvNorm(
                nn.Conv3d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)
            )
        conv = nn.Conv3d(in_channels, out_channels, kernel, stride=stride, bias=False)
        return ConvNorm(conv, SamePad((kernel,) * 3, (stride,) * 3, measured=self.measured))

    def pool(self, name: str, /, kernel: int, *, stride: int) -> nn.Module:
        """Return a k x k x k pooling, or 1 x k x k for the first two."""
        if stride == 1:
            return nn.MaxPool3d(kernel, stride=1, padding=kernel // 2)
        size, step = pool_size(name, kernel, stride)
        # Where the padding is not measured, the window that does not fit is cut off, not dropped.
        return nn.Sequential(
            SamePad(size, step, measured=self.measured), nn.MaxPool3d(size, step, ceil_mode=True)
        )


class Mixed(nn.Module):
    """Four looks at the input, side by side.

    Parameters
    ----------
    name : str
        Of the module, as the layers know it.
    in_channels : int
        Channels that come.
    widths : tuple of int
        As in `MODULES`.
    layers : Layers
        Makes the convolutions and the pooling.

    Attributes
    ----------
    channels : int
        Channels that leave.
    """

    def __init__(
        self, name: str, in_channels: int, widths: tuple[int, ...], *, layers: Layers
    ) -> None:
        super().__init__()
        b0, r1, b1, r2, b2, b3 = widths
        self.channels = b0 + b1 + b2 + b3
        self.branch0 = layers.conv(f"{name}.branch0", in_channels, b0, 1)
        self.branch1 = nn.Sequential(
            layers.conv(f"{name}.branch1.0", in_channels, r1, 1),
            layers.conv(f"{name}.branch1.1", r1, b1, 3),
        )
        self.branch2 = nn.Sequential(
            layers.conv(f"{name}.branch2.0", in_channels, r2, 1),
            layers.conv(f"{name}.branch2.1", r2, b2, 3),
        )
        self.branch3 = nn.Sequential(
            layers.pool(f"{name}.branch3.0", 3, stride=1),
            layers.conv(f"{name}.branch3.1", in_channels, b3, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, ...) to (B, channels, ...)."""
        branches = (self.branch0, self.branch1, self.branch2, self.branch3)
        return torch.cat([branch(x) for branch in branches], dim=1)


class InceptionV1(nn.Module):
    """Stem and nine modules.

    Parameters
    ----------
    in_channels : int
        Channels of the input.
    layers : Layers
        Makes every convolution and pooling.
    width : float, default=1.0
        Factor on all channels.

    Attributes
    ----------
    num_features : int
        Channels that leave: 1024 for width 1.
    """

    def __init__(self, in_channels: int, *, layers: Layers, width: float = 1.0) -> None:
        super().__init__()
        stem, reach = round(64 * width), round(192 * width)
        self.conv_1a = layers.conv("conv_1a", in_channels, stem, 7, stride=2)
        self.pool_2a = layers.pool("pool_2a", 3, stride=2)
        self.conv_2b = layers.conv("conv_2b", stem, stem, 1)
        self.conv_2c = layers.conv("conv_2c", stem, reach, 3)
        self.pool_3a = layers.pool("pool_3a", 3, stride=2)

        def mixed(name: str, in_channels: int) -> Mixed:
            widths = tuple(round(n * width) for n in MODULES[name])
            return Mixed(name, in_channels, widths, layers=layers)

        self.mixed_3b = mixed("mixed_3b", reach)
        self.mixed_3c = mixed("mixed_3c", self.mixed_3b.channels)
        self.pool_4a = layers.pool("pool_4a", 3, stride=2)
        self.mixed_4b = mixed("mixed_4b", self.mixed_3c.channels)
        self.mixed_4c = mixed("mixed_4c", self.mixed_4b.channels)
        self.mixed_4d = mixed("mixed_4d", self.mixed_4c.channels)
        self.mixed_4e = mixed("mixed_4e", self.mixed_4d.channels)
        self.mixed_4f = mixed("mixed_4f", self.mixed_4e.channels)
        self.pool_5a = layers.pool("pool_5a", 2, stride=2)
        self.mixed_5b = mixed("mixed_5b", self.mixed_4f.channels)
        self.mixed_5c = mixed("mixed_5c", self.mixed_5b.channels)
        self.num_features = self.mixed_5c.channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, 1024, T/8, H/32, W/32); images have no T."""
        x = self.pool_2a(self.conv_1a(x))  # (B, 64, T/2, H/4, W/4)
        x = self.pool_3a(self.conv_2c(self.conv_2b(x)))  # (B, 192, T/2, H/8, W/8)
        x = self.mixed_3c(self.mixed_3b(x))  # (B, 480, T/2, H/8, W/8)
        x = self.pool_4a(x)  # (B, 480, T/4, H/16, W/16)
        x = self.mixed_4d(self.mixed_4c(self.mixed_4b(x)))  # (B, 512, T/4, H/16, W/16)
        x = self.mixed_4f(self.mixed_4e(x))  # (B, 832, T/4, H/16, W/16)
        x = self.pool_5a(x)  # (B, 832, T/8, H/32, W/32)
        out: Tensor = self.mixed_5c(self.mixed_5b(x))  # (B, 1024, T/8, H/32, W/32)
        return out


class GoogLeNet(nn.Module):
    """The image classifier, without its two auxiliary heads: 6.62 M parameters, 1.50 G.

    Parameters
    ----------
    num_classes : int, default=1000
        K.
    dropout : float, default=0.2
        Before the classifier.
    """

    def __init__(self, *, num_classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        self.trunk = InceptionV1(3, layers=ImageLayers())
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(self.trunk.num_features, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to logits (B, K); inflated, clips (B, 3, T, H, W)."""
        x = self.trunk(x).flatten(2).mean(dim=2)  # (B, 1024)
        out: Tensor = self.linear(self.dropout(x))  # (B, K)
        return out


_LETTERS = {"a": "b", "b": "c", "c": "d", "d": "e", "e": "f"}  # torchvision counts without pools
_TORCHVISION: tuple[tuple[str, Replacement], ...] = (
    (r"^aux\d\.", None),
    (r"^conv1\.", "trunk.conv_1a."),
    (r"^conv2\.", "trunk.conv_2b."),
    (r"^conv3\.", "trunk.conv_2c."),
    (r"^inception(\d)([a-e])\.", lambda m: f"trunk.mixed_{m[1]}{_LETTERS[m[2]]}."),
    (r"\.branch([1-4])\.", lambda m: f".branch{int(m[1]) - 1}."),
    (r"\.bn\.", ".norm."),
    (r"^fc\.", "linear."),
)
GOOGLENET_TORCHVISION = Source(rename=_TORCHVISION)
"""Keys of torchvision's GoogLeNet. Its published weights want pixels in [-1, 1]."""
