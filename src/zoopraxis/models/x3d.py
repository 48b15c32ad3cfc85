"""X3D: Expanding Architectures for Efficient Video Recognition.

Feichtenhofer, CVPR 2020. arXiv:2004.04730
Official code: https://github.com/facebookresearch/SlowFast (Apache-2.0)

A tiny network for single images, X2D, is expanded to video along one of six axes at a time (Table
1): the number of frames (gamma_t), their stride (gamma_tau), the size of the crop (gamma_s), the
width of the network (gamma_w), the inner width of its bottlenecks (gamma_b) and its depth
(gamma_d). These six factors, `Expansion`, define the network; `zoopraxis.training.expansion`
searches for them. The result is thin and deep: inverted bottlenecks with depth-wise 3x3x3
convolutions, every other one with squeeze-and-excitation, and no stride in time.

Widths are rounded to multiples of eight, as in the paper's tables; PySlowFast's rounding gives the
same for the released sizes. X2D has 20.66 M multiply-adds; the paper's 20.67 include the additions
of the last pooling. X3D-XL and X3D-XXL were never released. The factors of XL give the paper's
channels (32, 72, 136, 280), blocks (5, 10, 25, 15) and 35.84 GMACs, and its 48.4 at the test size
of 356 pixels. For XXL the paper gives only parameters and GMACs. Our factors match them within
0.2 %: 20.3 M, 143.6 GMACs, and 193.7 at the test size (194.1). The network may still differ.

Entries ``x3d_ptv_*`` are PyTorchVideo's networks (`UnnormedX3D`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.resnet3d import initialise, project
from zoopraxis.models.base import VideoClassifier
from zoopraxis.spec import ModelSpec

BLOCKS = (1, 2, 5, 3)  # of X2D, by stage
CHANNELS = (24, 48, 96, 192)  # likewise
HIDDEN = 2048  # channels before the classifier


@dataclass(frozen=True, kw_only=True)
class Expansion:
    """The six factors that expand X2D (Table 1); for X2D all are 1.

    Parameters
    ----------
    t, tau : float
        gamma_t: number of frames of the clip; gamma_tau: their stride in frames of the video.
    s : float
        gamma_s: side of the crop in units of 112 pixels.
    w, b, d : float
        gamma_w: factor on the channels; gamma_b: ratio of the inner to the outer channels of a
        bottleneck; gamma_d: factor on the number of blocks.
    """

    t: float = 1
    tau: float = 1
    s: float = 1
    w: float = 1
    b: float = 1
    d: float = 1

    @property
    def num_frames(self) -> int:
        """T, the frames of a clip."""
        return round(self.t)

    @property
    def size(self) -> int:
        """S, the side of a clip in pixels."""
        return round(112 * self.s)

    @property
    def stride(self) -> int:
        """Frames of the video from one frame of the clip to the next."""
        return max(1, round(self.tau))

    @property
    def stem(self) -> int:
        """Channels of the stem."""
        return round_width(CHANNELS[0] * self.w)

    def stages(self) -> list[tuple[int, int, int]]:
        """Return the blocks, channels and inner channels of the four stages.

        # X3D-S, d = 2.2 and b = 2.25: (3, 24, 54), (5, 48, 108), (11, 96, 216), (7, 192, 432)
        """
        widths = [round_width(channels * self.w) for channels in CHANNELS]
        # rounded to 6 digits first: errors of the product must not add a block
        depths = [ceil(round(self.d * blocks, 6)) for blocks in BLOCKS]
        return [(n, width, int(self.b * width)) for n, width in zip(depths, widths, strict=True)]


X2D = Expansion()
XS = Expansion(t=4, tau=12, s=160 / 112, b=2.25, d=2.2)
S = Expansion(t=13, tau=6, s=160 / 112, b=2.25, d=2.2)
M = Expansion(t=16, tau=5, s=2, b=2.25, d=2.2)
L = Expansion(t=16, tau=5, s=312 / 112, b=2.25, d=5)
XL = Expansion(t=16, tau=5, s=312 / 112, w=1.45, b=2.25, d=5)
XXL = Expansion(t=32, tau=5, s=312 / 112, w=2.3, b=2.25, d=3.7)


def round_width(width: float) -> int:
    """Round to a multiple of eight, at least 8 and at least nine tenths of `width`.

    # 34.8 -> 32, 12 -> 16; 10.9 -> 16, as 8 would be less than nine tenths
    """
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


class X3DBlock(nn.Module):
    """1x1x1 to `inner` channels, depth-wise 3x3x3, gate, Swish, 1x1x1, and a shortcut.

    Parameters
    ----------
    in_channels, inner, out_channels : int
        Input channels; channels inside; output channels.
    stride : int
        In space, of the middle convolution.
    gate : nn.Module
        Squeeze-and-excitation, or the identity.
    shortcut : nn.Module
        Maps the input to the shape of the output.
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


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate computed from the means of all channels (Hu et al. 2018).

    Parameters
    ----------
    channels : int
        C; the hidden layer of the gate has a sixteenth.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        # 54 channels: 54 / 16 = 3.4, rounded to 8; 432 channels: 27, rounded to 32
        hidden = round_width(channels / 16)
        self.reduce = nn.Conv3d(channels, hidden, 1)
        self.expand = nn.Conv3d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        gate: Tensor = x.mean(dim=(2, 3, 4), keepdim=True)  # (B, C, 1, 1, 1)
        gate = self.expand(F.relu(self.reduce(gate))).sigmoid()  # (B, C, 1, 1, 1)
        return x * gate


