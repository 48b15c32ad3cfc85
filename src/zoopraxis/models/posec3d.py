"""Revisiting Skeleton-based Action Recognition (PoseC3D).

Duan, Zhao, Chen, Lin and Dai, CVPR 2022. arXiv:2104.13586
Official code: https://github.com/kennymckormick/pyskl (Apache-2.0).

A skeleton as an image: each joint of every frame is a spot in a heatmap of its own, so that a clip
is a volume of as many channels as there are joints, and a 3D network reads it as it would read
frames (`zoopraxis.inputs.Heatmap`). A joint that is estimated badly is a faint spot in about the
right place, and thirty people cost no more than one. Limbs instead of joints are the second stream.

The network is the slow pathway of SlowFast, made lighter (section 3.3): half the channels,
no stride in the stem, as a heatmap is small already, three stages instead of four. Convolutions
span three frames in the last two stages only; the last halves the frame rate.

``posec3d_slowonly_r50`` has the last three stages of a ResNet-50, 4, 6 and 3 blocks;
``posec3d_slowonly_r50_346`` the first three, which is what the authors' better network for
Kinetics-400 has.
"""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import ClipSpec, Heatmap, Sampling
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.inflated_resnet import InflatedBottleneck, zero_last_norms
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.models.base import VideoClassifier
from zoopraxis.spec import ModelSpec

LIMBS = (
    *((0, 5), (0, 6), (5, 7), (7, 9), (6, 8), (8, 10)),  # arms
    *((5, 11), (11, 13), (13, 15), (6, 12), (12, 14), (14, 16)),  # trunk and legs
    *((0, 1), (0, 2), (1, 3), (2, 4), (11, 12)),  # head, hips
)
"""The authors' limbs of the layout coco-17."""


class HeatmapStem(nn.Module):
    """1x7x7 convolution, batch norm, ReLU and 3x3 max pooling, all without stride.

    Parameters
    ----------
    in_channels, width : int
        Input and output channels.
    """

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, width, (1, 7, 7), padding=(0, 3, 3), bias=False)
        self.norm = nn.BatchNorm3d(width)
        self.pool = nn.MaxPool3d((1, 3, 3), stride=1, padding=(0, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map heatmaps (B, C, T, H, W) to (B, width, T, H, W)."""
        return self.pool(F.relu(self.norm(self.conv(x))))  # type: ignore[no-any-return]


class PoseSlowOnly(VideoClassifier):
    """The slow pathway on heatmaps.

    Parameters
    ----------
    in_channels : int, default=17
        C: joints, or limbs.
    blocks : (int, int, int), default=(4, 6, 3)
        Of each stage.
    width : int, default=32
        Channels of the stem; the last stage has 16 times as many output channels.
    num_classes : int, default=60
        K.
    dropout : float, default=0.5
        Before the classifier.
    """

    def __init__(
        self,
        *,
        in_channels: int = 17,
        blocks: Sequence[int] = (4, 6, 3),
        width: int = 32,
        num_classes: int = 60,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.stem = HeatmapStem(in_channels, width)
        before, stages = width, []
        for inner, count, num_frames, frame_stride in zip(
            (width, 2 * width, 4 * width), blocks, (1, 3, 3), (1, 1, 2), strict=True
        ):
            stage = nn.Sequential()
            for block in range(count):
                stage.append(
                    InflatedBottleneck(
                        before,
                        inner,
                        num_frames=num_frames,
                        stride=1 if block else 2,
                        frame_stride=1 if block else frame_stride,
                    )
                )
                before = inner * InflatedBottleneck.expansion  # 128, 256, 512
            stages.append(stage)
        self.layer1, self.layer2, self.layer3 = stages
        self.num_features = before
        self.head = ClipHead(before, num_classes, dropout)
        initialise(self)
        zero_last_norms(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map heatmaps (B, C, T, H, W) to features (B, F, T/2, H/8, W/8)."""
        x = self.stem(x)  # (B, 32, T, H, W)
        x = self.layer1(x)  # (B, 128, T, H/2, W/2)
        x = self.layer2(x)  # (B, 256, T, H/4, W/4)
        out: Tensor = self.layer3(x)  # (B, 512, T/2, H/8, W/8)
        return out


def _entry(name: str, kind: Heatmap, *, num_frames: int = 48, **args: Any) -> ModelSpec:
    """Return an entry for clips that spread over the whole recording."""
    return ModelSpec(
        name=name,
        build=PoseSlowOnly,
        args=args,
        clip=ClipSpec(sampling=Sampling(num_frames=num_frames, mode="segments"), input=kind),
        strides=(2, 8),
    )


SPECS = (
    _entry("posec3d_slowonly_r50", Heatmap()),
    _entry("posec3d_slowonly_r50_limbs", Heatmap(limbs=LIMBS)),
    _entry(
        "posec3d_slowonly_r50_346",
        Heatmap(),
        blocks=(3, 4, 6),
        num_classes=400,
    ),
    _entry(
        "posec3d_slowonly_r50_346_limbs",
        Heatmap(limbs=LIMBS),
        blocks=(3, 4, 6),
        num_classes=400,
    ),
    _entry(
        "test_posec3d",
        Heatmap(resize=32, size=32),
        num_frames=8,
        blocks=(1, 1, 1),
        width=8,
        num_classes=4,
        dropout=0.0,
    ),
)
