"""Rethinking Spatiotemporal Feature Learning: Speed-Accuracy Trade-offs in Video Classification.

Xie, Sun, Huang, Tu and Murphy, ECCV 2018. arXiv:1712.04851
Official code: https://github.com/tensorflow/models/blob/master/research/slim/nets/s3dg.py
(Apache-2.0)

Which of I3D's 3D convolutions are worth their cost? Keeping them only in the upper layers
(top-heavy) is cheaper and more accurate than keeping them only in the lower ones (bottom-heavy),
and a 3D convolution can be separated into a spatial 1 x k x k and a temporal k x 1 x 1 one: S3D.
S3D-G adds self-gating. Fast-S3D is top-heavy and separable, ``s3d_top_heavy_4b``.

As in the released code, the 2D layers are 1 x k x k while strides and poolings over time stay,
gates follow conv_2c and every branch of every module, and the stem of ``s3dg`` is 3 x 7 x 7, not
separable. The stem of the bottom-heavy networks is 7 x 7 x 7, that of the top-heavy 1 x 7 x 7.

``s3d`` has a separable stem and symmetric padding, as in torchvision and K. Min's port: 8.32 M
parameters and 71.9 GMACs at 64 frames. The paper reports 8.77 M and 66.4 for S3D, and the released
code without its gates has 8.31 M and 64.2; no public code was found that matches the paper.
``s3dg_howto100m`` is the network of MIL-NCE (Miech et al., CVPR 2020, arXiv:1912.06430), with a
space-to-depth stem and a classifier of the mean of all features. Its "classes" are the 512
dimensions of a joint embedding with text.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.head import WindowHead
from zoopraxis.layers.inception_v1 import MODULES, ConvNorm, InceptionV1, pool_size, same_pool
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.layers.same import SamePad
from zoopraxis.models.base import VideoClassifier
from zoopraxis.spec import ModelSpec


class Separable(nn.Sequential):
    """A spatial 1 x k x k convolution, then a temporal k x 1 x 1 one.

    A batch norm and a ReLU follow each.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1
    ) -> None:
        super().__init__()
        k, s, pad = kernel, stride, kernel // 2
        self.spatial = ConvNorm(
            nn.Conv3d(in_channels, out_channels, (1, k, k), (1, s, s), (0, pad, pad), bias=False)
        )
        self.temporal = ConvNorm(
            nn.Conv3d(out_channels, out_channels, (k, 1, 1), (s, 1, 1), (pad, 0, 0), bias=False)
        )


class Gated(nn.Module):
    """Self-gating: scales the channels of a layer's output by a function of their means.

    ``y = sigmoid(W mean(x) + b) * x``, with the mean over time and space.
    """

    def __init__(self, layer: nn.Module, channels: int) -> None:
        super().__init__()
        self.layer = layer
        self.gate = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T', H', W')."""
        x = self.layer(x)  # (B, C', T', H', W')
        scale = torch.sigmoid(self.gate(x.mean(dim=(2, 3, 4))))  # (B, C')
        return x * scale[:, :, None, None, None]  # (B, C', T', H', W')


TEMPORAL = ("conv_1a", "conv_2c", *MODULES)
"""Parts of Inception-v1 that can have temporal convolutions, from bottom to top."""
GATED = TEMPORAL[1:]
"""Parts with self-gating in S3D-G."""