class X3DStem(nn.Module):
    """1x3x3 convolution of stride 2 in space, depth-wise 5x1x1 convolution, batch norm, ReLU."""

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
        x = self.temporal(self.spatial(x))  # (B, width, T, H/2, W/2)
        return F.relu(self.norm(x), inplace=True)


class X3DHead(ClipHead):
    """Mean over time and space, a hidden layer, ReLU, dropout, one linear layer."""

    def __init__(self, num_features: int, num_classes: int, dropout: float) -> None:
        super().__init__(HIDDEN, num_classes, dropout)
        self.hidden = nn.Linear(num_features, HIDDEN, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, T, H, W) to logits (B, K)."""
        x = F.relu(self.hidden(x.mean(dim=(2, 3, 4))))  # (B, 2048)
        out: Tensor = self.linear(self.dropout(x))  # (B, K)
        return out


class X3D(VideoClassifier):
    """X2D, expanded.

    Parameters
    ----------
    expansion : Expansion or mapping
        The factors, by name where they come from a file; those of the clip (t, tau, s) do not
        change the network.
    num_classes : int, default=400
        K.
    dropout : float, default=0.5
        Before the classifier.
    """

    def __init__(
        self,
        expansion: Expansion | Mapping[str, float],
        *,
        num_classes: int = 400,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if not isinstance(expansion, Expansion):
            expansion = Expansion(**expansion)
        self.stem = X3DStem(expansion.stem)
        channels, inner, stages = expansion.stem, 0, []
        # X3D-S: stem 24, stages of 24, 48, 96 and 192 channels with 54, 108, 216 and 432 inside;
        # conv5 has the 432 of the last stage
        for blocks, width, inner in expansion.stages():
            stages.append(make_stage(channels, inner, width, blocks=blocks))
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
        """Map clips (B, 3, T, H, W) to features (B, F, T, H/32, W/32)."""
        x = self.stem(x)  # (B, 24, T, H/2, W/2)
        x = self.layer1(x)  # (B, 24, T, H/4, W/4)
        x = self.layer2(x)  # (B, 48, T, H/8, W/8)
        x = self.layer3(x)  # (B, 96, T, H/16, W/16)
        x = self.layer4(x)  # (B, 192, T, H/32, W/32)
        return F.relu(self.norm5(self.conv5(x)), inplace=True)  # (B, 432, T, H/32, W/32)


def make_stage(in_channels: int, inner: int, width: int, *, blocks: int) -> nn.Sequential:
    """Stack blocks: the first halves height and width; the first, third, fifth ... have a gate."""
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


class UnnormedX3D(X3D):
    """PyTorchVideo's network: no batch norm in the first shortcut, which keeps the channels.

    The arguments are those of `X3D`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        first: Any = self.layer1[0]
        first.shortcut.norm = nn.Identity()


_CLIP = ClipSpec(
    sampling=Sampling(num_frames=13, stride=6, fps=30.0),
    input=RGB(resize=182, size=160, mean=(0.45,) * 3, std=(0.225,) * 3),
)


def clip_settings(expansion: Expansion) -> dict[str, int]:
    """Return the settings of a clip that the factors decide."""
    return {
        "num_frames": expansion.num_frames,
        "stride": expansion.stride,
        "size": expansion.size,
        "resize": round(expansion.size * 256 / 224 / 2) * 2,  # 182, 256, 356
    }


def _spec(name: str, expansion: Expansion, *, build: type[X3D] = X3D) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=build,
        args={"expansion": expansion},
        clip=_CLIP.change(**clip_settings(expansion)),
        strides=(1, 32),
        order_sensitive=expansion.num_frames > 1,
    )


SPECS = (
    _spec("x2d", X2D),
    _spec("x3d_xs", XS),
    _spec("x3d_s", S),
    _spec("x3d_m", M),
    _spec("x3d_l", L),
    _spec("x3d_xl", XL),
    _spec("x3d_xxl", XXL),
    _spec("x3d_ptv_xs", XS, build=UnnormedX3D),
    _spec("x3d_ptv_s", S, build=UnnormedX3D),
    _spec("x3d_ptv_m", M, build=UnnormedX3D),
    _spec("x3d_ptv_l", L, build=UnnormedX3D),
    ModelSpec(
        name="test_x3d",
        build=X3D,
        args={"expansion": Expansion(w=0.34, b=2), "num_classes": 4, "dropout": 0.0},
        clip=_CLIP.change(num_frames=4, stride=1, resize=64, size=64),
        strides=(1, 32),
    ),
)
