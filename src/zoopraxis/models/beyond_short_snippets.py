"""Beyond Short Snippets: Deep Networks for Video Classification.

Ng, Hausknecht, Vijayanarasimhan, Vinyals, Monga and Toderici, CVPR 2015. arXiv:1503.08909
No official code.

A whole video, up to 120 frames at one per second, passes through an image network frame by frame.
The features of the frames are combined by max pooling over time, at one of five points (section
3.1, Figure 2), or by an LSTM (section 3.2):

- ``conv``: pool the last convolution over all frames, then two hidden layers. The best of the five.
- ``late``: both hidden layers for every frame, then pool.
- ``slow``: pool windows of 10 frames with a stride of 5; first hidden layer for each; pool the
  windows; second hidden layer.
- ``local``: pool the windows; both hidden layers for each; one classifier of all windows, which
  depends on their order.
- ``time``: 256 filters of 10x3x3 with a stride of 5 in time, then as ``conv``.
- ``lstm``: five layers of 512 cells on the features of each frame. The predictions of all steps are
  averaged, with a weight that rises linearly from 0 to 1.

There is neither code nor a number of parameters to check against. The paper's AlexNet has filters
of 11, 9 and 5 pixels and expects 220 pixels, but its channels are not given; here it is
Krizhevsky's at 224 pixels, without groups and normalisation. GoogLeNet has batch norms
(`zoopraxis.layers.inception_v1`). The position of the second hidden layer of ``slow`` is our
reading of Figure 2.
"""

import abc
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.frames import BackboneFn, merge_time, split_time
from zoopraxis.layers.head import linear_like
from zoopraxis.layers.inception_v1 import ImageLayers, InceptionV1
from zoopraxis.layers.resnet2d import ResNet2d
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.models.base import VideoClassifier
from zoopraxis.models.lrcn import LRCN
from zoopraxis.spec import ModelSpec

WINDOW, STEP = 10, 5
"""Length and stride of the windows, in frames (section 3.1)."""


