"""CSN: Video Classification with Channel-Separated Convolutional Networks.

Tran, Wang, Torresani and Feiszli, ICCV 2019. arXiv:1904.02811
Official code: https://github.com/facebookresearch/VMZ (Apache-2.0)

A 3x3x3 convolution mixes channels and looks around in space and time at once. Channel-separated
networks do the two in different layers: 1x1x1 convolutions let channels interact, depth-wise
3x3x3 convolutions look around. In a bottleneck, the interaction-reduced network (ir-CSN) makes
the 3x3x3 convolution depth-wise; the interaction-preserved one (ip-CSN) puts a 1x1x1 convolution
in front of it, whose interactions are as many as those it lost. Both are far cheaper than
ResNet3D, and more accurate: separation regularises.

The study's other designs (Figures 3 and 4) are rows ``csn_*``: simple blocks (two 3x3x3
convolutions) or bottlenecks, plain; with grouped 3x3x3 convolutions (``_g``); depth-wise
(simple ``_d``; a bottleneck's is ir-CSN), where a 1x1x1 convolution goes first in the layers that
change the number of channels; and depth-wise with grouped 1x1x1 convolutions (bottleneck
``_dg``). `group_size` is the number of channels in a group. Depth 26 has bottlenecks that do not
widen: 64 to 512 channels inside and outside.

Counts. `zoopraxis.layers.conv3d.channel_interactions` gives the interactions of Table 2. The
paper leaves the norms out of its parameters. Its 96.7 and 108.8 G multiply-adds of ir- and
ip-CSN-152 are counted at the 256 pixels of the test crop; at 224, the size of the rows, they are
74.0 and 83.3 G.

Builds. Norms have eps 1e-3, Caffe2's; PyTorchVideo's 1e-5 is absorbed into the variances on
conversion. The authors' PyTorch port sets the momentum to Caffe2's number 0.9, in PyTorch nearly
no memory; we keep 0.1, which is the same average. The checkpoints that PyTorchVideo and mmaction2
trained themselves have a clip of their own: other means and deviations. Source "vmz" is that
PyTorch port, "vmz_caffe2" the authors' ``.pkl``.
"""

from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor, nn

from zoopraxis.checkpoints.convert import replace_norm_eps
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.resnet3d import (
    DEPTHS,
    RENAME_MMACTION2,
    RENAME_PYTORCHVIDEO,
    RENAME_TORCHVISION,
    BasicBlock3d,
    Bottleneck3d,
    ConvMaker,
    initialise,
    make_stage,
    set_norm_eps,
)
from zoopraxis.models._csn_weights import CLIP, WEIGHTS
from zoopraxis.models._vmz_blobs import blobs
from zoopraxis.models.r2plus1d import Stem, full
from zoopraxis.spec import ModelSpec, Source


def grouped(
    _block_in: int,
    in_channels: int,
    out_channels: int,
    *,
    stride: tuple[int, int],
    group_size: int,
) -> nn.Module:
    """3x3x3 in groups of `group_size` input channels; a group of 1 is depth-wise."""
    t, s = stride
    return nn.Conv3d(
        in_channels,
        out_channels,
        3,
        stride=(t, s, s),
        padding=1,
        groups=in_channels // group_size,
        bias=False,
    )


class PointThenDepth(nn.Module):
    """1x1x1 convolution, norm (no ReLU), depth-wise 3x3x3: a 3x3x3 convolution, separated."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> None:
        super().__init__()
        self.pointwise = nn.Conv3d(in_channels, out_channels, 1, bias=False)
        self.norm = nn.BatchNorm3d(out_channels)
        self.depthwise = depthwise(out_channels, out_channels, out_channels, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T', H', W')."""
        x = self.norm(self.pointwise(x))  # (B, C', T, H, W)
        out: Tensor = self.depthwise(x)  # (B, C', T', H', W')
        return out


def preserved(
    _block_in: int, in_channels: int, out_channels: int, *, stride: tuple[int, int]
) -> nn.Module:
    """1x1x1 and depth-wise 3x3x3: ip-CSN."""
    return PointThenDepth(in_channels, out_channels, stride=stride)


def depthwise(
    block_in: int, in_channels: int, out_channels: int, *, stride: tuple[int, int]
) -> nn.Module:
    """Depth-wise 3x3x3: ir-CSN. A layer that changes the number of channels is `preserved`."""
    if in_channels != out_channels:
        return preserved(block_in, in_channels, out_channels, stride=stride)
    return grouped(block_in, in_channels, out_channels, stride=stride, group_size=1)


