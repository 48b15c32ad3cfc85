"""TRN: Temporal Relational Reasoning in Videos.

Zhou, Andonian, Oliva and Torralba, ECCV 2018. arXiv:1711.08496
Official code: https://github.com/zhoubolei/TRN-pytorch (BSD-2-Clause)

A relation of n frames is a small MLP on the concatenated features of n frames in order. The
multi-scale network sums relations of 2, 3, ..., T frames: for each scale, it samples three of the
ordered subsets of n frames, which share one MLP. The single-scale network (``trn_single_*``) is one
relation of all T frames.

The authors sample new subsets in every forward pass, even in evaluation. Here only training does;
evaluation uses one fixed sample, drawn from `seed` as their code draws it from numpy's global
generator, so that predictions are reproducible. ``subsample=None`` uses every subset. As in their
code, a ReLU precedes the first layer of a relation and so rectifies the frame features. Our
Inception-v3 networks expect 299 pixels.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import combinations
from math import comb
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.inputs import ClipSpec
from zoopraxis.layers.bninception import BNInception
from zoopraxis.layers.frames import BackboneFn, merge_time, split_time
from zoopraxis.layers.head import linear_like
from zoopraxis.layers.inception_v3 import InceptionV3
from zoopraxis.layers.resnet2d import ResNet2d
from zoopraxis.models.base import VideoClassifier
from zoopraxis.models.tsn import CAFFE_CLIP, CAFFE_FLOW, IMAGENET_CLIP
from zoopraxis.spec import ModelSpec


class Relation(nn.Module):
    """Logits from n frames in order: h(g(f_i, f_j, ...)), i < j < ... (equations 1 and 2).

    Parameters
    ----------
    num_frames : int
        n.
    num_features : int
        F, features of a frame.
    hidden : int
        Width of the hidden layer.
    num_classes : int
        K.
    """

    def __init__(
        self, num_frames: int, num_features: int, *, hidden: int, num_classes: int
    ) -> None:
        super().__init__()
        self.hidden = nn.Linear(num_frames * num_features, hidden)
        self.out = nn.Linear(hidden, num_classes)

    @property
    def num_classes(self) -> int:
        """K."""
        return self.out.out_features

    def reset(self, num_classes: int) -> None:
        """Replace the last layer by a re-initialised one for K classes."""
        self.out = linear_like(self.out, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (..., n, F) to logits (..., K)."""
        x = F.relu(x.flatten(-2))  # (..., n * F)
        out: Tensor = self.out(F.relu(self.hidden(x)))  # (..., K)
        return out


class SingleScale(Relation):
    """The relation of all T frames.

    Parameters
    ----------
    num_frames, num_features, num_classes : int
        T, F and K.
    """

    def __init__(self, num_frames: int, num_features: int, *, num_classes: int) -> None:
        super().__init__(num_frames, num_features, hidden=512, num_classes=num_classes)


