"""Temporal Relational Reasoning in Videos.

Zhou, Andonian, Oliva and Torralba, ECCV 2018. arXiv:1711.08496
Official code: https://github.com/zhoubolei/TRN-pytorch (BSD-2-Clause)

A relation of n frames is a small network over their concatenated features, in order. The
multi-scale network sums relations of 2, 3, ..., T frames: for each scale, of all ordered subsets
of so many frames, three, drawn at random. The authors draw anew in every pass, in evaluation too;
here a model in evaluation keeps one draw, made from `seed` as their code makes it from numpy's
seed, so that a prediction can be repeated; training draws anew. ``subsample=None`` takes every
relation. The single-scale network is the one relation of all T frames.

As in the authors' code, a ReLU stands in front of the first layer of a relation, so that the
linear frame features of 256 channels are rectified there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from math import comb
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.layers.bninception import RENAME_BNINCEPTION, BNInception
from zoopraxis.layers.frames import RENAME_SEGMENTS, Trunk, fold, unfold
from zoopraxis.layers.inception_v3 import RENAME_INCEPTIONV3, InceptionV3
from zoopraxis.models.tsn import CAFFE_CLIP
from zoopraxis.spec import ModelSpec, Source, Weights


class Relation(nn.Module):
    """Logits from n frames in order.

    Parameters
    ----------
    frames : int
        n.
    num_features : int
        F, of a frame.
    hidden : int
        Width of the hidden layer.
    num_classes : int
        K.
    """

    def __init__(self, frames: int, num_features: int, *, hidden: int, num_classes: int) -> None:
        super().__init__()
        self.frames = frames
        self.hidden = nn.Linear(frames * num_features, hidden)
        self.out = nn.Linear(hidden, num_classes)

    def reset(self, num_classes: int) -> None:
        """Replace the last layer by a new one for K classes."""
        weight = self.out.weight
        self.out = nn.Linear(
            self.out.in_features, num_classes, device=weight.device, dtype=weight.dtype
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map features (..., n, F) to logits (..., K)."""
        x = F.relu(x.flatten(-2))  # (..., n F)
        out: Tensor = self.out(F.relu(self.hidden(x)))
        return out


class SingleScale(nn.Module):
    """The relation of all T frames.

    Parameters
    ----------
    frames, num_features, num_classes
        T, F and K.
    """

    def __init__(self, frames: int, num_features: int, *, num_classes: int) -> None:
        super().__init__()
        self.relation = Relation(frames, num_features, hidden=512, num_classes=num_classes)

    def reset(self, num_classes: int) -> None:
        """Replace the last layer by a new one for K classes."""
        self.relation.reset(num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, T, F) to logits (B, K)."""
        out: Tensor = self.relation(x)
        return out


class MultiScale(nn.Module):
    """The sum of relations of T, T - 1, ..., 2 frames.

    Parameters
    ----------
    frames, num_features, num_classes
        T, F and K.
    subsample : int or None, default=3
        Relations per scale; None takes all.
    seed : int, default=0
        Of the draw that evaluation keeps.
    """

    def __init__(
        self,
        frames: int,
        num_features: int,
        *,
        num_classes: int,
        subsample: int | None = 3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        scales = range(frames, 1, -1)
        self.subsample = subsample
        self.subsets = [list(combinations(range(frames), scale)) for scale in scales]
        self.kept = draw_relations(frames, subsample, seed=seed)
        self.relations = nn.ModuleList(
            Relation(scale, num_features, hidden=256, num_classes=num_classes) for scale in scales
        )

    def reset(self, num_classes: int) -> None:
        """Replace the last layer of every scale by a new one for K classes."""
        for relation in cast("Iterable[Relation]", self.relations):
            relation.reset(num_classes)

    def choose(self) -> Sequence[Sequence[int]]:
        """Numbers of the relations of each scale: new ones in training, else those kept."""
        if not self.training or self.subsample is None:
            return self.kept
        return [torch.randperm(len(s))[: self.subsample].tolist() for s in self.subsets]

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, T, F) to logits (B, K)."""
        total = torch.zeros((), device=x.device, dtype=x.dtype)
        for relation, subsets, chosen in zip(
            self.relations, self.subsets, self.choose(), strict=True
        ):
            tuples = torch.tensor([subsets[index] for index in chosen], device=x.device)
            total = total + relation(x[:, tuples]).sum(dim=1)  # (B, R, n, F) to (B, K)
        return total


def draw_relations(frames: int, subsample: int | None, *, seed: int) -> list[list[int]]:
    """Numbers of the relations of each scale, from T frames down to 2, drawn as the authors do.

    Parameters
    ----------
    frames : int
        T.
    subsample : int or None
        How many relations a scale has at most; None takes all.
    seed : int
        Of numpy's global generator in the authors' code.

    Returns
    -------
    list of list of int
        For each scale numbers into ``combinations(range(T), scale)``.
    """
    random = np.random.RandomState(seed)
    drawn = [[0]]
    for scale in range(frames - 1, 1, -1):
        total = comb(frames, scale)
        if subsample is None:
            drawn.append(list(range(total)))
        else:
            drawn.append(random.choice(total, min(subsample, total), replace=False).tolist())
    return drawn


