"""A Closer Look at Spatiotemporal Convolutions for Action Recognition.

Tran, Wang, Torresani, Ray, LeCun and Paluri, CVPR 2018. arXiv:1711.11248
Official code: https://github.com/facebookresearch/VMZ (Apache-2.0)

One residual network, and at each of its five groups of convolutions (the stem and the stages
conv2_x to conv5_x) the choice of the paper's Figure 1: a 2D convolution of every frame, a full
3D convolution, or R(2+1)D, a 2D convolution followed by a 1D convolution in time with a ReLU in
between and as many parameters as the 3D one. R2D folds all frames into the channels of the
stem; f-R2D keeps the frames apart to the end; MCx is 3D below group x and 2D from it on; rMCx
is the reverse. A group strides in time where its convolutions reach over time, so the mixed
nets run at different lengths and costs.

Builds. The authors' Caffe2 code counts the middle channels of each factored convolution from
its own input and output, with norms of eps 1e-3 (rows ``r2plus1d_vmz_18``, ``*_34``, ``*_152``);
torchvision counts them once a block from the block's input and uses eps 1e-5 (``r2plus1d_18``:
31.5 M parameters where the paper has 33.3 M). Nets without factored convolutions differ in the
eps alone. Their PyTorch port sets the norms' momentum to Caffe2's number 0.9, which in PyTorch
means nearly no memory; we keep 0.1, which is the same average. For R(2+1)D-152 the published
329.1 G multiply-adds hold without a pooling after the stem, the build of the row; the port's
constructor pools, and source "vmz" does as it does; "vmz_unpooled" takes the same keys and keeps
the row's build, as the checkpoints want it, and "vmz_caffe2" takes the authors' ``.pkl``.
Multiply-adds of R(2+1)D-34 and -152 were published for 128 pixels although the input is 112:
152.4 G x (128/112)^2 = 199.0 G at 32 frames, and a quarter of it, 49.75 G, at 8. The published
counts of parameters leave out the norms'.

Source "mmaction2" factors the shortcuts too, pools after the stem and counts its middle channels
by the formula. Other ports that are networks of their own are in `r2plus1d_ports`.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from torch import Tensor, nn

from zoopraxis.checkpoints.convert import replace_norm_eps
from zoopraxis.layers.conv3d import Conv2Plus1d, conv_spatial, conv_spatiotemporal, mid_channels
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.resnet3d import (
    DEPTHS,
    RENAME_TORCHVISION,
    BasicBlock3d,
    Bottleneck3d,
    ConvMaker,
    Projection,
    Shortcut3d,
    initialise,
    make_stage,
    project,
    set_norm_eps,
)
from zoopraxis.models._r2plus1d_weights import TORCHVISION_CLIP, VMZ_CLIP, WEIGHTS
from zoopraxis.models._vmz_blobs import blobs
from zoopraxis.spec import ClipSpec, ModelSpec, Replacement, Source

Kind = Literal["2d", "3d", "2+1d", "fold"]
"""A group's convolution: per frame, full, factored, or (stem only) all frames at once."""


