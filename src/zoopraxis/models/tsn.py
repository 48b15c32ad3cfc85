"""Temporal Segment Networks: Towards Good Practices for Deep Action Recognition.

Wang, Xiong, Wang, Qiao, Lin, Tang and Van Gool, ECCV 2016. arXiv:1608.00859; with the further
consensus functions of the journal version, PAMI 2018, arXiv:1705.02953
Official code: https://github.com/yjxiong/temporal-segment-networks (Caffe, BSD-2-Clause) and
https://github.com/yjxiong/tsn-pytorch (BSD-2-Clause)

A video is cut into T equal segments; one frame (or a stack of L flow frames or differences) of
each passes through the same image network, and a consensus of the T score vectors is the
prediction, so that a sparse sample is trained end to end over the whole video. By the average,
the maximum, the top k or attention of scores, the order of the segments has no influence; only
stacks, and learned weights per segment, see time.

Modalities are those of the clip: RGB; differences of neighbouring frames (L = 5); flow, and warped
flow: the same network on flow from which the camera's motion was removed before. The stem of flow
and difference networks starts from RGB weights, averaged over the colours (`zoopraxis.checkpoints.inflate`).
The paper freezes all batch norms but the first: ``freeze_norms = "all_but_first"`` in a recipe.
BN-Inception takes BGR pixels from 0 to 255 less the mean; the ResNets take ImageNet's RGB.

Source "tsn_pytorch" is the authors', "gsm", "trn" and "tsm" are the repositories of Gate-Shift, TRN
and TSM, which train TSN as a baseline; "mmaction2" is the successor of the authors' code;
"torchvision" are image networks, to start from; "caffe" are the authors' nets of 2016, and the
image network that they start from. Of these names and shapes are those of their prototxts; no
trained net was at hand.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoopraxis.checkpoints.convert import RENAME_BLOBS, squeeze_blobs
from zoopraxis.errors import ShapeError
from zoopraxis.layers.bninception import RENAME_BNINCEPTION, BNInception
from zoopraxis.layers.frames import RENAME_SEGMENTS, SegmentNetwork, Trunk
from zoopraxis.layers.inception_v3 import RENAME_INCEPTIONV3, InceptionV3
from zoopraxis.layers.mobilenet_v2 import (
    RENAME_MOBILENETV2,
    RENAME_MOBILENETV2_MMACTION2,
    MobileNetV2,
)
from zoopraxis.layers.resnet2d import RENAME_MMACTION2, RENAME_RESNET2D, ResNet2d
from zoopraxis.layers.timm2d import on_timm
from zoopraxis.layers.vgg import RENAME_VGG, VGG16
from zoopraxis.models._tsn_weights import WEIGHTS
from zoopraxis.spec import ClipSpec, ModelSpec, Source

Consensus = Literal["average", "max", "top_k", "weighted", "attention"]


class Average(nn.Module):
    """Mean of the segments' scores."""

    def forward(self, scores: Tensor, _features: Tensor) -> Tensor:
        """Map scores (B, T, K) to (B, K)."""
        return scores.mean(dim=1)


class Maximum(nn.Module):
    """For each class the segment that scores most."""

    def forward(self, scores: Tensor, _features: Tensor) -> Tensor:
        """Map scores (B, T, K) to (B, K)."""
        return scores.amax(dim=1)


class TopK(nn.Module):
    """For each class the mean of the k segments that score most.

    Parameters
    ----------
    k : int, default=3
        From 1, the maximum, to T, the average.
    """

    def __init__(self, k: int = 3) -> None:
        super().__init__()
        self.k = k

    def forward(self, scores: Tensor, _features: Tensor) -> Tensor:
        """Map scores (B, T, K) to (B, K).

        Raises
        ------
        ShapeError
            There are fewer than k segments.
        """
        if scores.shape[1] < self.k:
            raise ShapeError(
                f"{scores.shape[1]} segments have no top {self.k}", "sample more segments"
            )
        return scores.topk(self.k, dim=1).values.mean(dim=1)


