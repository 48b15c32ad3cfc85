"""I3D on a ResNet: the inflated network of "Quo Vadis" as the later papers rebuilt it.

Carreira and Zisserman, CVPR 2017, arXiv:1705.07750, gave the idea: take a network for images,
inflate its kernels over time, and start from its weights divided by their frames.
Wang, Girshick, Gupta and He, CVPR 2018, arXiv:1711.07971 (section 4), gave this network: a ResNet
with a 5x7x7 stem, in which the first convolution of a bottleneck, not the 3x3 one, spans three
frames, and that in every second block alone from the second stage on.

Official code: https://github.com/facebookresearch/SlowFast (Apache-2.0), for clips of 8 frames,
every eighth; https://github.com/facebookresearch/video-nonlocal-net (CC BY-NC 4.0, Caffe2), for
32 frames, every second, of which the stem and its pooling keep every fourth.

Builds. PyTorchVideo's network is PySlowFast's with other key names. The Caffe2 nets do not pad the
pooling behind the stem, so their feature maps are smaller by one position there: rows
``i3d_*_32x2``, ``128x1`` (the paper's long clips) and ``32x4`` (as long, at a quarter of the
frames) are built so, and source "video_nonlocal_caffe2" of ``i3d_r50_8x8`` is. For long clips the
authors froze the norms into scales and shifts, which are converted into norms that do just that.
Source "video_nonlocal" is a PyTorch port of the Caffe2 nets
(https://github.com/Tushar-N/pytorch-resnet3d). Their norms' eps, 1.0000001e-5, is taken as 1e-5.
Source "mmaction2" pools single frames behind its stem, every second of them, and pads; a stem of
stride 4 in time gives these frames without the others.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from zoopraxis.layers.inflated_resnet import (
    CAFFE2,
    InflatedResNet,
    Kernels,
    single_pathway_sources,
)
from zoopraxis.layers.resnet3d import RENAME_MMACTION2, RENAME_TORCHVISION
from zoopraxis.models._slowfast_weights import (
    caffe2_weights,
    mmaction2_clip,
    mmaction2_weights,
    pyslowfast_clip,
    pyslowfast_weights,
    pytorchvideo_weights,
)
from zoopraxis.spec import ClipSpec, ModelSpec, Replacement, Source

I3D: Kernels = (5, (3,), (3, 1), (3, 1), (1, 3))

# The keys of the sources.

RENAME_VIDEO_NONLOCAL: tuple[tuple[str, Replacement], ...] = (
    (r"^(conv|bn)1\.", r"stem.\1."),
    (r"\.nl\.", ".nonlocal."),
    (r"\.(\d+)\.nonlocal\.", r".nonlocal\1."),
    (r"\.bn(\d)\.", r".norm\1."),
    (r"\.bn\.", ".norm."),
    *RENAME_TORCHVISION,
)
SOURCES_32X2 = {
    "video_nonlocal": Source(rename=RENAME_VIDEO_NONLOCAL),
    "video_nonlocal_caffe2": CAFFE2,
}
# a stem of stride 2 in time, and a pooling that takes every second of its frames
MMACTION2 = Source(
    rename=RENAME_MMACTION2,
    args={"stem_stride": 4, "pool1_frames": 1, "pool1_padding": 1},
)
SOURCES_8X8 = single_pathway_sources(pooled=True)

# The published checkpoints.

_MM = "i3d_imagenet-pretrained-r50_8xb8-{}32x2x1-100e_kinetics400-rgb"
_WEIGHTS = {
    "i3d_r50_8x8": (
        pytorchvideo_weights("I3D_8x8_R50", 73.27, 90.70),
        pyslowfast_weights("I3D_8x8_R50", 73.5, 90.8),
        caffe2_weights("i3d_baseline_8x8_IN_pretrain_400k", 73.4, 90.9),
        caffe2_weights("i3d_baseline_8x8_IN_pretrain_300k", 73.2, 90.8, variant="_300k"),
        caffe2_weights("i3d_baseline_8x8_IN_pretrain_600k_4gpu", 73.0, 90.4, variant="_600k_4gpu"),
        caffe2_weights("i3d_baseline_8x8_IN_pretrain_300k_4gpu", 72.0, 90.1, variant="_300k_4gpu"),
    ),
    "i3d_r50_32x2": (
        caffe2_weights("i3d_baseline_32x2_IN_pretrain_400k", 73.6, 90.8),
        mmaction2_weights(
            "i3d",
            f"{_MM.format('')}/{_MM.format('')}_20220812-e213c223",
            73.47,
            91.27,
            clip=mmaction2_clip(32, 2),
            tag="imagenet_kinetics400",
        ),
        mmaction2_weights(
            "i3d",
            f"{_MM.format('dense-')}/{_MM.format('dense-')}_20220812-9f46003f",
            73.77,
            91.35,
            clip=mmaction2_clip(32, 2),
            tag="dense_kinetics400",
        ),
    ),
    "i3d_r50_128x1": (caffe2_weights("i3d_baseline_128x1_I3D_pretrain_400k", 75.2, 92.0),),
    "i3d_r50_32x4": (caffe2_weights("i3d_baseline_32x4_I3D_pretrain_400k", 75.5, 92.0),),
}

# The rows.

CLIP_32X2 = ClipSpec(frames=32, stride=2, resize=256, size=256, mean=(0.45,) * 3, std=(0.225,) * 3)
"""What the Caffe2 nets eat: mean 114.75 and standard deviation 57.375 of 255."""
CLIP_32X4 = replace(CLIP_32X2, stride=4)
CLIP_128X1 = replace(CLIP_32X2, frames=128, stride=1)
ARGS_8X8: dict[str, Any] = {"pool2_frames": 2}
ARGS_32X2: dict[str, Any] = {
    "stem_stride": 2,
    "pool1_frames": 2,
    "pool1_padding": 0,
    "pool2_frames": 2,
}
ARGS_32X4: dict[str, Any] = {"pool1_padding": 0, "pool2_frames": 2}


def _spec_8x8(name: str, depth: int, params_m: float, macs_g: float) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=InflatedResNet,
        args={"kernels": I3D, "depth": depth, **ARGS_8X8},
        clip=pyslowfast_clip(8, 8),
        params_m=params_m,
        macs_g=macs_g,
        strides=(2, 32),
        sources=SOURCES_8X8,
        weights=_WEIGHTS.get(name, ()),
    )


def _spec_caffe2(
    name: str,
    depth: int,
    params_m: float,
    macs_g: float,
    *,
    clip: ClipSpec = CLIP_32X2,
    time: int = 8,
    args: Mapping[str, Any] = MappingProxyType(ARGS_32X2),
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=InflatedResNet,
        args={"kernels": I3D, "depth": depth, **args},
        clip=clip,
        params_m=params_m,
        macs_g=macs_g,
        strides=(time, 32),
        sources={**SOURCES_32X2, "mmaction2": MMACTION2} if time == 8 else SOURCES_32X2,
        weights=_WEIGHTS.get(name, ()),
    )


SPECS = (
    _spec_8x8("i3d_r50_8x8", 50, 28.04, 37.10),
    _spec_8x8("i3d_r101_8x8", 101, 51.75, 61.33),
    _spec_caffe2("i3d_r50_32x2", 50, 28.04, 42.93),
    _spec_caffe2("i3d_r101_32x2", 101, 51.75, 67.15),
    _spec_caffe2("i3d_r50_128x1", 50, 28.04, 171.71, clip=CLIP_128X1),
    _spec_caffe2("i3d_r50_32x4", 50, 28.04, 147.05, clip=CLIP_32X4, time=2, args=ARGS_32X4),
    ModelSpec(
        name="test_i3d_resnet",
        build=InflatedResNet,
        args={
            "kernels": I3D,
            "depth": 26,
            "width": 8,
            "num_classes": 4,
            "dropout": 0.0,
            **ARGS_8X8,
        },
        clip=ClipSpec(frames=8, resize=64, size=64),
        params_m=0.27,
        macs_g=0.07,
        strides=(2, 32),
        sources=SOURCES_8X8,
    ),
)
