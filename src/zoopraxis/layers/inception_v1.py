"""Inception-v1 (GoogLeNet) for images and clips: one architecture, interchangeable layers.

Going Deeper with Convolutions. Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke
and Rabinovich, CVPR 2015. arXiv:1409.4842

A stem of three convolutions, then nine modules of four parallel branches (1x1; 1x1 then 3x3,
twice; pooling then 1x1), whose channels are concatenated. The network chooses the convolutions
and poolings (`Layers`): 2D for images, 3D for I3D, separable for S3D. As in TensorFlow's
implementation, whose layer names we keep, a batch norm (arXiv:1502.03167) follows every
convolution, and the paper's 5x5 convolution is a 3x3.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.resnet3d import initialise
from zoopraxis.layers.same import SamePad

__all__ = [
    "EPS",
    "MODULES",
    "ConvNorm",
    "GoogLeNet",
    "ImageLayers",
    "InceptionV1",
    "Layers",
    "Mixed",
    "pool_size",
    "same_pool",
]

MODULES: dict[str, tuple[int, int, int, int, int, int]] = {
    # output channels: branch 0; 1x1 and 3x3 of branch 1; 1x1 and 3x3 of branch 2; branch 3
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
EPS = 1e-3  # epsilon of the batch norms
FLAT_POOLS = ("pool_2a", "pool_3a")  # in video networks these pool only space


class Layers(Protocol):
    """Builds the layers; `name` is the path of a layer, such as "mixed_3b.branch1.0"."""

    def conv(
        self, name: str, /, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1
    ) -> nn.Module:
        """Return a convolution with batch norm and ReLU, padded to output size / stride."""

    def pool(self, name: str, /, kernel: int, *, stride: int) -> nn.Module:
        """Return a max pooling, padded to output size / stride."""


class Mixed(nn.Module):
    """An Inception module: four branches, concatenated.

    Parameters
    ----------
    name : str
        Name of the module; prefix of its layers' names.
    in_channels : int
        Input channels.
    widths : tuple of int
        As in `MODULES`.
    layers : Layers
        Builds the convolutions and the pooling.

    Attributes
    ----------
    channels : int
        Output channels.
    """

    def __init__(
        self, name: str, in_channels: int, widths: tuple[int, ...], *, layers: Layers
    ) -> None:
        super().__init__()
        b0, r1, b1, r2, b2, b3 = widths
        # mixed_3b: 64 + 128 + 32 + 32 = 256
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
        return torch.cat([branch(x) for branch in branches], dim=1)  # (B, channels, ...)


class InceptionV1(nn.Module):
    """The stem and nine modules, without a classifier.

    Parameters
    ----------
    in_channels : int
        C.
    layers : Layers
        Builds every convolution and pooling.
    width : float, default=1.0
        Multiplies all widths.

    Attributes
    ----------
    num_features : int
        Output channels: 1024 for width 1.
    """

    def __init__(self, in_channels: int, *, layers: Layers, width: float = 1.0) -> None:
        super().__init__()
        stem, wide = round(64 * width), round(192 * width)
        self.conv_1a = layers.conv("conv_1a", in_channels, stem, 7, stride=2)
        self.pool_2a = layers.pool("pool_2a", 3, stride=2)
        self.conv_2b = layers.conv("conv_2b", stem, stem, 1)
        self.conv_2c = layers.conv("conv_2c", stem, wide, 3)
        self.pool_3a = layers.pool("pool_3a", 3, stride=2)

        def mixed(name: str, in_channels: int) -> Mixed:
            widths = tuple(round(n * width) for n in MODULES[name])
            return Mixed(name, in_channels, widths, layers=layers)

        self.mixed_3b = mixed("mixed_3b", wide)
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
        """Map clips (B, C, T, H, W) to (B, 1024, T/8, H/32, W/32); images have no T."""
        x = self.pool_2a(self.conv_1a(x))  # (B, 64, T/2, H/4, W/4)
        x = self.pool_3a(self.conv_2c(self.conv_2b(x)))  # (B, 192, T/2, H/8, W/8)
        x = self.mixed_3c(self.mixed_3b(x))  # (B, 480, T/2, H/8, W/8)
        x = self.pool_4a(x)  # (B, 480, T/4, H/16, W/16)
        x = self.mixed_4d(self.mixed_4c(self.mixed_4b(x)))  # (B, 512, T/4, H/16, W/16)
        x = self.mixed_4f(self.mixed_4e(x))  # (B, 832, T/4, H/16, W/16)
        x = self.pool_5a(x)  # (B, 832, T/8, H/32, W/32)
        out: Tensor = self.mixed_5c(self.mixed_5b(x))  # (B, 1024, T/8, H/32, W/32)
        return out


class ConvNorm(nn.Module):
    """A convolution, a batch norm and a ReLU.

    Parameters
    ----------
    conv : nn.Conv2d or nn.Conv3d
        Without bias.
    pad : nn.Module, optional
        Applied before the convolution.
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
    """2D layers for images (B, C, H, W): symmetric padding, and poolings that round sizes up."""

    def conv(
        self, _name: str, /, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1
    ) -> nn.Module:
        """Return a k x k convolution."""
        return ConvNorm(
            nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
        )

    def pool(self, _name: str, /, kernel: int, *, stride: int) -> nn.Module:
        """Return a k x k max pooling; its last window may extend beyond the border."""
        padding = kernel // 2 if stride == 1 else 0
        return nn.MaxPool2d(kernel, stride=stride, padding=padding, ceil_mode=True)


def pool_size(name: str, kernel: int, stride: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return kernel and stride (t, h, w) of a pooling over clips; `FLAT_POOLS` keep time."""
    if name in FLAT_POOLS:
        return (1, kernel, kernel), (1, stride, stride)
    return (kernel,) * 3, (stride,) * 3


def same_pool(size: tuple[int, ...], stride: tuple[int, ...]) -> nn.Module:
    """Build a max pooling over clips with "SAME" padding."""
    # with full padding no window is cut off, and ceil_mode has no effect; it matters where weights
    # demand less padding (zoopraxis.weights.keys.inception_v1)
    return nn.Sequential(SamePad(size, stride), nn.MaxPool3d(size, stride, ceil_mode=True))


class GoogLeNet(nn.Module):
    """The image classifier, without its two auxiliary heads: 6.62 M parameters, 1.50 GMACs.

    Parameters
    ----------
    num_classes : int, default=1000
        K.
    dropout : float, default=0.2
        Before the classifier.
    """

    def __init__(self, *, num_classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        self.backbone = InceptionV1(3, layers=ImageLayers())
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(self.backbone.num_features, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to logits (B, K); once inflated, clips (B, 3, T, H, W)."""
        x = self.backbone(x).flatten(2).mean(dim=2)  # (B, 1024)
        out: Tensor = self.linear(self.dropout(x))  # (B, K)
        return out
