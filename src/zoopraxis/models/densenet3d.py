"""3D DenseNet.

Hara, Kataoka and Satoh, Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and ImageNet?,
CVPR 2018. arXiv:1711.09577
The network: Densely Connected Convolutional Networks, Huang, Liu, van der Maaten and Weinberger,
CVPR 2017. arXiv:1608.06993
Official code: https://github.com/kenshohara/3D-ResNets-PyTorch (MIT)

Every layer reads the outputs of all layers before it in its block, and adds 32 channels to
them. Between blocks, half of the channels go on, at half the size in time and in space. Every 3x3
convolution of the 2D network becomes 3x3x3; the stem is that of `zoopraxis.models.resnet3d`.

Builds. The authors' script cannot make these networks (it names an argument that the
constructor does not know); their constructor, called directly, can. As in the 2D
implementation they follow, a ReLU but no dropout stands behind the last norm.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.models._resnet3d_weights import KINETICS_CLIP, published
from zoopraxis.models.resnet3d import Stem
from zoopraxis.spec import ClipSpec, ModelSpec, Source

LAYERS: dict[int, tuple[int, int, int, int]] = {
    121: (6, 12, 24, 16),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
    264: (6, 12, 64, 48),
}
"""Layers per block, by depth."""


class DenseLayer(nn.Module):
    """Norm, ReLU, 1x1x1 to four times the growth, norm, ReLU, 3x3x3; appended to the input.

    Parameters
    ----------
    in_channels : int
        Channels so far.
    growth : int
        Channels to add.
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
    """Norm, ReLU, 1x1x1 to half of the channels, 2x2x2 average pooling."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm3d(in_channels)
        self.conv = nn.Conv3d(in_channels, in_channels // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C/2, T/2, H/2, W/2)."""
        x = self.conv(F.relu(self.norm(x)))  # (B, C/2, T, H, W)
        return F.avg_pool3d(x, 2)  # (B, C/2, T/2, H/2, W/2)


class DenseNet3D(nn.Module):
    """A DenseNet-BC of 3x3x3 convolutions.

    Parameters
    ----------
    layers : tuple of int
        Layers of each block.
    growth : int, default=32
        Channels that a layer adds.
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
        self.stem = Stem(width)
        channels = width
        self.blocks = nn.ModuleList()
        self.transitions = nn.ModuleList()
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
        """Map clips (B, 3, T, H, W) to features (B, C, T/16, H/32, W/32)."""
        x = self.blocks[0](self.stem(x))  # (B, C, T/2, H/4, W/4)
        for transition, block in zip(self.transitions, self.blocks[1:], strict=True):
            x = block(transition(x))  # half of T, H and W each time
        return F.relu(self.norm(x))

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, C, T', H', W') to logits (B, K)."""
        out: Tensor = self.head(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def reset_head(self, num_classes: int) -> None:
        """Replace the classifier by a new one for K classes."""
        self.head.reset(num_classes)


HARA = Source(
    rename=(
        (r"^features\.conv[01]\.", "stem.conv."),
        (r"^features\.norm[01]\.", "stem.norm."),
        (r"\.(norm|conv)\.(\d)\.", r".\1\2."),  # the code of 2018
        (
            r"^features\.denseblock(\d)\.denselayer(\d+)\.",
            lambda m: f"blocks.{int(m[1]) - 1}.{int(m[2]) - 1}.",
        ),
        (r"^features\.transition(\d)\.", lambda m: f"transitions.{int(m[1]) - 1}."),
        (r"^features\.norm5\.", "norm."),
        (r"^classifier\.", "head.linear."),
    )
)


def _row(
    name: str,
    layers: tuple[int, ...],
    params_m: float,
    macs_g: float,
    *,
    clip: ClipSpec = KINETICS_CLIP,
    **args: int,
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=DenseNet3D,
        args={"layers": layers, **args},
        clip=clip,
        params_m=params_m,
        macs_g=macs_g,
        strides=(16, 32),
        sources={"hara": HARA},
        weights=published(name),
    )


SPECS = (
    _row("densenet3d_121", LAYERS[121], 11.70, 10.40),
    _row("densenet3d_169", LAYERS[169], 19.25, 10.68),
    _row("densenet3d_201", LAYERS[201], 26.14, 11.24),
    _row("densenet3d_264", LAYERS[264], 41.37, 12.00),
    _row(
        "test_densenet3d",
        (2, 2, 2, 2),
        0.08,
        0.08,
        growth=8,
        width=16,
        num_classes=12,
        clip=replace(KINETICS_CLIP, frames=16, size=32, resize=32),
    ),
)
