"""Non-local Neural Networks.

Wang, Girshick, Gupta and He, CVPR 2018. arXiv:1711.07971
Official code: https://github.com/facebookresearch/video-nonlocal-net (CC BY-NC 4.0, Caffe2), and
https://github.com/facebookresearch/SlowFast (Apache-2.0)

A convolution sees a few pixels around its place, and a network of them learns what lies far apart
only by stacking many. A non-local block (`zoopraxis.layers.nonlocal_block`) lets every position of
a clip take from every other at once, weighted by their likeness. Five of them, behind every second
block of the second and third stage of a ResNet-50, are the networks of this file: C2D, I3D and
Slow with one pathway, and SlowFast, whose slow pathway alone has them. On ResNet-101 the authors
put the three of the third stage behind blocks 6, 13 and 20. In long clips, ``*_128x1`` and
``*_32x4``, the blocks of the second stage compare positions within groups of four frames alone,
as in the authors' code; theirs have no norm there, for which one that does nothing is put in.

Builds. C2D and I3D use the embedded Gaussian, Slow and SlowFast the dot product. The nets
``*_32x2`` are those of the authors' Caffe2 release (see `zoopraxis.models.i3d_resnet`);
``i3d_nln_r101_8x8`` of PySlowFast has its blocks in the places of the ResNet-50. mmaction2's
blocks pool behind their convolutions and do not scale: source "mmaction2" of ``i3d_nln_r50_32x2``,
and, with other similarities, ``i3d_nln_dot_r50_32x2`` and ``i3d_nln_gaussian_r50_32x2``.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from zoopraxis.layers.inflated_resnet import (
    CAFFE2,
    InflatedResNet,
    InflatedTrunk,
    Kernels,
    single_pathway_sources,
)
from zoopraxis.layers.nonlocal_block import (
    NonLocalBlock,
    PooledNonLocal,
    Similarity,
    insert_nonlocal,
)
from zoopraxis.models._slowfast_weights import (
    caffe2_weights,
    mmaction2_clip,
    mmaction2_weights,
    pyslowfast_clip,
    pyslowfast_weights,
)
from zoopraxis.models.i3d_resnet import (
    ARGS_8X8,
    ARGS_32X2,
    ARGS_32X4,
    CLIP_32X2,
    CLIP_32X4,
    CLIP_128X1,
    I3D,
    MMACTION2,
    SOURCES_8X8,
    SOURCES_32X2,
)
from zoopraxis.models.slowfast import (
    C2D,
    FAST_50,
    SLOW,
    SLOW_50,
    SOURCES,
    SlowFast,
)
from zoopraxis.spec import ClipSpec, ModelSpec, Source, Weights

Places = Mapping[str, tuple[int, ...]]
"""Blocks that a non-local block follows, by stage."""

FIVE: Places = {"layer2": (1, 3), "layer3": (1, 3, 5)}
FIVE_OF_101: Places = {"layer2": (1, 3), "layer3": (6, 13, 20)}
THREE_OF_101: Places = {"layer3": (6, 13, 20)}
ONE: Places = {"layer2": (1,)}


def insert_in_trunk(
    trunk: InflatedTrunk,
    places: Places,
    *,
    similarity: Similarity,
    groups: Mapping[str, int] = MappingProxyType({}),
    block: type[NonLocalBlock] = NonLocalBlock,
) -> None:
    """Put non-local blocks into the stages of a trunk."""
    for stage, after in places.items():
        longer = insert_nonlocal(
            getattr(trunk, stage),
            trunk.stage_channels(stage),
            after=after,
            similarity=similarity,
            frames=groups.get(stage),
            block=block,
        )
        setattr(trunk, stage, longer)


class NonLocalResNet(InflatedResNet):
    """An inflated ResNet with non-local blocks.

    Parameters
    ----------
    kernels : Kernels
        Which convolutions reach over time.
    places : Places
        Where the blocks are.
    similarity : {"embedded_gaussian", "gaussian", "dot_product", "concatenation"}
        f.
    groups : mapping of str to int
        Frames of the groups within which positions are compared, by stage; by default all.
    block : type of NonLocalBlock, default=NonLocalBlock
        What is put in.
    **args
        `InflatedResNet`'s.
    """

    def __init__(
        self,
        kernels: Kernels,
        *,
        places: Places = FIVE,
        similarity: Similarity = "embedded_gaussian",
        groups: Mapping[str, int] = MappingProxyType({}),
        block: type[NonLocalBlock] = NonLocalBlock,
        **args: Any,
    ) -> None:
        super().__init__(kernels, **args)
        insert_in_trunk(self, places, similarity=similarity, groups=groups, block=block)


class NonLocalSlowFast(SlowFast):
    """SlowFast with non-local blocks in its slow pathway.

    Parameters
    ----------
    places, similarity
        As in `NonLocalResNet`.
    **args
        `SlowFast`'s.
    """

    def __init__(
        self, *, places: Places = FIVE, similarity: Similarity = "dot_product", **args: Any
    ) -> None:
        super().__init__(**args)
        insert_in_trunk(self.slow, places, similarity=similarity)


# The keys of a source.


def _add_zero_bias(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the blocks' last convolutions, which have no bias there, one that adds nothing."""
    out = {key for key in state if re.search(r"\.nonlocal\d+\.out\.weight$", key)}
    zeros = {key.replace(".weight", ".bias"): torch.zeros(len(state[key])) for key in out}
    return {**state, **zeros}


