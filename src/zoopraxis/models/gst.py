"""Grouped Spatial-Temporal Aggregation for Efficient Action Recognition.

Luo and Yuille, ICCV 2019. arXiv:1909.13130
Official code: https://github.com/chenxuluo/GST-video (MIT)

Not every channel needs time. In the middle of a bottleneck GST splits the channels: a convolution
of 1x3x3 over one group gives three quarters of the output, one of 3x3x3 over the other group the
last quarter, and a shared norm follows the two side by side. The network is smaller than the 2D
ResNet it starts from, and learns by itself how much of each stage moves. The logits of a clip are
the mean of the frames' logits.

``gst_*`` splits the input in halves (the paper's beta = 2); ``gst_large_*`` shows all channels to
both convolutions (beta = 1). One output channel in `alpha` = 4 comes from the temporal group, one
in two or eight where a name has ``a2`` or ``a8``.
The authors write every layer as a 3D convolution; here all but the 3x3x3 are 2D convolutions of
frames folded into the batch, which are the same function of the same numbers.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.frames import RENAME_SEGMENTS, SegmentNetwork, fold, unfold
from zoopraxis.layers.resnet2d import RENAME_RESNET2D, Bottleneck2d, ResNet2d, everywhere
from zoopraxis.spec import ClipSpec, ModelSpec, Source, Weights


class GroupedConv(nn.Module):
    """1x3x3 and 3x3x3 side by side: most channels out see one frame, the others three.

    Parameters
    ----------
    channels : int
        C, that come and go.
    stride : int
        In space.
    alpha : int
        One channel in `alpha` that goes is temporal.
    beta : {1, 2}
        Groups of the channels that come: 1 shows them all to both, 2 a half to each.
    """

    def __init__(self, channels: int, *, stride: int, alpha: int, beta: int) -> None:
        super().__init__()
        self.seen = channels // beta
        temporal = channels // alpha
        self.spatial = nn.Conv2d(
            self.seen, channels - temporal, 3, stride=stride, padding=1, bias=False
        )
        self.temporal = nn.Conv3d(
            self.seen, temporal, 3, stride=(1, stride, stride), padding=1, bias=False
        )

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, C, H', W')."""
        spatial = self.spatial(x[:, : self.seen])  # (B * T, C - C/alpha, H', W')
        moving = unfold(x[:, -self.seen :], frames)  # (B, C/beta, T, H, W)
        temporal = fold(self.temporal(moving))  # (B * T, C/alpha, H', W')
        return torch.cat((spatial, temporal), dim=1)  # (B * T, C, H', W')


class GSTBottleneck(Bottleneck2d):
    """A bottleneck with a grouped convolution in the middle.

    Parameters
    ----------
    in_channels, width, stride, shortcut
        As of `Bottleneck2d`.
    alpha, beta : int
        As of `GroupedConv`.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int,
        shortcut: nn.Module,
        alpha: int,
        beta: int,
    ) -> None:
        super().__init__(in_channels, width, stride=stride, shortcut=shortcut)
        self.conv2 = GroupedConv(width, stride=stride, alpha=alpha, beta=beta)

    def residual(self, x: Tensor, frames: int) -> Tensor:
        """Branch of the convolutions: (B * T, C, H, W) to (B * T, 4 width, H', W')."""
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)  # (B * T, width, H, W)
        x = F.relu(self.norm2(self.conv2(x, frames)), inplace=True)  # (B * T, width, H', W')
        out: Tensor = self.norm3(self.conv3(x))  # (B * T, 4 width, H', W')
        return out


class GST(SegmentNetwork):
    """ResNet of grouped spatial-temporal bottlenecks over segments.

    Parameters
    ----------
    depth : {50, 101, 152}, default=50
        Layers.
    alpha : int, default=4
        One channel in `alpha` of a grouped convolution's output is temporal.
    beta : {1, 2}, default=2
        Groups of its input: 2 is GST, 1 GST-Large.
    width : int, default=64
        Channels of the stem.
    num_classes : int, default=174
        K; Something-Something has 174.
    dropout : float, default=0.3
        Before the classifier.
    """

    def __init__(
        self,
        *,
        depth: int = 50,
        alpha: int = 4,
        beta: int = 2,
        width: int = 64,
        num_classes: int = 174,
        dropout: float = 0.3,
    ) -> None:
        block = everywhere(partial(GSTBottleneck, alpha=alpha, beta=beta))
        trunk = partial(ResNet2d, depth, block=block, width=width)
        super().__init__(trunk, num_classes=num_classes, dropout=dropout)


def flatten_single_frames(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Kernels that span one frame, (out, in, 1, h, w), to those of 2D convolutions."""
    return {
        key: tensor.squeeze(2) if tensor.ndim == 5 and tensor.shape[2] == 1 else tensor
        for key, tensor in state.items()
    }


