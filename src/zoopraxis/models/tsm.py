"""TSM: Temporal Shift Module for Efficient Video Understanding.

Lin, Gan and Han, ICCV 2019. arXiv:1811.08383
Official code: https://github.com/mit-han-lab/temporal-shift-module (MIT)

A 2D network looks at each frame alone. Before the first convolution of a residual branch, TSM
takes one channel in eight from the next frame and one in eight from the previous frame:
neighbours mix in time, at no cost in parameters or multiply-adds. The logits of a clip are the
mean of the frames' logits.

In the authors' code the shift is a wrapper module (``conv1.net.weight``); here it is a function
call in ``residual``. From depth 101 on only every second block of a stage shifts. ``tsm_block_*``
is the paper's in-place shift, which the shortcut sees too (section 3.2). ``tsm_nln_*`` has five
non-local blocks, which unlike the paper's pool phi and g behind their convolutions and do not
scale; ``tsm_tpool_*`` halves the frames in front of the second stage by a maximum over time.
The online network has a file of its own, `tsm_online`.

Source "mmaction2" is the copy in mmaction2. Its non-local networks differ, and are not built.
The authors' BN-Inception with shifts has no published checkpoint, and is not built either.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.frames import (
    RENAME_SEGMENTS,
    SegmentNetwork,
    Trunk,
    fold,
    unfold,
)
from zoopraxis.layers.mobilenet_v2 import RENAME_MOBILENETV2, InvertedResidual, MobileNetV2
from zoopraxis.layers.nonlocal_block import NonLocalBlock
from zoopraxis.layers.resnet2d import (
    RENAME_MMACTION2,
    RENAME_RESNET2D,
    BasicBlock2d,
    Block2d,
    Bottleneck2d,
    ResNet2d,
)
from zoopraxis.layers.resnet2d import plain as plain_block
from zoopraxis.layers.shift import temporal_shift
from zoopraxis.layers.timm2d import on_timm
from zoopraxis.models.tsn import SMALL_CLIP
from zoopraxis.spec import ClipSpec, ModelSpec, Source, Weights


def shift(x: Tensor, frames: int) -> Tensor:
    """Shift one channel in eight each way: (B * T, C, H, W) to the same."""
    share = x.shape[1] // 8
    return temporal_shift(x, frames, future=share, past=share)


class TSMBasicBlock(BasicBlock2d):
    """Two convolutions that see a shifted input; the shortcut does not."""

    def residual(self, x: Tensor, frames: int) -> Tensor:
        """Branch of the convolutions: (B * T, C, H, W) to (B * T, width, H', W')."""
        return super().residual(shift(x, frames), frames)


class TSMBottleneck(Bottleneck2d):
    """A bottleneck that sees a shifted input; the shortcut does not."""

    def residual(self, x: Tensor, frames: int) -> Tensor:
        """Branch of the convolutions: (B * T, C, H, W) to (B * T, 4 width, H', W')."""
        return super().residual(shift(x, frames), frames)


class InPlaceBasicBlock(BasicBlock2d):
    """A basic block whose input is shifted, for the shortcut too."""

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, width, H', W')."""
        return super().forward(shift(x, frames), frames)


class InPlaceBottleneck(Bottleneck2d):
    """A bottleneck whose input is shifted, for the shortcut too."""

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, 4 width, H', W')."""
        return super().forward(shift(x, frames), frames)


def residual_shift(depth: int, stage: int, index: int) -> Block2d:
    """Shift in every block, from depth 101 on in every second one."""
    if depth >= 101 and index % 2:
        return plain_block(depth, stage, index)
    return TSMBottleneck if depth >= 50 else TSMBasicBlock


def in_place_shift(depth: int, _stage: int, _index: int) -> Block2d:
    """Shift in front of every block, whatever the depth."""
    return InPlaceBottleneck if depth >= 50 else InPlaceBasicBlock


class PooledNonLocal(NonLocalBlock):
    """Embedded Gaussian without scale; phi and g pool what their convolutions give."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        theta = self.theta(x).flatten(2)  # (B, C/2, N)
        phi = self.pool(self.phi(x)).flatten(2)  # (B, C/2, M)
        g = self.pool(self.g(x)).flatten(2)  # (B, C/2, M)
        attention = (theta.transpose(1, 2) @ phi).softmax(dim=2)  # (B, N, M)
        y = (g @ attention.transpose(1, 2)).reshape(*theta.shape[:2], *x.shape[2:])
        out: Tensor = x + self.norm(self.out(y))  # (B, C, T, H, W)
        return out


