"""Published checkpoints of SlowFast, Slow and C2D.

PyTorchVideo's networks are PySlowFast's under other keys. PySlowFast's checkpoint of C2D is one of
``c2d_nopool``. Source "mmaction2" is that toolbox's Slow, which is the same network, and its C2D,
a 2D network whose stem does not pad the pooling. Its SlowFast is a different network: neither batch
norm nor ReLU follows its lateral convolutions.

On Something-Something a clip has one frame of each of T segments of the video. Charades is
multi-label; for it the zoos publish the mean average precision.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zoopraxis.inputs import ClipSpec
from zoopraxis.models.inflated_resnet import CLIP_8X8, UnpaddedResNet
from zoopraxis.models.slowfast import SPECS
from zoopraxis.spec import Protocol, Source, Weights
from zoopraxis.weights.inflated_resnet import (
    VIEWS,
    caffe2_weights,
    facebook_weights,
    mmaction2_clip,
    mmaction2_weights,
    pooled_sources,
    pyslowfast_weights,
    pytorchvideo_weights,
)
from zoopraxis.weights.keys import flatten_head, kernels_of_one_frame
from zoopraxis.weights.keys.inflated_resnet import (
    CAFFE2,
    PYSLOWFAST,
    PYTORCHVIDEO,
    rename_caffe2,
    rename_pyslowfast,
)
from zoopraxis.weights.keys.resnet3d import RENAME_MMACTION2, RENAME_PYTORCHVIDEO

__all__ = ["ONE_PATHWAY", "SOURCES", "TWO_PATHWAYS", "WEIGHTS"]


ONE_PATHWAY: Mapping[str, Source] = {
    "pyslowfast": PYSLOWFAST,
    "pyslowfast_caffe2": CAFFE2,
    "pytorchvideo": PYTORCHVIDEO,
}
_PATHWAYS = ("slow.", "fast.")
TWO_PATHWAYS: Mapping[str, Source] = {
    "pyslowfast": Source(
        rename=(
            (r"^s(\d)_fuse\.conv_f2s\.", r"fuse\1.conv."),
            (r"^s(\d)_fuse\.bn\.", r"fuse\1.norm."),
            *rename_pyslowfast(*_PATHWAYS),
        )
    ),
    "pyslowfast_caffe2": Source(
        rename=(
            (r"^t_pool1_subsample_", "fuse1."),
            (r"^t_res(\d)_\d+_branch2c_bn_subsample_", r"fuse\1."),
            (r"^(fuse\d\.)bn_", r"\1norm."),
            (r"^(fuse\d\.)w$", r"\1conv.w"),
            *rename_caffe2(*_PATHWAYS),
        ),
        adapt=flatten_head,
    ),
    "pytorchvideo": Source(
        rename=(
            (
                r"^(?:model\.)?blocks\.0\.multipathway_blocks\.(\d)\.",
                lambda m: f"{_PATHWAYS[int(m[1])]}stem.",
            ),
            (
                r"^(?:model\.)?blocks\.(\d)\.multipathway_blocks\.(\d)\.res_blocks\.",
                lambda m: f"{_PATHWAYS[int(m[2])]}layer{m[1]}.",
            ),
            (
                r"^(?:model\.)?blocks\.(\d)\.multipathway_fusion\.(?:conv_fast_to_slow|(norm))\.",
                lambda m: f"fuse{int(m[1]) + 1}.{m[2] or 'conv'}.",
            ),
            (r"^(?:model\.)?blocks\.6\.", "blocks.5."),
            *RENAME_PYTORCHVIDEO,
        )
    ),
}
_MMACTION2 = Source(rename=RENAME_MMACTION2, adapt=kernels_of_one_frame)
_MMACTION2_C2D = Source(rename=RENAME_MMACTION2, adapt=kernels_of_one_frame, build=UnpaddedResNet)


def _sources(name: str) -> Mapping[str, Source]:
    if "slowfast" in name:
        return TWO_PATHWAYS
    if name in ("c2d_r50_8x8", "c2d_r101_8x8"):
        return {**pooled_sources(UnpaddedResNet), "mmaction2": _MMACTION2_C2D}
    return {**ONE_PATHWAY, "mmaction2": _MMACTION2}


SOURCES: Mapping[str, Mapping[str, Source]] = {spec.name: _sources(spec.name) for spec in SPECS}

# Entries of the zoos.

_SSV2: Mapping[str, Any] = {
    "dataset": "Kinetics-400, then Something-Something v2",
    "num_classes": 174,
    "labels": "ssv2",
}
_CHARADES: Mapping[str, Any] = {
    "dataset": "Kinetics-400, then Charades",
    "num_classes": 157,
    "labels": "",
}
_THREE_CROPS = replace(VIEWS, views=1)
_MAXIMUM = replace(VIEWS, mode="max_sigmoid")
_SSV2_TEST = Protocol(
    views=1, convention="pyslowfast_ssv2", note="one crop; where it lies is not stated"
)
_PYSLOWFAST = replace(VIEWS, convention="pyslowfast")


def _segments_clip(num_frames: int) -> ClipSpec:
    """Return the input for short videos: one frame of each of `num_frames` segments."""
    return CLIP_8X8.change(num_frames=num_frames, stride=1, fps=None, mode="segments")


def _pytorchvideo(model: str, tag: str, file: str, protocol: Protocol, **fields: Any) -> Weights:
    """Return a checkpoint of PyTorchVideo's zoo that was fine-tuned on another data set."""
    return facebook_weights(
        model,
        f"pytorchvideo_k400_ft_{tag}",
        f"pytorchvideo/model_zoo/{tag}/{file}.pyth",
        source="pytorchvideo",
        protocol=protocol,
        **fields,
    )