@dataclass(frozen=True)
class S3DLayers:
    """Layers of the paper's networks, for `InceptionV1`.

    Parameters
    ----------
    stem : callable
        Builds conv_1a, given its input and output channels.
    conv3d : callable, default=Separable
        Builds the convolutions over space and time: `Separable` or `cubic`.
    temporal : tuple of str, default=TEMPORAL
        Parts (conv_2c, mixed_3b ...) that use `conv3d`; in the others, kernels are 1 x k x k.
    gated : tuple of str, default=()
        Parts with self-gating, in a module after every branch.
    """

    stem: Callable[[int, int], nn.Module]
    conv3d: Callable[[int, int, int], nn.Module] = Separable
    temporal: tuple[str, ...] = TEMPORAL
    gated: tuple[str, ...] = ()

    def conv(
        self, name: str, /, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1
    ) -> nn.Module:
        """Return a convolution, with a gate if its part has one."""
        part, _, path = name.partition(".")  # "mixed_3b.branch1.0": "mixed_3b", "branch1.0"
        if stride > 1:  # only the stem has a stride
            layer = self.stem(in_channels, out_channels)
        elif kernel > 1 and part in self.temporal:
            layer = self.conv3d(in_channels, out_channels, kernel)
        else:
            layer = flat(in_channels, out_channels, kernel)
        reduction = path in ("branch1.0", "branch2.0")
        return Gated(layer, out_channels) if part in self.gated and not reduction else layer

    def pool(self, name: str, /, kernel: int, *, stride: int) -> nn.Module:
        """Return a max pooling over time and space; the first two pool only space."""
        size, step = pool_size(name, kernel, stride)
        return same_pool(size, step) if stride > 1 else symmetric_pool(size, step)


class SymmetricLayers(S3DLayers):
    """The same layers, but with poolings padded equally on both sides."""

    def pool(self, name: str, /, kernel: int, *, stride: int) -> nn.Module:
        """Return a max pooling over time and space; the first two pool only space."""
        return symmetric_pool(*pool_size(name, kernel, stride))


