"""P3D: Learning Spatio-Temporal Representation with Pseudo-3D Residual Networks.

Qiu, Yao and Mei, ICCV 2017. arXiv:1711.10305
Official code: https://github.com/ZhaofanQiu/pseudo-3d-residual-networks (Caffe prototxts, MIT)
PyTorch port: https://github.com/qijiezhao/pseudo-3d-pytorch (MIT)

The 3x3x3 convolution of a bottleneck is split into a 1x3x3 convolution over a frame (S) and a
3x1x1 convolution over time (T), so that S can start from a network for images. Three ways to
join them (Figure 2): A is a chain, T after S; B is parallel, S and T of the same input are
added; C is between the two, T after S and the output of S added. P3D ResNet cycles through
A, B, C, A, ... by the index of a block over all stages, and diversity beats any single kind.

The last stage is plain 2D: max poolings over two frames follow the stem's pooling and the first
three stages, so 16 frames have become one. A block's stride sits in its first 1x1x1 convolution.
In B and C both summands are rectified before the sum. Depths count all convolutions and the
classifier: 63, 131 and 199 are made from ResNet-50, -101 and -152, which `_DEPTHS` shows. The
paper's comparison of kinds (Table 1) is ``p3d_63_a``, ``_b``, ``_c`` against ``p3d_63``.

Builds. The authors pool without padding and round sizes up (pool1: 2x3x3, stride 2); this is the
model. The port pads pool1 by a pixel and rounds down: the same sizes, from windows that lie one
pixel off. Source "p3d_pytorch" builds as the port does; its checkpoints were converted from the
authors' Caffe models, so source "p3d_caffe" takes the same keys and keeps the authors' pooling.
Source "caffe" takes the authors' own ``.caffemodel`` (they gave 199 layers alone): names and
shapes are those of their prototxts, but no such file was at hand. In these prototxts T is not
rectified before the sum in B and C, the sum is, and in C it is the mean: ``create_model("p3d_199",
source="caffe")`` builds so.
The port hands more than one frame to the last stage with channels and time mixed up; here, each
frame of a longer clip goes through that stage alone and their features are averaged. The
authors' input is BGR in 0..255 less the mean, the row's; the port's file names ImageNet's mean
and deviation of RGB in 0..1 instead, for the same weights.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.checkpoints.convert import RENAME_BLOBS, kernels_of_one_frame, merge, squeeze_blobs
from zoopraxis.layers.conv3d import conv_spatial
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.resnet3d import initialise, project
from zoopraxis.spec import ClipSpec, ModelSpec, Source, Weights

Kind = Literal["a", "b", "c"]


class SpatialOnly(nn.Module):
    """1x3x3 convolution, norm, ReLU: the blocks of the last stage, and half of all others."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_s = conv_spatial(channels, channels)
        self.norm_s = nn.BatchNorm3d(channels)

    def spatial(self, x: Tensor) -> Tensor:
        """S: (B, C, T, H, W) to the same shape, every frame alone."""
        return F.relu(self.norm_s(self.conv_s(x)))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        return self.spatial(x)


class _Pseudo3D(SpatialOnly):
    """The parts of a pseudo-3D unit; its kinds differ in how they join them."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.conv_t = nn.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0), bias=False)
        self.norm_t = nn.BatchNorm3d(channels)

    def temporal(self, x: Tensor) -> Tensor:
        """T: (B, C, T, H, W) to the same shape, every pixel alone."""
        return F.relu(self.norm_t(self.conv_t(x)))


class P3DA(_Pseudo3D):
    """T(S(x)): S influences the output through T alone (equation 3)."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        return self.temporal(self.spatial(x))


class P3DB(_Pseudo3D):
    """S(x) + T(x): neither sees the other (equation 4)."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        return self.spatial(x) + self.temporal(x)


class P3DC(_Pseudo3D):
    """S(x) + T(S(x)): S influences the output through T and directly (equation 5)."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        x = self.spatial(x)
        return x + self.temporal(x)


class ReleasedB(_Pseudo3D):
    """B of the authors' prototxts: S(x) + T(x), rectified after the sum instead of T."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        return F.relu(self.spatial(x) + self.norm_t(self.conv_t(x)))


class ReleasedC(_Pseudo3D):
    """C of the authors' prototxts: the mean of S(x) and T(S(x)), rectified instead of T."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        x = self.spatial(x)
        return F.relu(x + self.norm_t(self.conv_t(x))) / 2


Units = Literal["paper", "released"]
KINDS: dict[Kind, type[_Pseudo3D]] = {"a": P3DA, "b": P3DB, "c": P3DC}
UNITS: dict[Units, dict[Kind, type[_Pseudo3D]]] = {
    "paper": KINDS,
    "released": {"a": P3DA, "b": ReleasedB, "c": ReleasedC},
}