class MultiScale(nn.Module):
    """The sum of relations of T, T - 1, ..., 2 frames (equation 3).

    Parameters
    ----------
    num_frames, num_features, num_classes : int
        T, F and K.
    subsample : int or None, default=3
        Subsets of frames per scale; None uses all.
    seed : int, default=0
        Of the fixed sample of evaluation.
    """

    def __init__(
        self,
        num_frames: int,
        num_features: int,
        *,
        num_classes: int,
        subsample: int | None = 3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        scales = range(num_frames, 1, -1)
        self.subsample = subsample
        # T = 3: [[(0, 1, 2)], [(0, 1), (0, 2), (1, 2)]]
        self.subsets = [list(combinations(range(num_frames), scale)) for scale in scales]
        self.fixed = draw_relations(num_frames, subsample, seed=seed)
        self.relations = nn.ModuleList(
            Relation(scale, num_features, hidden=256, num_classes=num_classes) for scale in scales
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, T, F) to logits (B, K)."""
        total = torch.zeros((), device=x.device, dtype=x.dtype)
        for relation, subsets, chosen in zip(
            self.relations, self.subsets, self.choose(), strict=True
        ):
            frames = torch.tensor([subsets[index] for index in chosen], device=x.device)  # (R, n)
            logits = relation(x[:, frames])  # (B, R, n, F) to (B, R, K)
            total = total + logits.sum(dim=1)  # (B, K)
        return total

    def choose(self) -> Sequence[Sequence[int]]:
        """Choose subsets of each scale, by index: a new sample in training, else the fixed one."""
        if not self.training or self.subsample is None:
            return self.fixed
        return [torch.randperm(len(s))[: self.subsample].tolist() for s in self.subsets]

    @property
    def num_classes(self) -> int:
        """K."""
        return cast("Relation", self.relations[0]).num_classes

    def reset(self, num_classes: int) -> None:
        """Replace the last layer of every relation by a re-initialised one for K classes."""
        for relation in cast("Iterable[Relation]", self.relations):
            relation.reset(num_classes)


def draw_relations(num_frames: int, subsample: int | None, *, seed: int) -> list[list[int]]:
    """Draw subsets of each scale, from T frames down to 2, as the authors' code does.

    Parameters
    ----------
    num_frames : int
        T.
    subsample : int or None
        Maximum number of subsets per scale; None for all.
    seed : int
        Seed of numpy's legacy generator.

    Returns
    -------
    list of list of int
        For each scale, indices into ``combinations(range(T), scale)``.
    """
    random = np.random.RandomState(seed)
    drawn = [[0]]
    for scale in range(num_frames - 1, 1, -1):
        total = comb(num_frames, scale)
        if subsample is None:
            drawn.append(list(range(total)))
        else:
            drawn.append(random.choice(total, min(subsample, total), replace=False).tolist())
    return drawn


class TRN(VideoClassifier):
    """Relations of frames on top of an image network.

    Parameters
    ----------
    backbone_fn : BackboneFn
        Builds the image network.
    relate : type, default=MultiScale
        `MultiScale` or `SingleScale`.
    num_frames : int, default=8
        T.
    in_channels, stack : int
        As of `SegmentNetwork`.
    bottleneck : int, default=256
        Features of a frame in the relations.
    num_classes : int, default=174
        K; Something-Something has 174.
    dropout : float, default=0.8
        Before the linear layer that computes these features.
    **relations
        `subsample` and `seed` of `MultiScale`.
    """

    def __init__(
        self,
        backbone_fn: BackboneFn,
        *,
        relate: type[MultiScale] | type[SingleScale] = MultiScale,
        num_frames: int = 8,
        in_channels: int = 3,
        stack: int = 1,
        bottleneck: int = 256,
        num_classes: int = 174,
        dropout: float = 0.8,
        **relations: Any,
    ) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.stack = stack
        self.backbone = backbone_fn(in_channels=in_channels * stack)
        self.num_features = self.backbone.num_features
        self.dropout = nn.Dropout(dropout)
        self.describe = nn.Linear(self.num_features, bottleneck)
        self.head = relate(num_frames, bottleneck, num_classes=num_classes, **relations)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T * L, H, W) to features (B, F, T, H', W').

        Raises
        ------
        ShapeError
            The clip does not have the T frames that the relations expect.
        """
        num_frames = x.shape[2] // self.stack
        if num_frames != self.num_frames:
            raise ShapeError(
                f"this network relates {self.num_frames} frames, the clip has {num_frames}",
                f"sample {self.num_frames} segments, "
                f"or build the network with num_frames={num_frames}",
            )
        x = self.backbone(merge_time(x, stack=self.stack), num_frames)  # (B * T, F, H', W')
        return split_time(x, num_frames)  # (B, F, T, H', W')

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, F, T, H', W') to logits (B, K)."""
        x = x.mean(dim=(3, 4)).transpose(1, 2)  # (B, T, F)
        x = self.describe(self.dropout(x))  # (B, T, 256)
        out: Tensor = self.head(x)  # (B, K)
        return out


_INCEPTIONV3_CLIP = CAFFE_CLIP.change(size=299, resize=341)


def _entry(
    name: str, backbone_fn: BackboneFn, clip: ClipSpec, *, num_frames: int = 8, **args: Any
) -> ModelSpec:
    modality = {"in_channels": clip.channels, "stack": clip.sampling.stack}
    return ModelSpec(
        name=name,
        build=TRN,
        args={"backbone_fn": backbone_fn, "num_frames": num_frames, **modality, **args},
        clip=clip.change(num_frames=num_frames),
        strides=(clip.sampling.stack, 32),
    )


def _bninception(name: str, num_frames: int, **args: Any) -> ModelSpec:
    return _entry(name, BNInception, CAFFE_CLIP, num_frames=num_frames, **args)


def _inceptionv3(name: str, num_frames: int, **args: Any) -> ModelSpec:
    return _entry(name, InceptionV3, _INCEPTIONV3_CLIP, num_frames=num_frames, **args)


def _resnet(name: str, depth: int, num_frames: int, **args: Any) -> ModelSpec:
    return _entry(name, partial(ResNet2d, depth), IMAGENET_CLIP, num_frames=num_frames, **args)


SPECS = (
    _bninception("trn_bninception_3", 3),
    _bninception("trn_bninception_4", 4),
    _bninception("trn_bninception_5", 5),
    _bninception("trn_bninception_6", 6),
    _bninception("trn_bninception_7", 7),
    _bninception("trn_bninception_8", 8),
    _bninception("trn_bninception_12", 12),
    _bninception("trn_bninception_16", 16),
    _entry("trn_bninception_flow_8", BNInception, CAFFE_FLOW),
    _bninception("trn_single_bninception_2", 2, relate=SingleScale),
    _bninception("trn_single_bninception_3", 3, relate=SingleScale),
    _bninception("trn_single_bninception_4", 4, relate=SingleScale),
    _bninception("trn_single_bninception_5", 5, relate=SingleScale),
    _bninception("trn_single_bninception_8", 8, relate=SingleScale),
    _bninception("trn_single_bninception_16", 16, relate=SingleScale),
    _inceptionv3("trn_inceptionv3_3", 3),
    _inceptionv3("trn_inceptionv3_8", 8),
    _inceptionv3("trn_inceptionv3_16", 16),
    _inceptionv3("trn_single_inceptionv3_3", 3, relate=SingleScale),
    _inceptionv3("trn_single_inceptionv3_8", 8, relate=SingleScale),
    _resnet("trn_r18_8", 18, 8),
    _resnet("trn_r50_3", 50, 3),
    _resnet("trn_r50_8", 50, 8),
    _resnet("trn_r101_8", 101, 8),
    _resnet("trn_single_r50_8", 50, 8, relate=SingleScale),
    ModelSpec(
        name="test_trn",
        build=TRN,
        args={
            "backbone_fn": partial(BNInception, divide=8),
            "num_frames": 4,
            "bottleneck": 32,
            "num_classes": 12,
        },
        clip=CAFFE_CLIP.change(num_frames=4, size=64, resize=64),
        strides=(1, 32),
    ),
)
