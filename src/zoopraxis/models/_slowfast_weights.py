"""Clips and published checkpoints of the networks of one and two inflated pathways.

They come from four zoos: PySlowFast (trained in Caffe2), PyTorchVideo, video-nonlocal-net (Caffe2)
and mmaction2. On Something-Something a clip is one frame of each of T segments of the video. Of
Charades, whose videos have many labels each, the zoos give the mean average precision.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zoopraxis.spec import ClipSpec, Weights

_VIEWS = "10 uniform clips x 3 crops of 256 pixels, fully convolutional, mean of the probabilities"
_THREE_CROPS = "1 clip x 3 crops of 256 pixels, fully convolutional, mean of the probabilities"
_MAXIMUM = "10 uniform clips x 3 crops of 256 pixels, fully convolutional, maximum of the sigmoids"
_KINETICS: Mapping[str, Any] = {
    "dataset": "Kinetics-400",
    "num_classes": 400,
    "labels": "kinetics400",
}
_SSV2: Mapping[str, Any] = {
    "dataset": "Kinetics-400, then Something-Something v2",
    "num_classes": 174,
}
_CHARADES: Mapping[str, Any] = {"dataset": "Kinetics-400, then Charades", "num_classes": 157}


def pyslowfast_clip(frames: int, stride: int, *, resize: int = 256, size: int = 256) -> ClipSpec:
    """Return what PySlowFast's networks eat: 30 fps, mean 0.45, standard deviation 0.225."""
    return ClipSpec(
        frames=frames,
        stride=stride,
        fps=30.0,
        resize=resize,
        size=size,
        mean=(0.45, 0.45, 0.45),
        std=(0.225, 0.225, 0.225),
    )


def segments_clip(frames: int) -> ClipSpec:
    """Return what they eat of a short video: one frame of each of so many segments."""
    return replace(pyslowfast_clip(frames, 1), fps=None, sampling="segments")


def pytorchvideo_weights(
    file: str, top1: float, top5: float, *, protocol: str = _VIEWS, source: str = "pytorchvideo"
) -> Weights:
    """Return a Kinetics checkpoint of PyTorchVideo's zoo."""
    return Weights(
        tag="kinetics400" if source == "pytorchvideo" else f"{source}_kinetics400",
        url=f"{_PYTORCHVIDEO}/kinetics/{file}.pyth",
        source=source,
        licence="Apache-2.0 (PyTorchVideo)",
        top1=top1,
        top5=top5,
        protocol=protocol,
        **_KINETICS,
    )


_PYTORCHVIDEO = "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo"


def _something(file: str, top1: float, top5: float, *, frames: int) -> Weights:
    return Weights(
        tag="something-something-v2",
        url=f"{_PYTORCHVIDEO}/ssv2/{file}.pyth",
        source="pytorchvideo",
        licence="Apache-2.0 (PyTorchVideo)",
        top1=top1,
        top5=top5,
        protocol=_THREE_CROPS,
        clip=segments_clip(frames),
        **_SSV2,
    )


def _charades(file: str, precision: float) -> Weights:
    return Weights(
        tag="charades",
        url=f"{_PYTORCHVIDEO}/charades/{file}.pyth",
        source="pytorchvideo",
        licence="Apache-2.0 (PyTorchVideo)",
        protocol=f"mAP {precision}; {_MAXIMUM}",
        **_CHARADES,
    )


_PYSLOWFAST = "https://dl.fbaipublicfiles.com/pyslowfast"


def pyslowfast_weights(file: str, top1: float, top5: float) -> Weights:
    """Return a checkpoint of PySlowFast's zoo, trained from scratch in Caffe2."""
    return Weights(
        tag="pyslowfast_kinetics400",
        url=f"{_PYSLOWFAST}/model_zoo/kinetics400/{file}.pkl",
        source="pyslowfast_caffe2",
        licence="Apache-2.0 (PySlowFast)",
        top1=top1,
        top5=top5,
        protocol=_VIEWS,
        **_KINETICS,
    )


def _multigrid(tag: str, file: str, protocol: str, **more: Any) -> Weights:
    """Return a checkpoint of "A Multigrid Method" (arXiv:1912.00998) or its plain counterpart."""
    return Weights(
        tag=f"pyslowfast_{tag}",
        url=f"{_PYSLOWFAST}/pyslowfast/model_zoo/multigrid/model_zoo/{file}.pkl",
        source="pyslowfast",
        licence="Apache-2.0 (PySlowFast)",
        protocol=protocol,
        **more,
    )


