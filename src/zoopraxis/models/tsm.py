"""TSM: Temporal Shift Module for Efficient Video Understanding.

Lin, Gan and Han, ICCV 2019. arXiv:1811.08383
Official code: https://github.com/mit-han-lab/temporal-shift-module (MIT)

A 2D network sees each frame alone. Before the first convolution of every residual branch, TSM
moves one channel in eight to the previous frame and one in eight to the next: neighbouring frames
mix, at no cost in parameters or multiply-adds. The logits of a clip are the mean of the logits of
its frames.

As in the official code, at depth 101 and above only every second block of a stage shifts. There
the shift is a module around a convolution (``conv1.net.weight``); here it is a function call.
``tsm_block_*`` is the in-place shift, which affects the shortcut too (Figure 3a); BN-Inception has
no shortcuts, and shifts before its second convolution and before every Inception module.
``tsm_nln_*`` has five non-local blocks, which unlike the original ones pool phi and g after their
convolutions and do not scale. ``tsm_tpool_*`` halves the number of frames before the second stage
by max pooling over time. The online network is in `tsm_online`.
"""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import ClipSpec
from zoopraxis.layers.bninception import BNInception
from zoopraxis.layers.frames import BackboneFn, merge_time, split_time
from zoopraxis.layers.mobilenet_v2 import InvertedResidual, MobileNetV2
from zoopraxis.layers.nonlocal_block import PooledNonLocal, Similarity
from zoopraxis.layers.resnet2d import BasicBlock2d, Block2d, Bottleneck2d, ChooseBlock, ResNet2d
from zoopraxis.layers.resnet2d import plain as plain_block
from zoopraxis.layers.shift import temporal_shift
from zoopraxis.layers.timm2d import on_timm
from zoopraxis.models.base import SegmentNetwork
from zoopraxis.models.tsn import CAFFE_CLIP, IMAGENET_CLIP, IMAGENET_FLOW, SMALL_CLIP
from zoopraxis.spec import ModelSpec


def shift(x: Tensor, num_frames: int) -> Tensor:
    """Move an eighth of the channels of frames (B * T, C, H, W) one frame back, an eighth forward.

    Figure 1b. Clips are padded with zeros.
    """
    x = split_time(x, num_frames)  # (B, C, T, H, W)
    # 64 channels: 8 of the next frame, 8 of the previous one, 48 stay
    n = x.shape[1] // 8
    from_next, from_previous, still = x[:, :n], x[:, n : 2 * n], x[:, 2 * n :]
    # F.pad takes the axes from the last: W, H, then T
    from_next = F.pad(from_next[:, :, 1:], (0, 0, 0, 0, 0, 1))  # 1 2 3 4 becomes 2 3 4 0
    from_previous = F.pad(from_previous[:, :, :-1], (0, 0, 0, 0, 1, 0))  # 1 2 3 4 becomes 0 1 2 3
    return merge_time(torch.cat((from_next, from_previous, still), dim=1))  # (B * T, C, H, W)


def fast_shift(x: Tensor, num_frames: int) -> Tensor:
    """`shift` in one pass over memory; the networks use this form."""
    n = x.shape[1] // 8
    return temporal_shift(x, num_frames, future=n, past=n)


class TSMBasicBlock(BasicBlock2d):
    """A basic block that shifts its residual branch, not its shortcut (Figure 3b)."""

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, width, H', W')."""
        residual = self.residual(fast_shift(x, num_frames), num_frames)  # (B * T, width, H', W')
        return F.relu(residual + self.shortcut(x), inplace=True)


class TSMBottleneck(Bottleneck2d):
    """A bottleneck that shifts its residual branch, not its shortcut (Figure 3b)."""

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, 4 width, H', W')."""
        residual = self.residual(fast_shift(x, num_frames), num_frames)  # (B * T, 4 width, H', W')
        return F.relu(residual + self.shortcut(x), inplace=True)


class TSMInvertedResidual(InvertedResidual):
    """An inverted residual that shifts its residual branch where it has a shortcut."""

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, C', H', W')."""
        return x + self.branch(fast_shift(x, num_frames)) if self.adds else self.branch(x)