class Weighted(nn.Module):
    """Linear combination with one learned weight a segment, at first all 1 / T.

    Parameters
    ----------
    frames : int
        T.
    """

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((frames,), 1 / frames))

    def forward(self, scores: Tensor, _features: Tensor) -> Tensor:
        """Map scores (B, T, K) to (B, K)."""
        return torch.einsum("t,btk->bk", self.weight, scores)


class Attention(nn.Module):
    """Mean weighted by a softmax over the segments of a linear function of their features.

    Parameters
    ----------
    num_features : int
        F.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weigh = nn.Linear(num_features, 1, bias=False)

    def forward(self, scores: Tensor, features: Tensor) -> Tensor:
        """Map scores (B, T, K) and features (B, T, F) to (B, K)."""
        weight = self.weigh(features).softmax(dim=1)  # (B, T, 1)
        out: Tensor = (weight * scores).sum(dim=1)  # (B, K)
        return out


CONSENSUS: Mapping[Consensus, Callable[[int, int], nn.Module]] = {
    "average": lambda _frames, _features: Average(),
    "max": lambda _frames, _features: Maximum(),
    "top_k": lambda _frames, _features: TopK(),
    "weighted": lambda frames, _features: Weighted(frames),
    "attention": lambda _frames, features: Attention(features),
}


class TSN(SegmentNetwork):
    """An image network over segments, and a consensus of their scores.

    Parameters
    ----------
    trunk : Trunk
        Makes the image network.
    consensus : {"average", "max", "top_k", "weighted", "attention"}, default="average"
        What the scores of the segments become.
    frames : int, default=8
        T, for the weights of the weighted consensus.
    num_classes, channels, stack, dropout
        As of `SegmentNetwork`.
    """

    def __init__(
        self,
        trunk: Trunk,
        *,
        consensus: Consensus = "average",
        frames: int = 8,
        num_classes: int = 400,
        channels: int = 3,
        stack: int = 1,
        dropout: float = 0.5,
    ) -> None:
        super().__init__(
            trunk, num_classes=num_classes, channels=channels, stack=stack, dropout=dropout
        )
        self.consensus = CONSENSUS[consensus](frames, self.num_features)

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, F, T, H', W') to logits (B, K)."""
        features = x.mean(dim=(3, 4)).transpose(1, 2)  # (B, T, F)
        scores = self.head.linear(self.head.dropout(features))  # (B, T, K)
        out: Tensor = self.consensus(scores, features)  # (B, K)
        return out


def tsn_timm(backbone: str, *, frames: int = 8, **options: Any) -> nn.Module:
    """Build a TSN on an image network of timm: see `on_timm`."""
    return on_timm(partial(TSN, frames=frames), backbone, frames=frames, **options)


# The TSN lineage's wrapper around its image networks, in all repositories the same.
LINEAGE_BNINCEPTION = Source(rename=(*RENAME_SEGMENTS, *RENAME_BNINCEPTION))
LINEAGE_INCEPTIONV3 = Source(rename=(*RENAME_SEGMENTS, *RENAME_INCEPTIONV3))
LINEAGE_RESNET = Source(rename=(*RENAME_SEGMENTS, *RENAME_RESNET2D))
LINEAGE_MOBILENET = Source(rename=(*RENAME_SEGMENTS, *RENAME_MOBILENETV2))
MMACTION2 = Source(rename=RENAME_MMACTION2)
MMACTION2_MOBILENET = Source(rename=RENAME_MOBILENETV2_MMACTION2)

# Image networks by themselves: torchvision's, to start from, and the authors' Caffe nets.
_TRUNK = (r"^(?!head\.)", "trunk.")
TORCHVISION_RESNET = Source(rename=((r"^fc\.", "head.linear."), _TRUNK, *RENAME_RESNET2D))
CAFFE_BNINCEPTION = Source(
    rename=(
        *RENAME_BLOBS,
        (r"^fc(-action)?\.", "head.linear."),  # fc of ImageNet
        (r"/", "_"),
        _TRUNK,
        *RENAME_BNINCEPTION,
    ),
    adapt=squeeze_blobs,
)
TORCHVISION_VGG = Source(rename=((r"^classifier\.6\.", "head.linear."), *RENAME_VGG, _TRUNK))

