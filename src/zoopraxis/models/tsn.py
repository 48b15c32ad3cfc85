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

Modalities are those of the clip: RGB; differences of neighbouring frames (L = 5); flow and warped
flow (camera motion removed before; the same network). The stem of flow and difference networks
starts from RGB weights, averaged over the colours (`zoopraxis.inflate`). The paper freezes all
batch norms but the first: ``freeze_norms = "all_but_first"`` in a recipe. BN-Inception takes BGR
pixels from 0 to 255 less the mean; the ResNets of the TSM repository take ImageNet's RGB.

Source "tsn_pytorch" is the authors', "gsm" and "tsm" are the repositories of Gate-Shift and TSM,
which train TSN as a baseline; "mmaction2" is the successor of the authors' code.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.layers.bninception import RENAME_BNINCEPTION, BNInception
from zoopraxis.layers.frames import RENAME_SEGMENTS, SegmentNetwork, Trunk
from zoopraxis.layers.inception_v3 import RENAME_INCEPTIONV3, InceptionV3
from zoopraxis.layers.mobilenet_v2 import RENAME_MOBILENETV2, MobileNetV2
from zoopraxis.layers.resnet2d import RENAME_MMACTION2, RENAME_RESNET2D, ResNet2d
from zoopraxis.layers.timm2d import TimmBackbone
from zoopraxis.layers.vgg import VGG16
from zoopraxis.spec import ClipSpec, ModelSpec, Source, Weights

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


def tsn_timm(backbone: str, *, pretrained: bool = False, **options: Any) -> TSN:
    """Build a TSN on an image network of timm.

    Parameters
    ----------
    backbone : str
        As in `timm.create_model`.
    pretrained : bool, default=False
        Whether timm fetches its weights.
    **options
        Of `TSN`.
    """
    frames = options.get("frames", 8)
    return TSN(partial(TimmBackbone, backbone, frames=frames, pretrained=pretrained), **options)


TSN_PYTORCH = Source(rename=(*RENAME_SEGMENTS, *RENAME_BNINCEPTION))
"""The TSN lineage's wrapper around BN-Inception."""

TSM_REPOSITORY = Source(rename=(*RENAME_SEGMENTS, *RENAME_RESNET2D))
"""The TSN lineage's wrapper around torchvision's ResNet."""

TSM_MOBILENET = Source(rename=(*RENAME_SEGMENTS, *RENAME_MOBILENETV2))
GSM_INCEPTIONV3 = Source(rename=(*RENAME_SEGMENTS, *RENAME_INCEPTIONV3))
MMACTION2 = Source(rename=RENAME_MMACTION2)

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

_CAFFE_FLOW = replace(
    CAFFE_CLIP,
    mean=(128.0, 128.0),
    std=(1.0, 1.0),
    channel_order="rgb",
    modality="flow",
    stack=5,
)
_CAFFE_DIFF = replace(CAFFE_CLIP, mean=(0.0, 0.0, 0.0), modality="rgb_diff", stack=5)


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
    return ModelSpec(
        name=name,
        build=TSN,
        args={
            "trunk": BNInception,
            "frames": frames,
            "channels": clip.channels,
            "stack": clip.stack,
            "num_classes": num_classes,
            "dropout": dropout,
        },
        clip=replace(clip, frames=frames),
        params_m=params_m,
        macs_g=macs_g,
        strides=(clip.stack, 32),
        order_sensitive=clip.stack > 1,
        sources={"tsn_pytorch": TSN_PYTORCH, "gsm": TSN_PYTORCH, "trn": TSN_PYTORCH},
    )


def _resnet(
    name: str,
    depth: int,
    frames: int,
    params_m: float,
    macs_g: float,
    *,
    weights: tuple[Weights, ...] = (),
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=TSN,
        args={"trunk": partial(ResNet2d, depth), "frames": frames},
        clip=replace(IMAGENET_CLIP, frames=frames),
        params_m=params_m,
        macs_g=macs_g,
        strides=(1, 32),
        order_sensitive=False,
        sources={"tsm": TSM_REPOSITORY, "mmaction2": MMACTION2},
        weights=weights,
    )


def _other(
    name: str,
    trunk: Trunk,
    params_m: float,
    macs_g: float,
    *,
    clip: ClipSpec,
    space: int | None = 32,
    sources: Mapping[str, Source],
    **args: Any,
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=TSN,
        args={"trunk": trunk, "frames": clip.frames, "num_classes": 400, **args},
        clip=clip,
        params_m=params_m,
        macs_g=macs_g,
        strides=(1, space),
        order_sensitive=False,
        sources=sources,
    )


_MM = "https://download.openmmlab.com/mmaction/v1.0/recognition/tsn/"


