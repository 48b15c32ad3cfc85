"""Convolutions over space and time, and what they cost.

From N to M channels, for L = T H W output positions (without batch norms; docs/convolutions.md has
figures and a worked example):

============================  =============  =================  =====================
kernel                        parameters     multiply-adds      channel interactions
============================  =============  =================  =====================
2D, 1x3x3                     9 N M          9 N M L            M C(N, 2)
3D, 3x3x3                     27 N M         27 N M L           M C(N, 2)
inflated, 3x3x3               27 N M         27 N M L           M C(N, 2)
(2+1)D, 1x3x3 to Q and 3x1x1  9 N Q + 3 Q M  (9 N Q + 3 Q M) L  Q C(N, 2) + M C(Q, 2)
grouped in G, 3x3x3           27 N M / G     27 N M L / G       M C(N / G, 2)
depth-wise, 3x3x3             27 N           27 N L             0
============================  =============  =================  =====================

A 2D convolution sees one frame, a 3D convolution also the neighbouring frames. An inflated one is a
3D convolution initialised from a 2D one: its kernel is repeated over time and divided by the number
of repetitions. A (2+1)D convolution (`zoopraxis.models.r2plus1d`) has the receptive field of 3x3x3
and a nonlinearity between its halves. Channels of different groups do not interact; in a
depth-wise convolution no two channels do, and a 1x1x1 convolution must mix them.
"""

from math import comb

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["channel_interactions", "conv3d", "conv_spatial", "conv_spatiotemporal"]

Sizes = tuple[int, ...]  # along T, H and W


def conv3d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Sizes = (1, 1, 1),
    padding: Sizes = (0, 0, 0),
    dilation: Sizes = (1, 1, 1),
    groups: int = 1,
) -> Tensor:
    """`torch.nn.functional.conv3d`, whose weight gradient is right in bfloat16 on a CPU too.

    That of oneDNN (PyTorch 2.15, processors with AVX-512 BF16) contains memory that was never
    written where a kernel is longer than its input, as one of 3 frames over 2. Such an axis is
    padded before the convolution.

    Parameters
    ----------
    x, weight, bias
        (B, C, T, H, W), (C', C / groups, t, h, w) and (C',).
    stride, padding, dilation, groups
        As there, with a number for each axis.
    """
    half = x.dtype == torch.bfloat16 or torch.is_autocast_enabled("cpu")
    if half and torch.is_grad_enabled():
        spans = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True)]
        axes = zip(x.shape[2:], spans, padding, strict=True)
        t, h, w = (pad if span > size else 0 for size, span, pad in axes)
        if t or h or w:
            x = F.pad(x, (w, w, h, h, t, t))  # (B, C, T + 2t, H + 2h, W + 2w)
            padding = (padding[0] - t, padding[1] - h, padding[2] - w)
    return F.conv3d(x, weight, bias, stride, padding, dilation, groups)


def conv_spatiotemporal(
    in_channels: int, out_channels: int, *, stride: tuple[int, int] = (1, 1), groups: int = 1
) -> nn.Conv3d:
    """3x3x3 convolution with padding; strides in time and in space."""
    t, s = stride
    return nn.Conv3d(
        in_channels, out_channels, 3, stride=(t, s, s), padding=1, groups=groups, bias=False
    )


def conv_spatial(
    in_channels: int, out_channels: int, *, stride: tuple[int, int] = (1, 1)
) -> nn.Conv3d:
    """1x3x3 convolution with padding, of each frame alone; strides in time and in space."""
    t, s = stride
    return nn.Conv3d(
        in_channels, out_channels, (1, 3, 3), stride=(t, s, s), padding=(0, 1, 1), bias=False
    )


def channel_interactions(module: nn.Module) -> int:
    """Count the pairs of input channels that meet in an output channel of a convolution.

    ``N_out C(N_in / G, 2)`` for a convolution in G groups (Tran et al. 2019, section 3.1), summed
    over the 3D convolutions of `module`; the kernel size does not matter. A depth-wise convolution
    has none: each of its outputs sees one channel.

    Examples
    --------
    >>> channel_interactions(nn.Conv3d(4, 8, 3)), channel_interactions(nn.Conv3d(4, 8, 3, groups=2))
    (48, 8)
    """
    return sum(
        conv.out_channels * comb(conv.in_channels // conv.groups, 2)
        for conv in module.modules()
        if isinstance(conv, nn.Conv3d)
    )
