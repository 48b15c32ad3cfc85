"""The inflated bottleneck ResNet: 2D but for the first convolution of some blocks.

C2D, Slow and I3D on ResNets, the pathways of SlowFast and the non-local nets are this network;
they differ in which blocks reach over time, which is a row of numbers (`Kernels`).
"""

import re
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.checkpoints.convert import flatten_head, merge
from zoopraxis.layers.conv3d import conv_spatial
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.resnet3d import (
    DEPTHS,
    RENAME_PYTORCHVIDEO,
    Bottleneck3d,
    initialise,
    project,
)
from zoopraxis.spec import Replacement, Source

__all__ = [
    "CAFFE2",
    "InflatedBottleneck",
    "InflatedResNet",
    "InflatedTrunk",
    "Kernels",
    "frozen_norm",
    "fullconv_probabilities",
    "rename_caffe2",
    "rename_pyslowfast",
    "single_pathway_sources",
    "zero_last_norms",
]

Stage = tuple[int, ...]
Kernels = tuple[int, Stage, Stage, Stage, Stage]
"""Frames that the stem's convolution spans, and those of the first convolution of each stage's
blocks, in turn: ``(3, 1)`` is every second block, beginning with the first."""


class InflatedBottleneck(Bottleneck3d):
    """A bottleneck whose first convolution spans `frames` frames: t x 1 x 1, 1x3x3, 1x1x1.

    Parameters
    ----------
    in_channels, width : int
        Channels that come; channels inside.
    frames : int
        t, odd.
    stride : (int, int)
        In time, which must be 1, and in space (of the middle convolution).
    shortcut : nn.Module
        What the input passes on the other way.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        frames: int,
        stride: tuple[int, int],
        shortcut: nn.Module,
    ) -> None:
        super().__init__(in_channels, width, conv=_per_frame, stride=stride, shortcut=shortcut)
        self.conv1 = nn.Conv3d(
            in_channels, width, (frames, 1, 1), padding=(frames // 2, 0, 0), bias=False
        )


def _per_frame(
    _block_in: int, in_channels: int, out_channels: int, *, stride: tuple[int, int]
) -> nn.Module:
    return conv_spatial(in_channels, out_channels, stride=stride[1])


def inflated_stage(
    in_channels: int, width: int, *, blocks: int, kernels: Stage, stride: int
) -> nn.Sequential:
    """Stack inflated bottlenecks; the first projects its shortcut and strides in space.

    Parameters
    ----------
    in_channels, width : int
        Channels that come; channels inside a block, which puts out four times as many.
    blocks : int
        How many.
    kernels : tuple of int
        Frames that the blocks' first convolutions span, repeated to the end of the stage.
    stride : int
        Of the first block, in space.
    """
    out_channels = width * InflatedBottleneck.expansion
    stage = nn.Sequential()
    for index in range(blocks):
        step = (1, stride if index == 0 else 1)
        stage.append(
            InflatedBottleneck(
                in_channels,
                width,
                frames=kernels[index % len(kernels)],
                stride=step,
                shortcut=project(in_channels, out_channels, stride=step)
                if index == 0
                else nn.Identity(),
            )
        )
        in_channels = out_channels
    return stage


class InflatedStem(nn.Module):
    """t x 7 x 7 convolution of spatial stride 2, norm, ReLU, 3x3 max pooling of stride 2.

    Parameters
    ----------
    width : int
        Channels out.
    frames : int
        t, odd.
    stride : int
        Of the convolution in time.
    pool_frames : int
        Frames that the pooling spans, and its stride in time.
    pool_padding : int
        Of the pooling, in space: 1 keeps the border, 0 is the authors' Caffe2 way.
    """

    def __init__(
        self, width: int, *, frames: int, stride: int, pool_frames: int, pool_padding: int
    ) -> None:
        super().__init__()
        self.conv = nn.Conv3d(
            3,
            width,
            (frames, 7, 7),
            stride=(stride, 2, 2),
            padding=(frames // 2, 3, 3),
            bias=False,
        )
        self.norm = nn.BatchNorm3d(width)
        self.pool = nn.MaxPool3d(
            (pool_frames, 3, 3),
            stride=(pool_frames, 2, 2),
            padding=(0, pool_padding, pool_padding),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to (B, width, T', H/4, W/4)."""
        x = F.relu(self.norm(self.conv(x)), inplace=True)  # (B, width, T/stride, H/2, W/2)
        out: Tensor = self.pool(x)  # (B, width, T', H/4, W/4)
        return out