class NarrowBottleneck(Bottleneck3d):
    """The bottleneck of depth 26: as wide outside as inside."""

    expansion = 1


def bottleneck_dg(base: type[Bottleneck3d], group_size: int) -> type[Bottleneck3d]:
    """Class of bottlenecks whose 1x1x1 convolutions too are in groups of this many channels."""

    class BottleneckDG(base):  # type: ignore[misc, valid-type]
        def __init__(self, in_channels: int, width: int, **options: Any) -> None:
            super().__init__(in_channels, width, **options)
            out_channels = width * self.expansion
            self.conv1 = _grouped_pointwise(in_channels, width, group_size)
            self.conv3 = _grouped_pointwise(width, out_channels, group_size)

    return BottleneckDG


def _grouped_pointwise(in_channels: int, out_channels: int, group_size: int) -> nn.Conv3d:
    groups = in_channels // group_size
    return nn.Conv3d(in_channels, out_channels, 1, groups=groups, bias=False)


def _block(depth: int) -> type[BasicBlock3d] | type[Bottleneck3d]:
    if depth == 26:
        return NarrowBottleneck
    return Bottleneck3d if depth >= 50 else BasicBlock3d


class CSN(nn.Module):
    """A 3D residual network with a choice of convolution.

    Parameters
    ----------
    depth : {10, 18, 26, 34, 50, 101, 152}
        Layers: simple blocks at 10, 18 and 34, bottlenecks otherwise.
    conv : ConvMaker
        Makes the 3x3x3 convolutions: `full`, `grouped`, `depthwise` or `preserved`.
    pointwise_group_size : int, optional
        Channels in a group of a bottleneck's 1x1x1 convolutions (bottleneck-DG); by default they
        are not grouped.
    width : int, default=64
        Channels of the stem and inside the blocks of the first stage.
    eps : float, default=1e-3
        Of the norms.
    num_classes : int, default=400
        K.
    dropout : float, default=0.0
        Before the classifier.
    """

    def __init__(
        self,
        depth: int,
        *,
        conv: ConvMaker,
        pointwise_group_size: int | None = None,
        width: int = 64,
        eps: float = 1e-3,
        num_classes: int = 400,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        block = _block(depth)
        if pointwise_group_size is not None and issubclass(block, Bottleneck3d):
            block = bottleneck_dg(block, pointwise_group_size)
        self.stem = Stem("3d", width, frames=3, mid=width, pool=True)
        channels, stages = width, []
        for index, blocks in enumerate(DEPTHS[depth]):
            stride = (1, 1) if index == 0 else (2, 2)
            inside = width * 2**index
            stages.append(
                make_stage(block, channels, inside, blocks=blocks, stride=stride, conv=conv)
            )
            channels = inside * block.expansion
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.num_features = channels
        self.head = ClipHead(channels, num_classes, dropout)
        initialise(self)
        set_norm_eps(self, eps)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, C, T/8, H/32, W/32)."""
        x = self.stem(x)  # (B, 64, T, H/4, W/4)
        x = self.layer1(x)
        x = self.layer2(x)  # (B, C/4, T/2, H/8, W/8)
        x = self.layer3(x)  # (B, C/2, T/4, H/16, W/16)
        out: Tensor = self.layer4(x)  # (B, C, T/8, H/32, W/32)
        return out

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


VMZ = Source(
    rename=(
        (r"\.conv(\d)\.0\.0\.", r".conv\1.pointwise."),
        (r"\.conv(\d)\.0\.1\.", r".conv\1.norm."),
        (r"\.conv(\d)\.0\.2\.", r".conv\1.depthwise."),
        *RENAME_TORCHVISION,
    )
)
PYTORCHVIDEO = Source(rename=RENAME_PYTORCHVIDEO, adapt=replace_norm_eps(theirs=1e-5, ours=1e-3))
MMACTION2_IR = Source(
    rename=(
        *RENAME_MMACTION2,
        (r"\.conv2\.0\.conv\.", ".conv2."),
        (r"\.conv2\.0\.bn\.", ".norm2."),
    )
)
MMACTION2_IP = Source(
    rename=(
        *RENAME_MMACTION2,
        (r"\.conv2\.0\.conv\.", ".conv2.pointwise."),
        (r"\.conv2\.0\.bn\.", ".conv2.norm."),
        (r"\.conv2\.1\.conv\.", ".conv2.depthwise."),
        (r"\.conv2\.1\.bn\.", ".norm2."),
    )
)

# The rows.

_STUDY = replace(CLIP, frames=8)
_GROUPS: dict[str, Any] = {"conv": partial(grouped, group_size=16)}
_DG: dict[str, Any] = {"conv": depthwise, "pointwise_group_size": 16}


def _row(name: str, depth: int, params_m: float, macs_g: float, **options: Any) -> ModelSpec:
    """Row of a network; `options` are arguments, or the row's clip and sources."""
    clip = options.pop("clip", CLIP)
    sources = options.pop("sources", {})
    return ModelSpec(
        name=name,
        build=CSN,
        args={"depth": depth, **options},
        clip=clip,
        params_m=params_m,
        macs_g=macs_g,
        strides=(8, 32),
        sources=sources,
        weights=WEIGHTS.get(name, ()),
    )


