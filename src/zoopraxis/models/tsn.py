"""Temporal Segment Networks: Towards Good Practices for Deep Action Recognition.

Wang, Xiong, Wang, Qiao, Lin, Tang and Van Gool, ECCV 2016. arXiv:1608.00859; with the further
consensus functions of the journal version, PAMI 2018, arXiv:1705.02953
Official code: https://github.com/yjxiong/temporal-segment-networks (Caffe, BSD-2-Clause) and
https://github.com/yjxiong/tsn-pytorch (BSD-2-Clause)

A video is divided into T segments of equal length. One frame of each (or a stack of L flow fields
or frame differences) passes through the same image network, and a consensus of the T score vectors
is the prediction: sparse sampling lets training span the whole video. With the average, the
maximum, the top k or attention as consensus the order of the segments has no effect; only stacks
and a learned weight per segment depend on time.

The clip decides the modality: RGB; differences of neighbouring frames (L = 5); flow; or warped
flow, the same network on flow without the camera's motion. The stem of a flow or
difference network is initialised from RGB weights averaged over the colours
(`zoopraxis.checkpoints.inflate`). The paper freezes all batch norms but the first:
``freeze_norms = "all_but_first"`` in a recipe. BN-Inception expects BGR pixels from 0 to 255 minus
the mean; the ResNets expect ImageNet's RGB.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.inputs import RGB, ClipSpec, Flow, RGBDiff, Sampling
from zoopraxis.layers.bninception import BNInception
from zoopraxis.layers.frames import BackboneFn
from zoopraxis.layers.inception_v3 import InceptionV3
from zoopraxis.layers.mobilenet_v2 import MobileNetV2
from zoopraxis.layers.resnet2d import ResNet2d
from zoopraxis.layers.timm2d import on_timm
from zoopraxis.layers.vgg import VGG16
from zoopraxis.models.base import SegmentNetwork
from zoopraxis.spec import ModelSpec

Consensus = Literal["average", "max", "top_k", "weighted", "attention"]


class TSN(SegmentNetwork):
    """An image network F over T segments, and a consensus G of their scores (equation 1).

    ``TSN(x_1, ..., x_T) = G(F(x_1; W), ..., F(x_T; W))``; the softmax H is part of the loss.

    Parameters
    ----------
    backbone_fn : BackboneFn
        Builds the image network.
    consensus : {"average", "max", "top_k", "weighted", "attention"}, default="average"
        G.
    num_frames : int, default=8
        T; only the weighted consensus depends on it.
    **options
        Of `SegmentNetwork`.
    """

    def __init__(
        self,
        backbone_fn: BackboneFn,
        *,
        consensus: Consensus = "average",
        num_frames: int = 8,
        **options: Any,
    ) -> None:
        super().__init__(backbone_fn, **options)
        self.consensus = CONSENSUS[consensus](num_frames, self.num_features)

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, F, T, H', W') to logits (B, K)."""
        features = x.mean(dim=(3, 4)).transpose(1, 2)  # (B, T, F)
        scores = self.head.linear(self.head.dropout(features))  # (B, T, K)
        out: Tensor = self.consensus(scores, features)  # (B, K)
        return out


class Average(nn.Module):
    """The mean of the segments' scores."""

    def forward(self, scores: Tensor, _features: Tensor) -> Tensor:
        """Map scores (B, T, K) to (B, K)."""
        return scores.mean(dim=1)


class Maximum(nn.Module):
    """The maximum over the segments, for each class."""

    def forward(self, scores: Tensor, _features: Tensor) -> Tensor:
        """Map scores (B, T, K) to (B, K)."""
        return scores.amax(dim=1)


class TopK(nn.Module):
    """The mean of the k highest scores, for each class.

    Parameters
    ----------
    k : int, default=3
        1 is the maximum, T the average.
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
                f"{scores.shape[1]} segments have no top {self.k}",
                f"sample at least {self.k} segments",
            )
        return scores.topk(self.k, dim=1).values.mean(dim=1)  # (B, K)


class Weighted(nn.Module):
    """Linear combination with one learned weight per segment, initialised to 1 / T.

    Parameters
    ----------
    num_frames : int
        T.
    """

    def __init__(self, num_frames: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((num_frames,), 1 / num_frames))

    def forward(self, scores: Tensor, _features: Tensor) -> Tensor:
        """Map scores (B, T, K) to (B, K)."""
        return torch.einsum("t,btk->bk", self.weight, scores)  # (B, K)


class Attention(nn.Module):
    """Mean of the scores, weighted by a softmax of a linear map of the segments' features.

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
    "average": lambda _num_frames, _num_features: Average(),
    "max": lambda _num_frames, _num_features: Maximum(),
    "top_k": lambda _num_frames, _num_features: TopK(),
    "weighted": lambda num_frames, _num_features: Weighted(num_frames),
    "attention": lambda _num_frames, num_features: Attention(num_features),
}
"""Builders of the consensus functions, from T and F."""


def tsn_timm(backbone: str, *, num_frames: int = 8, **options: Any) -> nn.Module:
    """Build a TSN on an image network of timm; see `on_timm`."""
    return on_timm(partial(TSN, num_frames=num_frames), backbone, num_frames=num_frames, **options)


CAFFE_CLIP = ClipSpec(
    sampling=Sampling(num_frames=8, mode="segments"),
    input=RGB(
        mean=(104.0, 117.0, 128.0), std=(1.0, 1.0, 1.0), channel_order="bgr", value_range=255.0
    ),
)
"""The input that BN-Inception expects in the TSN lineage."""