CAFFE_CLIP = ClipSpec(
    frames=8,
    sampling="segments",
    mean=(104.0, 117.0, 128.0),
    std=(1.0, 1.0, 1.0),
    channel_order="bgr",
    value_range=255.0,
)
"""What BN-Inception of the TSN lineage eats."""

IMAGENET_CLIP = ClipSpec(frames=8, sampling="segments")
"""What the ResNets of the TSM repository eat."""

CAFFE_FLOW = replace(
    CAFFE_CLIP,
    mean=(128.0, 128.0),
    std=(1.0, 1.0),
    channel_order="rgb",
    modality="flow",
    stack=5,
)
CAFFE_DIFF = replace(CAFFE_CLIP, mean=(0.0, 0.0, 0.0), modality="rgb_diff", stack=5)
_IMAGENET_FLOW = replace(
    IMAGENET_CLIP, modality="flow", stack=5, mean=(0.5, 0.5), std=(0.226, 0.226)
)
_IMAGENET_DIFF = replace(
    IMAGENET_CLIP, modality="rgb_diff", stack=5, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
)


def _row(
    name: str,
    trunk: Trunk,
    clip: ClipSpec,
    params_m: float,
    macs_g: float,
    *,
    sources: Mapping[str, Source],
    space: int | None = 32,
    **args: Any,
) -> ModelSpec:
    modality = {"channels": clip.channels, "stack": clip.stack}
    return ModelSpec(
        name=name,
        build=TSN,
        args={"trunk": trunk, "frames": clip.frames, **modality, **args},
        clip=clip,
        params_m=params_m,
        macs_g=macs_g,
        strides=(clip.stack, space),
        order_sensitive=clip.stack > 1,
        sources=sources,
        weights=WEIGHTS.get(name, ()),
    )


def _bninception(
    name: str,
    frames: int,
    params_m: float,
    macs_g: float,
    *,
    clip: ClipSpec = CAFFE_CLIP,
    num_classes: int = 101,
    dropout: float = 0.8,
) -> ModelSpec:
    lineage = dict.fromkeys(("tsn_pytorch", "gsm", "trn", "tsm"), LINEAGE_BNINCEPTION)
    return _row(
        f"tsn_bninception_{name}{frames}",
        BNInception,
        replace(clip, frames=frames),
        params_m,
        macs_g,
        sources={**lineage, "caffe": CAFFE_BNINCEPTION},
        num_classes=num_classes,
        dropout=dropout,
    )


def _resnet(
    depth: int, frames: int, params_m: float, macs_g: float, *, modality: str = ""
) -> ModelSpec:
    clip = {"": IMAGENET_CLIP, "flow_": _IMAGENET_FLOW, "rgbdiff_": _IMAGENET_DIFF}[modality]
    lineage = dict.fromkeys(("tsn_pytorch", "tsm", "trn"), LINEAGE_RESNET)
    images = {"torchvision": TORCHVISION_RESNET} if not modality else {}
    return _row(
        f"tsn_r{depth}_{modality}{frames}",
        partial(ResNet2d, depth),
        replace(clip, frames=frames),
        params_m,
        macs_g,
        sources={**lineage, "mmaction2": MMACTION2, **images},
    )


def _inceptionv3(frames: int, params_m: float, macs_g: float) -> ModelSpec:
    return _row(
        f"tsn_inceptionv3_{frames}",
        InceptionV3,
        replace(CAFFE_CLIP, frames=frames, size=229, resize=261),
        params_m,
        macs_g,
        sources=dict.fromkeys(("gsm", "trn"), LINEAGE_INCEPTIONV3),
        num_classes=174,
        dropout=0.5,
    )


SMALL_CLIP = replace(IMAGENET_CLIP, frames=8, size=56, resize=(64, 72))  # minutes on two cores
_TINY = partial(ResNet2d, 10, width=16)
_MOBILENET = {"tsm": LINEAGE_MOBILENET, "mmaction2": MMACTION2_MOBILENET}

