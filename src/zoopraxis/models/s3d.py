"""Rethinking Spatiotemporal Feature Learning: Speed-Accuracy Trade-offs in Video Classification.

Xie, Sun, Huang, Tu and Murphy, ECCV 2018. arXiv:1712.04851
Official code: https://github.com/tensorflow/models/blob/master/research/slim/nets/s3dg.py
(Apache-2.0)

Which of I3D's 3D convolutions are worth their price? Keeping them only above a layer (top-heavy)
costs less and is better than keeping them only below it (bottom-heavy), and a 3D convolution can
be split into a spatial 1 x k x k and a temporal k x 1 x 1 one: S3D. S3D-G adds self-gating: a
linear map of a feature map's mean over time and space, through a sigmoid, scales its channels.

Builds. ``s3d`` is the network of torchvision (BSD-3-Clause) and of K. Min's port
(https://github.com/kylemin/S3D, MIT): a separable 7 x 7 stem, symmetric padding, 8.32 M
parameters and 71.9 G multiply-adds at 64 frames; the two differ in the classifier's window.
``s3dg`` is the authors' released code, which has a 3 x 7 x 7 stem that is not separable and
"SAME" padding; its gates have no bias, ours can have one. The paper has 8.77 M and 66.4 G for
S3D; the released code without its gates comes to 8.31 M and 64.2 G, and no public code was found
that gives the paper's.
``s3dg_howto100m`` is the network of MIL-NCE (Miech et al., CVPR 2020, arXiv:1912.06430,
https://github.com/antoine77340/S3D_HowTo100M, Apache-2.0), whose stem folds 2 x 2 x 2 pixels
into the channels, and whose classifier sees the mean of all features; its "classes" are the 512
dimensions of the space it shares with text, whose side of the network is left out. Both gate
behind conv_2c and every branch of every module. The port pads as if every stride divided the
size (source "s3dg_howto100m"), has norms of eps 1e-5, which the conversion absorbs, and a
symmetric stem where nothing is folded; it computes its folding stem at positions that it then
drops (37.1 G where ours takes 36.3 G).

``i3d_top_heavy_4b`` is an I3D with 3D convolutions from mixed_4b on, ``i3d_bottom_heavy_4b`` one
with 3D convolutions before it; `S3DLayers.temporal` takes any set of layers. As in the
released code, the others become 1 x k x k while strides and poolings over time stay, and the
stem reaches over time in the bottom-heavy nets only. ``s3d_top_heavy_4b`` and
``s3dg_top_heavy_4b`` (the paper's Fast-S3D) are separable there.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from zoopraxis.checkpoints.convert import flatten_head, replace_norm_eps
from zoopraxis.layers.head import WindowHead
from zoopraxis.layers.inception_v1 import EPS, MODULES, ConvNorm, InceptionV1, pool_size
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.layers.same import SamePad
from zoopraxis.spec import ClipSpec, ModelSpec, Replacement, Source, Weights

TEMPORAL = ("conv_1a", "conv_2c", *MODULES)
"""Parts of Inception-v1 whose filters can reach over time, from below."""


class Separable(nn.Sequential):
    """A spatial 1 x k x k convolution, then a temporal k x 1 x 1 one, each with norm and ReLU."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1
    ) -> None:
        super().__init__()
        pad = kernel // 2
        self.spatial = ConvNorm(
            nn.Conv3d(
                in_channels,
                out_channels,
                (1, kernel, kernel),
                stride=(1, stride, stride),
                padding=(0, pad, pad),
                bias=False,
            )
        )
        self.temporal = ConvNorm(
            nn.Conv3d(
                out_channels,
                out_channels,
                (kernel, 1, 1),
                stride=(stride, 1, 1),
                padding=(pad, 0, 0),
                bias=False,
            )
        )


class Gated(nn.Module):
    """A layer whose channels are scaled by what they hold on average (the paper's self-gating).

    ``y = sigmoid(W mean(x) + b) * x``, with the mean over time and space.
    """

    def __init__(self, layer: nn.Module, channels: int) -> None:
        super().__init__()
        self.layer = layer
        self.gate = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T', H', W')."""
        x = self.layer(x)
        scale = torch.sigmoid(self.gate(x.mean(dim=(2, 3, 4))))  # (B, C')
        return x * scale[:, :, None, None, None]


class SpaceToDepth(nn.Module):
    """Cubes of 2 x 2 x 2 pixels laid into the channels.

    Channel ``((t * 2 + h) * 2 + w) * C + c`` takes the pixel (t, h, w) of its cube.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W), all even, to (B, 8 C, T/2, H/2, W/2)."""
        for axis in (4, 3, 2):
            x = torch.unflatten(x, axis, (-1, 2))
        # (B, C, T/2, 2, H/2, 2, W/2, 2)
        return x.permute(0, 3, 5, 7, 1, 2, 4, 6).flatten(1, 4)


