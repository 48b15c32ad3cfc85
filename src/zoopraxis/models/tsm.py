"""TSM: Temporal Shift Module for Efficient Video Understanding.

Lin, Gan and Han, ICCV 2019. arXiv:1811.08383
Official code: https://github.com/mit-han-lab/temporal-shift-module (MIT)

A 2D network looks at each frame alone. Before the first convolution of a residual branch, TSM
takes one channel in eight from the next frame and one in eight from the previous frame:
neighbours mix in time, at no cost in parameters or multiply-adds. The logits of a clip are the
mean of the frames' logits.

In the authors' code the shift is a wrapper module (``conv1.net.weight``); here it is a function
call in ``residual``. From depth 101 on only every second block of a stage shifts. ``tsm_block_*``
is the paper's in-place shift, which the shortcut sees too (section 3.2); BN-Inception, which has no
shortcuts, shifts in front of its second convolution and of every Inception module. ``tsm_nln_*``
has five non-local blocks, which unlike the paper's pool phi and g behind their convolutions and do
not scale; ``tsm_tpool_*`` halves the frames in front of the second stage by a maximum over time.
The online network has a file of its own, `tsm_online`.

Source "mmaction2" is the copy in mmaction2; its non-local blocks know two more similarities.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.bninception import RENAME_BNINCEPTION, BNInception
from zoopraxis.layers.frames import (
    RENAME_SEGMENTS,
    SegmentNetwork,
    Trunk,
    fold,
    unfold,
)
from zoopraxis.layers.mobilenet_v2 import (
    RENAME_MOBILENETV2,
    RENAME_MOBILENETV2_MMACTION2,
    InvertedResidual,
    MobileNetV2,
)
from zoopraxis.layers.nonlocal_block import PooledNonLocal, Similarity
from zoopraxis.layers.resnet2d import (
    RENAME_MMACTION2,
    RENAME_RESNET2D,
    BasicBlock2d,
    Block2d,
    Bottleneck2d,
    ChooseBlock,
    ResNet2d,
)
from zoopraxis.layers.resnet2d import plain as plain_block
from zoopraxis.layers.shift import temporal_shift
from zoopraxis.layers.timm2d import on_timm
from zoopraxis.models._tsm_weights import WEIGHTS
from zoopraxis.models.tsn import CAFFE_CLIP, SMALL_CLIP
from zoopraxis.spec import ClipSpec, ModelSpec, Source


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


class NonLocalBottleneck(nn.Module):
    """A shifting bottleneck, and a non-local block over all frames."""

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int,
        shortcut: nn.Module,
        similarity: Similarity,
    ) -> None:
        super().__init__()
        self.block = TSMBottleneck(in_channels, width, stride=stride, shortcut=shortcut)
        self.nonlocal_block = PooledNonLocal(4 * width, similarity=similarity)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, 4 width, H', W')."""
        x = self.block(x, frames)
        return fold(self.nonlocal_block(unfold(x, frames)))


def nonlocal_shift(similarity: Similarity) -> ChooseBlock:
    """Non-local blocks behind blocks 0 and 2 of the second stage, and 0, 2 and 4 of the third."""

    def choose(depth: int, stage: int, index: int) -> Block2d:
        if (stage, index) in {(2, 0), (2, 2), (3, 0), (3, 2), (3, 4)}:
            return partial(NonLocalBottleneck, similarity=similarity)
        return residual_shift(depth, stage, index)

    return choose


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


class InPlaceBNInception(BNInception):
    """BN-Inception that shifts in front of all its parts but the first, which sees pixels."""

    def forward(self, x: Tensor, frames: int = 1) -> Tensor:
        """Map frames (B * T, C, H, W) to features (B * T, 1024, H/32, W/32)."""
        first, *others = self.stages()
        x = first(x, frames)  # (B * T, 64, H/4, W/4)
        for stage in others:
            x = stage(shift(x, frames), frames)
        return x


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


_UNWRAP = (r"\.net\.", ".")
_NONLOCAL = (
    (r"\.nl\.W\.0\.", ".nonlocal_block.out."),
    (r"\.nl\.W\.1\.", ".nonlocal_block.norm."),
    (r"\.nl\.(g|phi)\.0\.", r".nonlocal_block.\1."),
    (r"\.nl\.", ".nonlocal_block."),
)
_NONLOCAL_MMACTION2 = (
    (r"\.non_local_block\.conv_out\.conv\.", ".nonlocal_block.out."),
    (r"\.non_local_block\.conv_out\.bn\.", ".nonlocal_block.norm."),
    (r"\.non_local_block\.(\w+)(\.0)?\.conv\.", r".nonlocal_block.\1."),
)


