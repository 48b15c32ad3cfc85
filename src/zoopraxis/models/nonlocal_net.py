"""Non-local Neural Networks.

Wang, Girshick, Gupta and He, CVPR 2018. arXiv:1711.07971
Official code: https://github.com/facebookresearch/video-nonlocal-net (CC BY-NC 4.0, Caffe2), and
https://github.com/facebookresearch/SlowFast (Apache-2.0)

A convolution sees a few neighbouring pixels, and relates distant positions only when many are
stacked. A non-local block lets every position of a clip attend to every other at once:

    z_i = x_i + W_z 1/C(x) sum_j f(x_i, x_j) g(x_j)    (equations 1 and 6)

`zoopraxis.layers.nonlocal_block` implements it with the paper's four affinities f. The networks of
this file have five such blocks, after every other block of the second and third stages of a
ResNet-50; in ResNet-101, those of the third stage follow blocks 6, 13 and 20, and SlowFast has
only these. They are inserted into C2D and I3D, with the embedded Gaussian as f, and into Slow and
the slow pathway of SlowFast, with the dot product.

In long clips (``*_128x1``, ``*_32x4``) the blocks of the second stage relate positions within
groups of four frames only, as in the authors' code. ``i3d_nln_r101_8x8`` is PySlowFast's, with its
blocks after the same ones as in a ResNet-50. ``i3d_nln_dot_r50_32x2`` and
``i3d_nln_gaussian_r50_32x2`` are mmaction2's (`PooledNonLocalResNet`). The clips and the stems are
those of `zoopraxis.models.inflated_resnet`.
"""

from collections import OrderedDict
from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import Any, ClassVar

from torch import nn

from zoopraxis.errors import ShapeError
from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.inflated_resnet import InflatedBottleneck, Kernels
from zoopraxis.layers.nonlocal_block import NonLocalBlock, PooledNonLocal, Similarity
from zoopraxis.models.inflated_resnet import (
    C2D,
    CLIP_8X8,
    CLIP_32X2,
    CLIP_32X4,
    CLIP_128X1,
    I3D,
    STRIDES_8X8,
    STRIDES_32X2,
    InflatedResNet,
    UnpaddedResNet,
)
from zoopraxis.models.slowfast import FAST_50, SLOW, SLOW_50, SlowFast
from zoopraxis.spec import ModelSpec

Insertions = Mapping[str, tuple[int, ...]]
"""Indices of the blocks that are followed by a non-local block, by stage."""

FIVE: Insertions = {"layer2": (1, 3), "layer3": (1, 3, 5)}
FIVE_OF_101: Insertions = {"layer2": (1, 3), "layer3": (6, 13, 20)}
THREE_OF_101: Insertions = {"layer3": (6, 13, 20)}


class NonLocalResNet(InflatedResNet):
    """An inflated ResNet with non-local blocks.

    Parameters
    ----------
    kernels : Kernels
        Frames spanned by the convolutions of the stem and of each stage.
    after : Insertions
        The blocks that are followed by a non-local block.
    similarity : {"embedded_gaussian", "gaussian", "dot_product", "concatenation"}
        f.
    groups : mapping of str to int
        Length, by stage, of the groups of frames within which positions are related; by default
        that of the clip.
    **args
        Those of `InflatedResNet`.
    """

    block: ClassVar[type[NonLocalBlock]] = NonLocalBlock

    def __init__(
        self,
        kernels: Kernels,
        *,
        after: Insertions = FIVE,
        similarity: Similarity = "embedded_gaussian",
        groups: Mapping[str, int] = MappingProxyType({}),
        **args: Any,
    ) -> None:
        super().__init__(kernels, **args)
        insert_nonlocal(self, after, similarity, groups=groups, block=self.block)


class NonLocalSlowFast(SlowFast):
    """SlowFast with non-local blocks in its slow pathway.

    Parameters
    ----------
    after, similarity
        As in `NonLocalResNet`.
    **args
        Those of `SlowFast`.
    """

    def __init__(
        self, *, after: Insertions = FIVE, similarity: Similarity = "dot_product", **args: Any
    ) -> None:
        super().__init__(**args)
        insert_nonlocal(self.slow, after, similarity)


