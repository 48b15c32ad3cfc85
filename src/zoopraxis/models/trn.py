"""Temporal Relational Reasoning in Videos.

Zhou, Andonian, Oliva and Torralba, ECCV 2018. arXiv:1711.08496
Official code: https://github.com/zhoubolei/TRN-pytorch (BSD-2-Clause)

A relation of n frames is a small network over their concatenated features, in order. The
multi-scale network sums relations of 2, 3, ..., T frames: for each scale, of all ordered subsets
of so many frames, three, drawn at random. The authors draw anew in every pass, in evaluation too;
here a model in evaluation keeps one draw, made from `seed` as their code makes it from numpy's
seed, so that a prediction can be repeated; training draws anew. ``subsample=None`` takes every
relation. The single-scale network is the one relation of all T frames.

Inception-v3 takes 299 pixels here. ``trn_single_*`` is the single-scale network.

As in the authors' code, a ReLU stands in front of the first layer of a relation, so that the
linear frame features of 256 channels are rectified there. Source "trn" is theirs, "mmaction2" the
copy in mmaction2.
"""

from collections.abc import Iterable, Mapping, Sequence
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
from zoopraxis.layers.resnet2d import RENAME_MMACTION2, RENAME_RESNET2D, ResNet2d
from zoopraxis.models.tsn import CAFFE_CLIP, CAFFE_FLOW, IMAGENET_CLIP
from zoopraxis.spec import ClipSpec, ModelSpec, Source, Weights


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
    channels, stack : int
        As of `SegmentNetwork`.
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
        channels: int = 3,
        stack: int = 1,
        bottleneck: int = 256,
        num_classes: int = 174,
        dropout: float = 0.8,
        **relations: Any,
    ) -> None:
        super().__init__()
        self.frames = frames
        self.stack = stack
        self.trunk = trunk(in_channels=channels * stack)
        self.num_features = self.trunk.num_features
        self.dropout = nn.Dropout(dropout)
        self.describe = nn.Linear(self.num_features, bottleneck)
        self.relate = relate(frames, bottleneck, num_classes=num_classes, **relations)

    def reset_head(self, num_classes: int) -> None:
        """Replace the last layer of every relation by a new one for K classes."""
        self.relate.reset(num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T * L, H, W) to features (B, F, T, H', W').

        Raises
        ------
        ShapeError
            The clip does not have the T frames that the relations were made for.
        """
        frames = x.shape[2] // self.stack
        if frames != self.frames:
            raise ShapeError(
                f"a clip of {frames} frames came, this network relates {self.frames}",
                f"sample {self.frames} segments, or build the network with frames={frames}",
            )
        return unfold(self.trunk(fold(x, stack=self.stack), frames), frames)

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, F, T, H', W') to logits (B, K)."""
        x = x.mean(dim=(3, 4)).transpose(1, 2)  # (B, T, F)
        out: Tensor = self.relate(self.describe(self.dropout(x)))  # (B, K)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T * L, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))


RENAME_RELATIONS = (
    (r"^(cls_head\.)?consensus\.fc_fusion_scales\.(\d+)\.1\.", r"relate.relations.\2.hidden."),
    (r"^(cls_head\.)?consensus\.fc_fusion_scales\.(\d+)\.3\.", r"relate.relations.\2.out."),
    (r"^(cls_head\.)?consensus\.classifier\.1\.", "relate.relation.hidden."),
    (r"^(cls_head\.)?consensus\.classifier\.3\.", "relate.relation.out."),
)
_DESCRIBE = (r"^head\.linear\.", "describe.")
_WRAPPER = (*RENAME_SEGMENTS, _DESCRIBE, *RENAME_RELATIONS)
BNINCEPTION = {"trn": Source(rename=(*_WRAPPER, *RENAME_BNINCEPTION))}
INCEPTIONV3 = {"trn": Source(rename=(*_WRAPPER, *RENAME_INCEPTIONV3))}
RESNET = {
    "trn": Source(rename=(*_WRAPPER, *RENAME_RESNET2D)),
    "mmaction2": Source(rename=(*RENAME_MMACTION2, _DESCRIBE, *RENAME_RELATIONS)),
}


def _row(
    name: str,
    trunk: Trunk,
    clip: ClipSpec,
    params_m: float,
    macs_g: float,
    *,
    sources: Mapping[str, Source],
    frames: int = 8,
    **args: Any,
) -> ModelSpec:
    modality = {"channels": clip.channels, "stack": clip.stack}
    return ModelSpec(
        name=name,
        build=TRN,
        args={"trunk": trunk, "frames": frames, **modality, **args},
        clip=replace(clip, frames=frames),
        params_m=params_m,
        macs_g=macs_g,
        strides=(clip.stack, 32),
        sources=sources,
        weights=_WEIGHTS.get(name, ()),
    )


def _bninception(
    name: str, params_m: float, macs_g: float, *, clip: ClipSpec = CAFFE_CLIP, **args: Any
) -> ModelSpec:
    return _row(name, BNInception, clip, params_m, macs_g, sources=BNINCEPTION, **args)