def caffe2_weights(file: str, top1: float, top5: float, *, variant: str = "") -> Weights:
    """Return a checkpoint of video-nonlocal-net, which started from ImageNet.

    `variant` tells shorter trainings from that of 400,000 iterations on eight processors.
    """
    return Weights(
        tag=f"imagenet_kinetics400{variant}",
        url=f"https://dl.fbaipublicfiles.com/video-nonlocal/{file}.pkl",
        source="video_nonlocal_caffe2",
        licence="CC BY-NC 4.0 (video-nonlocal-net)",
        top1=top1,
        top5=top5,
        protocol=_VIEWS,
        **_KINETICS,
    )


def mmaction2_weights(
    folder: str,
    file: str,
    top1: float,
    top5: float | None,
    *,
    clip: ClipSpec | None = None,
    tag: str = "kinetics400",
) -> Weights:
    """Return a checkpoint of mmaction2's zoo; `file` begins with its training's name."""
    dataset, classes = {"kinetics700": ("Kinetics-700", 700)}.get(tag, ("Kinetics-400", 400))
    base = "https://download.openmmlab.com/mmaction/v1.0/recognition"
    return Weights(
        tag=f"mmaction2_{tag}",
        url=f"{base}/{folder}/{file}.pth",
        sha256=file.rpartition("-")[2],
        source="mmaction2",
        dataset=dataset,
        num_classes=classes,
        labels="kinetics400" if classes == 400 else "",
        licence="Apache-2.0 (mmaction2)",
        top1=top1,
        top5=top5,
        protocol="10 clips x 3 crops, mean of the probabilities",
        clip=clip,
    )


def mmaction2_clip(frames: int, stride: int, *, size: int = 256) -> ClipSpec:
    """Return what mmaction2's networks eat: the video's own rate, ImageNet's mean."""
    return ClipSpec(frames=frames, stride=stride, resize=size, size=size)


def _c2d(net: str, version: str, top1: float, top5: float) -> Weights:
    name, clip = f"c2d_{net}_8xb32-8x8x1-100e_kinetics400-rgb", mmaction2_clip(8, 8, size=224)
    return mmaction2_weights("c2d", f"{name}/{name}_{version}", top1, top5, clip=clip)