class TRN(nn.Module):
    """Relations of frames on top of an image network.

    Parameters
    ----------
    trunk : Trunk
        Makes the image network.
    relate : type, default=MultiScale
        `MultiScale` or `SingleScale`.
    frames : int, default=8
        T.
    bottleneck : int, default=256
        Features of a frame that relations see.
    num_classes : int, default=174
        K.
    dropout : float, default=0.8
        Before the linear layer that makes them.
    **relations
        `subsample` and `seed` of `MultiScale`.
    """

    def __init__(
        self,
        trunk: Trunk,
        *,
        relate: type[MultiScale] | type[SingleScale] = MultiScale,
        frames: int = 8,
        bottleneck: int = 256,
        num_classes: int = 174,
        dropout: float = 0.8,
        **relations: Any,
    ) -> None:
        super().__init__()
        self.frames = frames
        self.trunk = trunk(in_channels=3)
        self.num_features = self.trunk.num_features
        self.dropout = nn.Dropout(dropout)
        self.describe = nn.Linear(self.num_features, bottleneck)
        self.relate = relate(frames, bottleneck, num_classes=num_classes, **relations)

    def reset_head(self, num_classes: int) -> None:
        """Replace the last layer of every relation by a new one for K classes."""
        self.relate.reset(num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, F, T, H', W').

        Raises
        ------
        ShapeError
            The clip does not have the T frames that the relations were made for.
        """
        if x.shape[2] != self.frames:
            raise ShapeError(
                f"a clip of {x.shape[2]} frames came, this network relates {self.frames}",
                f"sample {self.frames} segments, or build the network with frames={x.shape[2]}",
            )
        return unfold(self.trunk(fold(x), self.frames), self.frames)

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, F, T, H', W') to logits (B, K)."""
        x = x.mean(dim=(3, 4)).transpose(1, 2)  # (B, T, F)
        out: Tensor = self.relate(self.describe(self.dropout(x)))  # (B, K)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))


RENAME_RELATIONS = (
    (r"^consensus\.fc_fusion_scales\.(\d+)\.1\.", r"relate.relations.\1.hidden."),
    (r"^consensus\.fc_fusion_scales\.(\d+)\.3\.", r"relate.relations.\1.out."),
    (r"^consensus\.classifier\.1\.", "relate.relation.hidden."),
    (r"^consensus\.classifier\.3\.", "relate.relation.out."),
)
_WRAPPER = (*RENAME_SEGMENTS, (r"^head\.linear\.", "describe."), *RENAME_RELATIONS)
SOURCES = {
    BNInception: {"trn": Source(rename=(*_WRAPPER, *RENAME_BNINCEPTION))},
    InceptionV3: {"trn": Source(rename=(*_WRAPPER, *RENAME_INCEPTIONV3))},
}


def _row(
    name: str,
    params_m: float,
    macs_g: float,
    *,
    frames: int = 8,
    size: int = 224,
    trunk: type[BNInception] | type[InceptionV3] = BNInception,
    weights: tuple[Weights, ...] = (),
    **args: Any,
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=TRN,
        args={"trunk": trunk, "frames": frames, **args},
        clip=replace(CAFFE_CLIP, frames=frames, size=size, resize=size * 256 // 224),
        params_m=params_m,
        macs_g=macs_g,
        strides=(1, 32),
        sources=SOURCES[trunk],
        weights=weights,
    )


_HOST = "http://relation.csail.mit.edu/models/"
_SOMETHING = Weights(
    tag="something-something-v1",
    url=f"{_HOST}TRN_something_RGB_BNInception_TRNmultiscale_segment8_best_v0.4.pth.tar",
    source="trn",
    dataset="something-something-v1",
    num_classes=174,
    licence="BSD-2-Clause (code)",
    top1=34.44,
    protocol="1 clip of 8 segments x 10 crops, validation",
)

SPECS = (
    _row("trn_bninception_3", 10.95, 6.10, frames=3),
    _row("trn_bninception_8", 13.14, 16.26, weights=(_SOMETHING,)),
    _row("trn_bninception_16", 20.05, 32.54, frames=16),
    _row("trn_single_bninception_3", 11.02, 6.10, frames=3, relate=SingleScale),
    _row("trn_single_bninception_8", 11.67, 16.26, relate=SingleScale),
    _row("trn_inceptionv3_8", 24.94, 26.63, size=229, trunk=InceptionV3),
    ModelSpec(
        name="test_trn",
        build=TRN,
        args={
            "trunk": partial(BNInception, divide=8),
            "frames": 4,
            "bottleneck": 32,
            "num_classes": 12,
        },
        clip=replace(CAFFE_CLIP, frames=4, size=64, resize=64),
        params_m=0.25,
        macs_g=0.01,
        strides=(1, 32),
        sources=SOURCES[BNInception],
    ),
)
