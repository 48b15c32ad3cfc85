"""CSN: Video Classification with Channel-Separated Convolutional Networks.

Tran, Wang, Torresani and Feiszli, ICCV 2019. arXiv:1904.02811
Official code: https://github.com/facebookresearch/VMZ (Caffe2, Apache-2.0)

A 3x3x3 convolution mixes channels and aggregates over space and time at once. Channel-separated
networks use different layers for the two: 1x1x1 convolutions let channels interact, depth-wise
3x3x3 convolutions aggregate. The interaction-reduced bottleneck (ir-CSN) has a depth-wise 3x3x3
convolution; the interaction-preserved one (ip-CSN) adds a 1x1x1 convolution before it, which
restores the lost interactions. Both are far cheaper than ResNet3D and more accurate: separation
regularises.

The other designs of the study (Figures 3 and 4) are entries ``csn_*``: simple blocks (two 3x3x3
convolutions) or bottlenecks, plain, with grouped 3x3x3 convolutions (``_g``), depth-wise (``_d``;
a bottleneck's is ir-CSN), or with grouped 1x1x1 convolutions too (``_dg``).

`zoopraxis.layers.conv3d.channel_interactions` counts the interactions of Table 2. The paper's
parameters do not count the batch norms. Its 96.7 and 108.8 GMACs of ir- and ip-CSN-152 are those
at the test crop of 256 pixels; at 224, the size of the entries, they are 74.0 and 83.3.
"""

from functools import partial
from typing import Any

from torch import Tensor, nn

from zoopraxis.inputs import ClipSpec
from zoopraxis.layers.conv3d import conv_spatiotemporal
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.resnet3d import (
    DEPTHS,
    BasicBlock3d,
    Bottleneck3d,
    ConvFn,
    initialise,
    make_stage,
    set_norms,
)
from zoopraxis.models.base import VideoClassifier
from zoopraxis.models.r2plus1d import VMZ_CLIP, Stem
from zoopraxis.spec import ModelSpec

GROUP_SIZE = 16
"""Input channels in a group of a grouped convolution."""


