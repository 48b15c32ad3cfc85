"""Published checkpoints of the non-local networks.

The code bases are those of `zoopraxis.weights.inflated_resnet`. The authors' blocks for long clips
have no batch norm; on conversion they receive an identity one. mmaction2's blocks pool after phi
and g and do not scale; their last convolution has no bias, which is converted to zeros.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from zoopraxis.models.nonlocal_net import PooledNonLocalResNet, UnpaddedNonLocalResNet
from zoopraxis.spec import Source, Weights
from zoopraxis.weights.inflated_resnet import (
    MMACTION2,
    SOURCES_32X2,
    caffe2_weights,
    mmaction2_clip,
    mmaction2_weights,
    pooled_sources,
    pyslowfast_weights,
)
from zoopraxis.weights.keys.inflated_resnet import CAFFE2
from zoopraxis.weights.slowfast import ONE_PATHWAY, TWO_PATHWAYS

__all__ = ["SOURCES", "WEIGHTS"]


def add_zero_bias(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add a bias of zeros to the last convolution of each non-local block."""
    out = {key for key in state if re.search(r"\.nonlocal\d+\.out\.weight$", key)}
    zeros = {key.replace(".weight", ".bias"): torch.zeros(len(state[key])) for key in out}
    return {**state, **zeros}


_MMACTION2 = Source(
    rename=(
        (r"\.(\d+)\.non_local_block\.", r".nonlocal\1."),
        (r"\.nonlocal(\d+)\.(theta|phi|g)\.(?:0\.)?conv\.", r".nonlocal\1.\2."),
        (r"\.conv_out\.conv\.", ".out."),
        (r"\.conv_out\.bn\.", ".norm."),
        *MMACTION2.rename,
    ),
    adapt=add_zero_bias,
    build=PooledNonLocalResNet,
    args=MMACTION2.args,
)
_8X8 = pooled_sources(UnpaddedNonLocalResNet)
SOURCES: Mapping[str, Mapping[str, Source]] = {
    **dict.fromkeys(("c2d_nln_r50_8x8", "i3d_nln_r50_8x8", "i3d_nln_r101_8x8"), _8X8),
    **dict.fromkeys(("slow_nln_r50_4x16", "slow_nln_r50_8x8"), ONE_PATHWAY),
    **dict.fromkeys(("slowfast_nln_r50_4x16", "slowfast_nln_r50_8x8"), TWO_PATHWAYS),
    "slowfast_nln_r101_50_50_16x8": TWO_PATHWAYS,
    **dict.fromkeys(("c2d_r50_32x2", "c2d_nln_r50_32x2", "i3d_nln_r101_32x2"), SOURCES_32X2),
    "i3d_nln_r50_32x2": {**SOURCES_32X2, "mmaction2": _MMACTION2},
    "i3d_nln_dot_r50_32x2": {"mmaction2": _MMACTION2},
    "i3d_nln_gaussian_r50_32x2": {"mmaction2": _MMACTION2},
    "i3d_nln_r50_128x1": {"video_nonlocal_caffe2": CAFFE2},
    "i3d_nln_r50_32x4": {"video_nonlocal_caffe2": CAFFE2},
    "test_nonlocal_net": _8X8,
}


def _authors(model: str, file: str, top1: float, top5: float) -> Weights:
    return caffe2_weights(model, "k400", f"{file}_pretrain_400k", top1, top5)


def _mmaction2(model: str, similarity: str, date_hash: str, top1: float, top5: float) -> Weights:
    training = f"i3d_imagenet-pretrained-r50-nl-{similarity}_8xb8-32x2x1-100e_kinetics400-rgb"
    clip = mmaction2_clip(32, 2)
    return mmaction2_weights(
        model, f"i3d/{training}", f"{training}_{date_hash}", top1, top5, clip=clip
    )


WEIGHTS: tuple[Weights, ...] = (
    pyslowfast_weights("i3d_nln_r50_8x8", "pyslowfast_k400", "I3D_NLN_8x8_R50", 74.0, 91.1),
    _authors("i3d_nln_r50_8x8", "i3d_nonlocal_8x8_IN", 74.7, 91.6),
    _authors("i3d_nln_r50_32x2", "i3d_nonlocal_32x2_IN", 74.9, 91.6),
    _mmaction2("i3d_nln_r50_32x2", "embedded-gaussian", "20220812-afd8f562", 74.73, 91.80),
    _mmaction2("i3d_nln_dot_r50_32x2", "dot-product", "20220812-8e1f2148", 74.80, 92.07),
    _mmaction2("i3d_nln_gaussian_r50_32x2", "gaussian", "20220812-0c5cbf5a", 73.97, 91.33),
    _authors("i3d_nln_r50_128x1", "i3d_nonlocal_128x1_I3D", 76.5, 92.7),
    _authors("i3d_nln_r50_32x4", "i3d_nonlocal_32x4_I3D", 76.5, 92.6),
    _authors("c2d_r50_32x2", "c2d_baseline_32x2_IN", 72.0, 90.0),
    _authors("c2d_nln_r50_32x2", "c2d_nonlocal_32x2_IN", 73.9, 91.0),
    _authors("c2d_nln_r50_8x8", "c2d_nonlocal_8x8_IN", 74.4, 91.4),
)