AUTHORS = Source(
    rename=(
        *RENAME_SEGMENTS,
        *RENAME_RESNET2D,
        (r"\.conv2\.", ".conv2.spatial."),
        (r"\.Tconv\.", ".conv2.temporal."),
    ),
    adapt=flatten_single_frames,
)

_CLIP = ClipSpec(frames=8, sampling="segments")


def _drive(tag: str, file_id: str, dataset: str, top1: float, frames: int) -> tuple[Weights, ...]:
    return (
        Weights(
            tag=tag,
            url=f"https://drive.google.com/file/d/{file_id}/view",
            file=f"gst_{file_id}.pth.tar",  # the authors give the links alone
            source="gst",
            dataset=dataset,
            num_classes=174,
            licence="MIT",
            top1=top1,
            protocol=f"1 clip of {frames} segments, centre crop 224",
        ),
    )


_V1, _V2 = "Something-Something v1", "Something-Something v2"
_WEIGHTS = {
    "gst_r50_8": _drive("sthv2", "18xiD9C2GS0YcdrAzTUbW7ylv6XbrWkdS", _V2, 61.6, 8),
    "gst_r50_16": _drive("sthv2", "1llsMnRFEaKLPcCNG4uk2ls9K8iuLVGFi", _V2, 62.6, 16),
    "gst_large_r50_8": (
        *_drive("sthv1", "1TvgmZqv-20P77jKmqWNoJA7tewqJC_nK", _V1, 47.7, 8),
        *_drive("sthv2", "1Ymc_NK5WK47Z4qAoVEJI3wBGlbuwaFdw", _V2, 62.0, 8),
    ),
}


def _row(name: str, frames: int, params_m: float, macs_g: float, **args: Any) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=GST,
        args=args,
        clip=replace(_CLIP, frames=frames),
        params_m=params_m,
        macs_g=macs_g,
        strides=(1, 32),
        sources={"gst": AUTHORS},
        weights=_WEIGHTS.get(name, ()),
    )


SPECS = (
    _row("gst_r50_8", 8, 21.04, 29.00),
    _row("gst_r50_16", 16, 21.04, 58.00),
    _row("gst_a2_r50_8", 8, 23.86, 32.70, alpha=2),
    _row("gst_a8_r50_8", 8, 19.62, 27.15, alpha=8),
    _row("gst_r101_8", 8, 37.52, 54.77, depth=101),
    _row("gst_r101_16", 16, 37.52, 109.54, depth=101),
    _row("gst_large_r50_8", 8, 29.52, 40.10, beta=1),
    _row("gst_large_r50_16", 16, 29.52, 80.20, beta=1),
    _row("gst_large_a2_r50_8", 8, 35.18, 47.50, alpha=2, beta=1),
    _row("gst_large_a8_r50_8", 8, 26.69, 36.40, alpha=8, beta=1),
    _row("gst_large_r101_8", 8, 53.53, 77.66, depth=101, beta=1),
    _row("gst_large_r101_16", 16, 53.53, 155.32, depth=101, beta=1),
    ModelSpec(
        name="test_gst",
        build=GST,
        args={"depth": 50, "width": 8, "num_classes": 12},
        clip=replace(_CLIP, frames=4, size=64, resize=64),
        params_m=0.33,
        macs_g=0.02,
        strides=(1, 32),
        sources={"gst": AUTHORS},
    ),
)