def _mmaction2(frames: int, depth: int, date_hash: str, top1: float, top5: float) -> Weights:
    """Row of a Kinetics-400 checkpoint in mmaction2's model zoo."""
    folder = f"tsn_imagenet-pretrained-r{depth}_8xb32-1x1x{frames}-100e_kinetics400-rgb"
    return Weights(
        tag="kinetics400-mmaction2",
        url=f"{_MM}{folder}/{folder}_{date_hash}.pth",
        source="mmaction2",
        dataset="kinetics400",
        num_classes=400,
        sha256=date_hash.split("-")[1],
        licence="Apache-2.0",
        top1=top1,
        top5=top5,
        protocol="25 segments x 10 crops",
    )


_R50_3 = _mmaction2(3, 50, "20220906-cd10898e", 72.83, 90.65)
_R50_5 = _mmaction2(5, 50, "20220906-65d68713", 73.80, 91.21)
_R50_8 = _mmaction2(8, 50, "20220906-2692d16c", 74.12, 91.34)
_R101_8 = _mmaction2(8, 101, "20220906-23cff032", 75.89, 92.07)
_R50_TSM = Weights(
    tag="kinetics400",
    url=(
        "https://hanlab18.mit.edu/projects/tsm/models/"
        "TSM_kinetics_RGB_resnet50_avg_segment5_e50.pth"
    ),
    source="tsm",
    dataset="kinetics400",
    num_classes=400,
    licence="MIT (code)",
    top1=68.8,
    protocol="8 segments, 1 clip, 1 centre crop; trained with 5",
)
_V3_CLIP = replace(CAFFE_CLIP, size=229, resize=261)
SMALL_CLIP = replace(IMAGENET_CLIP, frames=8, size=56, resize=(64, 72))  # minutes on two cores
_TINY_CLIP = replace(IMAGENET_CLIP, frames=4, size=64, resize=64)

SPECS = (
    _bninception("tsn_bninception_3", 3, 10.37, 6.10),
    _bninception("tsn_bninception_7", 7, 10.37, 14.22),
    _bninception("tsn_bninception_8", 8, 10.45, 16.25, num_classes=174, dropout=0.5),
    _bninception("tsn_bninception_16", 16, 10.45, 32.51, num_classes=174, dropout=0.5),
    _bninception("tsn_bninception_flow_3", 3, 10.40, 6.92, clip=_CAFFE_FLOW, dropout=0.7),
    _bninception("tsn_bninception_flow_7", 7, 10.40, 16.15, clip=_CAFFE_FLOW, dropout=0.7),
    _bninception("tsn_bninception_rgbdiff_3", 3, 10.41, 7.51, clip=_CAFFE_DIFF),
    _bninception("tsn_bninception_rgbdiff_7", 7, 10.41, 17.53, clip=_CAFFE_DIFF),
    _resnet("tsn_r18_8", 18, 8, 11.38, 14.51),
    _resnet("tsn_r34_8", 34, 8, 21.49, 29.31),
    _resnet("tsn_r50_3", 50, 3, 24.33, 12.26, weights=(_R50_3,)),
    _resnet("tsn_r50_5", 50, 5, 24.33, 20.44, weights=(_R50_5,)),
    _resnet("tsn_r50_8", 50, 8, 24.33, 32.70, weights=(_R50_TSM, _R50_8)),
    _resnet("tsn_r50_16", 50, 16, 24.33, 65.41),
    _resnet("tsn_r101_8", 101, 8, 43.32, 62.40, weights=(_R101_8,)),
    _other(
        "tsn_inceptionv3_8",
        InceptionV3,
        22.16,
        26.62,
        clip=_V3_CLIP,
        sources={"gsm": GSM_INCEPTIONV3},
        num_classes=174,
    ),
    _other(
        "tsn_mobilenetv2_8",
        MobileNetV2,
        2.74,
        2.40,
        clip=IMAGENET_CLIP,
        sources={"tsm": TSM_MOBILENET},
    ),
    _other(
        "tsn_vgg16_3",
        VGG16,
        135.90,
        46.40,
        clip=replace(IMAGENET_CLIP, frames=3),
        space=None,
        sources={},
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
    _other(
        "tsn_small",
        partial(ResNet2d, 10, width=16),
        0.36,
        0.04,
        clip=SMALL_CLIP,
        sources={},
        dropout=0.0,
    ),
    _other(
        "test_tsn",
        partial(ResNet2d, 10, width=16),
        0.31,
        0.03,
        clip=_TINY_CLIP,
        sources={"tsm": TSM_REPOSITORY, "mmaction2": MMACTION2},
        num_classes=12,
    ),
)
