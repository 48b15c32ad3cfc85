"""Beyond Short Snippets: Deep Networks for Video Classification.

Ng, Hausknecht, Vijayanarasimhan, Vinyals, Monga and Toderici, CVPR 2015. arXiv:1503.08909
No official code.

Whole videos at one frame a second, up to 120 frames, through one network of images: how should
its features meet? By maxima over time, in five places (section 3.1, Figure 2), or in an LSTM
(section 3.2):

- ``conv``: a maximum over all frames of the last convolution, kept apart by place, then the two
  hidden layers. The best of the five.
- ``late``: the hidden layers at every frame, then the maximum.
- ``slow``: maxima over windows of 10 frames, 5 apart; the first hidden layer at each; the maximum
  of these; the second.
- ``local``: maxima over the windows, both hidden layers at each, and one classifier of all the
  windows, which knows their order.
- ``time``: 256 filters of 3x3 over 10 frames, 5 apart, then as ``conv``.
- ``lstm``: five layers of 512 cells on the features of each frame; the answers of all steps count,
  the later the more: with a weight that rises linearly from 0 to 1.

No numbers could be held to the authors': there is neither code nor a count of parameters. The
paper's AlexNet has filters of 11, 9 and 5 pixels and takes 220 pixels, but its channels are not
printed; here it is Krizhevsky's at 224 (without groups and normalisation). GoogLeNet has batch
norms (`zoopraxis.layers.inception_v1`). The place of the second hidden layer
of ``slow`` (Figure 2) is our reading.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.layers.frames import Trunk, fold, unfold
from zoopraxis.layers.inception_v1 import ImageLayers, InceptionV1
from zoopraxis.layers.resnet2d import ResNet2d
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.models.lrcn import LRCN
from zoopraxis.spec import ClipSpec, ModelSpec

WINDOW, STEP = 10, 5
"""Frames of a window, and from one to the next (section 3.1)."""


class AlexNet(nn.Module):
    """Krizhevsky's five convolutions.

    Parameters
    ----------
    in_channels : int, default=3
        Channels of a frame.
    """

    num_features = 256

    def __init__(self, *, in_channels: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 96, 11, stride=4, padding=2)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1)
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1)
        initialise(self)

    def forward(self, x: Tensor, _frames: int = 1) -> Tensor:
        """Map frames (N, C, 224, 224) to features (N, 256, 6, 6)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 3, stride=2)  # (N, 96, 27, 27)
        x = F.max_pool2d(F.relu(self.conv2(x)), 3, stride=2)  # (N, 256, 13, 13)
        x = F.relu(self.conv4(F.relu(self.conv3(x))))  # (N, 384, 13, 13)
        return F.max_pool2d(F.relu(self.conv5(x)), 3, stride=2)  # (N, 256, 6, 6)


class GoogLeNetFeatures(InceptionV1):
    """GoogLeNet over frames, without classifier.

    Parameters
    ----------
    in_channels : int, default=3
        Channels of a frame.
    """

    def __init__(self, *, in_channels: int = 3) -> None:
        super().__init__(in_channels, layers=ImageLayers())
        initialise(self)

    def forward(self, x: Tensor, _frames: int = 1) -> Tensor:
        """Map frames (N, C, H, W) to features (N, 1024, H/32, W/32)."""
        return super().forward(x)


