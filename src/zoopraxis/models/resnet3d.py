"""3D ResNets: the history of 2D networks on ImageNet retraced in 3D on Kinetics.

Hara, Kataoka and Satoh. Learning Spatio-Temporal Features with 3D Residual Networks for Action
Recognition, ICCV workshops 2017, arXiv:1708.07632. Can Spatiotemporal 3D CNNs Retrace the
History of 2D CNNs and ImageNet?, CVPR 2018, arXiv:1711.09577. Kataoka, Wakamiya, Hara and Satoh,
Would Mega-scale Datasets Further Enhance Spatiotemporal 3D CNNs?, 2020, arXiv:2004.04968.
Official code: https://github.com/kenshohara/3D-ResNets-PyTorch (MIT)

Every 3x3 convolution of a 2D network becomes 3x3x3, and nothing else is new: the question is
whether Kinetics is large enough to train such networks with up to 200 layers, as ImageNet was for
the 2D networks. It is, up to 152 layers, and ResNeXt is the most accurate. The families of the
study are ResNet, pre-activation ResNet, wide ResNet, ResNeXt (here) and DenseNet
(`zoopraxis.models.densenet3d`); the later code adds ResNet with (2+1)D convolutions.

The stem's pooling and all stages but the first have a stride of 2 in time and in space: 16 frames
of 112 pixels become one of 4x4. The code of 2020 widens the stem with the blocks; the wide ResNet
and the ResNeXt of the CVPR paper have a stem of 64 channels (``*_stem64``). The other suffixes are
shortcuts of type A (``_a``), the code's other stem (``_t3s2``) and optical flow as input
(``_flow``). Unlike in 2D, the pre-activation networks have no batch norm after the last block.
Shortcuts of type A pass gradients, unlike in the authors' code.
"""

from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Flow, Sampling
from zoopraxis.layers.conv3d import conv_spatiotemporal
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.resnet3d import (
    DEPTHS,
    BasicBlock3d,
    Bottleneck3d,
    ConvFn,
    Projection,
    initialise,
    make_stage,
    project,
)
from zoopraxis.models.base import VideoClassifier
from zoopraxis.models.r2plus1d import Conv2Plus1d
from zoopraxis.spec import ModelSpec