MMACTION2_NLN = Source(
    rename=(
        (r"\.(\d+)\.non_local_block\.", r".nonlocal\1."),
        (r"\.nonlocal(\d+)\.(theta|phi|g)\.(?:0\.)?conv\.", r".nonlocal\1.\2."),
        (r"\.conv_out\.conv\.", ".out."),
        (r"\.conv_out\.bn\.", ".norm."),
        *MMACTION2.rename,
    ),
    adapt=_add_zero_bias,
    args={**MMACTION2.args, "block": PooledNonLocal},
)

# The published checkpoints.


def _mmaction2(similarity: str, version: str, top1: float, top5: float) -> Weights:
    name = f"i3d_imagenet-pretrained-r50-nl-{similarity}_8xb8-32x2x1-100e_kinetics400-rgb"
    clip = mmaction2_clip(32, 2)
    return mmaction2_weights(
        "i3d", f"{name}/{name}_{version}", top1, top5, clip=clip, tag="imagenet_kinetics400"
    )


_WEIGHTS = {
    "i3d_nln_r50_8x8": (
        pyslowfast_weights("I3D_NLN_8x8_R50", 74.0, 91.1),
        caffe2_weights("i3d_nonlocal_8x8_IN_pretrain_400k", 74.7, 91.6),
    ),
    "i3d_nln_r50_32x2": (
        caffe2_weights("i3d_nonlocal_32x2_IN_pretrain_400k", 74.9, 91.6),
        _mmaction2("embedded-gaussian", "20220812-afd8f562", 74.73, 91.80),
    ),
    "i3d_nln_dot_r50_32x2": (_mmaction2("dot-product", "20220812-8e1f2148", 74.80, 92.07),),
    "i3d_nln_gaussian_r50_32x2": (_mmaction2("gaussian", "20220812-0c5cbf5a", 73.97, 91.33),),
    "i3d_nln_r50_128x1": (caffe2_weights("i3d_nonlocal_128x1_I3D_pretrain_400k", 76.5, 92.7),),
    "i3d_nln_r50_32x4": (caffe2_weights("i3d_nonlocal_32x4_I3D_pretrain_400k", 76.5, 92.6),),
    "c2d_r50_32x2": (caffe2_weights("c2d_baseline_32x2_IN_pretrain_400k", 72.0, 90.0),),
    "c2d_nln_r50_32x2": (caffe2_weights("c2d_nonlocal_32x2_IN_pretrain_400k", 73.9, 91.0),),
    "c2d_nln_r50_8x8": (caffe2_weights("c2d_nonlocal_8x8_IN_pretrain_400k", 74.4, 91.4),),
}

# The rows.


def _spec(
    name: str,
    params_m: float,
    macs_g: float,
    *,
    clip: ClipSpec,
    time: int,
    sources: Mapping[str, Source],
    build: Any = NonLocalResNet,
    **args: Any,
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=build,
        args=args,
        clip=clip,
        params_m=params_m,
        macs_g=macs_g,
        strides=(time, 32),
        sources=sources,
        weights=_WEIGHTS.get(name, ()),
    )