class ConvPooling(nn.Module):
    """Maximum over all frames of the last convolution, then two hidden layers (Figure 2a).

    Parameters
    ----------
    trunk : Trunk
        Makes the network of images.
    side : int
        Height and width of its features.
    hidden : int, default=4096
        D, the units of a hidden layer.
    num_classes : int, default=487
        K; Sports-1M has 487.
    dropout : float, default=0.5
        Behind both hidden layers.
    """

    def __init__(
        self,
        trunk: Trunk,
        *,
        side: int,
        hidden: int = 4096,
        num_classes: int = 487,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.trunk = trunk(in_channels=3)
        self.num_features = hidden
        self.fc1 = nn.Linear(self.pooled_channels() * side * side, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(self.classified_features(), num_classes)
        for layer in (self.fc1, self.fc2, self.linear):
            initialise(layer)

    def pooled_channels(self) -> int:
        """Channels of what the first hidden layer sees."""
        return self.trunk.num_features

    def classified_features(self) -> int:
        """Features that the classifier sees."""
        return self.num_features

    def reset_head(self, num_classes: int) -> None:
        """Replace the classifier by a new one for K classes."""
        weight = self.linear.weight
        features = self.classified_features()
        self.linear = nn.Linear(features, num_classes, device=weight.device, dtype=weight.dtype)

    def first(self, x: Tensor) -> Tensor:
        """First hidden layer: maps (B, C, P, H, W) to (B, P, D)."""
        out: Tensor = self.dropout(F.relu(self.fc1(x.transpose(1, 2).flatten(2))))
        return out

    def second(self, x: Tensor) -> Tensor:
        """Second hidden layer: maps (B, P, D) to the same shape."""
        out: Tensor = self.dropout(F.relu(self.fc2(x)))
        return out

    def pool(self, x: Tensor) -> Tensor:
        """Let the frames meet: (B, C, T, H, W) to (B, P, D)."""
        return self.second(self.first(x.amax(dim=2, keepdim=True)))

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, D, P, 1, 1) of P windows."""
        frames = x.shape[2]
        x = unfold(self.trunk(fold(x), frames), frames)  # (B, C, T, H', W')
        return self.pool(x).transpose(1, 2)[..., None, None]  # (B, D, P, 1, 1)

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, D, P, 1, 1) to logits (B, K)."""
        out: Tensor = self.linear(x.flatten(1))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))


def windows(x: Tensor) -> Tensor:
    """Maxima over windows of frames: (B, C, T, H, W) to (B, C, P, H, W).

    Raises
    ------
    ShapeError
        There are fewer frames than a window has.
    """
    if x.shape[2] < WINDOW:
        raise ShapeError(
            f"{x.shape[2]} frames do not fill a window of {WINDOW}", "take longer clips"
        )
    return F.max_pool3d(x, (WINDOW, 1, 1), stride=(STEP, 1, 1))


class LatePooling(ConvPooling):
    """Both hidden layers at every frame, then the maximum (Figure 2b)."""

    def pool(self, x: Tensor) -> Tensor:
        """Let the frames meet: (B, C, T, H, W) to (B, 1, D)."""
        return self.second(self.first(x)).amax(dim=1, keepdim=True)


class SlowPooling(ConvPooling):
    """A maximum over windows, a hidden layer, the maximum of all, another one (Figure 2c)."""

    def pool(self, x: Tensor) -> Tensor:
        """Let the frames meet: (B, C, T, H, W) to (B, 1, D)."""
        return self.second(self.first(windows(x)).amax(dim=1, keepdim=True))


class LocalPooling(ConvPooling):
    """A maximum over windows, both hidden layers, a classifier of all windows (Figure 2d).

    Parameters
    ----------
    trunk, side, hidden, num_classes, dropout
        As of `ConvPooling`.
    frames : int, default=120
        T, which decides the size of the classifier.
    """

    def __init__(self, trunk: Trunk, *, frames: int = 120, **options: Any) -> None:
        self.windows = (frames - WINDOW) // STEP + 1
        super().__init__(trunk, **options)

    def classified_features(self) -> int:
        """Features that the classifier sees."""
        return self.num_features * self.windows

    def pool(self, x: Tensor) -> Tensor:
        """Let the frames meet: (B, C, T, H, W) to (B, P, D)."""
        return self.second(self.first(windows(x)))