class Stem(nn.Module):
    """7x7x7 convolution, batch norm, ReLU, 3x3x3 max pooling.

    Parameters
    ----------
    in_channels, width : int
        Input and output channels.
    """

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv: nn.Module = nn.Conv3d(
            in_channels, width, 7, stride=(1, 2, 2), padding=3, bias=False
        )
        self.norm = nn.BatchNorm3d(width)
        self.relu = nn.ReLU(inplace=True)
        self.pool: nn.Module = nn.MaxPool3d(3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T, H, W) to (B, width, T/2, H/4, W/4)."""
        x = self.relu(self.norm(self.conv(x)))  # (B, width, T, H/2, W/2)
        out: Tensor = self.pool(x)  # (B, width, T/2, H/4, W/4)
        return out


class ResNet3D(VideoClassifier):
    """A residual network of 3x3x3 convolutions.

    Parameters
    ----------
    depth : {10, 18, 34, 50, 101, 152, 200}
        Layers.
    block : type
        Class of the blocks: basic blocks up to depth 34, bottlenecks from 50 up.
    in_channels : int, default=3
        C of the clip: 3 for RGB, 2 for flow.
    width : int, default=64
        Channels inside the blocks of the first stage; they double from stage to stage.
    stem_width : int, optional
        Channels of the stem; `width` by default.
    stem : type, default=Stem
        `Stem`, `ShortStem` or `Stem2Plus1d`.
    conv : ConvFn, default=conv_spatiotemporal
        Builds the 3x3x3 convolutions.
    projection : Projection, default=project
        Builds the shortcuts that change shape: `project` (type B) or `pad` (type A).
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
        in_channels: int = 3,
        width: int = 64,
        stem_width: int | None = None,
        stem: type[Stem] = Stem,
        conv: ConvFn = conv_spatiotemporal,
        projection: Projection = project,
        num_classes: int = 400,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        # (C, T, H) of depth 50 for 16 frames of 112 pixels: stem (64, 8, 28), stages (256, 8, 28),
        # (512, 4, 14), (1024, 2, 7), (2048, 1, 4)
        channels = stem_width or width
        self.stem = stem(in_channels, channels)
        stages = []
        for index, blocks in enumerate(DEPTHS[depth]):
            stage = make_stage(
                block,
                channels,
                width * 2**index,
                blocks=blocks,
                stride=(1, 1) if index == 0 else (2, 2),
                conv=conv,
                project=projection,
            )
            stages.append(stage)
            channels = width * 2**index * block.expansion
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.num_features = channels
        self.head = ClipHead(channels, num_classes, dropout)
        initialise(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T, H, W) to features (B, F, T/16, H/32, W/32)."""
        x = self.stem(x)  # (B, 64, T/2, H/4, W/4)
        x = self.layer1(x)  # (B, F/8, T/2, H/4, W/4)
        x = self.layer2(x)  # (B, F/4, T/4, H/8, W/8)
        x = self.layer3(x)  # (B, F/2, T/8, H/16, W/16)
        out: Tensor = self.layer4(x)  # (B, F, T/16, H/32, W/32)
        return out


# The other families of the study: blocks, convolutions, shortcuts, stems.


class PreActivationBasic(BasicBlock3d):
    """The basic block with batch norm and ReLU before each convolution, and none after the sum."""

    def __init__(self, in_channels: int, width: int, **options: Any) -> None:
        super().__init__(in_channels, width, **options)
        self.norm1 = nn.BatchNorm3d(in_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, width, T', H', W')."""
        out = self.conv1(F.relu(self.norm1(x)))  # (B, width, T', H', W')
        out = self.conv2(F.relu(self.norm2(out)))  # (B, width, T', H', W')
        total: Tensor = out + self.shortcut(x)
        return total


class PreActivationBottleneck(Bottleneck3d):
    """The bottleneck with batch norm and ReLU before each convolution, and none after the sum."""

    def __init__(self, in_channels: int, width: int, **options: Any) -> None:
        super().__init__(in_channels, width, **options)
        self.norm1 = nn.BatchNorm3d(in_channels)
        self.norm3 = nn.BatchNorm3d(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, 4 width, T', H', W')."""
        out = self.conv1(F.relu(self.norm1(x)))  # (B, width, T, H, W)
        out = self.conv2(F.relu(self.norm2(out)))  # (B, width, T', H', W')
        out = self.conv3(F.relu(self.norm3(out)))  # (B, 4 width, T', H', W')
        total: Tensor = out + self.shortcut(x)
        return total


class WideBottleneck(Bottleneck3d):
    """The bottleneck of wide ResNet and ResNeXt: its output has twice the inner channels."""

    expansion = 2


cardinal = partial(conv_spatiotemporal, groups=32)
"""3x3x3 in 32 groups: the cardinality of ResNeXt."""


class PaddedShortcut(nn.Module):
    """Shortcut of type A: subsampling, and zeros for the missing channels.

    Parameters
    ----------
    new_channels : int
        Number of channels of zeros, appended to those of the input.
    stride : (int, int)
        In time and in space.
    """

    def __init__(self, new_channels: int, *, stride: tuple[int, int]) -> None:
        super().__init__()
        self.new_channels = new_channels
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C + new, T/stride, H/stride, W/stride)."""
        t, s = self.stride
        x = x[:, :, ::t, ::s, ::s]  # (B, C, T', H', W')
        # F.pad expects the axes from the last: W, H, T, then C
        return F.pad(x, (0, 0, 0, 0, 0, 0, 0, self.new_channels))  # (B, C + new, T', H', W')


def pad(in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> nn.Module:
    """Build a shortcut of type A."""
    return PaddedShortcut(out_channels - in_channels, stride=stride)


class ShortStem(Stem):
    """3x7x7 convolution of stride 2 in time too, batch norm, ReLU, no pooling."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__(in_channels, width)
        self.conv = nn.Conv3d(
            in_channels, width, (3, 7, 7), stride=2, padding=(1, 3, 3), bias=False
        )
        self.pool = nn.Identity()