CAFFE_FLOW = CAFFE_CLIP.change(stack=5, input=Flow(mean=(128.0,), std=(1.0,), value_range=255.0))
CAFFE_DIFF = CAFFE_CLIP.change(stack=5, input=RGBDiff(channel_order="bgr", value_range=255.0))

IMAGENET_CLIP = ClipSpec(sampling=Sampling(num_frames=8, mode="segments"), input=RGB())
"""The input that the ResNets of the TSM repository expect."""

IMAGENET_FLOW = IMAGENET_CLIP.change(stack=5, input=Flow())
IMAGENET_DIFF = IMAGENET_CLIP.change(stack=5, input=RGBDiff())

SMALL_CLIP = IMAGENET_CLIP.change(num_frames=8, size=56, resize=(64, 72))
"""For networks that train in minutes on two cores."""

# 20 pixels of 256 high frames are 5 of 64 high ones
SMALL_FLOW = SMALL_CLIP.change(stack=5, input=Flow(size=56, resize=(64, 72), bound=5.0))


def _entry(
    name: str,
    backbone_fn: BackboneFn,
    num_frames: int,
    *,
    clip: ClipSpec = IMAGENET_CLIP,
    space_stride: int | None = 32,
    **args: Any,
) -> ModelSpec:
    # 3 segments of 5 flow fields: a clip of 15 fields, whose order matters within the stacks only
    stack = clip.sampling.stack
    modality = {"in_channels": clip.channels, "stack": stack}
    return ModelSpec(
        name=name,
        build=TSN,
        args={"backbone_fn": backbone_fn, "num_frames": num_frames, **modality, **args},
        clip=clip.change(num_frames=num_frames),
        strides=(stack, space_stride),
        order_sensitive=stack > 1,
    )


def _bninception(
    name: str,
    num_frames: int,
    *,
    clip: ClipSpec = CAFFE_CLIP,
    num_classes: int = 101,
    dropout: float = 0.8,
) -> ModelSpec:
    return _entry(
        f"tsn_{name}_{num_frames}",
        BNInception,
        num_frames,
        clip=clip,
        num_classes=num_classes,
        dropout=dropout,
    )


def _resnet(depth: int, num_frames: int, modality: str = "") -> ModelSpec:
    clip = {"": IMAGENET_CLIP, "flow_": IMAGENET_FLOW, "rgbdiff_": IMAGENET_DIFF}[modality]
    name = f"tsn_r{depth}_{modality}{num_frames}"
    return _entry(name, partial(ResNet2d, depth), num_frames, clip=clip)


def _inceptionv3(num_frames: int) -> ModelSpec:
    clip = CAFFE_CLIP.change(size=229, resize=261)
    name = f"tsn_inceptionv3_{num_frames}"
    return _entry(name, InceptionV3, num_frames, clip=clip, num_classes=174, dropout=0.5)


_TINY = partial(ResNet2d, 10, width=16)

SPECS = (
    # BN-Inception: RGB, flow, differences
    _bninception("bninception", 3),
    _bninception("bninception", 7),
    _bninception("bninception", 8, num_classes=174, dropout=0.5),
    _bninception("bninception", 16, num_classes=174, dropout=0.5),
    _bninception("bninception_flow", 3, clip=CAFFE_FLOW, dropout=0.7),
    _bninception("bninception_flow", 7, clip=CAFFE_FLOW, dropout=0.7),
    _bninception("bninception_flow", 8, clip=CAFFE_FLOW, dropout=0.7),
    _bninception("bninception_warped_flow", 3, clip=CAFFE_FLOW, dropout=0.7),
    _bninception("bninception_warped_flow", 7, clip=CAFFE_FLOW, dropout=0.7),
    _bninception("bninception_rgbdiff", 3, clip=CAFFE_DIFF),
    _bninception("bninception_rgbdiff", 7, clip=CAFFE_DIFF),
    # ResNets: RGB, flow, differences
    _resnet(18, 3),
    _resnet(18, 8),
    _resnet(34, 3),
    _resnet(34, 8),
    _resnet(50, 3),
    _resnet(50, 5),
    _resnet(50, 8),
    _resnet(50, 16),
    _resnet(101, 3),
    _resnet(101, 8),
    _resnet(101, 16),
    _resnet(152, 3),
    _resnet(152, 8),
    _resnet(18, 3, "flow_"),
    _resnet(34, 3, "flow_"),
    _resnet(50, 3, "flow_"),
    _resnet(50, 8, "flow_"),
    _resnet(101, 3, "flow_"),
    _resnet(101, 8, "flow_"),
    _resnet(152, 3, "flow_"),
    _resnet(18, 3, "rgbdiff_"),
    _resnet(34, 3, "rgbdiff_"),
    _resnet(50, 3, "rgbdiff_"),
    _resnet(101, 3, "rgbdiff_"),
    _resnet(152, 3, "rgbdiff_"),
    # other image networks
    _inceptionv3(8),
    _inceptionv3(16),
    _entry("tsn_mobilenetv2_8", MobileNetV2, 8),
    _entry("tsn_mobilenetv2_16", MobileNetV2, 16),
    _entry("tsn_vgg16_3", VGG16, 3, space_stride=None),
    ModelSpec(
        name="tsn_timm",
        build=tsn_timm,
        args={"backbone": "resnet18"},
        clip=IMAGENET_CLIP,
        strides=(1, None),
        order_sensitive=False,
    ),
    _entry("tsn_small", _TINY, 8, clip=SMALL_CLIP, dropout=0.0),
    _entry("tsn_small_flow", _TINY, 8, clip=SMALL_FLOW, dropout=0.0),
    _entry("test_tsn", _TINY, 4, clip=IMAGENET_CLIP.change(size=64, resize=64), num_classes=12),
)
