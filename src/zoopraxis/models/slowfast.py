"""SlowFast Networks for Video Recognition.

Feichtenhofer, Fan, Malik and He, ICCV 2019. arXiv:1812.03982
Official code: https://github.com/facebookresearch/SlowFast (Apache-2.0)

What things are changes slowly, how they move changes fast. A slow pathway sees few frames with
many channels and reaches over time in its last two stages alone; a fast pathway sees alpha times
as many frames with an eighth of the channels and reaches over time everywhere. Before each stage
of the slow pathway the fast one's features join it, through a convolution that strides over alpha
frames. The slow pathway alone (``slow_*``) and the same network without any convolution in time
(``c2d_*``) are the paper's baselines.

`SlowFast` takes the fast pathway's clip and picks the slow pathway's frames from it as the
authors' loader does: T/alpha of them, evenly from the first to the last, rounded down.

Builds. PyTorchVideo's networks are the same functions of the same weights; it and PySlowFast
differ in key names. The lateral convolution spans 7 frames in the 8x8 and 16x8 nets on ResNet-50,
5 in all others. In ``r101_50_50`` nets only the first six blocks of stage 4 reach over time, as
many as ResNet-50 has; in ``r101_50_101`` and ``slow_r101_50`` that holds for the slow pathway. C2D
pools pairs of frames behind its first stage; PySlowFast's checkpoint is of ``c2d_nopool``, which
does not. The zoos' multiply-adds of some nets (C2D, 4x16, ResNet-101) are 1 or 2 % above ours: they
count norms. Source "mmaction2" is that toolbox's Slow, which is the same network, and its C2D, a
2D network whose pooling behind the stem is not padded. Its SlowFast is another network: no norm
nor ReLU follows its lateral convolutions.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.checkpoints.convert import flatten_head, kernels_of_one_frame
from zoopraxis.errors import ShapeError
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.inflated_resnet import (
    InflatedResNet,
    InflatedTrunk,
    Kernels,
    fullconv_probabilities,
    rename_caffe2,
    rename_pyslowfast,
    single_pathway_sources,
    zero_last_norms,
)
from zoopraxis.layers.resnet3d import RENAME_MMACTION2, RENAME_PYTORCHVIDEO, initialise
from zoopraxis.models._slowfast_weights import WEIGHTS, pyslowfast_clip
from zoopraxis.spec import ClipSpec, ModelSpec, Source

C2D: Kernels = (1, (1,), (1,), (1,), (1,))
SLOW: Kernels = (1, (1,), (1,), (3,), (3,))
FAST: Kernels = (5, (3,), (3,), (3,), (3,))
SIX_OF_23 = (3,) * 6 + (1,) * 17
SLOW_50: Kernels = (1, (1,), (1,), SIX_OF_23, (3,))
FAST_50: Kernels = (5, (3,), (3,), SIX_OF_23, (3,))


class Lateral(nn.Module):
    """Brings the fast pathway's features to the slow one's frames and joins them.

    Parameters
    ----------
    channels : int
        Of the fast pathway; twice as many join the slow one.
    frames : int
        Frames that the convolution spans.
    alpha : int
        Its stride.
    """

    def __init__(self, channels: int, *, frames: int, alpha: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(
            channels,
            2 * channels,
            (frames, 1, 1),
            stride=(alpha, 1, 1),
            padding=(frames // 2, 0, 0),
            bias=False,
        )
        self.norm = nn.BatchNorm3d(2 * channels)

    def forward(self, slow: Tensor, fast: Tensor) -> Tensor:
        """Map slow (B, C, T/alpha, H, W) and fast (B, C', T, H, W) to (B, C+2C', T/alpha, H, W)."""
        joining = F.relu(self.norm(self.conv(fast)), inplace=True)  # (B, 2C', T/alpha, H, W)
        return torch.cat([slow, joining], dim=1)


class SlowFast(nn.Module):
    """Two pathways, four lateral connections, one classifier.

    Parameters
    ----------
    alpha : int, default=4
        Frames of the fast pathway for one of the slow.
    lateral_frames : int, default=7
        Frames that the lateral convolutions span.
    depth : {26, 50, 101}, default=50
        Layers of both ResNets.
    width : int, default=64
        Channels of the slow stem; the fast one has an eighth (beta).
    slow, fast : Kernels
        Which convolutions of the pathways reach over time.
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
        thin = width // 8
        self.alpha = alpha
        self.slow = InflatedTrunk(slow, depth=depth, width=width, lateral=2 * thin)
        self.fast = InflatedTrunk(fast, depth=depth, width=thin)
        self.fuse1, self.fuse2, self.fuse3, self.fuse4 = (
            Lateral(channels, frames=lateral_frames, alpha=alpha)
            for channels in (thin, 4 * thin, 8 * thin, 16 * thin)
        )
        self.num_features = self.slow.num_features + self.fast.num_features
        self.head = ClipHead(self.num_features, num_classes, dropout)
        initialise(self)
        zero_last_norms(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features of both pathways, (B, C, T/alpha, H/32, W/32).

        The fast pathway's are averaged over alpha frames each, to lie beside the slow one's.

        Raises
        ------
        ShapeError
            T is no multiple of alpha.
        """
        slow, fast = self.slow.stem(self.slow_frames(x)), self.fast.stem(x)
        slow = self.slow.layer1(self.fuse1(slow, fast))  # (B, 256, T/alpha, H/4, W/4)
        fast = self.fast.layer1(fast)  # (B, 32, T, H/4, W/4)
        slow = self.slow.layer2(self.fuse2(slow, fast))  # (B, 512, T/alpha, H/8, W/8)
        fast = self.fast.layer2(fast)  # (B, 64, T, H/8, W/8)
        slow = self.slow.layer3(self.fuse3(slow, fast))  # (B, 1024, T/alpha, H/16, W/16)
        fast = self.fast.layer3(fast)  # (B, 128, T, H/16, W/16)
        slow = self.slow.layer4(self.fuse4(slow, fast))  # (B, 2048, T/alpha, H/32, W/32)
        fast = self.fast.layer4(fast)  # (B, 256, T, H/32, W/32)
        fast = F.avg_pool3d(fast, (self.alpha, 1, 1))  # (B, 256, T/alpha, H/32, W/32)
        return torch.cat([slow, fast], dim=1)

    def slow_frames(self, x: Tensor) -> Tensor:
        """Pick the slow pathway's frames: (B, 3, T, H, W) to (B, 3, T/alpha, H, W).

        32 frames, alpha 4: 0 4 8 13 17 22 26 31.
        """
        frames = x.shape[2]
        if frames % self.alpha:
            raise ShapeError(
                f"{frames} frames came; the fast pathway takes a multiple of {self.alpha}"
            )
        # the loader's float32 steps: exact integers would differ where a step falls on a frame
        index = torch.linspace(0, frames - 1, frames // self.alpha, device="cpu").long()
        return x.index_select(2, index.to(x.device))

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, C, T', H', W') to logits (B, K)."""
        out: Tensor = self.head(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def forward_fullconv(self, x: Tensor, *, size: int) -> Tensor:
        """Map clips (B, 3, T, H, W) to probabilities (B, K), the authors' way at test time.

        The classifier is slid over the features in windows of the training crop's `size` in
        pixels; see `fullconv_probabilities`.
        """
        return fullconv_probabilities(self.forward_features(x), self.head.linear, window=size // 32)

    def reset_head(self, num_classes: int) -> None:
        """Replace the classifier by a new one for K classes."""
        self.head.reset(num_classes)


# The keys of the sources.

_PATHWAYS = ("slow.", "fast.")

SOURCES = {
    "pyslowfast": Source(
        rename=(
            (r"^s(\d)_fuse\.conv_f2s\.", r"fuse\1.conv."),
            (r"^s(\d)_fuse\.bn\.", r"fuse\1.norm."),
            *rename_pyslowfast(*_PATHWAYS),
        )
    ),
    "pyslowfast_caffe2": Source(
        rename=(
            (r"^t_pool1_subsample_", "fuse1."),
            (r"^t_res(\d)_\d+_branch2c_bn_subsample_", r"fuse\1."),
            (r"^(fuse\d\.)bn_", r"\1norm."),
            (r"^(fuse\d\.)w$", r"\1conv.w"),
            *rename_caffe2(*_PATHWAYS),
        ),
        adapt=flatten_head,
    ),
    "pytorchvideo": Source(
        rename=(
            (
                r"^(?:model\.)?blocks\.0\.multipathway_blocks\.(\d)\.",
                lambda m: f"{_PATHWAYS[int(m[1])]}stem.",
            ),
            (
                r"^(?:model\.)?blocks\.(\d)\.multipathway_blocks\.(\d)\.res_blocks\.",
                lambda m: f"{_PATHWAYS[int(m[2])]}layer{m[1]}.",
            ),
            (
                r"^(?:model\.)?blocks\.(\d)\.multipathway_fusion\.(?:conv_fast_to_slow|(norm))\.",
                lambda m: f"fuse{int(m[1]) + 1}.{m[2] or 'conv'}.",
            ),
            (r"^(?:model\.)?blocks\.6\.", "blocks.5."),
            *RENAME_PYTORCHVIDEO,
        )
    ),
}


def _mmaction2(*, pooled: bool) -> Source:
    """Source of a network of one pathway; C2D is a 2D network there, and pools without padding."""
    return Source(
        rename=RENAME_MMACTION2,
        adapt=kernels_of_one_frame,
        args={"pool1_padding": 0} if pooled else {},
    )


# The rows.


def _single(
    name: str,
    frames: int,
    stride: int,
    params_m: float,
    macs_g: float,
    *,
    order_sensitive: bool = True,
    **args: Any,
) -> ModelSpec:
    pooled = "pool2_frames" in args
    return ModelSpec(
        name=name,
        build=InflatedResNet,
        args=args,
        clip=pyslowfast_clip(frames, stride),
        params_m=params_m,
        macs_g=macs_g,
        strides=(args.get("pool2_frames", 1), 32),
        order_sensitive=order_sensitive,
        sources={**single_pathway_sources(pooled=pooled), "mmaction2": _mmaction2(pooled=pooled)},
        weights=WEIGHTS.get(name, ()),
    )


def _two(name: str, frames: int, params_m: float, macs_g: float, **args: Any) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=SlowFast,
        args=args,
        clip=pyslowfast_clip(frames, 2),
        params_m=params_m,
        macs_g=macs_g,
        strides=(args.get("alpha", 4), 32),
        sources=SOURCES,
        weights=WEIGHTS.get(name, ()),
    )


_R101: dict[str, Any] = {"depth": 101, "lateral_frames": 5}

SPECS = (
    # max pooling over pairs of frames: swapping frames of two pairs can change the prediction
    _single("c2d_r50_8x8", 8, 8, 24.33, 25.46, kernels=C2D, pool2_frames=2),
    _single("c2d_nopool_r50_8x8", 8, 8, 24.33, 42.71, kernels=C2D, order_sensitive=False),
    _single("c2d_r101_8x8", 8, 8, 43.32, 44.85, kernels=C2D, depth=101, pool2_frames=2),
    _single(
        "c2d_nopool_r101_8x8", 8, 8, 43.32, 81.50, kernels=C2D, depth=101, order_sensitive=False
    ),
    _single("slow_r50_4x16", 4, 16, 32.45, 27.26, kernels=SLOW),
    _single("slow_r50_8x8", 8, 8, 32.45, 54.52, kernels=SLOW),
    _single("slow_r101_4x16", 4, 16, 60.36, 55.78, kernels=SLOW, depth=101),
    _single("slow_r101_8x8", 8, 8, 60.36, 111.56, kernels=SLOW, depth=101),
    _single("slow_r101_50_8x8", 8, 8, 51.45, 93.31, kernels=SLOW_50, depth=101),
    _two("slowfast_r50_4x16", 32, 34.48, 36.10, alpha=8, lateral_frames=5),
    _two("slowfast_r50_8x8", 32, 34.57, 65.71),
    _two("slowfast_r50_16x8", 64, 34.57, 131.42),
    _two("slowfast_r101_4x16", 32, 62.83, 68.19, alpha=8, **_R101),
    _two("slowfast_r101_8x8", 32, 62.83, 125.91, **_R101),
    _two("slowfast_r101_16x8", 64, 62.83, 251.81, **_R101),
    _two("slowfast_r101_50_101_8x8", 32, 53.91, 107.65, **_R101, slow=SLOW_50),
    _two("slowfast_r101_50_50_8x8", 32, 53.77, 106.51, **_R101, slow=SLOW_50, fast=FAST_50),
    _two("slowfast_r101_50_50_16x8", 64, 53.77, 213.02, **_R101, slow=SLOW_50, fast=FAST_50),
    ModelSpec(
        name="test_slowfast",
        build=SlowFast,
        args={"depth": 26, "width": 8, "num_classes": 4, "dropout": 0.0},
        clip=ClipSpec(frames=8, resize=64, size=64),
        params_m=0.31,
        macs_g=0.02,
        strides=(4, 32),
        sources=SOURCES,
    ),
)
