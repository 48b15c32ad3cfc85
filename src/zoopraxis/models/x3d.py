"""X3D: Expanding Architectures for Efficient Video Recognition.

Feichtenhofer, CVPR 2020. arXiv:2004.04730
Official code: https://github.com/facebookresearch/SlowFast (Apache-2.0)

A tiny network for single images, X2D, is made into one for videos by growing one of six things at
a time (Table 1): the clip's frames (gamma_t) and their stride (gamma_tau), its size (gamma_s), the
network's width (gamma_w), its bottlenecks' inner width (gamma_b) and its depth (gamma_d). A row is
these six numbers, `Expansion`, and nothing else. What comes out is thin, deep and fine-grained:
channel-wise 3x3x3 convolutions in inverted bottlenecks, every second of which weighs its channels
by a squeeze and excitation, without any stride in time. `zoopraxis.training.expansion` has the search.

Builds. In PySlowFast, in the port of mmaction2 and in PyTorchVideo's networks for phones (source
"pytorchvideo_mobile"), the first shortcut of the second stage (``layer1`` here) has a norm;
PyTorchVideo's own leave it out, because that convolution keeps the number of channels: 3,794,322
and 3,794,274 parameters. Rows ``x3d_*`` are the first, and PyTorchVideo's weights are converted
into them with a norm that does nothing; rows ``x3d_ptv_*`` are the second.
Widths are rounded to multiples of eight, as in the paper's tables; PySlowFast's rounding is
the same for the released sizes.

Sizes. X2D comes to 20.66 M multiply-adds; the paper's 20.67 it would be with the additions of the
last pooling. X3D-XL and X3D-XXL were never released. XL's factors give the channels (32, 72, 136,
280), blocks (5, 10, 25, 15) and 35.84 G of the paper, and 48.4 G at its test size of 356 pixels,
as printed. Of XXL the paper prints parameters and cost alone; the row's factors are a choice that
comes to them within 0.2 %, 20.3 M, 143.6 G and 193.7 G at the test size (194.1), so it is a
network as large, not surely the same one.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.checkpoints.convert import flatten_head, merge
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.inflated_resnet import (
    frozen_norm,
    fullconv_probabilities,
    rename_pyslowfast,
)
from zoopraxis.layers.resnet3d import RENAME_PYTORCHVIDEO, Projection, initialise, project
from zoopraxis.models._slowfast_weights import pyslowfast_clip
from zoopraxis.models._x3d_weights import WEIGHTS
from zoopraxis.spec import ModelSpec, Replacement, Source

BLOCKS = (1, 2, 5, 3)  # X2D's, by stage
CHANNELS = (24, 48, 96, 192)
HIDDEN = 2048  # channels in front of the classifier


@dataclass(frozen=True, kw_only=True)
class Expansion:
    """The six factors that make X2D into an X3D (Table 1); all one is X2D.

    Parameters
    ----------
    t, tau : float
        gamma_t: frames of the clip; gamma_tau: source frames from one to the next.
    s : float
        gamma_s: side of the crop in units of 112 pixels.
    w, b, d : float
        gamma_w: channels; gamma_b: inner channels of a bottleneck in units of its outer ones;
        gamma_d: blocks a stage.
    """

    t: float = 1
    tau: float = 1
    s: float = 1
    w: float = 1
    b: float = 1
    d: float = 1

    @property
    def frames(self) -> int:
        """T, the frames of a clip."""
        return round(self.t)

    @property
    def size(self) -> int:
        """S, the side of a clip in pixels."""
        return round(112 * self.s)

    @property
    def stem(self) -> int:
        """Channels of the stem."""
        return round_width(CHANNELS[0] * self.w)

    def stages(self) -> list[tuple[int, int, int]]:
        """Blocks, channels and inner channels of the four stages."""
        widths = [round_width(channels * self.w) for channels in CHANNELS]
        depths = [ceil(round(self.d * blocks, 6)) for blocks in BLOCKS]
        return [(n, width, int(self.b * width)) for n, width in zip(depths, widths, strict=True)]


def round_width(width: float) -> int:
    """The nearest multiple of eight, at least 8, and not under nine tenths of `width`."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