class Stem(nn.Module):
    """Convolution of 7x7 pixels and one, three or all frames, norm, ReLU, optional pooling.

    Parameters
    ----------
    kind : {"2d", "3d", "2+1d", "fold"}
        Group 1 of Figure 1.
    width : int
        Channels out.
    frames : int
        T of the input, for "fold".
    mid : int
        Channels between the two convolutions of "2+1d".
    pool : bool
        Whether a 1x3x3 max pooling of stride 2 follows.
    """

    def __init__(self, kind: Kind, width: int, *, frames: int, mid: int, pool: bool) -> None:
        super().__init__()
        if kind == "2+1d":
            self.conv: nn.Module = Conv2Plus1d(3, width, mid, kernel=(3, 7), stride=(1, 2))
        else:
            t = {"2d": 1, "3d": 3, "fold": frames}[kind]
            pad = (1 if kind == "3d" else 0, 3, 3)
            self.conv = nn.Conv3d(3, width, (t, 7, 7), stride=(1, 2, 2), padding=pad, bias=False)
        self.norm = nn.BatchNorm3d(width)
        self.relu = nn.ReLU(inplace=True)
        pooling = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        self.pool = pooling if pool else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to (B, width, T or 1, H/2, W/2)."""
        out: Tensor = self.pool(self.relu(self.norm(self.conv(x))))
        return out


def per_frame(
    _block_in: int, in_channels: int, out_channels: int, *, stride: tuple[int, int]
) -> nn.Module:
    """1x3x3: group of kind "2d"."""
    return conv_spatial(in_channels, out_channels, stride=stride[1])


def full(
    _block_in: int, in_channels: int, out_channels: int, *, stride: tuple[int, int]
) -> nn.Module:
    """3x3x3: group of kind "3d"."""
    return conv_spatiotemporal(in_channels, out_channels, stride=stride)


def factored(
    block_in: int,
    in_channels: int,
    out_channels: int,
    *,
    stride: tuple[int, int],
    middle: Literal["conv", "block"] = "conv",
) -> nn.Module:
    """1x3x3 and 3x1x1: group of kind "2+1d".

    `middle` says whose input decides the channels in between: the convolution's own (the
    authors) or the block's (torchvision).
    """
    source = {"conv": in_channels, "block": block_in}[middle]
    mid = mid_channels(source, out_channels)
    return Conv2Plus1d(in_channels, out_channels, mid, stride=stride)


def project_factored(in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> nn.Module:
    """Shortcut of mmaction2: the 1x1x1 convolution factored too, with M of t = 3, d = 1."""
    mid = mid_channels(in_channels, out_channels, t=3, d=1)
    conv = Conv2Plus1d(in_channels, out_channels, mid, kernel=(1, 1), stride=stride)
    return Shortcut3d(conv, out_channels)


CONVS: Mapping[Kind, ConvMaker] = {"2d": per_frame, "3d": full, "2+1d": factored}


class R2Plus1D(nn.Module):
    """A residual network with a choice of convolution for each of its five groups.

    Parameters
    ----------
    groups : tuple of {"2d", "3d", "2+1d", "fold"}
        Kinds of the stem and of the four stages (Figure 1); only a stem can fold.
    depth : {10, 18, 34, 50, 101, 152}, default=18
        Layers; from 50 on the blocks are bottlenecks.
    width : int, default=64
        Channels of the first stage.
    frames : int, default=16
        T, where the stem folds.
    convs : mapping, optional
        Makers of convolutions by kind, in place of the authors'.
    projection : Projection, default=project
        Makes the shortcuts that change shape.
    strides : tuple of (int, int), optional
        Of the stages, in time and in space; by default 2 in space after the first, and in time
        too where the stage reaches over time.
    stem_mid : int, default=45
        Channels between the stem's factored convolutions for width 64; the authors' number.
    stem_pool : bool, default=False
        Whether the stem ends in a pooling of stride 2 in space.
    eps : float, default=1e-5
        Of the norms.
    middle_eps : float, optional
        Of the norms inside factored convolutions, where it differs.
    num_classes : int, default=400
        K.
    dropout : float, default=0.0
        Before the classifier.
    """

    def __init__(
        self,
        groups: tuple[Kind, Kind, Kind, Kind, Kind],
        *,
        depth: int = 18,
        width: int = 64,
        frames: int = 16,
        convs: Mapping[Kind, ConvMaker] = CONVS,
        projection: Projection = project,
        strides: tuple[tuple[int, int], ...] | None = None,
        stem_mid: int = 45,
        stem_pool: bool = False,
        eps: float = 1e-5,
        middle_eps: float | None = None,
        num_classes: int = 400,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        block = Bottleneck3d if depth >= 50 else BasicBlock3d
        self.stem = Stem(
            groups[0], width, frames=frames, mid=stem_mid * width // 64, pool=stem_pool
        )
        channels, stages = width, []
        for index, (kind, blocks) in enumerate(zip(groups[1:], DEPTHS[depth], strict=True)):
            stage = make_stage(
                block,
                channels,
                width * 2**index,
                blocks=blocks,
                stride=strides[index] if strides else stage_stride(kind, index),
                conv=convs[kind],
                project=projection,
            )
            stages.append(stage)
            channels = width * 2**index * block.expansion
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.num_features = channels
        self.head = ClipHead(channels, num_classes, dropout)
        initialise(self)
        set_norm_eps(self, eps)
        if middle_eps is not None:
            for module in self.modules():
                if isinstance(module, Conv2Plus1d):
                    module.norm.eps = middle_eps

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, C, T', H/16, W/16)."""
        x = self.stem(x)  # (B, 64, T, H/2, W/2)
        x = self.layer1(x)
        x = self.layer2(x)  # (B, 128, T/2, H/4, W/4), T where the stage is 2D
        x = self.layer3(x)  # (B, 256, T/4, H/8, W/8)
        out: Tensor = self.layer4(x)  # (B, 512, T/8, H/16, W/16)
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


