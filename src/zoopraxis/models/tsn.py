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
from typing import Literal

import torch
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.layers.bninception import RENAME_BNINCEPTION, BNInception
from zoopraxis.layers.frames import RENAME_SEGMENTS, SegmentNetwork, Trunk
from zoopraxis.layers.resnet2d import RENAME_MMACTION2, RENAME_RESNET2D, ResNet2d
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


TSN_PYTORCH = Source(rename=(*RENAME_SEGMENTS, *RENAME_BNINCEPTION))
"""The TSN lineage's wrapper around BN-Inception."""

TSM_REPOSITORY = Source(rename=(*RENAME_SEGMENTS, *RENAME_RESNET2D))
"""The TSN lineage's wrapper around torchvision's ResNet."""

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
        order_sensitive=False,
        sources={"tsm": TSM_REPOSITORY, "mmaction2": MMACTION2},
        weights=weights,
    )


_MM = "https://download.openmmlab.com/mmaction/v1.0/recognition/tsn/"


def mmaction2_weights(
    tag: str, folder: str, end: str, top1: float, top5: float, *, dataset: str, clips: int = 25
) -> Weights:
    """Row of a checkpoint in mmaction2's model zoo; `end` is the date and hash of the file."""
    return Weights(
        tag=tag,
        url=f"{_MM}{folder}/{folder}_{end}.pth",
        source="mmaction2",
        dataset=dataset,
        num_classes={"kinetics400": 400, "something-something-v2": 174}[dataset],
        sha256=end.split("_")[-1],
        licence="Apache-2.0",
        top1=top1,
        top5=top5,
        protocol=f"{clips} clips x 10 crops",
    )


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
    _resnet("tsn_r50_3", 50, 3, 24.33, 12.26),
    _resnet("tsn_r50_5", 50, 5, 24.33, 20.44),
    _resnet("tsn_r50_8", 50, 8, 24.33, 32.70),
    _resnet("tsn_r50_16", 50, 16, 24.33, 65.41),
    _resnet("tsn_r101_8", 101, 8, 43.32, 62.40),
    ModelSpec(
        name="test_tsn",
        build=TSN,
        args={"trunk": partial(ResNet2d, 10, width=16), "num_classes": 12},
        clip=replace(IMAGENET_CLIP, frames=4, size=64, resize=64),
        params_m=0.31,
        macs_g=0.03,
        order_sensitive=False,
        sources={"tsm": TSM_REPOSITORY, "mmaction2": MMACTION2},
    ),
)
