"""3D DenseNet.

Hara, Kataoka and Satoh, Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and ImageNet?,
CVPR 2018. arXiv:1711.09577
The network: Densely Connected Convolutional Networks, Huang, Liu, van der Maaten and Weinberger,
CVPR 2017. arXiv:1608.06993
Official code: https://github.com/kenshohara/3D-ResNets-PyTorch (MIT)

The input of every layer is the output of all previous layers of its block, to which it appends 32
channels. Between blocks, a transition halves channels, frames, height and width. Every 3x3
convolution of the 2D network becomes 3x3x3; the stem is that of `zoopraxis.models.resnet3d`. As in
the 2D implementation that the authors follow, a ReLU follows the last batch norm.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import ClipSpec
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.models.base import VideoClassifier
from zoopraxis.models.resnet3d import KINETICS_CLIP, Stem
from zoopraxis.spec import ModelSpec


class DenseLayer(nn.Module):
    """Batch norm, ReLU, 1x1x1, batch norm, ReLU, 3x3x3; the output is appended to the input.

    Parameters
    ----------
    in_channels : int
        C.
    growth : int
        Channels to append; the 1x1x1 convolution has four times as many.
    """

    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm3d(in_channels)
        self.conv1 = nn.Conv3d(in_channels, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm3d(4 * growth)
        self.conv2 = nn.Conv3d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C + growth, T, H, W); the first C channels are the input."""
        new = self.conv1(F.relu(self.norm1(x)))  # (B, 4 growth, T, H, W)
        new = self.conv2(F.relu(self.norm2(new)))  # (B, growth, T, H, W)
        return torch.cat([x, new], dim=1)  # (B, C + growth, T, H, W)


class Transition(nn.Module):
    """Batch norm, ReLU, 1x1x1 to half the channels, 2x2x2 average pooling.

    Parameters
    ----------
    in_channels : int
        C.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm3d(in_channels)
        self.conv = nn.Conv3d(in_channels, in_channels // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C/2, T/2, H/2, W/2)."""
        x = self.conv(F.relu(self.norm(x)))  # (B, C/2, T, H, W)
        return F.avg_pool3d(x, 2)  # (B, C/2, T/2, H/2, W/2)


class DenseNet3D(VideoClassifier):
    """A DenseNet-BC of 3x3x3 convolutions.

    Parameters
    ----------
    layers : tuple of int
        Number of layers of each block.
    growth : int, default=32
        Channels that a layer appends.
    width : int, default=64
        Channels of the stem.
    num_classes : int, default=400
        K.
    dropout : float, default=0.0
        Before the classifier.
    """

    def __init__(
        self,
        layers: tuple[int, ...],
        *,
        growth: int = 32,
        width: int = 64,
        num_classes: int = 400,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.stem = Stem(3, width)
        channels = width
        self.blocks = nn.ModuleList()
        self.transitions = nn.ModuleList()
        # channels of depth 121: stem 64; block 64 + 6 * 32 = 256, transition 128; block
        # 128 + 12 * 32 = 512, transition 256; block 1024, transition 512; block 1024
        for index, count in enumerate(layers):
            block = [DenseLayer(channels + i * growth, growth) for i in range(count)]
            self.blocks.append(nn.Sequential(*block))
            channels += count * growth
            if index < len(layers) - 1:
                self.transitions.append(Transition(channels))
                channels //= 2
        self.norm = nn.BatchNorm3d(channels)
        self.num_features = channels
        self.head = ClipHead(channels, num_classes, dropout)
        initialise(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, F, T/16, H/32, W/32)."""
        x = self.stem(x)  # (B, 64, T/2, H/4, W/4)
        x = self.blocks[0](x)  # (B, 256, T/2, H/4, W/4)
        for transition, block in zip(self.transitions, self.blocks[1:], strict=True):
            x = block(transition(x))  # (B, ., T/4, H/8, W/8), ..., (B, F, T/16, H/32, W/32)
        return F.relu(self.norm(x))  # (B, F, T/16, H/32, W/32)


def _entry(
    name: str, layers: tuple[int, ...], *, clip: ClipSpec = KINETICS_CLIP, **args: Any
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=DenseNet3D,
        args={"layers": layers, **args},
        clip=clip,
        strides=(16, 32),
    )


SPECS = (
    _entry("densenet3d_121", (6, 12, 24, 16)),
    _entry("densenet3d_169", (6, 12, 32, 32)),
    _entry("densenet3d_201", (6, 12, 48, 32)),
    _entry("densenet3d_264", (6, 12, 64, 48)),
    _entry(
        "test_densenet3d",
        (2, 2, 2, 2),
        clip=KINETICS_CLIP.change(num_frames=16, size=32, resize=32),
        growth=8,
        width=16,
        num_classes=12,
    ),
)
