"""Collaborative Spatiotemporal Feature Learning for Video Action Recognition (CoST).

Li, Zhong, Xie and Pu, CVPR 2019. arXiv:1903.01197
Official code: https://github.com/hikvision-research/cost (Apache-2.0, on mmaction2)

A clip is a volume that can be looked at from three sides: height by width, time by width and time
by height. CoST convolves it with the same 3x3 kernel from each side and adds the three views with
weights that sum to one for every channel (softmax). CoST(a) learns the weights as parameters;
CoST(b) predicts them from the views: each is pooled by its maximum, passes a linear layer that
mixes channels (shared by the views), and one that mixes views. Every second block of a ResNet has
its 3x3 convolution replaced.

The baselines differ in the same blocks: ``cost_c2d_*`` has none replaced, ``cost_i3d_*`` spans
three frames in their first convolution, and ``cost_c3d_*`` has 3x3x3 in place of 3x3, which is
what the paper calls C3D. All pool pairs of frames behind the first stage; networks of 32 frames
also stride by 2 in a stem of 5x7x7 and in its pooling. The authors' configurations give 50 layers
with 8 frames, and CoST(b) of 101 layers with 8 and 32; the other rows follow the same rules. No
checkpoint is published. CoST(a) has fewer parameters than I3D and more multiply-adds.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.conv3d import conv_spatial, conv_spatiotemporal
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.inflated_resnet import InflatedBottleneck, InflatedStem
from zoopraxis.layers.resnet3d import (
    DEPTHS,
    RENAME_MMACTION2,
    Bottleneck3d,
    initialise,
    project,
)
from zoopraxis.spec import ClipSpec, ModelSpec, Source


class ThreeViews(nn.Module):
    """One 3x3 kernel, with which a volume can be convolved from three sides.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels that come and go.
    stride : int
        In space.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int) -> None:
        super().__init__()
        self.stride = (1, stride, stride)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 1, 3, 3))
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")

    def views(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the views (3, B, C', T, H', W').

        Height by width, time by width, time by height: the kernel does not reach along the axis
        that is left.
        """
        views = []
        for normal in (2, 3, 4):
            kernel = self.weight.movedim(2, normal)  # (C', C, 1, 3, 3), (., ., 3, 1, 3), ...
            padding = tuple(size // 2 for size in kernel.shape[2:])
            views.append(F.conv3d(x, kernel, stride=self.stride, padding=padding))
        return torch.stack(views)  # (3, B, C', T, H', W')


def blend(views: Tensor, scores: Tensor) -> Tensor:
    """Sum the views, weighed by the softmax of their scores.

    Parameters
    ----------
    views : Tensor of shape (3, B, C, T, H, W)
    scores : Tensor of shape (3, B or 1, C)

    Returns
    -------
    Tensor of shape (B, C, T, H, W)
    """
    shares = scores.softmax(dim=0)[..., None, None, None]  # (3, B or 1, C, 1, 1, 1)
    return (shares * views).sum(dim=0)


class CoSTa(ThreeViews):
    """Views weighed by parameters, at first 0.67, 0.16 and 0.16.

    The arguments are those of `ThreeViews`.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int) -> None:
        super().__init__(in_channels, out_channels, stride=stride)
        start = torch.tensor([0.7, -0.7, -0.7])
        self.alpha = nn.Parameter(start[:, None].repeat(1, out_channels))  # (3, C)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T, H', W')."""
        return blend(self.views(x), self.alpha[:, None])


class CoSTb(ThreeViews):
    """Views weighed by what they show.

    The arguments are those of `ThreeViews`.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int) -> None:
        super().__init__(in_channels, out_channels, stride=stride)
        self.mix_channels = nn.Linear(out_channels, out_channels, bias=False)
        self.mix_views = nn.Linear(3, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T, H', W')."""
        views = self.views(x)
        scores = self.mix_channels(views.amax(dim=(3, 4, 5)))  # (3, B, C)
        scores = self.mix_views(scores.movedim(0, -1)).movedim(-1, 0)  # (3, B, C)
        return blend(views, scores)


# The blocks.


class Block(Protocol):
    """Makes a bottleneck."""

    def __call__(
        self, in_channels: int, width: int, *, stride: tuple[int, int], shortcut: nn.Module
    ) -> nn.Module:
        """Return a module that maps (B, C, T, H, W) to (B, 4 width, T, H', W')."""


def _per_frame(
    _block_in: int, in_channels: int, out_channels: int, *, stride: tuple[int, int]
) -> nn.Module:
    return conv_spatial(in_channels, out_channels, stride=stride[1])


def _full(
    _block_in: int, in_channels: int, out_channels: int, *, stride: tuple[int, int]
) -> nn.Module:
    return conv_spatiotemporal(in_channels, out_channels, stride=stride)


def _three_views(
    _block_in: int,
    in_channels: int,
    out_channels: int,
    *,
    stride: tuple[int, int],
    kind: type[CoSTa] | type[CoSTb],
) -> nn.Module:
    return kind(in_channels, out_channels, stride=stride[1])


BLOCKS: Mapping[str, Block] = {
    "c2d": partial(Bottleneck3d, conv=_per_frame),
    "i3d": partial(InflatedBottleneck, frames=3),
    "c3d": partial(Bottleneck3d, conv=_full),
    "a": partial(Bottleneck3d, conv=partial(_three_views, kind=CoSTa)),
    "b": partial(Bottleneck3d, conv=partial(_three_views, kind=CoSTb)),
}
"""What every second block is; the others are "c2d"."""


class CoST(nn.Module):
    """A ResNet of bottlenecks over single frames, every second one replaced.

    Parameters
    ----------
    block : {"c2d", "i3d", "c3d", "a", "b"}
        What replaces it.
    depth : {26, 50, 101, 152}, default=50
        Layers.
    width : int, default=64
        Channels of the stem.
    stem_frames, stem_stride : int, default=1
        Frames that the stem's convolution spans, and its stride in time; its pooling merges as
        many frames as the stride.
    num_classes : int, default=400
        K.
    dropout : float, default=0.5
        Before the classifier.
    """

    def __init__(
        self,
        block: str,
        *,
        depth: int = 50,
        width: int = 64,
        stem_frames: int = 1,
        stem_stride: int = 1,
        num_classes: int = 400,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.stem = InflatedStem(
            width,
            frames=stem_frames,
            stride=stem_stride,
            pool_frames=stem_stride,
            pool_padding=1,
        )
        channels, count = width, 0
        stages = []
        for index, blocks in enumerate(DEPTHS[depth]):
            stage = nn.Sequential()
            outer = 4 * width * 2**index
            for place in range(blocks):
                # the second block of the network is replaced, then every other, across stages
                make = BLOCKS[block if count % 2 else "c2d"]
                step = (1, 2 if index > 0 and place == 0 else 1)
                shortcut = nn.Identity() if place else project(channels, outer, stride=step)
                stage.append(make(channels, outer // 4, stride=step, shortcut=shortcut))
                channels, count = outer, count + 1
            stages.append(stage)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.pool2 = nn.MaxPool3d((2, 1, 1))
        self.num_features = channels
        self.head = ClipHead(channels, num_classes, dropout)
        initialise(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, C, T/2, H/32, W/32); T/8 of 32 frames."""
        x = self.stem(x)  # (B, 64, T, H/4, W/4)
        x = self.pool2(self.layer1(x))  # (B, 256, T/2, H/4, W/4)
        x = self.layer2(x)  # (B, 512, T/2, H/8, W/8)
        x = self.layer3(x)  # (B, 1024, T/2, H/16, W/16)
        out: Tensor = self.layer4(x)  # (B, 2048, T/2, H/32, W/32)
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


AUTHORS = Source(
    rename=(
        (r"\.conv\.fc1\.", ".conv.mix_channels."),
        (r"\.conv\.fc2\.", ".conv.mix_views."),
        *RENAME_MMACTION2,
    )
)

_CLIP = ClipSpec(frames=8, stride=8)
_LONG_CLIP = ClipSpec(frames=32, stride=2)
_LONG: dict[str, Any] = {"stem_frames": 5, "stem_stride": 2}


def _row(
    name: str, block: str, params_m: float, macs_g: float, *, clip: ClipSpec = _CLIP, **args: Any
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=CoST,
        args={"block": block, **args},
        clip=clip,
        params_m=params_m,
        macs_g=macs_g,
        strides=(clip.frames // 4, 32),
        sources={"cost": AUTHORS},
    )


SPECS = (
    _row("cost_c2d_r50_8", "c2d", 24.33, 19.49),
    _row("cost_c2d_r50_32", "c2d", 24.37, 27.99, clip=_LONG_CLIP, **_LONG),
    _row("cost_c2d_r101_8", "c2d", 43.32, 34.34, depth=101),
    _row("cost_c2d_r101_32", "c2d", 43.36, 42.84, clip=_LONG_CLIP, depth=101, **_LONG),
    _row("cost_c3d_r50_8", "c3d", 37.97, 27.82),
    _row("cost_c3d_r50_32", "c3d", 38.00, 36.31, clip=_LONG_CLIP, **_LONG),
    _row("cost_c3d_r101_8", "c3d", 62.86, 50.06, depth=101),
    _row("cost_c3d_r101_32", "c3d", 62.90, 58.56, clip=_LONG_CLIP, depth=101, **_LONG),
    _row("cost_i3d_r50_8", "i3d", 29.01, 24.43),
    _row("cost_i3d_r50_32", "i3d", 29.05, 32.92, clip=_LONG_CLIP, **_LONG),
    _row("cost_i3d_r101_8", "i3d", 51.68, 42.15, depth=101),
    _row("cost_i3d_r101_32", "i3d", 51.71, 50.65, clip=_LONG_CLIP, depth=101, **_LONG),
    _row("cost_a_r50_8", "a", 24.33, 27.82),
    _row("cost_a_r50_32", "a", 24.37, 36.31, clip=_LONG_CLIP, **_LONG),
    _row("cost_a_r101_8", "a", 43.33, 50.06, depth=101),
    _row("cost_a_r101_32", "a", 43.37, 58.56, clip=_LONG_CLIP, depth=101, **_LONG),
    _row("cost_b_r50_8", "b", 25.09, 27.82),
    _row("cost_b_r50_32", "b", 25.12, 36.32, clip=_LONG_CLIP, **_LONG),
    _row("cost_b_r101_8", "b", 44.41, 50.07, depth=101),
    _row("cost_b_r101_32", "b", 44.44, 58.56, clip=_LONG_CLIP, depth=101, **_LONG),
    _row(
        "test_cost",
        "b",
        0.23,
        0.01,
        clip=replace(_CLIP, stride=2, size=32, resize=32),
        depth=26,
        width=8,
        num_classes=12,
    ),
)