def cubic(in_channels: int, out_channels: int, kernel: int) -> nn.Module:
    """Make a k x k x k convolution with norm and ReLU, as I3D has it."""
    conv = nn.Conv3d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)
    return ConvNorm(conv)


def same_stem(in_channels: int, out_channels: int, *, frames: int = 3) -> nn.Module:
    """Make the authors' stem: frames x 7 x 7 with stride 2 and "SAME" padding."""
    size, step = (frames, 7, 7), (2, 2, 2)
    conv = nn.Conv3d(in_channels, out_channels, size, stride=step, bias=False)
    return ConvNorm(conv, SamePad(size, step, measured=3))


def symmetric_stem(in_channels: int, out_channels: int) -> nn.Module:
    """Make the port's stem: 3 x 7 x 7 with stride 2, padded alike on both sides."""
    conv = nn.Conv3d(in_channels, out_channels, (3, 7, 7), stride=2, padding=(1, 3, 3), bias=False)
    return ConvNorm(conv)


def folding_stem(in_channels: int, out_channels: int) -> nn.Module:
    """Make the stem of MIL-NCE: 2 x 2 x 2 pixels to channels, then 2 x 4 x 4 without stride."""
    size = (2, 4, 4)
    conv = nn.Conv3d(8 * in_channels, out_channels, size, bias=False)
    return ConvNorm(conv, nn.Sequential(SpaceToDepth(), SamePad(size, (1, 1, 1), measured=3)))