def depthwise(in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> nn.Module:
    """Depth-wise 3x3x3 convolution (ir-CSN); `PointThenDepth` where the channels change."""
    if in_channels != out_channels:  # the first convolution of a stage of simple blocks
        return PointThenDepth(in_channels, out_channels, stride=stride)
    return conv_spatiotemporal(in_channels, in_channels, stride=stride, groups=in_channels)


class PointThenDepth(nn.Module):
    """1x1x1, batch norm (no ReLU), depth-wise 3x3x3: a 3x3x3 convolution, separated (ip-CSN).

    Parameters
    ----------
    in_channels, out_channels : int
        Input and output channels.
    stride : (int, int)
        Of the 3x3x3 convolution, in time and in space.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> None:
        super().__init__()
        # 64 to 64 channels: 3x3x3 has 64 * C(64, 2) interactions and 27 * 64 * 64 weights; 1x1x1
        # has the same interactions and 64 * 64 weights, depth-wise 3x3x3 none and 27 * 64
        self.pointwise = nn.Conv3d(in_channels, out_channels, 1, bias=False)
        self.norm = nn.BatchNorm3d(out_channels)
        self.depthwise = depthwise(out_channels, out_channels, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T', H', W')."""
        x = self.norm(self.pointwise(x))  # (B, C', T, H, W)
        out: Tensor = self.depthwise(x)  # (B, C', T', H', W')
        return out


def grouped(in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> nn.Module:
    """3x3x3 convolution in groups of 16 input channels (simple-G, bottleneck-G)."""
    groups = in_channels // GROUP_SIZE  # 64 channels: 4 groups
    return conv_spatiotemporal(in_channels, out_channels, stride=stride, groups=groups)


class BottleneckDG(Bottleneck3d):
    """A bottleneck whose 1x1x1 convolutions have groups of 16 input channels.

    The parameters are those of `Bottleneck3d`.
    """

    def __init__(self, in_channels: int, width: int, **options: Any) -> None:
        super().__init__(in_channels, width, **options)
        pointwise = partial(nn.Conv3d, kernel_size=1, bias=False)
        out_channels = width * self.expansion
        self.conv1 = pointwise(in_channels, width, groups=in_channels // GROUP_SIZE)
        self.conv3 = pointwise(width, out_channels, groups=width // GROUP_SIZE)


class NarrowBottleneck(Bottleneck3d):
    """The bottleneck of depth 26, without expansion: stages of 64, 128, 256 and 512 channels."""

    expansion = 1


class NarrowBottleneckDG(BottleneckDG):
    """`BottleneckDG` of depth 26."""

    expansion = 1


class CSN(VideoClassifier):
    """A 3D residual network with a choice of block and convolution.

    Parameters
    ----------
    depth : {10, 18, 26, 34, 50, 101, 152}
        Layers.
    block : type
        Class of the blocks: `BasicBlock3d` (the paper's simple block), `Bottleneck3d` or a variant.
    conv : ConvFn
        Builds the 3x3x3 convolutions: `conv_spatiotemporal`, `grouped`, `depthwise` or
        `PointThenDepth`.
    width : int, default=64
        Channels of the stem and inside the blocks of the first stage.
    num_classes : int, default=400
        K.
    dropout : float, default=0.0
        Before the classifier.
    """

    def __init__(
        self,
        depth: int,
        block: type[BasicBlock3d] | type[Bottleneck3d],
        *,
        conv: ConvFn,
        width: int = 64,
        num_classes: int = 400,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        # depth 50, (C, T, H) of 32 frames of 224 pixels: stem (64, 32, 56), stages (256, 32, 56),
        # (512, 16, 28), (1024, 8, 14), (2048, 4, 7)
        self.stem = Stem("3d", width)
        self.pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        channels, stages = width, []
        for index, blocks in enumerate(DEPTHS[depth]):
            stride = (1, 1) if index == 0 else (2, 2)
            inner = width * 2**index  # 64, 128, 256, 512
            stages.append(
                make_stage(block, channels, inner, blocks=blocks, stride=stride, conv=conv)
            )
            channels = inner * block.expansion
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.num_features = channels
        self.head = ClipHead(channels, num_classes, dropout)
        initialise(self)
        set_norms(self, eps=1e-3)  # as in the authors' Caffe2 code

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, F, T/8, H/32, W/32)."""
        x = self.pool(self.stem(x))  # (B, 64, T, H/4, W/4)
        x = self.layer1(x)  # (B, F/8, T, H/4, W/4)
        x = self.layer2(x)  # (B, F/4, T/2, H/8, W/8)
        x = self.layer3(x)  # (B, F/2, T/4, H/16, W/16)
        out: Tensor = self.layer4(x)  # (B, F, T/8, H/32, W/32)
        return out


CLIP = VMZ_CLIP.change(stride=2, resize=256, size=224)
_STUDY = CLIP.change(num_frames=8)  # for the ablations


def _entry(
    name: str,
    *,
    conv: ConvFn,
    block: type[BasicBlock3d] | type[Bottleneck3d] = Bottleneck3d,
    clip: ClipSpec = _STUDY,
    **args: Any,
) -> ModelSpec:
    """Entry of a network; its name ends in its depth."""
    return ModelSpec(
        name=name,
        build=CSN,
        args={"depth": int(name.rsplit("_", 1)[1]), "block": block, "conv": conv, **args},
        clip=clip,
        strides=(8, 32),
    )


SPECS = (
    # interaction-reduced
    _entry("ir_csn_26", conv=depthwise, block=NarrowBottleneck, clip=CLIP),
    _entry("ir_csn_50", conv=depthwise, clip=CLIP),
    _entry("ir_csn_101", conv=depthwise, clip=CLIP),
    _entry("ir_csn_152", conv=depthwise, clip=CLIP),
    # interaction-preserved
    _entry("ip_csn_26", conv=PointThenDepth, block=NarrowBottleneck, clip=CLIP),
    _entry("ip_csn_50", conv=PointThenDepth, clip=CLIP),
    _entry("ip_csn_101", conv=PointThenDepth, clip=CLIP),
    _entry("ip_csn_152", conv=PointThenDepth, clip=CLIP),
    # the study: simple blocks
    _entry("csn_simple_18", conv=conv_spatiotemporal, block=BasicBlock3d),
    _entry("csn_simple_g_18", conv=grouped, block=BasicBlock3d),
    _entry("csn_simple_d_18", conv=depthwise, block=BasicBlock3d),
    _entry("csn_simple_ip_18", conv=PointThenDepth, block=BasicBlock3d),
    _entry("csn_simple_34", conv=conv_spatiotemporal, block=BasicBlock3d),
    _entry("csn_simple_g_34", conv=grouped, block=BasicBlock3d),
    _entry("csn_simple_d_34", conv=depthwise, block=BasicBlock3d),
    _entry("csn_simple_ip_34", conv=PointThenDepth, block=BasicBlock3d),
    # the study: bottlenecks
    _entry("csn_bottleneck_26", conv=conv_spatiotemporal, block=NarrowBottleneck),
    _entry("csn_bottleneck_g_26", conv=grouped, block=NarrowBottleneck),
    _entry("csn_bottleneck_dg_26", conv=depthwise, block=NarrowBottleneckDG),
    _entry("csn_bottleneck_50", conv=conv_spatiotemporal),
    _entry("csn_bottleneck_g_50", conv=grouped),
    _entry("csn_bottleneck_dg_50", conv=depthwise, block=BottleneckDG),
    _entry("csn_bottleneck_101", conv=conv_spatiotemporal),
    _entry("csn_bottleneck_152", conv=conv_spatiotemporal),
    ModelSpec(
        name="test_csn",
        build=CSN,
        args={
            "depth": 26,
            "block": NarrowBottleneck,
            "conv": PointThenDepth,
            "width": 16,
            "num_classes": 12,
        },
        clip=CLIP.change(num_frames=8, stride=1, size=32, resize=32),
        strides=(8, 32),
    ),
)