def _reduced(depth: int, params_m: float, macs_g: float) -> ModelSpec:
    """Row of an ir-CSN."""
    sources = {
        "vmz": VMZ,
        "vmz_caffe2": blobs(depth),
        "mmaction2": MMACTION2_IR,
        "pytorchvideo": PYTORCHVIDEO,
    }
    return _row(f"ir_csn_{depth}", depth, params_m, macs_g, conv=depthwise, sources=sources)


def _preserved(depth: int, params_m: float, macs_g: float) -> ModelSpec:
    """Row of an ip-CSN."""
    caffe2 = blobs(depth, halves=("pointwise", "depthwise"))
    sources = {"vmz": VMZ, "vmz_caffe2": caffe2, "mmaction2": MMACTION2_IP}
    return _row(f"ip_csn_{depth}", depth, params_m, macs_g, conv=preserved, sources=sources)


def _study(name: str, depth: int, params_m: float, macs_g: float, **options: Any) -> ModelSpec:
    """Row of a block design, at the 8 frames of the paper's ablations."""
    return _row(name, depth, params_m, macs_g, clip=_STUDY, **options)


SPECS = (
    _reduced(26, 1.69, 16.13),
    _reduced(50, 13.13, 42.31),
    _reduced(101, 22.21, 56.47),
    _reduced(152, 29.70, 74.05),
    _preserved(26, 2.39, 20.19),
    _preserved(50, 14.40, 47.65),
    _preserved(101, 24.60, 63.56),
    _preserved(152, 33.02, 83.29),
    _study("csn_simple_18", 18, 33.37, 22.47, conv=full),
    _study("csn_simple_g_18", 18, 2.07, 6.56, **_GROUPS),
    _study("csn_simple_d_18", 18, 0.69, 3.47, conv=depthwise),
    _study("csn_simple_ip_18", 18, 1.75, 4.15, conv=preserved),
    _study("csn_simple_34", 34, 63.68, 39.81, conv=full),
    _study("csn_simple_g_34", 34, 3.68, 9.01, **_GROUPS),
    _study("csn_simple_d_34", 34, 0.80, 3.62, conv=depthwise),
    _study("csn_simple_ip_34", 34, 2.98, 4.94, conv=preserved),
    _study("csn_bottleneck_26", 26, 20.44, 14.32, conv=full),
    _study("csn_bottleneck_g_26", 26, 2.47, 5.76, **_GROUPS),
    _study("csn_bottleneck_dg_26", 26, 0.53, 3.19, **_DG),
    _study("csn_bottleneck_50", 50, 46.98, 29.46, conv=full),
    _study("csn_bottleneck_g_50", 50, 14.66, 13.45, **_GROUPS),
    _study("csn_bottleneck_dg_50", 50, 4.07, 4.78, **_DG),
    _study("csn_bottleneck_101", 101, 86.03, 44.75, conv=full),
    _study("csn_bottleneck_152", 152, 118.19, 63.63, conv=full),
    _row(
        "test_csn",
        26,
        0.16,
        0.02,
        conv=preserved,
        width=16,
        num_classes=12,
        clip=replace(CLIP, frames=8, stride=1, size=32, resize=32),
        sources={"vmz": VMZ},
    ),
)
