"""Convolution over space, time, and both, as modules with named parts.

Side by side, from N to M channels over L = T H W places (norms left out; docs/convolutions.md has
pictures and a worked size):

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

A 2D convolution sees one frame; a 3D one its neighbours in time too. An inflated one is a 3D one
whose weights began as a 2D one's, repeated over the kernel's frames and divided by their number. A
factorised one sees as far as 3x3x3, with a norm and a ReLU between its halves. Groups do not see
each other's channels; depth-wise, no channel sees another, so a 1x1x1 convolution must mix them.
"""

from math import comb

from torch import Tensor, nn

__all__ = [
    "Conv2Plus1d",
    "channel_interactions",
    "conv_spatial",
    "conv_spatiotemporal",
    "mid_channels",
]


def conv_spatiotemporal(
    in_channels: int, out_channels: int, *, stride: tuple[int, int] = (1, 1)
) -> nn.Conv3d:
    """3x3x3 convolution, padded to keep the size; strides in time and in space."""
    t, s = stride
    return nn.Conv3d(in_channels, out_channels, 3, stride=(t, s, s), padding=1, bias=False)


def conv_spatial(in_channels: int, out_channels: int, *, stride: int = 1) -> nn.Conv3d:
    """1x3x3 convolution: every frame alone, no stride in time."""
    return nn.Conv3d(
        in_channels,
        out_channels,
        (1, 3, 3),
        stride=(1, stride, stride),
        padding=(0, 1, 1),
        bias=False,
    )


def mid_channels(in_channels: int, out_channels: int, *, t: int = 3, d: int = 3) -> int:
    """Channels between the two halves that give (2+1)D the parameters of t x d x d.

    ``M = floor(t d^2 N_in N_out / (d^2 N_in + t N_out))`` (Tran et al. 2018, section 3.5).
    """
    return (t * d * d * in_channels * out_channels) // (d * d * in_channels + t * out_channels)


def channel_interactions(module: nn.Module) -> int:
    """Count the pairs of channels that meet in an output channel of a convolution of `module`.

    ``N_out C(N_in / G, 2)`` for a convolution in G groups (Tran et al. 2019, section 3.1); the
    size of the kernel plays no part. A depth-wise convolution has none: each of its outputs sees
    one channel.

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


class Conv2Plus1d(nn.Module):
    """A 1 x d x d convolution, norm, ReLU, and a t x 1 x 1 convolution.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels that come and go.
    mid : int
        Channels in between; `mid_channels` gives those of equal parameters.
    kernel : (int, int), default=(3, 3)
        (t, d), both odd; the padding keeps the size.
    stride : (int, int), default=(1, 1)
        In time (of the second convolution) and in space (of the first).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        mid: int,
        *,
        kernel: tuple[int, int] = (3, 3),
        stride: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__()
        t, d = kernel
        self.spatial = nn.Conv3d(
            in_channels,
            mid,
            (1, d, d),
            stride=(1, stride[1], stride[1]),
            padding=(0, d // 2, d // 2),
            bias=False,
        )
        self.norm = nn.BatchNorm3d(mid)
        self.relu = nn.ReLU(inplace=True)
        self.temporal = nn.Conv3d(
            mid,
            out_channels,
            (t, 1, 1),
            stride=(stride[0], 1, 1),
            padding=(t // 2, 0, 0),
            bias=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T/stride, H/stride, W/stride)."""
        x = self.relu(self.norm(self.spatial(x)))  # (B, M, T, H', W')
        out: Tensor = self.temporal(x)  # (B, C', T', H', W')
        return out