def residual_shift(depth: int, stage: int, index: int) -> Block2d:
    """Choose blocks that shift: all up to depth 50, every second one from 101 up."""
    if depth >= 101 and index % 2:  # blocks 0, 2, 4, ... of a stage shift
        return plain_block(depth, stage, index)
    return TSMBottleneck if depth >= 50 else TSMBasicBlock


class TSM(SegmentNetwork):
    """A 2D backbone whose blocks shift; clip logits are the mean of the frame logits.

    The parameters are those of `SegmentNetwork`.
    """


class InPlaceBasicBlock(BasicBlock2d):
    """A basic block that shifts its input, including the shortcut's (Figure 3a)."""

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, width, H', W')."""
        return super().forward(fast_shift(x, num_frames), num_frames)


class InPlaceBottleneck(Bottleneck2d):
    """A bottleneck that shifts its input, including the shortcut's (Figure 3a)."""

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, 4 width, H', W')."""
        return super().forward(fast_shift(x, num_frames), num_frames)


def in_place_shift(depth: int, _stage: int, _index: int) -> Block2d:
    """Choose blocks that shift in place, at every depth."""
    return InPlaceBottleneck if depth >= 50 else InPlaceBasicBlock


class InPlaceBNInception(BNInception):
    """BN-Inception that shifts before every part except the first, whose input is pixels."""

    def forward(self, x: Tensor, num_frames: int = 1) -> Tensor:
        """Map frames (B * T, C, H, W) to features (B * T, 1024, H/32, W/32)."""
        first, *others = self.stages()
        x = first(x, num_frames)  # (B * T, 64, H/4, W/4)
        for stage in others:
            x = stage(fast_shift(x, num_frames), num_frames)  # (B * T, ., H', W')
        return x  # (B * T, 1024, H/32, W/32)


class NonLocalBottleneck(nn.Module):
    """A bottleneck that shifts, followed by a non-local block over all frames."""

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

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, 4 width, H', W')."""
        x = self.block(x, num_frames)  # (B * T, 4 width, H', W')
        x = self.nonlocal_block(split_time(x, num_frames))  # (B, 4 width, T, H', W')
        return merge_time(x)  # (B * T, 4 width, H', W')


def nonlocal_shift(similarity: Similarity) -> ChooseBlock:
    """Insert non-local blocks after blocks 0 and 2 of stage 2, and after 0, 2 and 4 of stage 3."""

    def choose(depth: int, stage: int, index: int) -> Block2d:
        if (stage, index) in {(2, 0), (2, 2), (3, 0), (3, 2), (3, 4)}:
            return partial(NonLocalBottleneck, similarity=similarity)
        return residual_shift(depth, stage, index)

    return choose


class PooledResNet(ResNet2d):
    """A ResNet that halves the number of frames before its second stage."""

    def forward(self, x: Tensor, num_frames: int = 1) -> Tensor:
        """Map frames (B * T, C, H, W) to features (B * T/2, F, H/32, W/32)."""
        x = self.layer1(self.stem(x), num_frames)  # (B * T, ., H/4, W/4)
        x = split_time(x, num_frames)  # (B, ., T, H/4, W/4)
        # 8 frames become 4: the maxima of 0-1, 1-3, 3-5, 5-7
        x = F.max_pool3d(x, (3, 1, 1), stride=(2, 1, 1), padding=(1, 0, 0))  # (B, ., T/2, ...)
        num_frames = x.shape[2]
        x = self.layer2(merge_time(x), num_frames)  # (B * T/2, ., H/8, W/8)
        x = self.layer3(x, num_frames)  # (B * T/2, ., H/16, W/16)
        out: Tensor = self.layer4(x, num_frames)  # (B * T/2, F, H/32, W/32)
        return out


class ShiftedConv(nn.Module):
    """A convolution of a timm network, preceded by a shift."""

    def __init__(self, conv: nn.Conv2d, num_frames: int) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, C', H', W')."""
        out: Tensor = self.conv(fast_shift(x, self.num_frames))
        return out