SPECS = (
    _bninception("", 3, 10.37, 6.10),
    _bninception("", 7, 10.37, 14.22),
    _bninception("", 8, 10.45, 16.25, num_classes=174, dropout=0.5),
    _bninception("", 16, 10.45, 32.51, num_classes=174, dropout=0.5),
    _bninception("flow_", 3, 10.40, 6.92, clip=CAFFE_FLOW, dropout=0.7),
    _bninception("flow_", 7, 10.40, 16.15, clip=CAFFE_FLOW, dropout=0.7),
    _bninception("flow_", 8, 10.40, 18.46, clip=CAFFE_FLOW, dropout=0.7),
    _bninception("warped_flow_", 3, 10.40, 6.92, clip=CAFFE_FLOW, dropout=0.7),
    _bninception("warped_flow_", 7, 10.40, 16.15, clip=CAFFE_FLOW, dropout=0.7),
    _bninception("rgbdiff_", 3, 10.41, 7.51, clip=CAFFE_DIFF),
    _bninception("rgbdiff_", 7, 10.41, 17.53, clip=CAFFE_DIFF),
    _resnet(18, 3, 11.38, 5.44),
    _resnet(18, 8, 11.38, 14.51),
    _resnet(34, 3, 21.49, 10.99),
    _resnet(34, 8, 21.49, 29.31),
    _resnet(50, 3, 24.33, 12.26),
    _resnet(50, 5, 24.33, 20.44),
    _resnet(50, 8, 24.33, 32.70),
    _resnet(50, 16, 24.33, 65.41),
    _resnet(101, 3, 43.32, 23.40),
    _resnet(101, 8, 43.32, 62.40),
    _resnet(101, 16, 43.32, 124.80),
    _resnet(152, 3, 58.96, 34.54),
    _resnet(152, 8, 58.96, 92.10),
    _resnet(18, 3, 11.40, 6.27, modality="flow_"),
    _resnet(34, 3, 21.51, 11.82, modality="flow_"),
    _resnet(50, 3, 24.35, 13.09, modality="flow_"),
    _resnet(50, 8, 24.35, 34.91, modality="flow_"),
    _resnet(101, 3, 43.34, 24.23, modality="flow_"),
    _resnet(101, 8, 43.34, 64.60, modality="flow_"),
    _resnet(152, 3, 58.99, 35.36, modality="flow_"),
    _resnet(18, 3, 11.42, 6.86, modality="rgbdiff_"),
    _resnet(34, 3, 21.53, 12.41, modality="rgbdiff_"),
    _resnet(50, 3, 24.37, 13.68, modality="rgbdiff_"),
    _resnet(101, 3, 43.36, 24.82, modality="rgbdiff_"),
    _resnet(152, 3, 59.00, 35.95, modality="rgbdiff_"),
    _inceptionv3(8, 22.16, 26.62),
    _inceptionv3(16, 22.16, 53.24),
    _row("tsn_mobilenetv2_8", MobileNetV2, IMAGENET_CLIP, 2.74, 2.40, sources=_MOBILENET),
    _row(
        "tsn_mobilenetv2_16",
        MobileNetV2,
        replace(IMAGENET_CLIP, frames=16),
        2.74,
        4.80,
        sources=_MOBILENET,
    ),
    _row(
        "tsn_vgg16_3",
        VGG16,
        replace(IMAGENET_CLIP, frames=3),
        135.90,
        46.40,
        sources={"torchvision": TORCHVISION_VGG},
        space=None,
    ),
    ModelSpec(
        name="tsn_timm",
        build=tsn_timm,
        args={"backbone": "resnet18"},
        clip=IMAGENET_CLIP,
        params_m=11.38,
        macs_g=14.51,
        strides=(1, None),
        order_sensitive=False,
    ),
    _row("tsn_small", _TINY, SMALL_CLIP, 0.36, 0.04, sources={}, dropout=0.0),
    _row(
        "test_tsn",
        _TINY,
        replace(IMAGENET_CLIP, frames=4, size=64, resize=64),
        0.31,
        0.03,
        sources={
            "tsm": LINEAGE_RESNET,
            "mmaction2": MMACTION2,
            "torchvision": TORCHVISION_RESNET,
        },
        num_classes=12,
    ),
)