def insert_nonlocal(
    network: nn.Module,
    after: Insertions,
    similarity: Similarity,
    *,
    groups: Mapping[str, int] = MappingProxyType({}),
    block: type[NonLocalBlock] = NonLocalBlock,
) -> None:
    """Insert non-local blocks between the bottlenecks of a network, which keep their names.

    # {"layer2": (1,)}: layer2 becomes 0, 1, nonlocal1, 2, 3

    Parameters
    ----------
    network : nn.Module
        A network with stages ``layer1`` to ``layer4`` of `InflatedBottleneck`.
    after, similarity, groups
        As in `NonLocalResNet`.
    block : type of NonLocalBlock, default=NonLocalBlock
        Class of the blocks.

    Raises
    ------
    ShapeError
        A stage has no bottleneck of that index.
    """
    for stage, indices in after.items():
        bottlenecks: dict[str, InflatedBottleneck] = dict(getattr(network, stage).named_children())
        for index in indices:
            if str(index) not in bottlenecks:
                raise ShapeError(
                    f"{stage} has {len(bottlenecks)} blocks, and no block {index}",
                    "blocks are counted from 0",
                )
        longer = OrderedDict[str, nn.Module]()
        for name, bottleneck in bottlenecks.items():
            longer[name] = bottleneck
            if int(name) in indices:
                channels = bottleneck.conv3.out_channels
                longer[f"nonlocal{name}"] = block(
                    channels, similarity=similarity, num_frames=groups.get(stage)
                )
        setattr(network, stage, nn.Sequential(longer))


class UnpaddedNonLocalResNet(NonLocalResNet, UnpaddedResNet):
    """The authors' Caffe2 network: the pooling of its stem has no padding."""


class PooledNonLocalResNet(NonLocalResNet):
    """mmaction2's network: its non-local blocks pool after phi and g."""

    block = PooledNonLocal


def _resnet(
    name: str,
    kernels: Kernels,
    clip: ClipSpec,
    strides: Mapping[str, int],
    *,
    build: type[InflatedResNet] = NonLocalResNet,
    **args: Any,
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=build,
        args={"kernels": kernels, **strides, **args},
        clip=clip,
        strides=(prod(strides.values()), 32),
    )


def _slowfast(name: str, num_frames: int, *, alpha: int = 4, **args: Any) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=NonLocalSlowFast,
        args={"alpha": alpha, "lateral_frames": 5, **args},
        clip=CLIP_8X8.change(num_frames=num_frames, stride=2),
        strides=(alpha, 32),
    )


_CLIP_4X16 = CLIP_8X8.change(num_frames=4, stride=16)
_8X8: dict[str, Any] = {"clip": CLIP_8X8, "strides": STRIDES_8X8}
_32X2: dict[str, Any] = {
    "clip": CLIP_32X2,
    "strides": STRIDES_32X2,
    "build": UnpaddedNonLocalResNet,
}
_MMACTION2: dict[str, Any] = {
    "clip": CLIP_32X2,
    # the pooling of mmaction2's stem drops every other frame; a convolution with twice the stride
    # keeps the same ones
    "strides": {"stem_stride": 4, "pool1_frames": 1, "pool2_frames": 2},
    "build": PooledNonLocalResNet,
}
_LONG: dict[str, Any] = {"build": UnpaddedNonLocalResNet, "groups": {"layer2": 4}}
_SLOW: dict[str, Any] = {"strides": {}, "similarity": "dot_product"}
_R101: dict[str, Any] = {"depth": 101, "slow": SLOW_50, "fast": FAST_50, "after": THREE_OF_101}

SPECS = (
    # PySlowFast's
    _resnet("c2d_nln_r50_8x8", C2D, **_8X8),
    _resnet("i3d_nln_r50_8x8", I3D, **_8X8),
    _resnet("i3d_nln_r101_8x8", I3D, depth=101, **_8X8),
    _resnet("slow_nln_r50_4x16", SLOW, _CLIP_4X16, **_SLOW),
    _resnet("slow_nln_r50_8x8", SLOW, CLIP_8X8, **_SLOW),
    _slowfast("slowfast_nln_r50_4x16", 32, alpha=8),
    _slowfast("slowfast_nln_r50_8x8", 32),
    _slowfast("slowfast_nln_r101_50_50_16x8", 64, **_R101),
    # the paper's, and mmaction2's builds of them
    _resnet("c2d_r50_32x2", C2D, **(_32X2 | {"build": UnpaddedResNet})),
    _resnet("c2d_nln_r50_32x2", C2D, **_32X2),
    _resnet("i3d_nln_r50_32x2", I3D, **_32X2),
    _resnet("i3d_nln_dot_r50_32x2", I3D, similarity="dot_product", **_MMACTION2),
    _resnet("i3d_nln_gaussian_r50_32x2", I3D, similarity="gaussian", **_MMACTION2),
    _resnet("i3d_nln_r101_32x2", I3D, depth=101, after=FIVE_OF_101, **_32X2),
    # long clips
    _resnet("i3d_nln_r50_128x1", I3D, CLIP_128X1, STRIDES_32X2, **_LONG),
    _resnet("i3d_nln_r50_32x4", I3D, CLIP_32X4, STRIDES_8X8, **_LONG),
    _resnet(
        "test_nonlocal_net",
        I3D,
        ClipSpec(sampling=Sampling(num_frames=8), input=RGB(resize=64, size=64)),
        STRIDES_8X8,
        after={"layer2": (1,)},
        depth=26,
        width=8,
        num_classes=4,
        dropout=0.0,
    ),
)