def stage_stride(kind: Kind, index: int) -> tuple[int, int]:
    """Stride of a stage in time and space: 2 from the second on, in time unless it is 2D."""
    if index == 0:
        return (1, 1)
    return (1 if kind == "2d" else 2, 2)


# The keys of the sources, as ordered rules.

_TORCHVISION_FACTORED = (
    (r"^stem\.0\.", "stem.conv.spatial."),
    (r"^stem\.1\.", "stem.conv.norm."),
    (r"^stem\.3\.", "stem.conv.temporal."),
    (r"^stem\.4\.", "stem.norm."),
    (r"\.conv(\d)\.0\.0\.", r".conv\1.spatial."),
    (r"\.conv(\d)\.0\.1\.", r".conv\1.norm."),
    (r"\.conv(\d)\.0\.3\.", r".conv\1.temporal."),
    *RENAME_TORCHVISION,
)
_MMACTION2: tuple[tuple[str, Replacement], ...] = (
    (r"^data_preprocessor\.", None),
    (r"^backbone\.conv1\.", "stem."),
    (r"^backbone\.", ""),
    (r"\.conv(\d)\.bn\.", r".norm\1."),
    (r"\.conv(\d)\.conv\.", r".conv\1."),
    (r"^stem\.bn\.", "stem.norm."),
    (r"\.downsample\.bn\.", ".shortcut.norm."),
    (r"\.downsample\.", ".shortcut."),
    (r"\.conv_s\.", ".spatial."),
    (r"\.bn_s\.", ".norm."),
    (r"\.conv_t\.", ".temporal."),
    (r"^cls_head\.fc_cls\.", "head.linear."),
)
TORCHVISION = Source(rename=RENAME_TORCHVISION)
TORCHVISION_FACTORED = Source(rename=_TORCHVISION_FACTORED)
VMZ = Source(rename=_TORCHVISION_FACTORED)
VMZ_152 = Source(rename=_TORCHVISION_FACTORED, args={"stem_pool": True})
CAFFE2 = {
    18: blobs(18, halves=("spatial", "temporal"), halved="12", stem="temporal."),
    34: blobs(34, halves=("spatial", "temporal"), halved="12", stem="temporal."),
    152: blobs(152, halves=("spatial", "temporal"), stem="temporal."),
}
MMACTION2 = Source(
    rename=_MMACTION2,
    args={
        "projection": project_factored,
        "stem_mid": mid_channels(3, 64, t=3, d=7),
        "stem_pool": True,
        "middle_eps": 1e-5,
    },
)
MMACTION2_18 = Source(rename=_MMACTION2, args={**MMACTION2.args, "convs": CONVS, "eps": 1e-3})

# The rows.

FIGURE_1: dict[str, tuple[Kind, Kind, Kind, Kind, Kind]] = {
    "r2d": ("fold", "2d", "2d", "2d", "2d"),
    "fr2d": ("2d", "2d", "2d", "2d", "2d"),
    "r3d": ("3d", "3d", "3d", "3d", "3d"),
    "mc2": ("3d", "2d", "2d", "2d", "2d"),
    "mc3": ("3d", "3d", "2d", "2d", "2d"),
    "mc4": ("3d", "3d", "3d", "2d", "2d"),
    "mc5": ("3d", "3d", "3d", "3d", "2d"),
    "rmc2": ("2d", "3d", "3d", "3d", "3d"),
    "rmc3": ("2d", "2d", "3d", "3d", "3d"),
    "rmc4": ("2d", "2d", "2d", "3d", "3d"),
    "rmc5": ("2d", "2d", "2d", "2d", "3d"),
    "r2plus1d": ("2+1d", "2+1d", "2+1d", "2+1d", "2+1d"),
}