def _inceptionv3(name: str, params_m: float, macs_g: float, **args: Any) -> ModelSpec:
    clip = replace(CAFFE_CLIP, size=299, resize=341)
    return _row(name, InceptionV3, clip, params_m, macs_g, sources=INCEPTIONV3, **args)


def _resnet(name: str, depth: int, params_m: float, macs_g: float, **args: Any) -> ModelSpec:
    trunk = partial(ResNet2d, depth)
    return _row(name, trunk, IMAGENET_CLIP, params_m, macs_g, sources=RESNET, **args)


def _authors(dataset: str, file: str, num_classes: int, top1: float | None = None) -> Weights:
    """Row of a checkpoint of the authors, by the beginning of its file's name."""
    backbone = "InceptionV3" if file == "moments" else "BNInception"
    ending = "" if file == "somethingv2" else "_v0.4"
    return Weights(
        tag=dataset,
        url=(
            "http://relation.csail.mit.edu/models/"
            f"TRN_{file}_RGB_{backbone}_TRNmultiscale_segment8_best{ending}.pth.tar"
        ),
        source="trn",
        dataset=dataset,
        num_classes=num_classes,
        licence="BSD-2-Clause (code)",
        top1=top1,
        protocol="1 clip of 8 segments x 10 crops, validation" if top1 else "",
    )


def _mmaction2(version: str, date_hash: str, top1: float, top5: float) -> Weights:
    """Row of a checkpoint in mmaction2's model zoo, on Something-Something."""
    run = f"trn_imagenet-pretrained-r50_8xb16-1x1x8-50e_sth{version}-rgb"
    folder = f"https://download.openmmlab.com/mmaction/v1.0/recognition/trn/{run}"
    return Weights(
        tag=f"something-something-{version}-mmaction2",
        url=f"{folder}/{run}_{date_hash}.pth",
        source="mmaction2",
        dataset=f"something-something-{version}",
        num_classes=174,
        sha256=date_hash.split("-")[1],
        licence="Apache-2.0",
        top1=top1,
        top5=top5,
        protocol="2 clips of 8 segments x 10 crops",
    )


_WEIGHTS = {
    "trn_bninception_8": (
        _authors("something-something-v1", "something", 174, 34.44),
        _authors("something-something-v2", "somethingv2", 174),
        _authors("jester", "jester", 27),
    ),
    "trn_inceptionv3_8": (_authors("moments-in-time", "moments", 339),),
    "trn_r50_8": (
        _mmaction2("v1", "20220815-e13db2e9", 33.65, 62.22),
        _mmaction2("v2", "20220815-e01617db", 51.20, 78.42),
    ),
}

SPECS = (
    _bninception("trn_bninception_3", 10.95, 6.10, frames=3),
    _bninception("trn_bninception_4", 11.26, 8.13, frames=4),
    _bninception("trn_bninception_5", 11.63, 10.16, frames=5),
    _bninception("trn_bninception_6", 12.07, 12.19, frames=6),
    _bninception("trn_bninception_7", 12.57, 14.23, frames=7),
    _bninception("trn_bninception_8", 13.14, 16.26),
    _bninception("trn_bninception_12", 16.07, 24.40, frames=12),
    _bninception("trn_bninception_16", 20.05, 32.54, frames=16),
    _bninception("trn_bninception_flow_8", 13.16, 18.46, clip=CAFFE_FLOW),
    _bninception("trn_single_bninception_2", 10.88, 4.06, frames=2, relate=SingleScale),
    _bninception("trn_single_bninception_3", 11.02, 6.10, frames=3, relate=SingleScale),
    _bninception("trn_single_bninception_4", 11.15, 8.13, frames=4, relate=SingleScale),
    _bninception("trn_single_bninception_5", 11.28, 10.16, frames=5, relate=SingleScale),
    _bninception("trn_single_bninception_8", 11.67, 16.26, relate=SingleScale),
    _bninception("trn_single_bninception_16", 12.72, 32.51, frames=16, relate=SingleScale),
    _inceptionv3("trn_inceptionv3_3", 22.74, 17.14, frames=3),
    _inceptionv3("trn_inceptionv3_8", 24.94, 45.70),
    _inceptionv3("trn_inceptionv3_16", 31.85, 91.41, frames=16),
    _inceptionv3("trn_single_inceptionv3_3", 22.81, 17.14, frames=3, relate=SingleScale),
    _inceptionv3("trn_single_inceptionv3_8", 23.47, 45.69, relate=SingleScale),
    _resnet("trn_r18_8", 18, 13.92, 14.52),
    _resnet("trn_r50_3", 50, 24.45, 12.26, frames=3),
    _resnet("trn_r50_8", 50, 26.64, 32.71),
    _resnet("trn_r101_8", 101, 45.63, 62.41),
    _resnet("trn_single_r50_8", 50, 25.17, 32.70, relate=SingleScale),
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
        sources=BNINCEPTION,
    ),
)