class NonLocalBottleneck(nn.Module):
    """A shifting bottleneck, and a non-local block over all frames."""

    def __init__(self, in_channels: int, width: int, *, stride: int, shortcut: nn.Module) -> None:
        super().__init__()
        self.block = TSMBottleneck(in_channels, width, stride=stride, shortcut=shortcut)
        self.nonlocal_block = PooledNonLocal(4 * width)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, 4 width, H', W')."""
        x = self.block(x, frames)
        return fold(self.nonlocal_block(unfold(x, frames)))


def nonlocal_shift(depth: int, stage: int, index: int) -> Block2d:
    """Non-local blocks behind blocks 0 and 2 of the second stage, and 0, 2 and 4 of the third."""
    if (stage, index) in {(2, 0), (2, 2), (3, 0), (3, 2), (3, 4)}:
        return NonLocalBottleneck
    return residual_shift(depth, stage, index)


class PooledResNet(ResNet2d):
    """A ResNet whose stages from the second on see half the frames."""

    def forward(self, x: Tensor, frames: int = 1) -> Tensor:
        """Map frames (B * T, C, H, W) to features (B * T/2, F, H/32, W/32)."""
        x = self.layer1(self.stem(x), frames)  # (B * T, ., H/4, W/4)
        x = unfold(x, frames)  # (B, C, T, H, W)
        x = F.max_pool3d(x, (3, 1, 1), stride=(2, 1, 1), padding=(1, 0, 0))
        frames = x.shape[2]
        x = self.layer2(fold(x), frames)  # (B * T/2, ., H/8, W/8)
        x = self.layer3(x, frames)  # (B * T/2, ., H/16, W/16)
        out: Tensor = self.layer4(x, frames)  # (B * T/2, F, H/32, W/32)
        return out


class TSMInvertedResidual(InvertedResidual):
    """An inverted residual that sees a shifted input where it has a shortcut."""

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, C', H', W')."""
        return x + self.branch(shift(x, frames)) if self.adds else self.branch(x)


class TSM(SegmentNetwork):
    """A 2D network with temporal shift; clip logits are the mean of the frame logits.

    The parameters are those of `SegmentNetwork`; the trunk is one whose blocks shift.
    """