class InflatedTrunk(nn.Module):
    """The stem and the four stages, without a classifier.

    Parameters
    ----------
    kernels : Kernels
        Which convolutions reach over time.
    depth : {26, 50, 101, 152}, default=50
        Layers.
    width : int, default=64
        Channels of the stem.
    lateral : int, default=0
        Channels of another pathway that join the stem's before the first stage; those that join
        before the later stages grow as the trunk's own do.
    stem_stride, pool1_frames, pool1_padding : int
        Of the stem: stride in time (1), frames of its pooling (1), padding of its pooling (1).
    """

    def __init__(
        self,
        kernels: Kernels,
        *,
        depth: int = 50,
        width: int = 64,
        lateral: int = 0,
        stem_stride: int = 1,
        pool1_frames: int = 1,
        pool1_padding: int = 1,
    ) -> None:
        super().__init__()
        self.stem = InflatedStem(
            width,
            frames=kernels[0],
            stride=stem_stride,
            pool_frames=pool1_frames,
            pool_padding=pool1_padding,
        )
        growth = InflatedBottleneck.expansion
        channels, joining, stages = width, lateral, []
        for index, (blocks, frames) in enumerate(zip(DEPTHS[depth], kernels[1:], strict=True)):
            stage = inflated_stage(
                channels + joining,
                width * 2**index,
                blocks=blocks,
                kernels=frames,
                stride=1 if index == 0 else 2,
            )
            stages.append(stage)
            channels = width * 2**index * growth
            joining = lateral * 2**index * growth
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.num_features = channels

    def stage_channels(self, stage: str) -> int:
        """Channels that the blocks of a stage, ``layer1`` to ``layer4``, put out."""
        return self.num_features >> (4 - int(stage.removeprefix("layer")))