class S3D(VideoClassifier):
    """Inception-v1 over clips.

    Parameters
    ----------
    layers : S3DLayers
        Builds every convolution and pooling.
    window : tuple of int or None, default=(2, 7, 7)
        Window of the classifier; see `WindowHead`.
    width : float, default=1.0
        Factor on all channels.
    num_classes : int, default=400
        K.
    dropout : float, default=0.5
        Before the classifier.
    """

    def __init__(
        self,
        layers: S3DLayers,
        *,
        window: tuple[int | None, ...] = (2, 7, 7),
        width: float = 1.0,
        num_classes: int = 400,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.backbone = InceptionV1(3, layers=layers, width=width)
        self.num_features = self.backbone.num_features
        self.head = WindowHead(self.num_features, num_classes, dropout, window)
        initialise(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, 1024, T/8, H/32, W/32)."""
        out: Tensor = self.backbone(x)
        return out


def flat(in_channels: int, out_channels: int, kernel: int) -> nn.Module:
    """Build a 1 x k x k convolution with batch norm and ReLU."""
    size, pad = (1, kernel, kernel), (0, kernel // 2, kernel // 2)
    return ConvNorm(nn.Conv3d(in_channels, out_channels, size, padding=pad, bias=False))


def cubic(in_channels: int, out_channels: int, kernel: int) -> nn.Module:
    """Build a k x k x k convolution with batch norm and ReLU, as in I3D."""
    conv = nn.Conv3d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)
    return ConvNorm(conv)


def same_stem(in_channels: int, out_channels: int, *, t: int = 3) -> nn.Module:
    """Build the authors' stem: t x 7 x 7 with stride 2 and "SAME" padding."""
    size, step = (t, 7, 7), (2, 2, 2)
    conv = nn.Conv3d(in_channels, out_channels, size, stride=step, bias=False)
    return ConvNorm(conv, SamePad(size, step))


def symmetric_pool(size: tuple[int, ...], stride: tuple[int, ...]) -> nn.Module:
    """Build a max pooling that is padded equally on both sides."""
    return nn.MaxPool3d(size, stride, padding=tuple((k - 1) // 2 for k in size))


class SpaceToDepth(nn.Module):
    """Moves blocks of 2 x 2 x 2 pixels into the channels (MIL-NCE).

    Pixel (t, h, w) of a block goes to channel ``((t * 2 + h) * 2 + w) * C + c``.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, 8 C, T/2, H/2, W/2); T, H and W are even."""
        for axis in (4, 3, 2):
            x = torch.unflatten(x, axis, (-1, 2))  # at last (B, C, T/2, 2, H/2, 2, W/2, 2)
        return x.permute(0, 3, 5, 7, 1, 2, 4, 6).flatten(1, 4)  # (B, 8 C, T/2, H/2, W/2)


def space_to_depth_stem(in_channels: int, out_channels: int) -> nn.Module:
    """Build the stem of MIL-NCE: space to depth, then 2 x 4 x 4 without stride."""
    size = (2, 4, 4)
    conv = nn.Conv3d(8 * in_channels, out_channels, size, bias=False)
    return ConvNorm(conv, nn.Sequential(SpaceToDepth(), SamePad(size, (1, 1, 1))))


def top_heavy(first: str, **options: Any) -> S3DLayers:
    """Temporal convolutions from part `first` upwards, 2D convolutions below."""
    upper = TEMPORAL[TEMPORAL.index(first) :]
    return S3DLayers(stem=partial(same_stem, t=1), temporal=upper, **options)


def bottom_heavy(first: str) -> S3DLayers:
    """3D convolutions below part `first`, 2D convolutions from it upwards."""
    lower = TEMPORAL[: TEMPORAL.index(first)]
    return S3DLayers(stem=partial(same_stem, t=7), temporal=lower, conv3d=cubic)


WHOLE = (None, None, None)
"""Window of a classifier of the mean of all features."""
_S3D = SymmetricLayers(stem=partial(Separable, kernel=7, stride=2))
_S3DG = S3DLayers(stem=same_stem, gated=GATED)
_MILNCE = S3DLayers(stem=space_to_depth_stem, gated=GATED)

_CLIP = ClipSpec(
    sampling=Sampling(num_frames=64, fps=25.0), input=RGB(mean=(0.5,) * 3, std=(0.5,) * 3)
)
_TORCHVISION_CLIP = ClipSpec(
    sampling=Sampling(num_frames=64, fps=15.0),
    input=RGB(
        resize=(256, 256), mean=(0.43216, 0.394666, 0.37645), std=(0.22803, 0.22145, 0.216989)
    ),
)
_MILNCE_CLIP = ClipSpec(
    sampling=Sampling(num_frames=32, fps=10.0), input=RGB(mean=(0.0,), std=(1.0,))
)
_TINY_CLIP = _CLIP.change(num_frames=8, resize=72, size=64, fps=None)


def _entry(name: str, layers: S3DLayers, clip: ClipSpec = _CLIP, **args: Any) -> ModelSpec:
    return ModelSpec(
        name=name, build=S3D, args={"layers": layers, **args}, clip=clip, strides=(8, 32)
    )


_FIRST = ("3b", "4b", "5b")  # first module of the upper part

SPECS = (
    _entry("s3d", _S3D, _TORCHVISION_CLIP, dropout=0.2),
    _entry("s3dg", _S3DG),
    _entry("s3dg_howto100m", _MILNCE, _MILNCE_CLIP, num_classes=512, window=WHOLE),
    *(_entry(f"i3d_top_heavy_{at}", top_heavy(f"mixed_{at}", conv3d=cubic)) for at in _FIRST),
    *(_entry(f"i3d_bottom_heavy_{at}", bottom_heavy(f"mixed_{at}")) for at in _FIRST),
    *(_entry(f"s3d_top_heavy_{at}", top_heavy(f"mixed_{at}")) for at in _FIRST),
    *(_entry(f"s3dg_top_heavy_{at}", top_heavy(f"mixed_{at}", gated=GATED)) for at in _FIRST),
    _entry("test_s3d", _S3D, _TINY_CLIP, width=0.125, num_classes=12),
    _entry("test_s3dg", _S3DG, _TINY_CLIP, width=0.125, num_classes=12),
)