class ShiftedConv(nn.Module):
    """A convolution of a timm network behind a shift."""

    def __init__(self, conv: nn.Conv2d, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, C', H', W')."""
        out: Tensor = self.conv(shift(x, self.frames))
        return out


def tsm_timm(backbone: str, **options: Any) -> nn.Module:
    """Shift in front of the first convolution of every block of a timm network: `on_timm`."""
    return on_timm(TSM, backbone, wrap=ShiftedConv, **options)


_NONLOCAL = (
    (r"\.nl\.W\.0\.", ".nonlocal_block.out."),
    (r"\.nl\.W\.1\.", ".nonlocal_block.norm."),
    (r"\.nl\.(g|phi)\.0\.", r".nonlocal_block.\1."),
    (r"\.nl\.", ".nonlocal_block."),
)
_UNWRAP = (r"\.net\.", ".")
TSM_RESNET = Source(rename=(*RENAME_SEGMENTS, _UNWRAP, *_NONLOCAL, *RENAME_RESNET2D))
TSM_MOBILENET = Source(rename=(*RENAME_SEGMENTS, *RENAME_MOBILENETV2))
MMACTION2 = Source(rename=RENAME_MMACTION2)

_CLIP = ClipSpec(frames=8, sampling="segments")
_FLOW_CLIP = replace(_CLIP, modality="flow", stack=5, mean=(0.5, 0.5), std=(0.226, 0.226))


def _row(
    name: str,
    trunk: Trunk,
    params_m: float,
    macs_g: float,
    *,
    frames: int = 8,
    clip: ClipSpec = _CLIP,
    time: int = 1,
    sources: Mapping[str, Source],
    weights: tuple[Weights, ...] = (),
    **args: Any,
) -> ModelSpec:
    """Row of an offline network."""
    return ModelSpec(
        name=name,
        build=TSM,
        args={"trunk": trunk, "channels": clip.channels, "stack": clip.stack, **args},
        clip=replace(clip, frames=frames),
        params_m=params_m,
        macs_g=macs_g,
        strides=(time * clip.stack, 32),
        sources=sources,
        weights=weights,
    )


_HANLAB = "https://hanlab18.mit.edu/projects/tsm/models/"
_MM = "https://download.openmmlab.com/mmaction/v1.0/recognition/tsm/"
_UNIFORM = "1 clip of uniform segments, 1 centre crop"
_DENSE = "10 dense clips x 3 crops of the full resolution"
_TWICE = "2 clips x 3 crops of the full resolution"
_KINETICS, _SOMETHING = "kinetics400", "something-something-"


def _published(
    tag: str, file: str, top1: float | None, protocol: str = "", *, classes: int = 400
) -> Weights:
    """Row of a checkpoint of the authors."""
    dataset = tag.removesuffix("-dense")
    return Weights(
        tag=tag,
        url=f"{_HANLAB}{file}.pth",
        source="tsm",
        dataset=dataset,
        num_classes=classes,
        licence="MIT (code)",
        top1=top1,
        protocol=protocol,
    )


def _something(version: str, depth: int, frames: int, top1: float) -> Weights:
    """Row of a checkpoint of the authors on Something-Something v1 or v2."""
    data = {"v1": "something", "v2": "somethingv2"}[version]
    return _published(
        f"{_SOMETHING}{version}",
        f"TSM_{data}_RGB_resnet{depth}_shift8_blockres_avg_segment{frames}_e45",
        top1,
        _UNIFORM if version == "v1" else _TWICE,
        classes=174,
    )


def _mmaction2(folder: str, date_hash: str, top1: float, top5: float) -> Weights:
    """Row of a checkpoint in mmaction2's model zoo."""
    folder = f"tsm_imagenet-pretrained-{folder}-rgb"
    something = "sthv2" in folder
    return Weights(
        tag="something-something-v2-mmaction2" if something else "kinetics400-mmaction2",
        url=f"{_MM}{folder}/{folder}_{date_hash}.pth",
        source="mmaction2",
        dataset="something-something-v2" if something else _KINETICS,
        num_classes=174 if something else 400,
        sha256=date_hash.split("-")[1],
        licence="Apache-2.0",
        top1=top1,
        top5=top5,
    )


_R50_8 = (
    _published(
        _KINETICS, "TSM_kinetics_RGB_resnet50_shift8_blockres_avg_segment8_e50", 71.2, _UNIFORM
    ),
    _published(
        "kinetics400-dense",
        "TSM_kinetics_RGB_resnet50_shift8_blockres_avg_segment8_e100_dense",
        74.1,
        _DENSE,
    ),
    _something("v1", 50, 8, 45.6),
    _something("v2", 50, 8, 61.2),
    _mmaction2("r50_8xb16-1x1x8-50e_kinetics400", "20220831-64d69186", 73.18, 90.56),
    _mmaction2("r50_8xb16-1x1x8-50e_sthv2", "20230317-be0fc26e", 62.72, 87.70),
)
_R50_16 = (
    _published(
        _KINETICS, "TSM_kinetics_RGB_resnet50_shift8_blockres_avg_segment16_e50", 72.6, _UNIFORM
    ),
    _something("v1", 50, 16, 47.2),
    _something("v2", 50, 16, 63.1),
    _mmaction2("r50_8xb16-1x1x16-50e_kinetics400", "20220831-042b1748", 75.12, 91.55),
    _mmaction2("r50_8xb16-1x1x16-50e_sthv2", "20230317-ec6696ad", 64.16, 88.61),
)
_R101_8 = (
    _something("v1", 101, 8, 46.9),
    _something("v2", 101, 8, 63.3),
    _mmaction2("r101_8xb16-1x1x8-50e_sthv2", "20230320-efcc0d1b", 63.70, 88.28),
)
_NLN = _published(
    "kinetics400-dense",
    "TSM_kinetics_RGB_resnet50_shift8_blockres_avg_segment8_e100_dense_nl",
    75.6,
    _DENSE,
)
_FLOW = _published(
    _KINETICS, "TSM_kinetics_Flow_resnet50_shift8_blockres_avg_segment8_e50", 55.7, _UNIFORM
)
_MOBILE = _published(
    "kinetics400-dense",
    "TSM_kinetics_RGB_mobilenetv2_shift8_blockres_avg_segment8_e100_dense",
    69.5,
    _DENSE,
)
_AUTHORS = {"tsm": TSM_RESNET}
_BOTH = {"tsm": TSM_RESNET, "mmaction2": MMACTION2}
_resnet = partial(ResNet2d, block=residual_shift)
_in_place = partial(ResNet2d, block=in_place_shift)
_nonlocal = partial(ResNet2d, block=nonlocal_shift)
_pooled = partial(PooledResNet, block=residual_shift)
_mobilenet = partial(MobileNetV2, block=TSMInvertedResidual)

SPECS = (
    _row("tsm_r18_8", partial(_resnet, 18), 11.38, 14.51, sources=_BOTH),
    _row("tsm_r34_8", partial(_resnet, 34), 21.49, 29.31, sources=_BOTH),
    _row("tsm_r50_8", partial(_resnet, 50), 24.33, 32.70, sources=_BOTH, weights=_R50_8),
    _row(
        "tsm_r50_16", partial(_resnet, 50), 24.33, 65.41, frames=16, sources=_BOTH, weights=_R50_16
    ),
    _row("tsm_r101_8", partial(_resnet, 101), 43.32, 62.40, sources=_BOTH, weights=_R101_8),
    _row("tsm_r101_16", partial(_resnet, 101), 43.32, 124.80, frames=16, sources=_BOTH),
    _row("tsm_block_r50_8", partial(_in_place, 50), 24.33, 32.70, sources=_AUTHORS),
    _row("tsm_block_r50_16", partial(_in_place, 50), 24.33, 65.41, frames=16, sources=_AUTHORS),
    _row("tsm_block_r101_8", partial(_in_place, 101), 43.32, 62.40, sources=_AUTHORS),
    _row("tsm_nln_r50_8", partial(_nonlocal, 50), 31.69, 61.10, sources=_AUTHORS, weights=(_NLN,)),
    _row("tsm_nln_r50_16", partial(_nonlocal, 50), 31.69, 146.13, frames=16, sources=_AUTHORS),
    _row("tsm_tpool_r50_8", partial(_pooled, 50), 24.33, 19.50, time=2, sources=_AUTHORS),
    _row(
        "tsm_tpool_r50_16",
        partial(_pooled, 50),
        24.33,
        38.99,
        frames=16,
        time=2,
        sources=_AUTHORS,
    ),
    _row(
        "tsm_r50_flow_8",
        partial(_resnet, 50),
        24.35,
        34.91,
        clip=_FLOW_CLIP,
        sources=_AUTHORS,
        weights=(_FLOW,),
    ),
    _row(
        "tsm_r50_flow_16",
        partial(_resnet, 50),
        24.35,
        69.81,
        frames=16,
        clip=_FLOW_CLIP,
        sources=_AUTHORS,
    ),
    _row(
        "tsm_mobilenetv2_8",
        _mobilenet,
        2.74,
        2.40,
        sources={"tsm": TSM_MOBILENET},
        weights=(_MOBILE,),
    ),
    _row("tsm_mobilenetv2_16", _mobilenet, 2.74, 4.80, frames=16, sources={"tsm": TSM_MOBILENET}),
    ModelSpec(
        name="tsm_timm",
        build=tsm_timm,
        args={"backbone": "resnet18"},
        clip=_CLIP,
        params_m=11.38,
        macs_g=14.51,
        strides=(1, None),
    ),
    _row(
        "tsm_small",
        partial(_resnet, 10, width=16),
        0.36,
        0.04,
        frames=8,
        clip=SMALL_CLIP,
        sources={},
        dropout=0.0,
    ),
    _row(
        "test_tsm",
        partial(_resnet, 10, width=16),
        0.31,
        0.03,
        frames=4,
        clip=replace(_CLIP, size=64, resize=64),
        sources=_BOTH,
        num_classes=12,
    ),
)