def _slowonly(
    name: str, file: str, top1: float, top5: float, *, stride: int, tag: str = "kinetics400"
) -> Weights:
    clip = mmaction2_clip(64 // stride, stride)
    return mmaction2_weights("slowonly", f"{name}/{file}", top1, top5, clip=clip, tag=tag)


_STEPS = "slowonly_imagenet-pretrained-r50_{}-steplr-150e_{}-rgb"

WEIGHTS: Mapping[str, tuple[Weights, ...]] = {
    "c2d_nopool_r50_8x8": (
        pyslowfast_weights("C2D_NOPOOL_8x8_R50", 67.2, 87.8),
        _c2d("r50-in1k-pre-nopool", "20221027-e0227b22", 73.44, 91.00),
    ),
    "c2d_nopool_r101_8x8": (_c2d("r101-in1k-pre-nopool", "20221027-557bd8bc", 74.97, 91.77),),
    "c2d_r50_8x8": (
        pytorchvideo_weights("C2D_8x8_R50", 71.46, 89.68),
        caffe2_weights("c2d_baseline_8x8_IN_pretrain_400k", 71.9, 90.0),
        _c2d("r50-in1k-pre", "20221027-3ca304fa", 73.89, 91.21),
    ),
    "slow_r50_4x16": (
        pytorchvideo_weights("SLOW_4x16_R50", 72.40, 90.18),
        pyslowfast_weights("SLOWONLY_4x16_R50", 72.7, 90.3),
        _slowonly(
            "slowonly_r50_8xb16-4x16x1-256e_kinetics400-rgb",
            "slowonly_r50_4x16x1_256e_8xb16_kinetics400-rgb_20220901-f6a40d08",
            72.97,
            90.88,
            stride=16,
        ),
        _slowonly(
            _STEPS.format("8xb16-4x16x1", "kinetics400"),
            _STEPS.format("8xb16-4x16x1", "kinetics400") + "_20220901-e7b65fad",
            75.12,
            91.72,
            stride=16,
            tag="imagenet_kinetics400",
        ),
        _slowonly(
            _STEPS.format("16xb16-4x16x1", "kinetics700"),
            _STEPS.format("16xb16-4x16x1", "kinetics700") + "_20221013-98b1b0a7",
            65.52,
            86.39,
            stride=16,
            tag="kinetics700",
        ),
    ),
    "slow_r50_8x8": (
        pytorchvideo_weights("SLOW_8x8_R50", 74.58, 91.63),
        pyslowfast_weights("SLOWONLY_8x8_R50", 74.8, 91.6),
        _slowonly(
            "slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb",
            "slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb_20220901-2132fc87",
            75.15,
            92.11,
            stride=8,
        ),
        _slowonly(
            _STEPS.format("8xb16-8x8x1", "kinetics400"),
            _STEPS.format("8xb16-8x8x1", "kinetics400") + "_20220901-df42dc84",
            76.45,
            92.55,
            stride=8,
            tag="imagenet_kinetics400",
        ),
        _slowonly(
            _STEPS.format("16xb16-8x8x1", "kinetics700"),
            _STEPS.format("16xb16-8x8x1", "kinetics700") + "_20221013-15b93b10",
            67.67,
            87.80,
            stride=8,
            tag="kinetics700",
        ),
        _something("SLOW_8x8_R50", 60.04, 85.19, frames=8),
        _charades("SLOW_8x8_R50", 34.72),
    ),
    "slow_r101_8x8": (
        _slowonly(
            "slowonly_r101_8xb16-8x8x1-196e_kinetics400-rgb",
            "slowonly_r101_8xb16-8x8x1-196e_kinetics400-rgb_20220901-e6281431",
            76.59,
            92.80,
            stride=8,
        ),
    ),
    "slowfast_r50_4x16": (
        pytorchvideo_weights("SLOWFAST_4x16_R50", 75.34, 91.89),
        pyslowfast_weights("SLOWFAST_4x16_R50", 75.6, 92.0),
    ),
    "slowfast_r50_8x8": (
        pytorchvideo_weights("SLOWFAST_8x8_R50", 76.94, 92.69),
        pyslowfast_weights("SLOWFAST_8x8_R50", 77.0, 92.6),
        _multigrid(
            "steps_kinetics400",
            "Kinetics/SLOWFAST_8x8_R50_stepwise",
            _VIEWS,
            top1=76.8,
            top5=92.7,
            **_KINETICS,
        ),
        _multigrid(
            "multigrid_kinetics400",
            "Kinetics/SLOWFAST_8x8_R50_stepwise_multigrid",
            _VIEWS.replace("256", "224"),
            top1=76.6,
            top5=92.7,
            **_KINETICS,
        ),
        _something("SLOWFAST_8x8_R50", 61.68, 86.92, frames=32),
        _charades("SLOWFAST_8x8_R50", 37.24),
    ),
    "slowfast_r50_16x8": (
        _multigrid(
            "something-something-v2",
            "SSv2/SLOWFAST_16x8_R50",
            "1 clip, 1 crop of 256 pixels, fully convolutional",
            top1=63.0,
            top5=88.5,
            clip=segments_clip(64),
            **_SSV2,
        ),
        _multigrid(
            "multigrid_something-something-v2",
            "SSv2/SLOWFAST_16x8_R50_multigrid",
            "1 clip, 1 crop of 224 pixels",
            top1=63.5,
            top5=88.7,
            clip=segments_clip(64),
            **_SSV2,
        ),
        _multigrid("charades", "Charades/SLOWFAST_16x8_R50", f"mAP 38.9; {_MAXIMUM}", **_CHARADES),
        _multigrid(
            "multigrid_charades",
            "Charades/SLOWFAST_16x8_R50_multigrid",
            f"mAP 38.6; {_MAXIMUM}",
            **_CHARADES,
        ),
    ),
    "slowfast_r101_8x8": (pytorchvideo_weights("SLOWFAST_8x8_R101", 77.90, 93.27),),
    "slowfast_r101_50_50_16x8": (pytorchvideo_weights("SLOWFAST_16x8_R101_50_50", 78.70, 93.61),),
}