class Stem2Plus1d(Stem):
    """The stem with a (2+1)D convolution."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__(in_channels, width)
        self.conv = Conv2Plus1d(in_channels, width, kernel=(7, 7), stride=(1, 2))


KINETICS_CLIP = ClipSpec(
    sampling=Sampling(num_frames=16),
    input=RGB(resize=112, size=112, mean=(0.4345, 0.4051, 0.3775), std=(0.2768, 0.2713, 0.2737)),
)
_FLOW_CLIP = KINETICS_CLIP.change(
    input=Flow(resize=112, size=112, mean=(0.4345, 0.4051), std=(0.2768, 0.2713))
)
_FAMILIES: dict[str, dict[str, Any]] = {
    "resnet3d": {},
    "preact_resnet3d": {},
    "wide_resnet3d": {"block": WideBottleneck, "width": 128},
    "resnext3d": {"block": WideBottleneck, "width": 128, "conv": cardinal},
    "resnet2p1d": {"conv": Conv2Plus1d, "stem": Stem2Plus1d},
}
_SUFFIXES: dict[str, dict[str, Any]] = {
    "": {},
    "_a": {"projection": pad},
    "_t3s2": {"stem": ShortStem},
    "_stem64": {"stem_width": 64},
    "_flow": {"in_channels": 2},
}
_DEPTHS = {  # by family and suffix
    ("resnet3d", ""): (10, 18, 34, 50, 101, 152, 200),
    ("resnet3d", "_a"): (10, 18, 34, 50, 101, 152, 200),
    ("resnet3d", "_flow"): (18, 34, 50, 101),
    ("resnet3d", "_t3s2"): (18, 34, 50),
    ("preact_resnet3d", ""): (10, 18, 34, 50, 101, 152, 200),
    ("wide_resnet3d", ""): (50, 101, 152, 200),
    ("wide_resnet3d", "_stem64"): (50,),
    ("resnext3d", ""): (50, 101, 152, 200),
    ("resnext3d", "_stem64"): (101,),
    ("resnet2p1d", ""): (10, 18, 34, 50, 101, 152, 200),
}


def _block(family: str, depth: int) -> type[BasicBlock3d] | type[Bottleneck3d]:
    if family == "preact_resnet3d":
        return PreActivationBottleneck if depth >= 50 else PreActivationBasic
    return Bottleneck3d if depth >= 50 else BasicBlock3d


def _entry(family: str, suffix: str, depth: int) -> ModelSpec:
    """Entry ``<family>_<depth><suffix>``."""
    block = {"block": _block(family, depth)}
    return ModelSpec(
        name=f"{family}_{depth}{suffix}",
        build=ResNet3D,
        args={"depth": depth, **block, **_FAMILIES[family], **_SUFFIXES[suffix]},
        clip=_FLOW_CLIP if suffix == "_flow" else KINETICS_CLIP,
        strides=(16, 16 if suffix == "_t3s2" else 32),
    )


SPECS = (
    *(
        _entry(family, suffix, depth)
        for (family, suffix), depths in _DEPTHS.items()
        for depth in depths
    ),
    ModelSpec(
        name="test_resnet3d",
        build=ResNet3D,
        args={"depth": 10, "block": BasicBlock3d, "width": 12, "num_classes": 12},
        clip=KINETICS_CLIP.change(num_frames=8, size=32, resize=32),
        strides=(16, 32),
    ),
)