class TimeConvolution(ConvPooling):
    """Filters over windows of frames, then the maximum of all, as `ConvPooling` (Figure 2e).

    Parameters
    ----------
    trunk, side, hidden, num_classes, dropout
        As of `ConvPooling`.
    """

    filters = 256

    def __init__(self, trunk: Trunk, **options: Any) -> None:
        super().__init__(trunk, **options)
        self.conv = nn.Conv3d(
            self.trunk.num_features,
            self.filters,
            (WINDOW, 3, 3),
            stride=(STEP, 1, 1),
            padding=(0, 1, 1),
        )
        initialise(self.conv)

    def pooled_channels(self) -> int:
        """Channels of what the first hidden layer sees."""
        return self.filters

    def pool(self, x: Tensor) -> Tensor:
        """Let the frames meet: (B, C, T, H, W) to (B, 1, D)."""
        return super().pool(F.relu(self.conv(x)))


class Averaged(nn.Module):
    """A network of images and the mean over its features' places: what an LSTM reads.

    Parameters
    ----------
    trunk : Trunk
        Makes the network of images.
    in_channels : int, default=3
        Channels of a frame.
    """

    def __init__(self, trunk: Trunk, *, in_channels: int = 3) -> None:
        super().__init__()
        self.trunk = trunk(in_channels=in_channels)
        self.num_features = self.trunk.num_features

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (N, C, H, W) to features (N, F, 1, 1)."""
        return self.trunk(x, frames).mean(dim=(2, 3), keepdim=True)


class DeepLSTM(LRCN):
    """LSTM over frames whose later answers count more (section 3.2).

    The parameters are those of `LRCN`.
    """

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, F, T, 1, 1) to logits (B, K)."""
        frames = x.shape[2]
        answers = self.head.linear(self.head.dropout(x.flatten(2).transpose(1, 2)))  # (B, T, K)
        gain = torch.arange(1, frames + 1, device=x.device, dtype=x.dtype) / frames  # (T,)
        return torch.einsum("t,btk->bk", gain / gain.sum(), answers)


_CLIP = ClipSpec(frames=120, fps=1.0)


def _row(
    name: str,
    build: Callable[..., nn.Module],
    args: Mapping[str, Any],
    params_m: float,
    macs_g: float,
    *,
    frames: int = 120,
    time: int | None = None,
) -> ModelSpec:
    return ModelSpec(
        name=f"snippets_{name}_{frames}",
        build=build,
        args=args,
        clip=replace(_CLIP, frames=frames),
        params_m=params_m,
        macs_g=macs_g,
        strides=(time, None),
        order_sensitive=build not in (ConvPooling, LatePooling),
    )


_ALEXNET = {"trunk": AlexNet, "side": 6}
_GOOGLENET = {"trunk": GoogLeNetFeatures, "side": 7}


def _lstm(trunk: Trunk) -> dict[str, Any]:
    """Arguments of the LSTM on a network of images."""
    encoder = partial(Averaged, trunk)
    return {"encoder": encoder, "cells": 512, "layers": 5, "num_classes": 487}


SPECS = (
    _row("alexnet_conv", ConvPooling, _ALEXNET, 60.28, 129.25),
    _row("alexnet_late", LatePooling, _ALEXNET, 60.28, 135.74),
    _row("alexnet_slow", SlowPooling, _ALEXNET, 60.28, 130.08),
    _row("alexnet_local", LocalPooling, _ALEXNET, 104.16, 130.50, time=5),
    _row("alexnet_time", TimeConvolution, _ALEXNET, 66.18, 134.14),
    _row("alexnet_lstm", DeepLSTM, _lstm(AlexNet), 13.98, 32.61, frames=30, time=1),
    _row("googlenet_conv", ConvPooling, _GOOGLENET, 229.90, 45.14, frames=30),
    _row("googlenet_conv", ConvPooling, _GOOGLENET, 229.90, 179.91),
    _row("googlenet_lstm", DeepLSTM, _lstm(GoogLeNetFeatures), 17.40, 45.27, frames=30, time=1),
    ModelSpec(
        name="test_beyond_short_snippets",
        build=TimeConvolution,
        args={
            "trunk": partial(ResNet2d, 10, width=4),
            "side": 1,
            "hidden": 32,
            "num_classes": 12,
        },
        clip=ClipSpec(frames=16, size=32, resize=32),
        params_m=0.77,
        macs_g=0.00,
        strides=(None, None),
    ),
)