class FeaturePooling(VideoClassifier):
    """An image network, two hidden layers, and a max pooling over time before, between or after.

    Parameters
    ----------
    backbone_fn : BackboneFn
        Builds the image network.
    side : int
        Height and width of its features.
    hidden : int, default=4096
        D, the width of a hidden layer.
    num_classes : int, default=487
        K; Sports-1M has 487.
    dropout : float, default=0.5
        After both hidden layers.
    """

    def __init__(
        self,
        backbone_fn: BackboneFn,
        *,
        side: int,
        hidden: int = 4096,
        num_classes: int = 487,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.backbone = backbone_fn(in_channels=3)
        self.num_features = hidden
        self.fc1 = nn.Linear(self.pooled_channels * side * side, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(hidden, num_classes)
        for layer in (self.fc1, self.fc2, self.linear):
            initialise(layer)

    @property
    def pooled_channels(self) -> int:
        """C, the input channels of the first hidden layer."""
        return self.backbone.num_features

    @abc.abstractmethod
    def pool(self, x: Tensor) -> Tensor:
        """Combine the frames: (B, C, T, H, W) to (B, P, D), P windows."""

    def first(self, x: Tensor) -> Tensor:
        """First hidden layer: maps (B, C, P, H, W) to (B, P, D)."""
        x = x.transpose(1, 2).flatten(2)  # (B, P, C * H * W)
        out: Tensor = self.dropout(F.relu(self.fc1(x)))  # (B, P, D)
        return out

    def second(self, x: Tensor) -> Tensor:
        """Second hidden layer: maps (B, P, D) to the same shape."""
        out: Tensor = self.dropout(F.relu(self.fc2(x)))
        return out

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, D, P, 1, 1)."""
        num_frames = x.shape[2]
        x = split_time(self.backbone(merge_time(x), num_frames), num_frames)  # (B, C, T, H', W')
        return self.pool(x).transpose(1, 2)[..., None, None]  # (B, D, P, 1, 1)

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, D, P, 1, 1) to logits (B, K)."""
        out: Tensor = self.linear(x.flatten(1))  # (B, K)
        return out

    @property
    def num_classes(self) -> int:
        """K, the number of logits of a clip."""
        return self.linear.out_features

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the classifier with a re-initialised one for K classes."""
        self.linear = linear_like(self.linear, num_classes)


class ConvPooling(FeaturePooling):
    """Maximum over all frames, then both hidden layers (Figure 2a)."""

    def pool(self, x: Tensor) -> Tensor:
        """Combine the frames: (B, C, T, H, W) to (B, 1, D)."""
        return self.second(self.first(x.amax(dim=2, keepdim=True)))


class LatePooling(FeaturePooling):
    """Both hidden layers for every frame, then the maximum (Figure 2b)."""

    def pool(self, x: Tensor) -> Tensor:
        """Combine the frames: (B, C, T, H, W) to (B, 1, D)."""
        return self.second(self.first(x)).amax(dim=1, keepdim=True)


class SlowPooling(FeaturePooling):
    """Maximum in windows, first hidden layer, maximum over windows, second layer (Figure 2c)."""

    def pool(self, x: Tensor) -> Tensor:
        """Combine the frames: (B, C, T, H, W) to (B, 1, D)."""
        x = self.first(windows(x))  # (B, P, D)
        return self.second(x.amax(dim=1, keepdim=True))  # (B, 1, D)


class LocalPooling(FeaturePooling):
    """Maximum in windows, both hidden layers, one classifier of all windows (Figure 2d).

    Parameters
    ----------
    backbone_fn
        As in `FeaturePooling`.
    num_frames : int, default=120
        T, which determines the size of the classifier.
    **options
        Of `FeaturePooling`.
    """

    def __init__(self, backbone_fn: BackboneFn, *, num_frames: int = 120, **options: Any) -> None:
        super().__init__(backbone_fn, **options)
        num_windows = (num_frames - WINDOW) // STEP + 1  # 120 frames: 23
        self.linear = nn.Linear(num_windows * self.num_features, self.num_classes)
        initialise(self.linear)

    def pool(self, x: Tensor) -> Tensor:
        """Combine the frames: (B, C, T, H, W) to (B, P, D)."""
        return self.second(self.first(windows(x)))


class TimeConvolution(ConvPooling):
    """A convolution over windows of frames, then as `ConvPooling` (Figure 2e).

    The parameters are those of `FeaturePooling`.
    """

    filters = 256

    def __init__(self, backbone_fn: BackboneFn, **options: Any) -> None:
        super().__init__(backbone_fn, **options)
        self.conv = nn.Conv3d(
            self.backbone.num_features,
            self.filters,
            (WINDOW, 3, 3),
            stride=(STEP, 1, 1),
            padding=(0, 1, 1),
        )
        initialise(self.conv)

    @property
    def pooled_channels(self) -> int:
        """C, the input channels of the first hidden layer."""
        return self.filters

    def pool(self, x: Tensor) -> Tensor:
        """Combine the frames: (B, C, T, H, W) to (B, 1, D)."""
        x = F.relu(self.conv(x))  # (B, 256, P, H, W)
        return super().pool(x)


def windows(x: Tensor) -> Tensor:
    """Take the maximum in each window of frames: (B, C, T, H, W) to (B, C, P, H, W).

    Raises
    ------
    ShapeError
        There are fewer frames than in a window.

    # 20 frames: the maxima over frames 0-9, 5-14 and 10-19
    """
    if x.shape[2] < WINDOW:
        raise ShapeError(
            f"{x.shape[2]} frames do not fill a window of {WINDOW}",
            f"use clips of at least {WINDOW} frames",
        )
    return F.max_pool3d(x, (WINDOW, 1, 1), stride=(STEP, 1, 1))


class DeepLSTM(LRCN):
    """An LSTM over the frames; the predictions of later steps have more weight (section 3.2).

    The parameters are those of `LRCN`.
    """

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, F, T, 1, 1) to logits (B, K)."""
        num_frames = x.shape[2]
        x = x.flatten(2).transpose(1, 2)  # (B, T, F)
        logits = self.head.linear(self.head.dropout(x))  # (B, T, K)
        # 4 frames: gains 1/4, 2/4, 3/4, 4/4; divided by their sum, weights 0.1, 0.2, 0.3, 0.4
        gain = torch.arange(1, num_frames + 1, device=x.device, dtype=x.dtype) / num_frames  # (T,)
        return torch.einsum("t,btk->bk", gain / gain.sum(), logits)  # (B, K)


# Image networks.


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

    def forward(self, x: Tensor, _num_frames: int = 1) -> Tensor:
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

    def forward(self, x: Tensor, _num_frames: int = 1) -> Tensor:
        """Map frames (N, C, H, W) to features (N, 1024, H/32, W/32)."""
        return super().forward(x)


class Averaged(nn.Module):
    """An image network and the mean of its features over space: the input of the LSTM.

    Parameters
    ----------
    backbone_fn : BackboneFn
        Builds the image network.
    in_channels : int, default=3
        Channels of a frame.
    """

    def __init__(self, backbone_fn: BackboneFn, *, in_channels: int = 3) -> None:
        super().__init__()
        self.backbone = backbone_fn(in_channels=in_channels)
        self.num_features = self.backbone.num_features

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (N, C, H, W) to features (N, F, 1, 1)."""
        return self.backbone(x, num_frames).mean(dim=(2, 3), keepdim=True)


_CLIP = ClipSpec(sampling=Sampling(num_frames=120, fps=1.0), input=RGB())
_ALEXNET = {"backbone_fn": AlexNet, "side": 6}
_GOOGLENET = {"backbone_fn": GoogLeNetFeatures, "side": 7}


def _pooled(
    name: str,
    build: type[FeaturePooling],
    args: Mapping[str, Any],
    *,
    num_frames: int = 120,
    time_stride: int | None = None,
) -> ModelSpec:
    return ModelSpec(
        name=f"snippets_{name}_{num_frames}",
        build=build,
        args=args,
        clip=_CLIP.change(num_frames=num_frames),
        strides=(time_stride, None),
        order_sensitive=build not in (ConvPooling, LatePooling),
    )


def _lstm(name: str, backbone_fn: BackboneFn) -> ModelSpec:
    encoder_fn = partial(Averaged, backbone_fn)
    return ModelSpec(
        name=f"snippets_{name}_lstm_30",
        build=DeepLSTM,
        args={"backbone_fn": encoder_fn, "cells": 512, "layers": 5, "num_classes": 487},
        clip=_CLIP.change(num_frames=30),
        strides=(1, None),
    )


SPECS = (
    _pooled("alexnet_conv", ConvPooling, _ALEXNET),
    _pooled("alexnet_late", LatePooling, _ALEXNET),
    _pooled("alexnet_slow", SlowPooling, _ALEXNET),
    _pooled("alexnet_local", LocalPooling, _ALEXNET, time_stride=STEP),
    _pooled("alexnet_time", TimeConvolution, _ALEXNET),
    _lstm("alexnet", AlexNet),
    _pooled("googlenet_conv", ConvPooling, _GOOGLENET, num_frames=30),
    _pooled("googlenet_conv", ConvPooling, _GOOGLENET),
    _lstm("googlenet", GoogLeNetFeatures),
    ModelSpec(
        name="test_beyond_short_snippets",
        build=TimeConvolution,
        args={
            "backbone_fn": partial(ResNet2d, 10, width=4),
            "side": 1,
            "hidden": 32,
            "num_classes": 12,
        },
        clip=ClipSpec(sampling=Sampling(num_frames=16), input=RGB(size=32, resize=32)),
        strides=(None, None),
    ),
)
