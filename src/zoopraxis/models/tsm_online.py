"""TSM online: answers after every frame, from what it kept of the last one.

Lin, Gan and Han, ICCV 2019, section 3.3. arXiv:1811.08383
Official code: https://github.com/mit-han-lab/temporal-shift-module (MIT), ``online_demo``

A live stream has no next frame, so the network shifts one way only: in every inverted residual
with a shortcut, one channel in eight comes from the previous frame, with nothing from the future.
Whole clips are computed as usual; `OnlineTSM.step` computes one frame from a cache of those
channels, some hundred kilobytes, with the same result. The prediction for a clip is the mean over
its frames; the authors' demo takes the last frame and smooths its answers.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import cast

import torch
from torch import Tensor

from zoopraxis.layers.frames import SegmentNetwork
from zoopraxis.layers.mobilenet_v2 import RENAME_MOBILENETV2, InvertedResidual, MobileNetV2
from zoopraxis.layers.shift import temporal_shift
from zoopraxis.models.tsn import IMAGENET_CLIP
from zoopraxis.spec import ModelSpec, Source, Weights


class OnlineInvertedResidual(InvertedResidual):
    """An inverted residual that sees one channel in eight of the previous frame."""

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, C', H', W')."""
        if not self.adds:
            return self.branch(x)
        return x + self.branch(temporal_shift(x, frames, future=0, past=x.shape[1] // 8))

    def step(self, x: Tensor, past: Tensor | None) -> tuple[Tensor, Tensor]:
        """Map one frame (B, C, H, W) to the block's output, and give what the next one needs.

        `past` is what the previous frame left, (B, C/8, H, W); None at the first frame.
        """
        kept = x[:, : x.shape[1] // 8]  # (B, C/8, H, W)
        before = torch.zeros_like(kept) if past is None else past
        return x + self.branch(torch.cat((before, x[:, kept.shape[1] :]), dim=1)), kept


class OnlineTSM(SegmentNetwork):
    """MobileNet-V2 with shifts from the past only: whole clips, or frame by frame.

    Parameters
    ----------
    num_classes : int, default=27
        K.
    width : float, default=1.0
        Multiplies the widths.
    dropout : float, default=0.5
        Before the classifier.
    """

    trunk: MobileNetV2

    def __init__(self, *, num_classes: int = 27, width: float = 1.0, dropout: float = 0.5) -> None:
        trunk = partial(MobileNetV2, block=OnlineInvertedResidual, width=width)
        super().__init__(trunk, num_classes=num_classes, dropout=dropout)

    def step(
        self, frame: Tensor, cache: tuple[Tensor, ...] = ()
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Answer after one more frame.

        Parameters
        ----------
        frame : Tensor of shape (B, 3, H, W)
            The new frame.
        cache : tuple of Tensor, default=()
            What the call for the previous frame returned; empty for the first one.

        Returns
        -------
        logits : Tensor of shape (B, K)
            Those that `forward_frames` has at this frame.
        cache : tuple of Tensor
            For the next call; small.
        """
        x = self.trunk.stem(frame)  # (B, 32, H/2, W/2)
        past, kept = iter(cache), []
        for block in cast("Iterable[OnlineInvertedResidual]", self.trunk.blocks):
            if block.adds:
                x, keep = block.step(x, next(past, None))
                kept.append(keep)
            else:
                x = block.branch(x)
        x = self.trunk.last(x).mean(dim=(2, 3))  # (B, F)
        return self.head.linear(self.head.dropout(x)), tuple(kept)


TSM_ONLINE = Source(
    rename=(
        (r"^(m|module)\.", ""),
        *RENAME_MOBILENETV2,
        (r"^(stem|blocks|last)\.", r"trunk.\1."),
        (r"^classifier\.", "head.linear."),
    )
)

_JESTER = Weights(
    tag="jester",
    url="https://hanlab18.mit.edu/projects/tsm/models/mobilenetv2_jester_online.pth.tar",
    source="tsm",
    dataset="jester",
    num_classes=27,
    licence="MIT (code)",
)

SPECS = (
    ModelSpec(
        name="tsm_online_mobilenetv2",
        build=OnlineTSM,
        clip=IMAGENET_CLIP,
        params_m=2.26,
        macs_g=2.40,
        strides=(1, 32),
        sources={"tsm": TSM_ONLINE},
        weights=(_JESTER,),
    ),
    ModelSpec(
        name="test_tsm_online",
        build=OnlineTSM,
        args={"width": 0.25, "num_classes": 12},
        clip=replace(IMAGENET_CLIP, frames=4, size=64, resize=64),
        params_m=0.26,
        macs_g=0.02,
        strides=(1, 32),
    ),
)