def _row(name: str, net: str, params_m: float, macs_g: float, **options: Any) -> ModelSpec:
    """Row of one net of the study; `options` are arguments, or the row's clip and sources."""
    clip = options.pop("clip", TORCHVISION_CLIP)
    vmz = Source(rename=RENAME_TORCHVISION, adapt=replace_norm_eps(theirs=1e-3, ours=1e-5))
    sources = options.pop("sources", {"torchvision": TORCHVISION, "vmz": vmz})
    return ModelSpec(
        name=name,
        build=R2Plus1D,
        args={"groups": FIGURE_1[net], **options},
        clip=clip,
        params_m=params_m,
        macs_g=macs_g,
        strides=(2 ** _strided(net), 16),
        order_sensitive=net != "fr2d",
        sources=sources,
        weights=WEIGHTS.get(name, ()),
    )


def _strided(net: str) -> int:
    """Groups among the last three that convolve in time, and so halve its length."""
    return sum(kind in ("3d", "2+1d") for kind in FIGURE_1[net][2:])


def _clip(frames: int, **options: Any) -> ClipSpec:
    return replace(TORCHVISION_CLIP, frames=frames, **options)


_TINY: dict[str, Any] = {"depth": 10, "width": 16, "num_classes": 12}
_TINY_CLIP = _clip(8, size=56, resize=64, fps=None)
_SMALL: dict[str, Any] = {"depth": 10, "width": 16}  # a minute of training on two cores
_SMALL_CLIP = _clip(8, sampling="segments", size=56, resize=(64, 72), fps=None)

SPECS = (
    _row("r2d_18", "r2d", 11.52, 2.17),
    _row("fr2d_18", "fr2d", 11.38, 27.60),
    _row("mc2_18", "mc2", 11.40, 28.55),
    _row("mc3_18", "mc3", 11.70, 43.34),
    _row("mc4_18", "mc4", 12.73, 39.95),
    _row("mc5_18", "mc5", 16.86, 39.90),
    _row("rmc2_18", "rmc2", 33.35, 39.75),
    _row("rmc3_18", "rmc3", 33.06, 24.95),
    _row("rmc4_18", "rmc4", 32.03, 29.09),
    _row("rmc5_18", "rmc5", 27.90, 30.79),
    _row("r3d_18", "r3d", 33.37, 40.70),
    _row("r3d_34", "r3d", 63.68, 75.38, depth=34),
    _row(
        "r2plus1d_18",
        "r2plus1d",
        31.51,
        40.52,
        convs={"2+1d": partial(factored, middle="block")},
        sources={"torchvision": TORCHVISION_FACTORED, "mmaction2": MMACTION2_18},
    ),
    _row(
        "r2plus1d_vmz_18",
        "r2plus1d",
        33.37,
        41.50,
        eps=1e-3,
        clip=replace(VMZ_CLIP, frames=16),
        sources={"vmz": VMZ, "vmz_caffe2": CAFFE2[18]},
    ),
    _row(
        "r2plus1d_34",
        "r2plus1d",
        63.70,
        152.36,
        depth=34,
        eps=1e-3,
        clip=VMZ_CLIP,
        sources={"vmz": VMZ, "vmz_caffe2": CAFFE2[34], "mmaction2": MMACTION2},
    ),
    _row(
        "r2plus1d_152",
        "r2plus1d",
        118.23,
        252.00,
        depth=152,
        eps=1e-3,
        clip=VMZ_CLIP,
        sources={"vmz": VMZ_152, "vmz_unpooled": VMZ, "vmz_caffe2": CAFFE2[152]},
    ),
    _row("r2plus1d_small", "r2plus1d", 0.95, 0.17, clip=_SMALL_CLIP, **_SMALL),
    _row("fr2d_small", "fr2d", 0.36, 0.12, clip=_SMALL_CLIP, **_SMALL),
    _row("test_r2plus1d", "r2plus1d", 0.90, 0.17, clip=_TINY_CLIP, **_TINY),
    _row("test_fr2d", "fr2d", 0.31, 0.12, clip=_TINY_CLIP, **_TINY),
    _row("test_mc3", "mc3", 0.32, 0.21, clip=_TINY_CLIP, **_TINY),
)