@dataclass(frozen=True)
class S3DLayers:
    """Layers of the paper's networks, for `InceptionV1`.

    Parameters
    ----------
    stem : callable
        Makes conv_1a from the channels that come and go.
    reach : callable, default=Separable
        Makes the convolutions over time and space: `Separable` or `cubic`.
    temporal : tuple of str, default=TEMPORAL
        Parts (conv_2c, mixed_3b ...) where those are used; elsewhere they are 1 x k x k.
    gated : tuple of str, default=()
        Parts with self-gating: modules have it behind every branch.
    measured : int or None, default=3
        Padding of the poolings: axes measured by `SamePad`; None pads alike on both sides.
    """

    stem: Callable[[int, int], nn.Module]
    reach: Callable[[int, int, int], nn.Module] = Separable
    temporal: tuple[str, ...] = TEMPORAL
    gated: tuple[str, ...] = ()
    measured: int | None = 3

    def conv(
        self, name: str, /, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1
    ) -> nn.Module:
        """Return a convolution, gated where its part is; only the stem has a stride."""
        part, _, place = name.partition(".")
        if stride > 1:
            layer = self.stem(in_channels, out_channels)
        elif kernel > 1 and part in self.temporal:
            layer = self.reach(in_channels, out_channels, kernel)
        else:
            size, pad = (1, kernel, kernel), (0, kernel // 2, kernel // 2)
            layer = ConvNorm(nn.Conv3d(in_channels, out_channels, size, padding=pad, bias=False))
        reduces = place in ("branch1.0", "branch2.0")
        return Gated(layer, out_channels) if part in self.gated and not reduces else layer

    def pool(self, name: str, /, kernel: int, *, stride: int) -> nn.Module:
        """Return a max pooling over time and space, over space alone for the first two."""
        size, step = pool_size(name, kernel, stride)
        if stride == 1 or self.measured is None:
            return nn.MaxPool3d(size, step, padding=tuple((k - 1) // 2 for k in size))
        return nn.Sequential(
            SamePad(size, step, measured=self.measured), nn.MaxPool3d(size, step, ceil_mode=True)
        )


class S3D(nn.Module):
    """Inception-v1 over time and space, with the layers of a row.

    Parameters
    ----------
    layers : S3DLayers
        Makes every convolution and pooling.
    window : tuple of int or None, default=(2, 7, 7)
        Of the classifier; see `WindowHead`.
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
        self.trunk = InceptionV1(3, layers=layers, width=width)
        self.num_features = self.trunk.num_features
        self.head = WindowHead(self.num_features, num_classes, dropout, window)
        initialise(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, 1024, T/8, H/32, W/32)."""
        out: Tensor = self.trunk(x)
        return out

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 1024, T', H', W') to logits (B, K)."""
        out: Tensor = self.head(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def reset_head(self, num_classes: int) -> None:
        """Replace the classifier by a new one for K classes."""
        self.head.reset(num_classes)


# The keys of the sources, as ordered rules.

Rules = tuple[tuple[str, Replacement], ...]

_PLACES: tuple[str, ...] = (  # of the ports' sequences; "" is a pooling
    *("conv_1a", "", "conv_2b", "conv_2c", "", "mixed_3b", "mixed_3c", "", "mixed_4b"),
    *("mixed_4c", "mixed_4d", "mixed_4e", "mixed_4f", "", "mixed_5b", "mixed_5c"),
)
_SEPARABLE = r"(conv_1a|conv_2c|branch[12]\.1)"

_TORCHVISION: Rules = (
    (r"^features\.(\d+)\.", lambda m: f"trunk.{_PLACES[int(m[1])]}."),
    (r"^classifier\.1\.", "head.linear."),
    (rf"{_SEPARABLE}\.0\.", r"\1.spatial."),
    (rf"{_SEPARABLE}\.1\.", r"\1.temporal."),
    (r"\.0\.([a-z_]+)$", r".conv.\1"),
    (r"\.1\.([a-z_]+)$", r".norm.\1"),
)
_KYLEMIN: Rules = (
    (r"^base\.(\d+)\.", lambda m: f"trunk.{_PLACES[int(m[1])]}."),
    (r"\.branch0\.0\.", ".branch0."),
    (r"\.conv_s\.", ".spatial.conv."),
    (r"\.bn_s\.", ".spatial.norm."),
    (r"\.conv_t\.", ".temporal.conv."),
    (r"\.bn_t\.", ".temporal.norm."),
    (r"\.bn\.", ".norm."),
    (r"^fc\.0\.", "head.linear."),
)
_HOWTO100M: Rules = (
    (r"^text_module\.", None),
    (r"^fc\.", "head.linear."),
    (r"^conv1\.", "trunk.conv_1a."),
    (r"^conv_2b\.", "trunk.conv_2b."),
    (r"^conv_2c\.", "trunk.conv_2c.layer."),
    (r"^gating\.fc\.", "trunk.conv_2c.gate."),
    (r"^mixed", "trunk.mixed"),
    (r"\.conv_b([12])_a\.", r".branch\1.0."),
    (r"\.conv_b0\.", ".branch0.layer."),
    (r"\.conv_b([123])_b\.", r".branch\1.1.layer."),
    (r"\.gating_b0\.fc\.", ".branch0.gate."),
    (r"\.gating_b([123])\.fc\.", r".branch\1.1.gate."),
    (r"(conv_2c|branch[12]\.1)\.layer\.(conv|bn)1\.", r"\1.layer.spatial.\2."),
    (r"\.(conv|bn)2\.", r".temporal.\1."),
    (r"\.(conv|bn)1\.", r".\1."),
    (r"\.bn\.", ".norm."),
)

_EVERYWHERE = ("conv_2c", *MODULES)
_SYMMETRIC = S3DLayers(stem=partial(Separable, kernel=7, stride=2), measured=None)
_GATED = S3DLayers(stem=same_stem, gated=_EVERYWHERE)
_FOLDING = S3DLayers(stem=folding_stem, gated=_EVERYWHERE)
_WHOLE = (None, None, None)  # a classifier's window over all the features


def _howto100m(layers: S3DLayers) -> Source:
    return Source(
        rename=_HOWTO100M,
        adapt=replace_norm_eps(theirs=1e-5, ours=EPS),
        args={"layers": replace(layers, measured=0), "window": _WHOLE},
    )


_S3D_SOURCES = {
    "torchvision": Source(rename=_TORCHVISION, adapt=flatten_head),
    "s3d_kylemin": Source(rename=_KYLEMIN, adapt=flatten_head, args={"window": (2, None, None)}),
}

# The published checkpoints.

_CLIP = ClipSpec(frames=64, fps=25.0, mean=(0.5,) * 3, std=(0.5,) * 3)
_TORCHVISION_CLIP = ClipSpec(
    frames=64,
    fps=15.0,
    resize=(256, 256),
    mean=(0.43216, 0.394666, 0.37645),
    std=(0.22803, 0.22145, 0.216989),
)
_S3D_WEIGHTS = (
    Weights(
        tag="kinetics400",
        url="https://download.pytorch.org/models/s3d-d76dad2f.pth",
        source="torchvision",
        dataset="Kinetics-400",
        num_classes=400,
        sha256="d76dad2f",
        labels="kinetics400",
        licence="BSD-3-Clause (torchvision)",
        top1=68.368,
        top5=88.050,
        protocol="one clip of 128 frames at 15 fps, centre crop 224",
        clip=replace(_TORCHVISION_CLIP, frames=128),
    ),
    Weights(
        tag="kinetics400_kylemin",
        url="https://drive.google.com/file/d/1IysdsJI7UuWazoxFyYvrbO97Lz_EP5H-/view",
        file="S3D_kinetics400.pt",
        source="s3d_kylemin",
        dataset="Kinetics-400",
        num_classes=400,
        labels="kinetics400",
        licence="MIT",
        top1=72.08,
        top5=90.35,
        protocol="Kinetics-400 validation set, views not stated",
        clip=_CLIP,
    ),
)
_HOWTO100M_WEIGHTS = Weights(
    tag="howto100m",
    url="https://www.rocq.inria.fr/cluster-willow/amiech/howto100m/s3d_howto100m.pth",
    source="s3dg_howto100m",
    dataset="HowTo100M (narration, no labels)",
    num_classes=512,
    licence="Apache-2.0 (the code)",
)

# The rows.

_MILNCE_CLIP = ClipSpec(frames=32, fps=10.0, mean=(0.0,), std=(1.0,))
_TINY_CLIP = replace(_CLIP, frames=8, resize=72, size=64, fps=None)


def _row(name: str, layers: S3DLayers, params_m: float, macs_g: float, **options: Any) -> ModelSpec:
    """Row of one network; `options` are arguments, or the row's clip, sources and weights."""
    fields = {key: options.pop(key) for key in ("clip", "sources", "weights") if key in options}
    return ModelSpec(
        name=name,
        build=S3D,
        args={"layers": layers, **options},
        params_m=params_m,
        macs_g=macs_g,
        strides=(8, 32),
        **{"clip": _CLIP, **fields},
    )


def _top_heavy(name: str, first: str, params_m: float, macs_g: float, **options: Any) -> ModelSpec:
    """Row with filters over time from part `first` on, and 2D below it."""
    above = TEMPORAL[TEMPORAL.index(first) :]
    layers = S3DLayers(stem=partial(same_stem, frames=1), temporal=above, **options)
    return _row(name, layers, params_m, macs_g)


def _bottom_heavy(name: str, first: str, params_m: float, macs_g: float) -> ModelSpec:
    """Row with 3D convolutions below part `first`, and 2D from it on."""
    below = TEMPORAL[: TEMPORAL.index(first)]
    layers = S3DLayers(stem=partial(same_stem, frames=7), temporal=below, reach=cubic)
    return _row(name, layers, params_m, macs_g)


_TINY: dict[str, Any] = {"width": 0.125, "num_classes": 12, "clip": _TINY_CLIP}

SPECS = (
    _row(
        "s3d",
        _SYMMETRIC,
        8.32,
        71.92,
        dropout=0.2,
        clip=_TORCHVISION_CLIP,
        sources=_S3D_SOURCES,
        weights=_S3D_WEIGHTS,
    ),
    _row(
        "s3dg",
        _GATED,
        9.54,
        64.18,
        sources={"s3dg_howto100m": _howto100m(replace(_GATED, stem=symmetric_stem))},
    ),
    _row(
        "s3dg_howto100m",
        _FOLDING,
        9.67,
        36.29,
        num_classes=512,
        window=_WHOLE,
        clip=_MILNCE_CLIP,
        sources={"s3dg_howto100m": _howto100m(_FOLDING)},
        weights=(_HOWTO100M_WEIGHTS,),
    ),
    _top_heavy("i3d_top_heavy_3b", "mixed_3b", 12.42, 66.30, reach=cubic),
    _top_heavy("i3d_top_heavy_4b", "mixed_4b", 11.69, 48.03, reach=cubic),
    _top_heavy("i3d_top_heavy_5b", "mixed_5b", 8.44, 37.84, reach=cubic),
    _bottom_heavy("i3d_bottom_heavy_3b", "mixed_3b", 6.29, 81.75),
    _bottom_heavy("i3d_bottom_heavy_4b", "mixed_4b", 7.02, 100.01),
    _bottom_heavy("i3d_bottom_heavy_5b", "mixed_5b", 10.26, 110.20),
    _top_heavy("s3d_top_heavy_3b", "mixed_3b", 8.18, 45.53),
    _top_heavy("s3d_top_heavy_4b", "mixed_4b", 7.99, 40.75),
    _top_heavy("s3d_top_heavy_5b", "mixed_5b", 6.86, 37.22),
    _top_heavy("s3dg_top_heavy_3b", "mixed_3b", 9.41, 45.53, gated=_EVERYWHERE),
    _top_heavy("s3dg_top_heavy_4b", "mixed_4b", 9.21, 40.76, gated=_EVERYWHERE),
    _top_heavy("s3dg_top_heavy_5b", "mixed_5b", 8.08, 37.22, gated=_EVERYWHERE),
    _row("test_s3d", _SYMMETRIC, 0.13, 0.02, **_TINY),
    _row("test_s3dg", _GATED, 0.15, 0.02, **_TINY),
)