class InflatedResNet(InflatedTrunk):
    """One pathway and its classifier: C2D, Slow, I3D.

    Parameters
    ----------
    kernels : Kernels
        Which convolutions reach over time.
    pool2_frames : int, default=1
        Frames of the max pooling in time behind the first stage, and its stride; 1 is none.
    num_classes : int, default=400
        K.
    dropout : float, default=0.5
        Before the classifier.
    **trunk
        `InflatedTrunk`'s.
    """

    def __init__(
        self,
        kernels: Kernels,
        *,
        depth: int = 50,
        width: int = 64,
        stem_stride: int = 1,
        pool1_frames: int = 1,
        pool1_padding: int = 1,
        pool2_frames: int = 1,
        num_classes: int = 400,
        dropout: float = 0.5,
    ) -> None:
        super().__init__(
            kernels,
            depth=depth,
            width=width,
            stem_stride=stem_stride,
            pool1_frames=pool1_frames,
            pool1_padding=pool1_padding,
        )
        self.pool2 = nn.MaxPool3d((pool2_frames, 1, 1)) if pool2_frames > 1 else nn.Identity()
        self.head = ClipHead(self.num_features, num_classes, dropout)
        initialise(self)
        zero_last_norms(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, C, T', H/32, W/32)."""
        x = self.stem(x)  # (B, 64, T, H/4, W/4)
        x = self.pool2(self.layer1(x))  # (B, 256, T', H/4, W/4)
        x = self.layer2(x)  # (B, 512, T', H/8, W/8)
        x = self.layer3(x)  # (B, 1024, T', H/16, W/16)
        out: Tensor = self.layer4(x)  # (B, 2048, T', H/32, W/32)
        return out

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


def fullconv_probabilities(
    x: Tensor, classify: Callable[[Tensor], Tensor], *, window: int
) -> Tensor:
    """Classify every square window of a feature map; the mean of the windows' probabilities.

    A network trained on 224 pixels ends in 7x7 positions; on 256 it ends in 8x8, which hold four
    windows of 7x7. Each is pooled, classified and passed through a softmax; the mean follows.

    Parameters
    ----------
    x : Tensor of shape (B, C, T, H, W)
        Features.
    classify : callable
        Maps averaged features (..., C) to logits (..., K).
    window : int
        Side of the windows, in positions; in time they span all.

    Returns
    -------
    Tensor of shape (B, K)
    """
    x = F.avg_pool3d(x, (x.shape[2], window, window), stride=1)  # (B, C, 1, H-w+1, W-w+1)
    logits = classify(x.movedim(1, -1))  # (B, 1, H-w+1, W-w+1, K)
    out: Tensor = logits.softmax(dim=-1).mean(dim=(1, 2, 3))  # (B, K)
    return out


def zero_last_norms(model: nn.Module) -> None:
    """Start every bottleneck as its shortcut: the scale of its last norm is zero.

    Goyal et al. 2017 (arXiv:1706.02677), section 5.1; the authors' ``ZERO_INIT_FINAL_BN``.
    """
    for module in model.modules():
        if isinstance(module, Bottleneck3d):
            nn.init.zeros_(module.norm3.weight)


# The keys of the sources. Each function takes the prefixes of our keys, one per pathway: "" for a
# single one. The sources number the stages from 2, as the papers' tables do.

_LETTERS = {"a": "1", "b": "2", "c": "3"}

Rules = tuple[tuple[str, Replacement], ...]


def rename_pyslowfast(*pathways: str) -> Rules:
    """Keys of PySlowFast's residual networks in terms of this one."""
    return (
        (
            r"^s(\d)\.pathway(\d)_",
            lambda m: f"{pathways[int(m[2])]}layer{int(m[1]) - 1}.",
        ),
        (r"layer0\.stem\.", "stem."),
        (r"\.res(\d+)\.", r".\1."),
        (r"\.branch1_bn\.", ".shortcut.norm."),
        (r"\.branch1\.", ".shortcut.conv."),
        (r"\.branch2\.([abc])_bn\.", lambda m: f".norm{_LETTERS[m[1]]}."),
        (r"\.branch2\.([abc])\.", lambda m: f".conv{_LETTERS[m[1]]}."),
        (r"\.conv_(theta|phi|g|out)\.", r".\1."),
        (r"\.bn\.", ".norm."),
        (r"^head\.projection\.", "head.linear."),
    )


def rename_caffe2(*pathways: str) -> Rules:
    """Blobs of the authors' Caffe2 releases in terms of this network.

    The fast pathway's begin with ``t_``. A norm's are s, b, rm and riv, which holds the variance
    in spite of its name. The optimiser's are dropped.
    """

    def layer(match: re.Match[str]) -> str:
        pathway = pathways[1] if match[1] else pathways[0]
        return f"{pathway}layer{int(match[2]) - 1}.{match[3]}."

    def stem(match: re.Match[str]) -> str:
        return f"{pathways[1] if match[1] else pathways[0]}stem."

    return (
        (r"momentum|^model_iter$|^lr$", None),
        (r"^(t_)?res(\d)_(\d+)_branch", layer),
        (r"^()nonlocal_conv(\d)_(\d+_)", layer),
        (r"\.(\d+)_\.", r".nonlocal\1."),
        (r"^(t_)?res_conv1_(?=bn_)", stem),
        (r"^(t_)?(?=conv1_)", stem),
        (r"\.conv1_", ".conv_"),
        (r"\.1_bn_", ".shortcut.norm."),
        (r"\.1_", ".shortcut.conv."),
        (r"\.2([abc])_bn_", lambda m: f".norm{_LETTERS[m[1]]}."),
        (r"\.2([abc])_", lambda m: f".conv{_LETTERS[m[1]]}."),
        (r"^pred_", "head.linear."),
        (r"\.bn_", ".norm."),
        (r"\.(conv|theta|phi|g|out)_", r".\1."),
        (r"\.[ws]$", ".weight"),
        (r"\.b$", ".bias"),
        (r"\.rm$", ".running_mean"),
        (r"\.riv$", ".running_var"),
    )


def frozen_norm(norm: str, *, scale: Tensor, shift: Tensor) -> dict[str, Tensor]:
    """State of the norm of this name that scales and shifts, and does nothing else."""
    return {
        f"{norm}.weight": scale,
        f"{norm}.bias": shift,
        f"{norm}.running_mean": torch.zeros_like(shift),
        f"{norm}.running_var": torch.ones_like(scale) - 1e-5,  # the norms' eps makes it 1
    }


def thaw_norms(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Complete the norms of networks trained with frozen ones.

    Those of the residual blocks came as a scale and a shift, those of non-local blocks not at all.
    """
    added: dict[str, Tensor] = {}
    for key, tensor in state.items():
        name, _, kind = key.rpartition(".")
        frozen = f"{name}.running_mean" not in state and f"{name}.bias" in state
        if kind == "weight" and tensor.ndim == 1 and frozen:
            added |= frozen_norm(name, scale=tensor, shift=state[f"{name}.bias"])
        norm = name.removesuffix("out") + "norm"
        if key.endswith(".out.bias") and f"{norm}.weight" not in state:
            still = {"scale": torch.ones_like(tensor), "shift": torch.zeros_like(tensor)}
            added |= frozen_norm(norm, **still)
    return {**state, **added}


CAFFE2 = Source(rename=rename_caffe2(""), adapt=merge(flatten_head, thaw_norms))
"""Caffe2 blobs of a network of one pathway."""


def single_pathway_sources(*, pooled: bool) -> dict[str, Source]:
    """Sources of a network of one pathway.

    `pooled` says whether a pooling in time follows the first stage. PyTorchVideo counts it as a
    block, and only such networks were released in Caffe2.
    """
    sources = {
        "pyslowfast": Source(rename=rename_pyslowfast("")),
        "pyslowfast_caffe2": CAFFE2,
        "pytorchvideo": Source(rename=RENAME_PYTORCHVIDEO),
    }
    if not pooled:
        return sources
    count: Rules = ((r"^(?:model\.)?blocks\.([3-6])\.", lambda m: f"blocks.{int(m[1]) - 1}."),)
    return {
        **sources,
        "pytorchvideo": Source(rename=(*count, *RENAME_PYTORCHVIDEO)),
        "video_nonlocal_caffe2": Source(
            rename=CAFFE2.rename, adapt=CAFFE2.adapt, args={"pool1_padding": 0}
        ),
    }
