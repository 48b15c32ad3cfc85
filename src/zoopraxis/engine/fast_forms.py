"""Convolutions in the forms that PyTorch computes fastest on a CPU, with the same weights.

PyTorch hands a `torch.nn.Conv3d` to oneDNN as it is written. Two of its shapes are slow there, and
are other convolutions if the same numbers are looked at differently:

- kernel (t, 1, 1): time and the H * W positions are the two axes of a 2D convolution, (t, 1);
- kernel (1, k, k): every frame is an image of a 2D convolution with B * T images.

With the channels last in memory both are views: nothing is copied. Depth-wise 3D convolutions are
faster with the channels last too. The modules stay `torch.nn.Conv3d` with the checkpoint's weights
under the checkpoint's names; only ``forward`` differs.

Another is wrong there in bfloat16, for inputs shorter than its kernel: `PaddedConv3d` is right
(`zoopraxis.layers.conv3d.conv3d`).
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.conv3d import conv3d

__all__ = ["FrameConv3d", "PaddedConv3d", "TimeConv3d", "in_fast_forms", "put_channels_last"]


class TimeConv3d(nn.Conv3d):
    """A convolution over time, kernel (t, 1, 1), as a 2D convolution over (T, H * W)."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Map (B, C, T, H, W) to (B, C', T', H, W), channels last in memory."""
        batch, _, _, height, width = input.shape
        x = _channels_last(input).flatten(2, 3)  # (B, T, H * W, C)
        x = F.conv2d(
            x.permute(0, 3, 1, 2),  # (B, C, T, H * W)
            self.weight.squeeze(4),
            self.bias,
            (self.stride[0], 1),
            (int(self.padding[0]), 0),
            (self.dilation[0], 1),
            self.groups,
        )  # (B, C', T', H * W)
        return x.reshape(batch, self.out_channels, -1, height, width)  # (B, C', T', H, W)


class FrameConv3d(nn.Conv3d):
    """A convolution within frames, kernel (1, k, k), as a 2D convolution of B * T images."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Map (B, C, T, H, W) to (B, C', T, H', W'), channels last in memory."""
        batch, _, frames = input.shape[:3]
        x = _channels_last(input).flatten(0, 1)  # (B * T, H, W, C)
        x = F.conv2d(
            x.permute(0, 3, 1, 2),  # (B * T, C, H, W)
            self.weight.squeeze(2),
            self.bias,
            self.stride[1:],
            (int(self.padding[1]), int(self.padding[2])),
            self.dilation[1:],
            self.groups,
        )  # (B * T, C', H', W')
        _, channels, height, width = x.shape
        x = x.permute(0, 2, 3, 1).reshape(batch, frames, height, width, channels)
        return x.permute(0, 4, 1, 2, 3)  # (B, C', T, H', W')


class PaddedConv3d(nn.Conv3d):
    """A padded convolution whose bfloat16 weight gradient is right for inputs shorter than it."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Map (B, C, T, H, W) to (B, C', T', H', W')."""
        t, h, w = map(int, self.padding)  # text has no form
        return conv3d(
            input,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=(t, h, w),
            dilation=self.dilation,
            groups=self.groups,
        )


def _channels_last(x: Tensor) -> Tensor:
    """Return (B, C, T, H, W) as (B, T, H, W, C): a view where the channels are last already."""
    return x.permute(0, 2, 3, 4, 1).contiguous()


def in_fast_forms(model: nn.Module) -> nn.Module:
    """Copy a network with its convolutions in the forms that are fast on a CPU.

    Parameters
    ----------
    model : nn.Module
        Any network; it stays as it is.

    Returns
    -------
    nn.Module
        In evaluation mode, with the same state dict. Its outputs differ by rounding, about
        1e-6 of the largest.
    """
    fast = copy.deepcopy(model).eval()
    for module in fast.modules():
        if type(module) is nn.Conv3d and (form := _form(module)) is not None:
            module.__class__ = form  # same parameters, buffers and hooks; another forward
    return put_channels_last(fast)


def put_channels_last(model: nn.Module) -> nn.Module:
    """Put the channels of a network's weights last in memory, in place; return the network.

    `torch.nn.Module.to` takes networks of 2D or of 3D convolutions, this one those of both too.
    """
    for parameter in model.parameters():
        if parameter.ndim in (4, 5):
            layout = torch.channels_last if parameter.ndim == 4 else torch.channels_last_3d
            parameter.data = parameter.data.contiguous(memory_format=layout)
    return model


def _form(conv: nn.Conv3d) -> type[nn.Conv3d] | None:
    """Return the form of a convolution, or None where it is best as it is."""
    if isinstance(conv.padding, str) or conv.padding_mode != "zeros":
        return None
    (t, *kernel), (t_stride, *stride), (t_pad, *pad) = conv.kernel_size, conv.stride, conv.padding
    if kernel == [1, 1] and stride == [1, 1] and pad == [0, 0] and t > 1:
        return TimeConv3d
    if t == 1 and t_stride == 1 and t_pad == 0:
        return FrameConv3d
    return PaddedConv3d if t_pad or any(pad) else None