class SqueezeExcite(nn.Module):
    """Weighs each channel by a gate that has seen the mean of all channels (Hu et al. 2018).

    Parameters
    ----------
    channels : int
        C; the gate's hidden layer has a sixteenth.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = round_width(channels / 16)
        self.reduce = nn.Conv3d(channels, hidden, 1)
        self.expand = nn.Conv3d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        gate: Tensor = x.mean(dim=(2, 3, 4), keepdim=True)  # (B, C, 1, 1, 1)
        gate = self.expand(F.relu(self.reduce(gate))).sigmoid()
        return x * gate


class X3DStem(nn.Module):
    """1x3x3 convolution of stride 2, channel-wise 5x1x1 convolution, norm, ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spatial = nn.Conv3d(
            3, width, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1), bias=False
        )
        self.temporal = nn.Conv3d(
            width, width, (5, 1, 1), padding=(2, 0, 0), groups=width, bias=False
        )
        self.norm = nn.BatchNorm3d(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to (B, width, T, H/2, W/2)."""
        return F.relu(self.norm(self.temporal(self.spatial(x))), inplace=True)


class X3DBlock(nn.Module):
    """1x1x1 up to `inner` channels, channel-wise 3x3x3, gate, Swish, 1x1x1 down, and a shortcut.

    Parameters
    ----------
    in_channels, inner, out_channels : int
        Channels that come, that are inside, that go.
    stride : int
        Of the middle convolution, in space.
    gate : nn.Module
        Squeeze and excitation, or the identity.
    shortcut : nn.Module
        What the input passes on the other way.
    """

    def __init__(
        self,
        in_channels: int,
        inner: int,
        out_channels: int,
        *,
        stride: int,
        gate: nn.Module,
        shortcut: nn.Module,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(in_channels, inner, 1, bias=False)
        self.norm1 = nn.BatchNorm3d(inner)
        self.conv2 = nn.Conv3d(
            inner, inner, 3, stride=(1, stride, stride), padding=1, groups=inner, bias=False
        )
        self.norm2 = nn.BatchNorm3d(inner)
        self.gate = gate
        self.conv3 = nn.Conv3d(inner, out_channels, 1, bias=False)
        self.norm3 = nn.BatchNorm3d(out_channels)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T, H/stride, W/stride)."""
        out = F.relu(self.norm1(self.conv1(x)), inplace=True)  # (B, inner, T, H, W)
        out = F.silu(self.gate(self.norm2(self.conv2(out))))  # (B, inner, T, H', W')
        out = self.norm3(self.conv3(out))  # (B, C', T, H', W')
        return F.relu(out + self.shortcut(x), inplace=True)


def project_unnormed(in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> nn.Module:
    """Shortcut without a norm: PyTorchVideo's where the number of channels stays."""
    t, s = stride
    conv = nn.Conv3d(in_channels, out_channels, 1, stride=(t, s, s), bias=False)
    return nn.Sequential(OrderedDict(conv=conv))


class X3DHead(ClipHead):
    """Mean over time and space, a hidden layer, ReLU, dropout, one linear layer."""

    def __init__(self, num_features: int, num_classes: int, dropout: float) -> None:
        super().__init__(HIDDEN, num_classes, dropout)
        self.hidden = nn.Linear(num_features, HIDDEN, bias=False)

    def classify(self, x: Tensor) -> Tensor:
        """Map averaged features (..., C) to logits (..., K)."""
        out: Tensor = self.linear(self.dropout(F.relu(self.hidden(x))))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, T, H, W) to logits (B, K)."""
        return self.classify(x.mean(dim=(2, 3, 4)))


class X3D(nn.Module):
    """X2D, expanded.

    Parameters
    ----------
    expansion : Expansion
        The factors; those of the clip (t, tau, s) do not change the network.
    first_projection : Projection, default=project
        Makes the first block's shortcut.
    num_classes : int, default=400
        K.
    dropout : float, default=0.5
        Before the classifier.
    """

    def __init__(
        self,
        expansion: Expansion,
        *,
        first_projection: Projection = project,
        num_classes: int = 400,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.stem = X3DStem(expansion.stem)
        channels, inner, stages = expansion.stem, 0, []
        for index, (blocks, width, inner) in enumerate(expansion.stages()):
            projection = first_projection if index == 0 else project
            stages.append(_stage(channels, inner, width, blocks=blocks, project=projection))
            channels = width
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.conv5 = nn.Conv3d(channels, inner, 1, bias=False)
        self.norm5 = nn.BatchNorm3d(inner)
        self.num_features = inner
        self.head = X3DHead(inner, num_classes, dropout)
        initialise(self)
        for module in self.modules():
            if isinstance(module, X3DBlock):  # every block starts as its shortcut
                nn.init.zeros_(module.norm3.weight)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, C, T, H/32, W/32)."""
        x = self.stem(x)  # (B, 24, T, H/2, W/2)
        x = self.layer1(x)  # (B, 24, T, H/4, W/4)
        x = self.layer2(x)  # (B, 48, T, H/8, W/8)
        x = self.layer3(x)  # (B, 96, T, H/16, W/16)
        x = self.layer4(x)  # (B, 192, T, H/32, W/32)
        return F.relu(self.norm5(self.conv5(x)), inplace=True)  # (B, 432, T, H/32, W/32)

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, C, T, H', W') to logits (B, K)."""
        out: Tensor = self.head(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def forward_fullconv(self, x: Tensor, *, size: int) -> Tensor:
        """Map clips (B, 3, T, H, W) to probabilities (B, K), the authors' way at test time.

        The classifier is slid over the features in windows of the training crop's `size` in
        pixels; see `fullconv_probabilities`.
        """
        window = ceil(size / 32)
        return fullconv_probabilities(self.forward_features(x), self.head.classify, window=window)

    def reset_head(self, num_classes: int) -> None:
        """Replace the classifier by a new one for K classes."""
        self.head.reset(num_classes)


def _stage(
    in_channels: int, inner: int, width: int, *, blocks: int, project: Projection
) -> nn.Sequential:
    """Stack blocks: the first halves the size, every second has a gate, from the first on."""
    stage = nn.Sequential()
    for index in range(blocks):
        first = index == 0
        stage.append(
            X3DBlock(
                in_channels if first else width,
                inner,
                width,
                stride=2 if first else 1,
                gate=SqueezeExcite(inner) if index % 2 == 0 else nn.Identity(),
                shortcut=project(in_channels, width, stride=(1, 2)) if first else nn.Identity(),
            )
        )
    return stage


# The keys of the sources.

_GATE = {"0": "reduce", "2": "expand"}  # PyTorchVideo's places in its squeeze and excitation
_RENAME_PYTORCHVIDEO: tuple[tuple[str, Replacement], ...] = (
    (r"^(?:model\.)?blocks\.0\.conv\.conv_t\.", "stem.spatial."),  # the names are swapped there
    (r"^(?:model\.)?blocks\.0\.conv\.conv_xy\.", "stem.temporal."),
    (r"\.norm_b\.0\.", ".norm_b."),
    (r"\.branch2\.norm_b\.1\.block\.([02])\.", lambda m: f".gate.{_GATE[m[1]]}."),
    (r"^(?:model\.)?blocks\.5\.pool\.pre_(conv|norm)\.", r"\g<1>5."),
    (r"^(?:model\.)?blocks\.5\.pool\.post_conv\.", "head.hidden."),
    *RENAME_PYTORCHVIDEO,
)
_RENAME_PYSLOWFAST: tuple[tuple[str, Replacement], ...] = (
    (r"_stem\.conv\.", "_stem.temporal."),
    (r"_stem\.conv_xy\.", "_stem.spatial."),
    (r"\.branch2\.se\.fc1\.", ".gate.reduce."),
    (r"\.branch2\.se\.fc2\.", ".gate.expand."),
    (r"^head\.conv_5\.", "conv5."),
    (r"^head\.conv_5_bn\.", "norm5."),
    (r"^head\.lin_5\.", "head.hidden."),
    *rename_pyslowfast(""),
)
_RENAME_MOBILE: tuple[tuple[str, Replacement], ...] = (
    (r"\.kernel\.", "."),
    (r"^s(\d)\.pathway0_res(\d+)\.", lambda m: f"layer{int(m[1]) - 1}.{m[2]}."),
    (r"^s1\.pathway0_stem_conv_xy\.", "stem.spatial."),
    (r"^s1\.pathway0_stem_conv\.bn\.", "stem.norm."),
    (r"^s1\.pathway0_stem_conv\.", "stem.temporal."),
    (r"\._res_proj\.bn\.", ".shortcut.norm."),
    (r"\._res_proj\.", ".shortcut."),
    (r"\.layers\.se\.se\.block\.([02])\.", lambda m: f".gate.{_GATE[m[1]]}."),
    (r"\.layers\.conv_(\d)\.bn\.", lambda m: f".norm{int(m[1]) + 1}."),
    (r"\.layers\.conv_(\d)\.conv\.", lambda m: f".conv{int(m[1]) + 1}."),
    (r"^head\.conv_5\.bn\.", "norm5."),
    (r"^head\.conv_5\.", "conv5."),
    (r"^head\.lin_5\.", "head.hidden."),
    (r"^projection\.model\.", "head.linear."),
    (r"^(conv5|stem\.spatial|stem\.temporal|head\.hidden)\.conv\.", r"\1."),
)
_RENAME_MMACTION2: tuple[tuple[str, Replacement], ...] = (
    (r"^data_preprocessor\.", None),
    (r"^backbone\.", ""),
    (r"^conv1_s\.conv\.", "stem.spatial."),
    (r"^conv1_t\.conv\.", "stem.temporal."),
    (r"^conv1_t\.bn\.", "stem.norm."),
    (r"\.se_module\.fc1\.", ".gate.reduce."),
    (r"\.se_module\.fc2\.", ".gate.expand."),
    (r"\bconv(\d)\.conv\.", r"conv\1."),
    (r"\bconv(\d)\.bn\.", r"norm\1."),
    (r"\.downsample\.bn\.", ".shortcut.norm."),
    (r"\.downsample\.", ".shortcut."),
    (r"^cls_head\.fc1\.", "head.hidden."),
    (r"^cls_head\.fc2\.", "head.linear."),
)


def _add_identity_norm(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the first shortcut, which has no norm there, one that changes nothing."""
    conv = state.get("layer1.0.shortcut.conv.weight")
    if conv is None:
        return state
    still = {"scale": torch.ones(len(conv)), "shift": torch.zeros(len(conv))}
    return {**state, **frozen_norm("layer1.0.shortcut.norm", **still)}


