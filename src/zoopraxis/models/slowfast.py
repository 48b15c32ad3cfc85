"""SlowFast Networks for Video Recognition.

Feichtenhofer, Fan, Malik and He, ICCV 2019. arXiv:1812.03982
Official code: https://github.com/facebookresearch/SlowFast (Apache-2.0)

What things are changes slowly; how they move changes fast. A slow pathway sees few frames with
many channels, and convolves over time in its last two stages only. A fast pathway sees alpha times
as many frames with an eighth of the channels (beta), and convolves over time everywhere. Before
each stage of the slow pathway the features of the fast one are concatenated to its own, after a
convolution in time whose stride is alpha (the paper's "time-strided convolution"). The last
features of both are averaged, concatenated and classified. The slow pathway alone (``slow_*``) and
a network without any convolution in time (``c2d_*``) are the baselines.

Names give the frames and the stride of the slow pathway: for 8x8 with alpha 4 the fast one has 32
frames with a stride of 2. `SlowFast` takes the clip of the fast pathway and picks the frames of the
slow one as the authors' loader does: T / alpha indices, evenly spaced from the first frame to the
last, rounded down.

The lateral convolutions span 7 frames in 8x8 and 16x8 on ResNet-50, 5 frames elsewhere, as in the
authors' configurations. In ``r101_50_50`` only the first six blocks of the third stage convolve
over time, as many as a ResNet-50 has; in ``r101_50_101`` and ``slow_r101_50`` this applies to the
slow pathway only. C2D pools pairs of frames after its first stage, ``c2d_nopool`` does not. The
published multiply-adds of some networks (C2D, 4x16, ResNet-101) are 1 to 2 % above ours, as they
include those of batch norms.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.inflated_resnet import (
    InflatedStem,
    Kernels,
    inflated_stages,
    zero_last_norms,
)
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.models.base import VideoClassifier
from zoopraxis.models.inflated_resnet import C2D, CLIP_8X8, InflatedResNet
from zoopraxis.spec import ModelSpec

SLOW: Kernels = (1, (1,), (1,), (3,), (3,))
FAST: Kernels = (5, (3,), (3,), (3,), (3,))


class Lateral(nn.Module):
    """Lateral connection: samples the fast features at the slow frames, and concatenates them.

    Parameters
    ----------
    channels : int
        C' of the fast pathway; 2 C' are concatenated to the slow one.
    num_frames : int
        Frames spanned by the convolution.
    alpha : int
        Its stride in time.
    """

    def __init__(self, channels: int, *, num_frames: int, alpha: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(
            channels,
            2 * channels,
            (num_frames, 1, 1),
            stride=(alpha, 1, 1),
            padding=(num_frames // 2, 0, 0),
            bias=False,
        )
        self.norm = nn.BatchNorm3d(2 * channels)

    def forward(self, slow: Tensor, fast: Tensor) -> Tensor:
        """Map slow (B, C, T/alpha, H, W) and fast (B, C', T, H, W) to (B, C+2C', T/alpha, H, W)."""
        fast = F.relu(self.norm(self.conv(fast)), inplace=True)  # (B, 2C', T/alpha, H, W)
        return torch.cat([slow, fast], dim=1)  # (B, C+2C', T/alpha, H, W)


class Pathway(nn.Module):
    """A stem and four stages, without classifier.

    Parameters
    ----------
    kernels : Kernels
        Frames spanned by the convolutions of the stem and of each stage.
    depth : {26, 50, 101}
        Number of layers.
    width : int
        Channels of the stem; the last stage has 32 times as many output channels.
    lateral : tuple of int, default=(0, 0, 0, 0)
        Channels from the other pathway, concatenated to the input of each stage.
    """

    def __init__(
        self,
        kernels: Kernels,
        *,
        depth: int,
        width: int,
        lateral: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> None:
        super().__init__()
        self.stem = InflatedStem(width, num_frames=kernels[0])
        self.layer1, self.layer2, self.layer3, self.layer4 = inflated_stages(
            kernels[1:], depth=depth, width=width, lateral=lateral
        )


class SlowFast(VideoClassifier):
    """Two pathways, four lateral connections, one classifier.

    Parameters
    ----------
    alpha : int, default=4
        Frames of the fast pathway per frame of the slow one.
    lateral_frames : int, default=7
        Frames spanned by the lateral convolutions.
    depth : {26, 50, 101}, default=50
        Number of layers of both pathways.
    width : int, default=64
        Channels of the slow stem; the fast one has an eighth (beta).
    slow, fast : Kernels
        Frames spanned by the convolutions of the pathways.
    num_classes : int, default=400
        K.
    dropout : float, default=0.5
        Before the classifier.
    """

    def __init__(
        self,
        *,
        alpha: int = 4,
        lateral_frames: int = 7,
        depth: int = 50,
        width: int = 64,
        slow: Kernels = SLOW,
        fast: Kernels = FAST,
        num_classes: int = 400,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.alpha = alpha
        # beta = 1/8. Width 64: the fast pathway has 8, 32, 64, 128 channels before its stages, and
        # 16, 64, 128, 256 are concatenated to the slow one
        thin = width // 8
        c1, c2, c3, c4 = thin, 4 * thin, 8 * thin, 16 * thin
        lateral = (2 * c1, 2 * c2, 2 * c3, 2 * c4)
        self.slow = Pathway(slow, depth=depth, width=width, lateral=lateral)
        self.fast = Pathway(fast, depth=depth, width=thin)
        self.fuse1, self.fuse2, self.fuse3, self.fuse4 = (
            Lateral(channels, num_frames=lateral_frames, alpha=alpha)
            for channels in (c1, c2, c3, c4)
        )
        self.num_features = 32 * width + 32 * thin
        self.head = ClipHead(self.num_features, num_classes, dropout)
        initialise(self)
        zero_last_norms(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features of both pathways, (B, F, T/alpha, H/32, W/32).

        Those of the fast pathway are averaged over alpha frames, to match the slow ones.

        Raises
        ------
        ShapeError
            T is not a multiple of alpha.
        """
        # each fuse feeds the next slow stage with the fast features before that stage
        slow = self.slow.stem(self.slow_frames(x))  # (B, 64, T/alpha, H/4, W/4)
        fast = self.fast.stem(x)  # (B, 8, T, H/4, W/4)
        slow = self.slow.layer1(self.fuse1(slow, fast))  # (B, 256, T/alpha, H/4, W/4)
        fast = self.fast.layer1(fast)  # (B, 32, T, H/4, W/4)
        slow = self.slow.layer2(self.fuse2(slow, fast))  # (B, 512, T/alpha, H/8, W/8)
        fast = self.fast.layer2(fast)  # (B, 64, T, H/8, W/8)
        slow = self.slow.layer3(self.fuse3(slow, fast))  # (B, 1024, T/alpha, H/16, W/16)
        fast = self.fast.layer3(fast)  # (B, 128, T, H/16, W/16)
        slow = self.slow.layer4(self.fuse4(slow, fast))  # (B, 2048, T/alpha, H/32, W/32)
        fast = self.fast.layer4(fast)  # (B, 256, T, H/32, W/32)
        fast = F.avg_pool3d(fast, (self.alpha, 1, 1))  # (B, 256, T/alpha, H/32, W/32)
        return torch.cat([slow, fast], dim=1)  # (B, 2304, T/alpha, H/32, W/32)

    def slow_frames(self, x: Tensor) -> Tensor:
        """Pick the frames of the slow pathway: (B, 3, T, H, W) to (B, 3, T/alpha, H, W).

        # 32 frames, alpha 4: 0 4 8 13 17 22 26 31
        """
        num_frames = x.shape[2]
        if num_frames % self.alpha:
            raise ShapeError(
                f"the clip has {num_frames} frames, which is not a multiple of {self.alpha}",
                "the fast pathway has alpha times as many frames as the slow one",
            )
        # float32 as in the authors' loader: integer arithmetic differs where a step hits a frame
        steps = torch.linspace(0, num_frames - 1, num_frames // self.alpha, device="cpu")
        return x.index_select(2, steps.long().to(x.device))


SIX_OF_23 = (3,) * 6 + (1,) * 17
SLOW_50: Kernels = (1, (1,), (1,), SIX_OF_23, (3,))
FAST_50: Kernels = (5, (3,), (3,), SIX_OF_23, (3,))


def _single(
    name: str,
    kernels: Kernels,
    num_frames: int,
    stride: int,
    *,
    order_sensitive: bool = True,
    **args: Any,
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=InflatedResNet,
        args={"kernels": kernels, **args},
        clip=CLIP_8X8.change(num_frames=num_frames, stride=stride),
        strides=(args.get("pool2_frames", 1), 32),
        order_sensitive=order_sensitive,
    )


def _two(name: str, num_frames: int, **args: Any) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=SlowFast,
        args=args,
        clip=CLIP_8X8.change(num_frames=num_frames, stride=2),
        strides=(args.get("alpha", 4), 32),
    )