_8X8: dict[str, Any] = {
    "clip": pyslowfast_clip(8, 8),
    "time": 2,
    "sources": SOURCES_8X8,
    **ARGS_8X8,
}
_32X2: dict[str, Any] = {"clip": CLIP_32X2, "time": 8, "sources": SOURCES_32X2, **ARGS_32X2}
_32X2_NLN: dict[str, Any] = {**_32X2, "sources": {**SOURCES_32X2, "mmaction2": MMACTION2_NLN}}
_32X2_MMACTION2: dict[str, Any] = {
    **_32X2,
    **MMACTION2_NLN.args,
    "sources": {"mmaction2": MMACTION2_NLN},
    "kernels": I3D,
}
_LONG: dict[str, Any] = {
    "kernels": I3D,
    "groups": {"layer2": 4},
    "sources": {"video_nonlocal_caffe2": CAFFE2},
}
_SLOW: dict[str, Any] = {
    "time": 1,
    "sources": single_pathway_sources(pooled=False),
    "kernels": SLOW,
    "similarity": "dot_product",
}
_SLOWFAST: dict[str, Any] = {
    "build": NonLocalSlowFast,
    "sources": SOURCES,
    "lateral_frames": 5,
}
_R101: dict[str, Any] = {"depth": 101, "slow": SLOW_50, "fast": FAST_50, "places": THREE_OF_101}

SPECS = (
    _spec("c2d_nln_r50_8x8", 31.69, 37.27, kernels=C2D, **_8X8),
    _spec("i3d_nln_r50_8x8", 35.40, 48.91, kernels=I3D, **_8X8),
    _spec("i3d_nln_r101_8x8", 59.11, 73.14, kernels=I3D, depth=101, **_8X8),
    _spec("slow_nln_r50_4x16", 39.81, 39.07, clip=pyslowfast_clip(4, 16), **_SLOW),
    _spec("slow_nln_r50_8x8", 39.81, 88.34, clip=pyslowfast_clip(8, 8), **_SLOW),
    _spec(
        "slowfast_nln_r50_4x16",
        41.84,
        47.91,
        clip=pyslowfast_clip(32, 2),
        time=8,
        alpha=8,
        **_SLOWFAST,
    ),
    _spec("slowfast_nln_r50_8x8", 41.84, 99.12, clip=pyslowfast_clip(32, 2), time=4, **_SLOWFAST),
    _spec(
        "slowfast_nln_r101_50_50_16x8",
        60.08,
        242.01,
        clip=pyslowfast_clip(64, 2),
        time=4,
        **_SLOWFAST,
        **_R101,
    ),
    _spec("c2d_r50_32x2", 24.33, 26.46, build=InflatedResNet, kernels=C2D, **_32X2),
    _spec("c2d_nln_r50_32x2", 31.69, 38.27, kernels=C2D, **_32X2),
    _spec("i3d_nln_r50_32x2", 35.40, 54.74, kernels=I3D, **_32X2_NLN),
    _spec("i3d_nln_dot_r50_32x2", 35.40, 52.94, similarity="dot_product", **_32X2_MMACTION2),
    _spec("i3d_nln_gaussian_r50_32x2", 31.73, 50.12, similarity="gaussian", **_32X2_MMACTION2),
    _spec("i3d_nln_r101_32x2", 59.11, 78.97, kernels=I3D, depth=101, places=FIVE_OF_101, **_32X2),
    _spec("i3d_nln_r50_128x1", 35.40, 228.62, clip=CLIP_128X1, time=8, **_LONG, **ARGS_32X2),
    _spec("i3d_nln_r50_32x4", 35.40, 203.96, clip=CLIP_32X4, time=2, **_LONG, **ARGS_32X4),
    ModelSpec(
        name="test_nonlocal_net",
        build=NonLocalResNet,
        args={
            "kernels": I3D,
            "places": ONE,
            "depth": 26,
            "width": 8,
            "num_classes": 4,
            "dropout": 0.0,
            **ARGS_8X8,
        },
        clip=ClipSpec(frames=8, resize=64, size=64),
        params_m=0.28,
        macs_g=0.07,
        strides=(2, 32),
        sources=SOURCES_8X8,
    ),
)
