"""TSM online: a prediction after every frame, from a cache of the previous one.

Lin, Gan and Han, ICCV 2019, section 4.2. arXiv:1811.08383
Official code: https://github.com/mit-han-lab/temporal-shift-module (MIT), ``online_demo``

A live stream has no next frame, so the network shifts in one direction only (Figure 1c): in every
inverted residual with a shortcut, one channel in eight is the previous frame's and none the next
one's. Whole clips are computed as usual; `OnlineTSM.step` computes one frame from a cache of those
channels, a few hundred kilobytes, with the same result. The logits of a clip are the mean over its
frames; the authors' demo uses the last frame and smooths its predictions.
"""

from collections.abc import Iterable
from functools import partial
from typing import cast

import torch
from torch import Tensor

from zoopraxis.layers.mobilenet_v2 import InvertedResidual, MobileNetV2
from zoopraxis.layers.shift import temporal_shift
from zoopraxis.models.base import SegmentNetwork
from zoopraxis.models.tsn import IMAGENET_CLIP
from zoopraxis.spec import ModelSpec


class OnlineInvertedResidual(InvertedResidual):
    """An inverted residual that replaces one channel in eight by the previous frame's."""

    def step(self, x: Tensor, past: Tensor | None) -> tuple[Tensor, Tensor]:
        """Map one frame (B, C, H, W) to the block's output and to the cache for the next frame.

        ``past`` is the cache (B, C/8, H, W) of the previous frame, None at the first frame.
        """
        n = x.shape[1] // 8
        kept = x[:, :n]  # (B, C/8, H, W)
        if past is None:
            past = torch.zeros_like(kept)
        shifted = torch.cat((past, x[:, n:]), dim=1)  # (B, C, H, W)
        return x + self.branch(shifted), kept

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, C', H', W'): `step` for all frames at once."""
        if not self.adds:
            return self.branch(x)
        return x + self.branch(temporal_shift(x, num_frames, future=0, past=x.shape[1] // 8))


class OnlineTSM(SegmentNetwork):
    """MobileNet-V2 that shifts from the past only: for whole clips, or frame by frame.

    Parameters
    ----------
    num_classes : int, default=27
        K.
    width : float, default=1.0
        Multiplies the widths of MobileNet-V2.
    dropout : float, default=0.5
        Before the classifier.
    """

    backbone: MobileNetV2

    def __init__(self, *, num_classes: int = 27, width: float = 1.0, dropout: float = 0.5) -> None:
        backbone_fn = partial(MobileNetV2, block=OnlineInvertedResidual, width=width)
        super().__init__(backbone_fn, num_classes=num_classes, dropout=dropout)

    def step(
        self, frame: Tensor, cache: tuple[Tensor, ...] = ()
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Predict from one more frame.

        Parameters
        ----------
        frame : Tensor of shape (B, 3, H, W)
            The new frame.
        cache : tuple of Tensor, default=()
            The cache returned for the previous frame; empty for the first one.

        Returns
        -------
        logits : Tensor of shape (B, K)
            Equal to those of `forward_frames` at this frame.
        cache : tuple of Tensor
            For the next call.
        """
        x = self.backbone.stem(frame)  # (B, 32, H/2, W/2)
        # the cache has one entry for each block with a shortcut, in order
        past, kept = iter(cache), []
        for block in cast("Iterable[OnlineInvertedResidual]", self.backbone.blocks):
            if block.adds:
                x, keep = block.step(x, next(past, None))
                kept.append(keep)
            else:
                x = block.branch(x)
        # (B, 320, H/32, W/32)
        x = self.backbone.last(x).mean(dim=(2, 3))  # (B, F)
        return self.head.linear(self.head.dropout(x)), tuple(kept)  # (B, K)


SPECS = (
    ModelSpec(name="tsm_online_mobilenetv2", build=OnlineTSM, clip=IMAGENET_CLIP, strides=(1, 32)),
    ModelSpec(
        name="test_tsm_online",
        build=OnlineTSM,
        args={"width": 0.25, "num_classes": 12},
        clip=IMAGENET_CLIP.change(num_frames=4, size=64, resize=64),
        strides=(1, 32),
    ),
)
