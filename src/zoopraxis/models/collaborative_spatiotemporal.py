"""Collaborative Spatiotemporal Feature Learning for Video Action Recognition (CoST).

Li, Zhong, Xie and Pu, CVPR 2019. arXiv:1903.01197
Official code: https://github.com/hikvision-research/cost (Apache-2.0, on mmaction2)

A clip is a volume with three views: height-width, time-width and time-height. CoST convolves all
three with the same 3x3 kernel, and sums the results weighted by coefficients alpha, for every
channel a softmax over the views:

    x_hw = x * w_1x3x3,  x_tw = x * w_3x1x3,  x_th = x * w_3x3x1    (equation 1)
    y = alpha_hw x_hw + alpha_tw x_tw + alpha_th x_th               (equation 2)

In CoST(a) alpha is a parameter. CoST(b) predicts it from the views: global max pooling, a 1x1x1
convolution over channels, shared by the views, and a linear layer over views. It replaces the 3x3
convolution in every other block of a ResNet.

The baselines change the same blocks: ``cost_c2d_*`` not at all, ``cost_i3d_*`` to 3x1x1 in place of
the first 1x1, and ``cost_c3d_*`` to 3x3x3 in place of 3x3 (the paper's C3D). All pool pairs of
frames after the first stage; networks for 32 frames also have a 5x7x7 stem with a stride of 2 in
time, in its convolution and in its pooling. The authors configure 50 layers with 8 frames, and
CoST(b) of 101 layers with 8 and 32; the other entries follow the same rules. No checkpoint is
published.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.conv3d import conv3d, conv_spatial, conv_spatiotemporal
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.inflated_resnet import InflatedBottleneck, InflatedStem
from zoopraxis.layers.resnet3d import DEPTHS, ConvFn, initialise
from zoopraxis.models.base import VideoClassifier
from zoopraxis.spec import ModelSpec


class ThreeViews(nn.Module):
    """Three convolutions of a volume, one per view, with a shared 3x3 kernel.

    Parameters
    ----------
    in_channels, out_channels : int
        Input and output channels.
    stride : (int, int), default=(1, 1)
        In time and in space.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: tuple[int, int] = (1, 1)
    ) -> None:
        super().__init__()
        t, s = stride
        self.stride = (t, s, s)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 1, 3, 3))
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")

    def views(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the views (3, B, C', T, H', W'): x_hw, x_tw, x_th (equation 1)."""
        views = []
        # the kernel (C', C, 1, 3, 3) becomes (C', C, 3, 1, 3) and (C', C, 3, 3, 1)
        for flat_axis in (2, 3, 4):
            kernel = self.weight.movedim(2, flat_axis)
            t, h, w = (size // 2 for size in kernel.shape[2:])
            views.append(conv3d(x, kernel, stride=self.stride, padding=(t, h, w)))
        return torch.stack(views)  # (3, B, C', T, H', W')


def blend(views: Tensor, scores: Tensor) -> Tensor:
    """Sum the views weighted by alpha, the softmax of their scores (equation 2).

    Parameters
    ----------
    views : Tensor of shape (3, B, C, T, H, W)
    scores : Tensor of shape (3, B or 1, C)

    Returns
    -------
    Tensor of shape (B, C, T, H, W)
    """
    alpha = scores.softmax(dim=0)[..., None, None, None]  # (3, B or 1, C, 1, 1, 1)
    return (alpha * views).sum(dim=0)  # (B, C, T, H, W)


class CoSTa(ThreeViews):
    """CoST(a): alpha is a parameter, initially (0.67, 0.165, 0.165) as in the authors' code.

    The arguments are those of `ThreeViews`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: tuple[int, int] = (1, 1)
    ) -> None:
        super().__init__(in_channels, out_channels, stride=stride)
        start = torch.tensor([0.7, -0.7, -0.7])  # softmax (0.67, 0.165, 0.165)
        self.alpha = nn.Parameter(start[:, None].repeat(1, out_channels))  # (3, C')

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T, H', W')."""
        return blend(self.views(x), self.alpha[:, None])  # (B, C', T, H', W')


class CoSTb(ThreeViews):
    """CoST(b): alpha depends on the views.

    The arguments are those of `ThreeViews`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: tuple[int, int] = (1, 1)
    ) -> None:
        super().__init__(in_channels, out_channels, stride=stride)
        self.mix_channels = nn.Linear(out_channels, out_channels, bias=False)
        self.mix_views = nn.Linear(3, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T, H', W')."""
        views = self.views(x)  # (3, B, C', T, H', W')
        scores = self.mix_channels(views.amax(dim=(3, 4, 5)))  # (3, B, C')
        # the linear layer over views acts on the last axis: (B, C', 3)
        scores = self.mix_views(scores.movedim(0, -1)).movedim(-1, 0)  # (3, B, C')
        return blend(views, scores)  # (B, C', T, H', W')


CONVOLUTIONS: Mapping[str, ConvFn] = {
    "c2d": conv_spatial,
    "i3d": conv_spatial,
    "c3d": conv_spatiotemporal,
    "a": CoSTa,
    "b": CoSTb,
}
"""Middle convolution of every other block, by kind; the remaining blocks are "c2d"."""


class CoST(VideoClassifier):
    """A 2D ResNet with a choice of convolution in every other block.

    Parameters
    ----------
    kind : {"c2d", "i3d", "c3d", "a", "b"}
        The choice.
    depth : {26, 50, 101, 152}, default=50
        Number of layers.
    width : int, default=64
        Channels of the stem.
    stem_frames, stem_stride : int, default=1
        Frames spanned by the stem's convolution; stride in time of the convolution and of the
        pooling.
    num_classes : int, default=400
        K.
    dropout : float, default=0.5
        Before the classifier.
    """

    def __init__(
        self,
        kind: str,
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
            width, num_frames=stem_frames, stride=stem_stride, pool_frames=stem_stride
        )
        channels, count, stages = width, 0, []
        for index, blocks in enumerate(DEPTHS[depth]):
            stage = nn.Sequential()
            inner = width * 2**index
            for block_index in range(blocks):
                # blocks are counted across stages: of (3, 4, 6, 3), those marked x are changed:
                # .x. x.x. x.x.x. x.x
                block = kind if count % 2 else "c2d"
                stage.append(
                    InflatedBottleneck(
                        channels,
                        inner,
                        num_frames=3 if block == "i3d" else 1,
                        stride=2 if index > 0 and block_index == 0 else 1,
                        conv=CONVOLUTIONS[block],
                    )
                )
                channels, count = 4 * inner, count + 1
            stages.append(stage)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.pool2 = nn.MaxPool3d((2, 1, 1))
        self.num_features = channels
        self.head = ClipHead(channels, num_classes, dropout)
        initialise(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, F, T/2, H/32, W/32), T/8 for 32 frames."""
        x = self.stem(x)  # (B, 64, T, H/4, W/4)
        x = self.pool2(self.layer1(x))  # (B, 256, T/2, H/4, W/4)
        x = self.layer2(x)  # (B, 512, T/2, H/8, W/8)
        x = self.layer3(x)  # (B, 1024, T/2, H/16, W/16)
        out: Tensor = self.layer4(x)  # (B, 2048, T/2, H/32, W/32)
        return out


_CLIP_8 = ClipSpec(sampling=Sampling(num_frames=8, stride=8), input=RGB())
_CLIP_32 = _CLIP_8.change(num_frames=32, stride=2)


def _specs(prefix: str, kind: str) -> tuple[ModelSpec, ...]:
    """Entries of a kind: 50 and 101 layers, for 8 and for 32 frames."""
    stem = {"stem_frames": 5, "stem_stride": 2}
    return (
        _spec(f"{prefix}_r50_8", kind),
        _spec(f"{prefix}_r50_32", kind, clip=_CLIP_32, **stem),
        _spec(f"{prefix}_r101_8", kind, depth=101),
        _spec(f"{prefix}_r101_32", kind, clip=_CLIP_32, depth=101, **stem),
    )


def _spec(name: str, kind: str, *, clip: ClipSpec = _CLIP_8, **args: Any) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=CoST,
        args={"kind": kind, **args},
        clip=clip,
        strides=(clip.sampling.num_frames // 4, 32),
    )


SPECS = (
    *_specs("cost_c2d", "c2d"),
    *_specs("cost_c3d", "c3d"),
    *_specs("cost_i3d", "i3d"),
    *_specs("cost_a", "a"),
    *_specs("cost_b", "b"),
    _spec(
        "test_cost",
        "b",
        clip=_CLIP_8.change(stride=2, size=32, resize=32),
        depth=26,
        width=8,
        num_classes=12,
    ),
)