_R101: dict[str, Any] = {"depth": 101, "lateral_frames": 5}

SPECS = (
    # C2D. Max pooling over pairs of frames: frames swapped between pairs can change the prediction
    _single("c2d_r50_8x8", C2D, 8, 8, pool2_frames=2),
    _single("c2d_nopool_r50_8x8", C2D, 8, 8, order_sensitive=False),
    _single("c2d_r101_8x8", C2D, 8, 8, depth=101, pool2_frames=2),
    _single("c2d_nopool_r101_8x8", C2D, 8, 8, depth=101, order_sensitive=False),
    # Slow
    _single("slow_r50_4x16", SLOW, 4, 16),
    _single("slow_r50_8x8", SLOW, 8, 8),
    _single("slow_r101_4x16", SLOW, 4, 16, depth=101),
    _single("slow_r101_8x8", SLOW, 8, 8, depth=101),
    _single("slow_r101_50_8x8", SLOW_50, 8, 8, depth=101),
    # SlowFast, with the number of frames of the fast pathway
    _two("slowfast_r50_4x16", 32, alpha=8, lateral_frames=5),
    _two("slowfast_r50_8x8", 32),
    _two("slowfast_r50_16x8", 64),
    _two("slowfast_r101_4x16", 32, alpha=8, **_R101),
    _two("slowfast_r101_8x8", 32, **_R101),
    _two("slowfast_r101_16x8", 64, **_R101),
    _two("slowfast_r101_50_101_8x8", 32, **_R101, slow=SLOW_50),
    _two("slowfast_r101_50_50_8x8", 32, **_R101, slow=SLOW_50, fast=FAST_50),
    _two("slowfast_r101_50_50_16x8", 64, **_R101, slow=SLOW_50, fast=FAST_50),
    ModelSpec(
        name="test_slowfast",
        build=SlowFast,
        args={"depth": 26, "width": 8, "num_classes": 4, "dropout": 0.0},
        clip=ClipSpec(sampling=Sampling(num_frames=8), input=RGB(resize=64, size=64)),
        strides=(4, 32),
    ),
)