SOURCES = {
    "pyslowfast": Source(rename=_RENAME_PYSLOWFAST, adapt=flatten_head),
    "pytorchvideo": Source(
        rename=_RENAME_PYTORCHVIDEO, adapt=merge(flatten_head, _add_identity_norm)
    ),
    "pytorchvideo_mobile": Source(rename=_RENAME_MOBILE, adapt=flatten_head),
    "mmaction2": Source(rename=_RENAME_MMACTION2),
}
SOURCES_PTV = {"pytorchvideo": Source(rename=_RENAME_PYTORCHVIDEO, adapt=flatten_head)}

# The rows.

X2D = Expansion()
XS = Expansion(t=4, tau=12, s=160 / 112, b=2.25, d=2.2)
S = Expansion(t=13, tau=6, s=160 / 112, b=2.25, d=2.2)
M = Expansion(t=16, tau=5, s=2, b=2.25, d=2.2)
L = Expansion(t=16, tau=5, s=312 / 112, b=2.25, d=5)
XL = Expansion(t=16, tau=5, s=312 / 112, w=1.45, b=2.25, d=5)
XXL = Expansion(t=32, tau=5, s=312 / 112, w=2.3, b=2.25, d=3.7)


def _spec(
    name: str,
    expansion: Expansion,
    params_m: float,
    macs_g: float,
    *,
    sources: Mapping[str, Source] = SOURCES,
    **args: Any,
) -> ModelSpec:
    resize = round(expansion.size * 256 / 224 / 2) * 2  # 182, 256, 356
    clip = pyslowfast_clip(
        expansion.frames, round(expansion.tau), resize=resize, size=expansion.size
    )
    return ModelSpec(
        name=name,
        build=X3D,
        args={"expansion": expansion, **args},
        clip=clip,
        params_m=params_m,
        macs_g=macs_g,
        strides=(1, 32),
        order_sensitive=expansion.frames > 1,
        sources=sources,
        weights=WEIGHTS.get(name, ()),
    )


