"""3D ResNets: the history of 2D networks on ImageNet, retraced in 3D on Kinetics.

Hara, Kataoka and Satoh. Learning Spatio-Temporal Features with 3D Residual Networks for Action
Recognition, ICCV workshops 2017, arXiv:1708.07632. Can Spatiotemporal 3D CNNs Retrace the
History of 2D CNNs and ImageNet?, CVPR 2018, arXiv:1711.09577. The checkpoints are those of
Kataoka, Wakamiya, Hara and Satoh, Would Mega-scale Datasets Further Enhance Spatiotemporal 3D
CNNs?, 2020, arXiv:2004.04968.
Official code: https://github.com/kenshohara/3D-ResNets-PyTorch (MIT)

Every 3x3 convolution of a 2D network becomes 3x3x3, and nothing else is invented: the question
is whether the Kinetics data set is large enough to train such networks of up to 200 layers, as
ImageNet was for their 2D models. It is, up to 152 layers, and ResNeXt is the best of them. The
families of the study: ResNet, pre-activation ResNet, wide ResNet, ResNeXt (here), DenseNet
(`zoopraxis.models.densenet3d`), and in the later code ResNet with (2+1)D convolutions.

Builds. The stem is 7x7x7 with stride 2 in space alone, and a 3x3x3 max pooling of stride 2 in
time as well; every stage but the first strides in time and in space, so that 16 frames of 112
pixels leave one frame of 4x4. ``*_t3s2`` is the code's other stem: 3 frames deep, stride 2 in
time, no pooling; rows ``*_flow`` take the two channels of optical flow. Shortcuts that change
shape are projections (type B), or, in rows ``*_a``, a subsampling filled up with zero channels
(type A, no parameters; the authors' code keeps gradients out of these, here they flow). The
rewritten code of 2020 widens the stem with the blocks; the wide ResNet and the ResNeXt that the
paper of 2018 trained have 64 channels there and are rows ``*_stem64``. The constructors of
pre-activation and ResNeXt networks fail as published, over names of arguments; the goldens repair
those and nothing else. The pre-activation networks have no norm after the last block, unlike the
paper they are named for. The checkpoints of 2018 take pixels in 0..255 less ActivityNet's mean,
those of 2020 the clip of the rows.
"""

from dataclasses import replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.conv3d import Conv2Plus1d, mid_channels
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.resnet3d import (
    DEPTHS,
    BasicBlock3d,
    Bottleneck3d,
    ConvMaker,
    Projection,
    initialise,
    make_stage,
    project,
)
from zoopraxis.models._resnet3d_weights import FLOW_CLIP, KINETICS_CLIP, published
from zoopraxis.models.r2plus1d import factored, full
from zoopraxis.spec import ModelSpec, Source