def tsm_timm(backbone: str, **options: Any) -> nn.Module:
    """Shift before the first convolution of every block of a timm network; see `on_timm`."""
    return on_timm(TSM, backbone, wrap=ShiftedConv, **options)


def _entry(
    name: str,
    backbone_fn: BackboneFn,
    num_frames: int = 8,
    *,
    clip: ClipSpec = IMAGENET_CLIP,
    time_stride: int = 1,
    **args: Any,
) -> ModelSpec:
    stack = clip.sampling.stack
    modality = {"in_channels": clip.channels, "stack": stack}
    return ModelSpec(
        name=name,
        build=TSM,
        args={"backbone_fn": backbone_fn, **modality, **args},
        clip=clip.change(num_frames=num_frames),
        strides=(time_stride * stack, 32),
    )


def _nonlocal(similarity: Similarity) -> BackboneFn:
    return partial(ResNet2d, 50, block=nonlocal_shift(similarity))


_resnet = partial(ResNet2d, block=residual_shift)
_in_place = partial(ResNet2d, block=in_place_shift)
_pooled = partial(PooledResNet, block=residual_shift)
_mobilenet = partial(MobileNetV2, block=TSMInvertedResidual)
_embedded = _nonlocal("embedded_gaussian")
_tiny = partial(_resnet, 10, width=16)

SPECS = (
    # residual shift
    _entry("tsm_r18_8", partial(_resnet, 18)),
    _entry("tsm_r34_8", partial(_resnet, 34)),
    _entry("tsm_r50_8", partial(_resnet, 50)),
    _entry("tsm_r50_16", partial(_resnet, 50), 16),
    _entry("tsm_r101_8", partial(_resnet, 101)),
    _entry("tsm_r101_16", partial(_resnet, 101), 16),
    _entry("tsm_r152_8", partial(_resnet, 152)),
    # in-place shift
    _entry("tsm_block_r18_8", partial(_in_place, 18)),
    _entry("tsm_block_r34_8", partial(_in_place, 34)),
    _entry("tsm_block_r50_8", partial(_in_place, 50)),
    _entry("tsm_block_r50_16", partial(_in_place, 50), 16),
    _entry("tsm_block_r101_8", partial(_in_place, 101)),
    _entry("tsm_block_bninception_8", InPlaceBNInception, clip=CAFFE_CLIP),
    _entry("tsm_block_bninception_16", InPlaceBNInception, 16, clip=CAFFE_CLIP),
    # non-local blocks
    _entry("tsm_nln_r50_8", _embedded),
    _entry("tsm_nln_r50_16", _embedded, 16),
    _entry("tsm_nln_gaussian_r50_8", _nonlocal("gaussian")),
    _entry("tsm_nln_dot_product_r50_8", _nonlocal("dot_product")),
    # temporal pooling
    _entry("tsm_tpool_r18_8", partial(_pooled, 18), time_stride=2),
    _entry("tsm_tpool_r50_8", partial(_pooled, 50), time_stride=2),
    _entry("tsm_tpool_r50_16", partial(_pooled, 50), 16, time_stride=2),
    _entry("tsm_tpool_r101_8", partial(_pooled, 101), time_stride=2),
    # flow
    _entry("tsm_r18_flow_8", partial(_resnet, 18), clip=IMAGENET_FLOW),
    _entry("tsm_r50_flow_8", partial(_resnet, 50), clip=IMAGENET_FLOW),
    _entry("tsm_r50_flow_16", partial(_resnet, 50), 16, clip=IMAGENET_FLOW),
    _entry("tsm_r101_flow_8", partial(_resnet, 101), clip=IMAGENET_FLOW),
    # other image networks
    _entry("tsm_mobilenetv2_8", _mobilenet),
    _entry("tsm_mobilenetv2_16", _mobilenet, 16),
    ModelSpec(
        name="tsm_timm",
        build=tsm_timm,
        args={"backbone": "resnet18"},
        clip=IMAGENET_CLIP,
        strides=(1, None),
    ),
    _entry("tsm_small", _tiny, clip=SMALL_CLIP, dropout=0.0),
    _entry("test_tsm", _tiny, 4, clip=IMAGENET_CLIP.change(size=64, resize=64), num_classes=12),
)