_PTV: dict[str, Any] = {"first_projection": project_unnormed, "sources": SOURCES_PTV}

SPECS = (
    _spec("x2d", X2D, 1.63, 0.02),
    _spec("x3d_xs", XS, 3.79, 0.61),
    _spec("x3d_s", S, 3.79, 1.96),
    _spec("x3d_m", M, 3.79, 4.73),
    _spec("x3d_l", L, 6.15, 18.37),
    _spec("x3d_xl", XL, 11.10, 35.84),
    _spec("x3d_xxl", XXL, 20.29, 143.56),
    _spec("x3d_ptv_xs", XS, 3.79, 0.61, **_PTV),
    _spec("x3d_ptv_s", S, 3.79, 1.96, **_PTV),
    _spec("x3d_ptv_m", M, 3.79, 4.73, **_PTV),
    _spec("x3d_ptv_l", L, 6.15, 18.37, **_PTV),
    ModelSpec(
        name="test_x3d",
        build=X3D,
        args={"expansion": Expansion(w=0.34, b=2), "num_classes": 4, "dropout": 0.0},
        clip=pyslowfast_clip(4, 1, resize=64, size=64),
        params_m=0.38,
        macs_g=0.01,
        strides=(1, 32),
        sources=SOURCES,
    ),
)