class PreActivationBasic(BasicBlock3d):
    """The basic block with norm and ReLU before each convolution, and none after the sum."""

    def __init__(self, in_channels: int, width: int, **options: Any) -> None:
        super().__init__(in_channels, width, **options)
        self.norm1 = nn.BatchNorm3d(in_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, width, T', H', W')."""
        out = self.conv1(F.relu(self.norm1(x)))
        out = self.conv2(F.relu(self.norm2(out)))
        total: Tensor = out + self.shortcut(x)
        return total


class PreActivationBottleneck(Bottleneck3d):
    """The bottleneck with norm and ReLU before each convolution, and none after the sum."""

    def __init__(self, in_channels: int, width: int, **options: Any) -> None:
        super().__init__(in_channels, width, **options)
        self.norm1 = nn.BatchNorm3d(in_channels)
        self.norm3 = nn.BatchNorm3d(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, 4 width, T', H', W')."""
        out = self.conv1(F.relu(self.norm1(x)))
        out = self.conv2(F.relu(self.norm2(out)))
        out = self.conv3(F.relu(self.norm3(out)))
        total: Tensor = out + self.shortcut(x)
        return total


class WideBottleneck(Bottleneck3d):
    """The bottleneck of wide ResNet and ResNeXt: twice as many channels out as inside."""

    expansion = 2


def grouped(
    _block_in: int, in_channels: int, out_channels: int, *, stride: tuple[int, int]
) -> nn.Module:
    """3x3x3 in 32 groups: the cardinality of ResNeXt."""
    t, s = stride
    return nn.Conv3d(
        in_channels, out_channels, 3, stride=(t, s, s), padding=1, groups=32, bias=False
    )


class PaddedShortcut(nn.Module):
    """Shortcut of type A: every `stride`-th sample, and zeros for the channels that are missing.

    Parameters
    ----------
    new_channels : int
        How many channels of zeros follow those of the input.
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
        return F.pad(x, (0, 0, 0, 0, 0, 0, 0, self.new_channels))  # (B, C + new, T', H', W')


def pad(in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> nn.Module:
    """Projection of type A."""
    return PaddedShortcut(out_channels - in_channels, stride=stride)


class Stem(nn.Module):
    """Convolution over 7x7 pixels and `frames` frames, norm, ReLU, and often a pooling.

    Parameters
    ----------
    width : int
        Channels out.
    channels : int, default=3
        Channels in: 3 for RGB, 2 for flow.
    frames : int, default=7
        Of the convolution's kernel.
    stride : int, default=1
        Of the convolution in time; in space it is 2.
    pool : bool, default=True
        Whether a 3x3x3 max pooling of stride 2 follows.
    factored : bool, default=False
        Whether the convolution is (2+1)D with as many parameters.
    """

    def __init__(
        self,
        width: int,
        *,
        channels: int = 3,
        frames: int = 7,
        stride: int = 1,
        pool: bool = True,
        factored: bool = False,
    ) -> None:
        super().__init__()
        if factored:
            mid = mid_channels(3, width, t=frames, d=7)
            self.conv: nn.Module = Conv2Plus1d(
                channels, width, mid, kernel=(frames, 7), stride=(stride, 2)
            )
        else:
            self.conv = nn.Conv3d(
                channels,
                width,
                (frames, 7, 7),
                stride=(stride, 2, 2),
                padding=(frames // 2, 3, 3),
                bias=False,
            )
        self.norm = nn.BatchNorm3d(width)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool3d(3, stride=2, padding=1) if pool else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T, H, W) to (B, width, T/2, H/4, W/4); H/2, W/2 without pooling."""
        out: Tensor = self.pool(self.relu(self.norm(self.conv(x))))
        return out


class ResNet3D(nn.Module):
    """A residual network of 3x3x3 convolutions.

    Parameters
    ----------
    depth : {10, 18, 34, 50, 101, 152, 200}
        Layers; decides the blocks of each stage.
    block : type
        Of the blocks: `BasicBlock3d` up to depth 34, a bottleneck from 50 on, or a variant.
    width : int, default=64
        Channels inside the blocks of the first stage, and of the stem; they double at each stage.
    conv : ConvMaker, default=full
        Makes the spatiotemporal convolutions.
    projection : Projection, default=project
        Makes the shortcuts that change shape: `project` (type B) or `pad` (type A).
    stem : mapping, default={}
        Arguments of `Stem`; its width too, where that is another.
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
        width: int = 64,
        conv: ConvMaker = full,
        projection: Projection = project,
        stem: dict[str, Any] | None = None,
        num_classes: int = 400,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        entrance = {"width": width, **(stem or {})}
        self.stem = Stem(**entrance)
        channels, stages = entrance["width"], []
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
        """Map clips (B, 3, T, H, W), flow (B, 2, ...), to features (B, C, T/16, H/32, W/32)."""
        x = self.stem(x)  # (B, 64, T/2, H/4, W/4)
        x = self.layer1(x)
        x = self.layer2(x)  # (B, C/4, T/4, H/8, W/8)
        x = self.layer3(x)  # (B, C/2, T/8, H/16, W/16)
        out: Tensor = self.layer4(x)  # (B, C, T/16, H/32, W/32)
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


HARA = Source(
    rename=(
        (r"^conv1\.", "stem.conv."),
        (r"^conv1_s\.", "stem.conv.spatial."),
        (r"^bn1_s\.", "stem.conv.norm."),
        (r"^conv1_t\.", "stem.conv.temporal."),
        (r"^bn1(_t)?\.", "stem.norm."),
        (r"\.conv(\d)_s\.", r".conv\1.spatial."),
        (r"\.bn(\d)_s\.", r".conv\1.norm."),
        (r"\.conv(\d)_t\.", r".conv\1.temporal."),
        (r"\.bn(\d)(_t)?\.", r".norm\1."),
        (r"\.downsample\.0\.", ".shortcut.conv."),
        (r"\.downsample\.1\.", ".shortcut.norm."),
        (r"^fc\.", "head.linear."),
    )
)

# The rows.

_SIZES: dict[tuple[str, str], dict[int, tuple[float, float]]] = {
    # by family and suffix, then depth: parameters (M) and multiply-adds (G) with 400 classes
    ("resnet3d", ""): {
        10: (14.60, 5.65),
        18: (33.41, 8.31),
        34: (63.72, 12.70),
        50: (47.02, 10.07),
        101: (86.06, 13.89),
        152: (118.22, 18.61),
        200: (127.42, 25.80),
    },
    ("resnet3d", "a"): {
        10: (14.43, 5.64),
        18: (33.24, 8.30),
        34: (63.54, 12.68),
        50: (44.24, 9.78),
        101: (83.29, 13.60),
        152: (115.45, 18.32),
        200: (124.65, 25.51),
    },
    ("resnet3d", "flow"): {
        18: (33.39, 7.21),
        34: (63.70, 11.59),
        50: (47.00, 8.97),
        101: (86.04, 12.79),
    },
    ("resnet3d", "t3s2"): {18: (33.37, 20.35), 34: (63.68, 37.69), 50: (46.98, 27.34)},
    ("preact_resnet3d", ""): {
        10: (14.60, 5.65),
        18: (33.41, 8.31),
        34: (63.72, 12.70),
        50: (47.01, 10.07),
        101: (86.06, 13.89),
        152: (118.22, 18.61),
        200: (127.42, 25.80),
    },
    ("wide_resnet3d", ""): {
        50: (158.34, 29.70),
        101: (296.56, 43.24),
        152: (410.39, 59.96),
        200: (442.93, 85.45),
    },
    ("wide_resnet3d", "stem64"): {50: (158.25, 26.24)},
    ("resnext3d", ""): {
        50: (26.78, 10.91),
        101: (48.43, 13.03),
        152: (66.27, 15.64),
        200: (71.38, 19.62),
    },
    ("resnext3d", "stem64"): {101: (48.34, 9.57)},
    ("resnet2p1d", ""): {
        10: (14.61, 5.82),
        18: (33.42, 8.48),
        34: (63.75, 12.87),
        50: (47.04, 10.52),
        101: (86.10, 14.35),
        152: (118.28, 19.07),
        200: (127.49, 26.26),
    },
}
_FAMILIES: dict[str, dict[str, Any]] = {
    "resnet3d": {},
    "preact_resnet3d": {},
    "wide_resnet3d": {"block": WideBottleneck, "width": 128},
    "resnext3d": {"block": WideBottleneck, "width": 128, "conv": grouped},
    "resnet2p1d": {"conv": factored, "stem": {"factored": True}},
}
_SUFFIXES: dict[str, dict[str, Any]] = {
    "": {},
    "a": {"projection": pad},
    "t3s2": {"stem": {"frames": 3, "stride": 2, "pool": False}},
    "stem64": {"stem": {"width": 64}},
    "flow": {"stem": {"channels": 2}},
}


def _block(family: str, depth: int) -> type[BasicBlock3d] | type[Bottleneck3d]:
    if family.startswith("preact"):
        return PreActivationBottleneck if depth >= 50 else PreActivationBasic
    return Bottleneck3d if depth >= 50 else BasicBlock3d


def _row(family: str, suffix: str, depth: int, params_m: float, macs_g: float) -> ModelSpec:
    """Row of ``<family>_<depth>[_<suffix>]``."""
    name = "_".join(part for part in (family, str(depth), suffix) if part)
    return ModelSpec(
        name=name,
        build=ResNet3D,
        args={
            "depth": depth,
            "block": _block(family, depth),
            **_FAMILIES[family],
            **_SUFFIXES[suffix],
        },
        clip=FLOW_CLIP if suffix == "flow" else KINETICS_CLIP,
        params_m=params_m,
        macs_g=macs_g,
        strides=(16, 16 if suffix == "t3s2" else 32),
        sources={"hara": HARA},
        weights=published(name),
    )


SPECS = (
    *(
        _row(family, suffix, depth, *size)
        for (family, suffix), sizes in _SIZES.items()
        for depth, size in sizes.items()
    ),
    ModelSpec(
        name="test_resnet3d",
        build=ResNet3D,
        args={"depth": 10, "block": BasicBlock3d, "width": 12, "num_classes": 12},
        clip=replace(KINETICS_CLIP, frames=8, size=32, resize=32),
        params_m=0.52,
        macs_g=0.03,
        strides=(16, 32),
        sources={"hara": HARA},
    ),
)