def _multigrid(model: str, tag: str, file: str, protocol: Protocol, **fields: Any) -> Weights:
    """Return a checkpoint of "A Multigrid Method" (arXiv:1912.00998) or its plain counterpart."""
    path = f"pyslowfast/pyslowfast/model_zoo/multigrid/model_zoo/{file}.pkl"
    return facebook_weights(model, tag, path, source="pyslowfast", protocol=protocol, **fields)


def _c2d(model: str, net: str, date_hash: str, top1: float, top5: float) -> Weights:
    training = f"c2d_{net}_8xb32-8x8x1-100e_kinetics400-rgb"
    clip = mmaction2_clip(8, 8, size=224)
    return mmaction2_weights(
        model, f"c2d/{training}", f"{training}_{date_hash}", top1, top5, clip=clip
    )


def _slow(
    model: str,
    training: str,
    date_hash: str,
    top1: float,
    top5: float,
    *,
    tag: str = "mmaction2_k400",
    file: str = "",
) -> Weights:
    """Return a checkpoint of mmaction2; `file` defaults to the name of the training."""
    num_frames, stride = (int(number) for number in model.rpartition("_")[2].split("x"))
    return mmaction2_weights(
        model,
        f"slowonly/{training}",
        f"{file or training}_{date_hash}",
        top1,
        top5,
        tag=tag,
        clip=mmaction2_clip(num_frames, stride),
    )