def add_biases(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the last convolutions of non-local blocks biases of zero: mmaction2's have none."""
    ends = [key for key in state if key.endswith("nonlocal_block.out.weight")]
    return {
        **state,
        **{key.replace("weight", "bias"): state[key].new_zeros(len(state[key])) for key in ends},
    }


AUTHORS = {"tsm": Source(rename=(*RENAME_SEGMENTS, _UNWRAP, *_NONLOCAL, *RENAME_RESNET2D))}
MMACTION2 = {
    "mmaction2": Source(rename=(_UNWRAP, *_NONLOCAL_MMACTION2, *RENAME_MMACTION2), adapt=add_biases)
}
BOTH = {**AUTHORS, **MMACTION2}
BNINCEPTION = {"tsm": Source(rename=(*RENAME_SEGMENTS, *RENAME_BNINCEPTION))}
MOBILENET = {
    "tsm": Source(rename=(*RENAME_SEGMENTS, *RENAME_MOBILENETV2)),
    "mmaction2": Source(rename=RENAME_MOBILENETV2_MMACTION2),
}

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
        weights=WEIGHTS.get(name, ()),
    )


_resnet = partial(ResNet2d, block=residual_shift)
_in_place = partial(ResNet2d, block=in_place_shift)
_pooled = partial(PooledResNet, block=residual_shift)
_mobilenet = partial(MobileNetV2, block=TSMInvertedResidual)


def _nonlocal(similarity: Similarity) -> Trunk:
    return partial(ResNet2d, 50, block=nonlocal_shift(similarity))


_EMBEDDED = _nonlocal("embedded_gaussian")
_tpool = partial(_row, time=2, sources=BOTH)
_flow = partial(_row, clip=_FLOW_CLIP, sources=BOTH)

SPECS = (
    _row("tsm_r18_8", partial(_resnet, 18), 11.38, 14.51, sources=BOTH),
    _row("tsm_r34_8", partial(_resnet, 34), 21.49, 29.31, sources=BOTH),
    _row("tsm_r50_8", partial(_resnet, 50), 24.33, 32.70, sources=BOTH),
    _row("tsm_r50_16", partial(_resnet, 50), 24.33, 65.41, frames=16, sources=BOTH),
    _row("tsm_r101_8", partial(_resnet, 101), 43.32, 62.40, sources=BOTH),
    _row("tsm_r101_16", partial(_resnet, 101), 43.32, 124.80, frames=16, sources=BOTH),
    _row("tsm_r152_8", partial(_resnet, 152), 58.96, 92.10, sources=BOTH),
    _row("tsm_block_r18_8", partial(_in_place, 18), 11.38, 14.51, sources=BOTH),
    _row("tsm_block_r34_8", partial(_in_place, 34), 21.49, 29.31, sources=BOTH),
    _row("tsm_block_r50_8", partial(_in_place, 50), 24.33, 32.70, sources=BOTH),
    _row("tsm_block_r50_16", partial(_in_place, 50), 24.33, 65.41, frames=16, sources=BOTH),
    _row("tsm_block_r101_8", partial(_in_place, 101), 43.32, 62.40, sources=BOTH),
    _row(
        "tsm_block_bninception_8",
        InPlaceBNInception,
        10.68,
        16.26,
        clip=CAFFE_CLIP,
        sources=BNINCEPTION,
    ),
    _row(
        "tsm_block_bninception_16",
        InPlaceBNInception,
        10.68,
        32.51,
        clip=CAFFE_CLIP,
        frames=16,
        sources=BNINCEPTION,
    ),
    _row("tsm_nln_r50_8", _EMBEDDED, 31.69, 61.10, sources=BOTH),
    _row("tsm_nln_r50_16", _EMBEDDED, 31.69, 146.13, frames=16, sources=BOTH),
    _row("tsm_nln_gaussian_r50_8", _nonlocal("gaussian"), 28.01, 58.86, sources=MMACTION2),
    _row("tsm_nln_dot_product_r50_8", _nonlocal("dot_product"), 31.69, 61.10, sources=MMACTION2),
    _tpool("tsm_tpool_r18_8", partial(_pooled, 18), 11.38, 9.58),
    _tpool("tsm_tpool_r50_8", partial(_pooled, 50), 24.33, 19.50),
    _tpool("tsm_tpool_r50_16", partial(_pooled, 50), 24.33, 38.99, frames=16),
    _tpool("tsm_tpool_r101_8", partial(_pooled, 101), 43.32, 34.34),
    _flow("tsm_r18_flow_8", partial(_resnet, 18), 11.40, 16.71),
    _flow("tsm_r50_flow_8", partial(_resnet, 50), 24.35, 34.91),
    _flow("tsm_r50_flow_16", partial(_resnet, 50), 24.35, 69.81, frames=16),
    _flow("tsm_r101_flow_8", partial(_resnet, 101), 43.34, 64.60),
    _row("tsm_mobilenetv2_8", _mobilenet, 2.74, 2.40, sources=MOBILENET),
    _row("tsm_mobilenetv2_16", _mobilenet, 2.74, 4.80, frames=16, sources=MOBILENET),
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
        sources=BOTH,
        num_classes=12,
    ),
)