class P3DBottleneck(nn.Module):
    """1x1x1 down to `width` with the stride, the unit, 1x1x1 up to four times that, a shortcut.

    Parameters
    ----------
    in_channels, width : int
        Channels that come; channels inside.
    unit : type
        Of the middle: a kind of P3D, or `SpatialOnly`.
    stride : int
        In space.
    """

    expansion = 4

    def __init__(
        self, in_channels: int, width: int, *, unit: type[SpatialOnly], stride: int
    ) -> None:
        super().__init__()
        out_channels = width * self.expansion
        steps = (1, stride, stride)
        self.conv1 = nn.Conv3d(in_channels, width, 1, stride=steps, bias=False)
        self.norm1 = nn.BatchNorm3d(width)
        self.unit = unit(width)
        self.conv2 = nn.Conv3d(width, out_channels, 1, bias=False)
        self.norm2 = nn.BatchNorm3d(out_channels)
        same = in_channels == out_channels
        self.shortcut = (
            nn.Identity() if same else project(in_channels, out_channels, stride=(1, stride))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, 4 width, T, H/stride, W/stride)."""
        out = F.relu(self.norm1(self.conv1(x)), inplace=True)  # (B, width, T, H', W')
        out = self.norm2(self.conv2(self.unit(out)))  # (B, 4 width, T, H', W')
        return F.relu(out + self.shortcut(x), inplace=True)


class P3D(nn.Module):
    """A residual network of pseudo-3D blocks.

    Parameters
    ----------
    blocks : tuple of int
        Blocks of each of the four stages; those of the last are 2D.
    kinds : tuple of {"a", "b", "c"}, default=("a", "b", "c")
        The cycle of kinds.
    units : {"paper", "released"}, default="paper"
        Kinds as in the paper's equations, or as in the authors' prototxts.
    channels : int, default=3
        Of the input: 3 for RGB, 2 for flow.
    width : int, default=64
        Channels of the stem and inside the blocks of the first stage.
    pooling : {"caffe", "port"}, default="caffe"
        Poolings without padding whose sizes are rounded up, or the PyTorch port's, padded in
        space and rounded down.
    num_classes : int, default=400
        K.
    dropout : float, default=0.5
        Before the classifier.
    """

    def __init__(
        self,
        blocks: tuple[int, int, int, int],
        *,
        kinds: tuple[Kind, ...] = ("a", "b", "c"),
        units: Units = "paper",
        channels: int = 3,
        width: int = 64,
        pooling: Literal["caffe", "port"] = "caffe",
        num_classes: int = 400,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv3d(
            channels, width, (1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3), bias=False
        )
        self.norm = nn.BatchNorm3d(width)
        up = pooling == "caffe"
        pad = {"caffe": (0, 0, 0), "port": (0, 1, 1)}[pooling]
        self.pool = nn.MaxPool3d((2, 3, 3), stride=2, padding=pad, ceil_mode=up)
        self.pool_time = nn.MaxPool3d((2, 1, 1), stride=(2, 1, 1), ceil_mode=up)
        cycle = [UNITS[units][kind] for kind in kinds]
        come, stages = width, []
        for index, stage in enumerate(_units_by_stage(blocks, cycle)):
            inside = width * 2**index
            stages.append(_stage(come, inside, units=stage, stride=1 if index == 0 else 2))
            come = inside * P3DBottleneck.expansion
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.num_features = come
        self.head = ClipHead(come, num_classes, dropout)
        initialise(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T, H, W) to features (B, 2048, T/16, H/32, W/32)."""
        x = F.relu(self.norm(self.conv(x)))  # (B, 64, T, H/2, W/2)
        x = self.pool(x)  # (B, 64, T/2, H/4, W/4)
        x = self.pool_time(self.layer1(x))  # (B, 256, T/4, H/4, W/4)
        x = self.pool_time(self.layer2(x))  # (B, 512, T/8, H/8, W/8)
        x = self.pool_time(self.layer3(x))  # (B, 1024, T/16, H/16, W/16)
        out: Tensor = self.layer4(x)  # (B, 2048, T/16, H/32, W/32)
        return out

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 2048, T', H', W') to logits (B, K)."""
        out: Tensor = self.head(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def reset_head(self, num_classes: int) -> None:
        """Replace the classifier by a new one for K classes."""
        self.head.reset(num_classes)


def _units_by_stage(
    blocks: tuple[int, int, int, int], cycle: list[type[_Pseudo3D]]
) -> list[list[type[SpatialOnly]]]:
    """Types of the units: a cycle that goes on from stage to stage, then 2D."""
    # blocks (3, 4, 6, 3): ABC ABCA BCABCA, three 2D
    units = [cycle[i % len(cycle)] for i in range(sum(blocks[:3]))]
    first, second = blocks[0], blocks[0] + blocks[1]
    return [
        list(units[:first]),
        list(units[first:second]),
        list(units[second:]),
        [SpatialOnly] * blocks[3],
    ]


def _stage(
    in_channels: int, width: int, *, units: list[type[SpatialOnly]], stride: int
) -> nn.Sequential:
    """Blocks of one stage; the first strides."""
    out_channels = width * P3DBottleneck.expansion
    first = P3DBottleneck(in_channels, width, unit=units[0], stride=stride)
    rest = [P3DBottleneck(out_channels, width, unit=unit, stride=1) for unit in units[1:]]
    return nn.Sequential(first, *rest)


_RENAME = (
    (r"^conv1_custom\.", "conv."),
    (r"^bn1\.", "norm."),
    (r"\.conv2\.", ".unit.conv_s."),
    (r"\.bn2\.", ".unit.norm_s."),
    (r"\.conv3\.", ".unit.conv_t."),
    (r"\.bn3\.", ".unit.norm_t."),
    (r"\.conv_normal\.", ".unit.conv_s."),
    (r"\.bn_normal\.", ".unit.norm_s."),
    (r"\.conv4\.", ".conv2."),
    (r"\.bn4\.", ".norm2."),
    (r"\.bn1\.", ".norm1."),
    (r"\.downsample\.0\.", ".shortcut.conv."),
    (r"\.downsample\.1\.", ".shortcut.norm."),
    (r"^fc\.", "head.linear."),
)
PORT_CAFFE = Source(rename=_RENAME, adapt=kernels_of_one_frame)
PORT = Source(rename=_RENAME, adapt=kernels_of_one_frame, args={"pooling": "port"})

# The authors' nets name blocks res2a, res2b, res2c, but res3a, res3b1, ..., res3b7, and the norm
# behind res3b1_branch2a bn3b1_branch2a.


def _block_key(match: re.Match[str]) -> str:
    """res3b7_branch2a. and bn3b7_branch2a. become layer2.7.conv1. and layer2.7.norm1. ."""
    what, stage, letter, number, part = match.groups()
    index = number or ord(letter) - ord("a")
    kind = "conv" if what == "res" else "norm"
    return f"layer{int(stage) - 1}.{index}." + _PARTS[part].format(kind) + "."


_PARTS = {
    "1": "shortcut.{}",
    "2a": "{}1",
    "2b": "unit.{}_s",
    "2b_t": "unit.{}_t",
    "2c": "{}2",
}

CAFFE = Source(
    rename=(
        *RENAME_BLOBS,
        (r"^conv1\.", "conv."),
        (r"^bn_conv1\.", "norm."),
        (r"^(res|bn)(\d)([a-z])(\d*)_branch(1|2a|2b|2b_t|2c)\.", _block_key),
        (r"^fc_\w+\.", "head.linear."),
    ),
    adapt=merge(squeeze_blobs, kernels_of_one_frame),
    args={"units": "released"},
)

_FOLDER = "https://drive.google.com/drive/folders/1u_l-yvhS0shpW6e0tCiqPE7Bd1qQZKdD"


def _weights(file: str) -> tuple[Weights, ...]:
    return (
        Weights(
            tag="kinetics400",
            url=_FOLDER,
            file=file,
            source="p3d_caffe",
            dataset="Kinetics-400",
            num_classes=400,
            licence="MIT (the code)",
        ),
    )


_WEIGHTS = {
    "p3d_199": _weights("p3d_rgb_199.checkpoint.pth.tar"),
    "p3d_199_flow": _weights("p3d_flow_199.checkpoint.pth.tar"),
}
_PORTS = {"p3d_pytorch": PORT, "p3d_caffe": PORT_CAFFE}
_RELEASED = {**_PORTS, "caffe": CAFFE}
_DEPTHS = {63: (3, 4, 6, 3), 131: (3, 4, 23, 3), 199: (3, 8, 36, 3)}
_CLIP = ClipSpec(
    frames=16,
    resize=(182, 242),
    size=160,
    mean=(104.0, 117.0, 123.0),
    std=(1.0, 1.0, 1.0),
    channel_order="bgr",
    value_range=255.0,
)
_FLOW = replace(_CLIP, modality="flow", mean=(128.0, 128.0), std=(1.0, 1.0), channel_order="rgb")


def _row(
    name: str,
    depth: int,
    params_m: float,
    macs_g: float,
    *,
    clip: ClipSpec = _CLIP,
    sources: Mapping[str, Source] = _PORTS,
    **args: Any,
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=P3D,
        args={"blocks": _DEPTHS[depth], "channels": clip.channels, **args},
        clip=clip,
        params_m=params_m,
        macs_g=macs_g,
        strides=(16, 32),
        sources=sources,
        weights=_WEIGHTS.get(name, ()),
    )


SPECS = (
    _row("p3d_63", 63, 25.75, 8.44),
    _row("p3d_63_a", 63, 25.75, 8.44, kinds=("a",)),
    _row("p3d_63_b", 63, 25.75, 8.44, kinds=("b",)),
    _row("p3d_63_c", 63, 25.75, 8.44, kinds=("c",)),
    _row("p3d_131", 131, 48.09, 12.90),
    _row("p3d_199", 199, 66.49, 18.40, sources=_RELEASED),
    _row("p3d_63_flow", 63, 25.74, 8.12, clip=_FLOW),
    _row("p3d_131_flow", 131, 48.09, 12.58, clip=_FLOW),
    _row("p3d_199_flow", 199, 66.49, 18.08, clip=_FLOW, sources=_RELEASED),
    _row(
        "test_p3d",
        63,
        0.14,
        0.01,
        clip=replace(_CLIP, size=32, resize=32),
        sources=_RELEASED,
        blocks=(1, 1, 1, 1),
        width=8,
        num_classes=12,
    ),
)