_STEPS = "slowonly_imagenet-pretrained-r50_{}x1-steplr-150e_{}-rgb"
WEIGHTS: tuple[Weights, ...] = (
    # C2D
    pyslowfast_weights("c2d_nopool_r50_8x8", "k400", "C2D_NOPOOL_8x8_R50", 67.2, 87.8),
    _c2d("c2d_nopool_r50_8x8", "r50-in1k-pre-nopool", "20221027-e0227b22", 73.44, 91.00),
    _c2d("c2d_nopool_r101_8x8", "r101-in1k-pre-nopool", "20221027-557bd8bc", 74.97, 91.77),
    pytorchvideo_weights("c2d_r50_8x8", "C2D_8x8_R50", 71.46, 89.68),
    caffe2_weights("c2d_r50_8x8", "nonlocal_k400", "c2d_baseline_8x8_IN_pretrain_400k", 71.9, 90.0),
    _c2d("c2d_r50_8x8", "r50-in1k-pre", "20221027-3ca304fa", 73.89, 91.21),
    # Slow
    pytorchvideo_weights("slow_r50_4x16", "SLOW_4x16_R50", 72.40, 90.18),
    pyslowfast_weights("slow_r50_4x16", "k400", "SLOWONLY_4x16_R50", 72.7, 90.3),
    _slow(
        "slow_r50_4x16",
        "slowonly_r50_8xb16-4x16x1-256e_kinetics400-rgb",
        "20220901-f6a40d08",
        72.97,
        90.88,
        file="slowonly_r50_4x16x1_256e_8xb16_kinetics400-rgb",
    ),
    _slow(
        "slow_r50_4x16",
        _STEPS.format("8xb16-4x16", "kinetics400"),
        "20220901-e7b65fad",
        75.12,
        91.72,
        tag="mmaction2_k400_in1k",
    ),
    _slow(
        "slow_r50_4x16",
        _STEPS.format("16xb16-4x16", "kinetics700"),
        "20221013-98b1b0a7",
        65.52,
        86.39,
        tag="mmaction2_k700",
    ),
    pytorchvideo_weights("slow_r50_8x8", "SLOW_8x8_R50", 74.58, 91.63),
    pyslowfast_weights("slow_r50_8x8", "k400", "SLOWONLY_8x8_R50", 74.8, 91.6),
    _slow(
        "slow_r50_8x8",
        "slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb",
        "20220901-2132fc87",
        75.15,
        92.11,
    ),
    _slow(
        "slow_r50_8x8",
        _STEPS.format("8xb16-8x8", "kinetics400"),
        "20220901-df42dc84",
        76.45,
        92.55,
        tag="mmaction2_k400_in1k",
    ),
    _slow(
        "slow_r50_8x8",
        _STEPS.format("16xb16-8x8", "kinetics700"),
        "20221013-15b93b10",
        67.67,
        87.80,
        tag="mmaction2_k700",
    ),
    _pytorchvideo(
        "slow_r50_8x8",
        "ssv2",
        "SLOW_8x8_R50",
        _THREE_CROPS,
        top1=60.04,
        top5=85.19,
        clip=_segments_clip(8),
        **_SSV2,
    ),
    _pytorchvideo("slow_r50_8x8", "charades", "SLOW_8x8_R50", _MAXIMUM, map=34.72, **_CHARADES),
    _slow(
        "slow_r101_8x8",
        "slowonly_r101_8xb16-8x8x1-196e_kinetics400-rgb",
        "20220901-e6281431",
        76.59,
        92.80,
    ),
    # SlowFast
    pytorchvideo_weights("slowfast_r50_4x16", "SLOWFAST_4x16_R50", 75.34, 91.89),
    pyslowfast_weights("slowfast_r50_4x16", "k400", "SLOWFAST_4x16_R50", 75.6, 92.0),
    pytorchvideo_weights("slowfast_r50_8x8", "SLOWFAST_8x8_R50", 76.94, 92.69),
    pyslowfast_weights("slowfast_r50_8x8", "k400", "SLOWFAST_8x8_R50", 77.0, 92.6),
    _multigrid(
        "slowfast_r50_8x8",
        "k400_steps",
        "Kinetics/SLOWFAST_8x8_R50_stepwise",
        _PYSLOWFAST,
        top1=76.8,
        top5=92.7,
    ),
    _multigrid(
        "slowfast_r50_8x8",
        "k400_multigrid",
        "Kinetics/SLOWFAST_8x8_R50_stepwise_multigrid",
        replace(_PYSLOWFAST, size=224, resize=224, fully_convolutional=None),
        top1=76.6,
        top5=92.7,
    ),
    _pytorchvideo(
        "slowfast_r50_8x8",
        "ssv2",
        "SLOWFAST_8x8_R50",
        _THREE_CROPS,
        top1=61.68,
        top5=86.92,
        clip=_segments_clip(32),
        **_SSV2,
    ),
    _pytorchvideo(
        "slowfast_r50_8x8", "charades", "SLOWFAST_8x8_R50", _MAXIMUM, map=37.24, **_CHARADES
    ),
    _multigrid(
        "slowfast_r50_16x8",
        "k400_ft_ssv2",
        "SSv2/SLOWFAST_16x8_R50",
        replace(_SSV2_TEST, size=256, resize=256, fully_convolutional=224),
        top1=63.0,
        top5=88.5,
        clip=_segments_clip(64),
        **_SSV2,
    ),
    _multigrid(
        "slowfast_r50_16x8",
        "k400_ft_ssv2_multigrid",
        "SSv2/SLOWFAST_16x8_R50_multigrid",
        replace(_SSV2_TEST, size=224, resize=224),
        top1=63.5,
        top5=88.7,
        clip=_segments_clip(64),
        **_SSV2,
    ),
    _multigrid(
        "slowfast_r50_16x8",
        "k400_ft_charades",
        "Charades/SLOWFAST_16x8_R50",
        _MAXIMUM,
        map=38.9,
        **_CHARADES,
    ),
    _multigrid(
        "slowfast_r50_16x8",
        "k400_ft_charades_multigrid",
        "Charades/SLOWFAST_16x8_R50_multigrid",
        _MAXIMUM,
        map=38.6,
        **_CHARADES,
    ),
    pytorchvideo_weights("slowfast_r101_8x8", "SLOWFAST_8x8_R101", 77.90, 93.27),
    pytorchvideo_weights("slowfast_r101_50_50_16x8", "SLOWFAST_16x8_R101_50_50", 78.70, 93.61),
)
