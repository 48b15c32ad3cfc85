"""P3D: Learning Spatio-Temporal Representation with Pseudo-3D Residual Networks.

Qiu, Yao and Mei, ICCV 2017. arXiv:1711.10305
Official code: https://github.com/ZhaofanQiu/pseudo-3d-residual-networks (Caffe prototxts, MIT)

The 3x3x3 convolution of a bottleneck is split into a 1x3x3 convolution over space (S) and a 3x1x1
convolution over time (T), so that S can start from ImageNet weights. Three units combine them
(Figure 2): A is serial, T after S; B is parallel, the sum of S and T; C is in between, T after S
plus the output of S. P3D ResNet cycles through A, B, C, A, ... over the blocks of all stages, and
this mixture beats any single kind (Table 1: ``p3d_63`` against ``p3d_63_a``, ``_b`` and ``_c``).

The last stage is 2D: max poolings over two frames after the stem and the first three stages have
reduced 16 frames to one. If a clip is longer, the last stage sees the remaining frames one by one,
and the head averages their features. The poolings have no padding and round sizes up, as in Caffe.
The stride of a block is in its first 1x1x1 convolution. Depths count all convolutions and the
classifier: 63, 131 and 199 are derived from ResNet-50, -101 and -152.

The released networks differ from the equations: see `zoopraxis.weights.p3d`.
"""

from collections.abc import Mapping
from itertools import cycle, islice
from typing import Any, ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Flow, Sampling
from zoopraxis.layers.conv3d import conv_spatial
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.resnet3d import initialise, project
from zoopraxis.models.base import VideoClassifier
from zoopraxis.spec import ModelSpec

Kind = Literal["a", "b", "c"]


class SpatialOnly(nn.Module):
    """S: 1x3x3 convolution, batch norm, ReLU. The unit of the last stage."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_s = conv_spatial(channels, channels)
        self.norm_s = nn.BatchNorm3d(channels)

    def spatial(self, x: Tensor) -> Tensor:
        """S: map (B, C, T, H, W) to the same shape, each frame alone."""
        return F.relu(self.norm_s(self.conv_s(x)))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        return self.spatial(x)


class Pseudo3D(SpatialOnly):
    """S and T: 3x1x1 convolution, batch norm, ReLU. The subclasses combine them."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.conv_t = nn.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0), bias=False)
        self.norm_t = nn.BatchNorm3d(channels)

    def temporal(self, x: Tensor) -> Tensor:
        """T: map (B, C, T, H, W) to the same shape, each pixel alone."""
        return F.relu(self.norm_t(self.conv_t(x)))


class P3DA(Pseudo3D):
    """T(S(x)): S influences the output through T alone (equation 3)."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        return self.temporal(self.spatial(x))


class P3DB(Pseudo3D):
    """S(x) + T(x): S and T do not influence each other (equation 4)."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        return self.spatial(x) + self.temporal(x)


class P3DC(Pseudo3D):
    """S(x) + T(S(x)): S influences the output through T and directly (equation 5)."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        x = self.spatial(x)
        return x + self.temporal(x)


KINDS: Mapping[Kind, type[Pseudo3D]] = {"a": P3DA, "b": P3DB, "c": P3DC}


class P3DBottleneck(nn.Module):
    """1x1x1 to `width` channels, a P3D unit, 1x1x1 to `4 * width` channels, and a shortcut.

    Parameters
    ----------
    in_channels, width : int
        Input channels, and those of the unit.
    unit : type
        `P3DA`, `P3DB`, `P3DC` or `SpatialOnly`.
    stride : int
        In space, of the first convolution.
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


class P3D(VideoClassifier):
    """A residual network of pseudo-3D blocks.

    Parameters
    ----------
    blocks : tuple of int
        Number of blocks in each of the four stages; those of the last stage are 2D.
    kinds : tuple of {"a", "b", "c"}, default=("a", "b", "c")
        Kinds of units, cycled over the blocks.
    in_channels : int, default=3
        C of the clip: 3 for RGB, 2 for flow.
    width : int, default=64
        Channels of the stem, and of the units of the first stage.
    num_classes : int, default=400
        K.
    dropout : float, default=0.5
        Before the classifier.
    """

    units: ClassVar[Mapping[Kind, type[Pseudo3D]]] = KINDS

    def __init__(
        self,
        blocks: tuple[int, int, int, int],
        *,
        kinds: tuple[Kind, ...] = ("a", "b", "c"),
        in_channels: int = 3,
        width: int = 64,
        num_classes: int = 400,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv3d(
            in_channels, width, (1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3), bias=False
        )
        self.norm = nn.BatchNorm3d(width)
        self.pool = nn.MaxPool3d((2, 3, 3), stride=2, padding=(0, 0, 0), ceil_mode=True)
        self.pool_time = nn.MaxPool3d((2, 1, 1), stride=(2, 1, 1), ceil_mode=True)

        # the cycle continues across stages; blocks (3, 4, 6, 3): ABC ABCA BCABCA, three 2D
        units = cycle(self.units[kind] for kind in kinds)
        first, second, third, last = blocks
        self.layer1 = make_stage(width, width, units=list(islice(units, first)), stride=1)
        self.layer2 = make_stage(4 * width, 2 * width, units=list(islice(units, second)), stride=2)
        self.layer3 = make_stage(8 * width, 4 * width, units=list(islice(units, third)), stride=2)
        self.layer4 = make_stage(16 * width, 8 * width, units=[SpatialOnly] * last, stride=2)
        self.num_features = 32 * width
        self.head = ClipHead(self.num_features, num_classes, dropout)
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


def make_stage(
    in_channels: int, width: int, *, units: list[type[SpatialOnly]], stride: int
) -> nn.Sequential:
    """Stack one block for each unit; the first has the stride."""
    out_channels = width * P3DBottleneck.expansion
    first = P3DBottleneck(in_channels, width, unit=units[0], stride=stride)
    rest = [P3DBottleneck(out_channels, width, unit=unit, stride=1) for unit in units[1:]]
    return nn.Sequential(first, *rest)


_BLOCKS = {63: (3, 4, 6, 3), 131: (3, 4, 23, 3), 199: (3, 8, 36, 3)}
_RGB = ClipSpec(
    sampling=Sampling(num_frames=16),
    input=RGB(
        resize=(182, 242),
        size=160,
        mean=(104.0, 117.0, 123.0),
        std=(1.0, 1.0, 1.0),
        channel_order="bgr",
        value_range=255.0,
    ),
)
_FLOW = _RGB.change(
    input=Flow(resize=(182, 242), size=160, mean=(128.0,), std=(1.0,), value_range=255.0)
)


def _entry(name: str, depth: int, *, clip: ClipSpec = _RGB, **args: Any) -> ModelSpec:
    args = {"blocks": _BLOCKS[depth], "in_channels": clip.channels, **args}
    return ModelSpec(name=name, build=P3D, args=args, clip=clip, strides=(16, 32))


SPECS = (
    _entry("p3d_63", 63),
    _entry("p3d_63_a", 63, kinds=("a",)),
    _entry("p3d_63_b", 63, kinds=("b",)),
    _entry("p3d_63_c", 63, kinds=("c",)),
    _entry("p3d_131", 131),
    _entry("p3d_199", 199),
    _entry("p3d_63_flow", 63, clip=_FLOW),
    _entry("p3d_131_flow", 131, clip=_FLOW),
    _entry("p3d_199_flow", 199, clip=_FLOW),
    _entry(
        "test_p3d",
        63,
        clip=_RGB.change(size=32, resize=32),
        blocks=(1, 1, 1, 1),
        width=8,
        num_classes=12,
    ),
)
