"""Shifting channels in time, with frames folded into the batch.

The published forms build zero tensors, concatenate and permute to (B, C, T, H, W). Here every
value is written once to where it belongs, in the layout that the neighbouring convolutions use.
"""

from typing import Any

import torch
from torch import Tensor

from zoopraxis.layers.frames import split_batch

__all__ = ["gate_shift", "temporal_shift"]


def temporal_shift(x: Tensor, frames: int, *, future: int, past: int) -> Tensor:
    """Give some channels the values of the next frame, some those of the previous one.

    Parameters
    ----------
    x : Tensor of shape (B * T, C, H, W)
        Frames, those of a clip next to each other.
    frames : int
        T.
    future, past : int
        The first `future` channels come from the next frame, the `past` channels after them from
        the previous frame; beyond the clip there is zero. The others stay.

    Returns
    -------
    Tensor of shape (B * T, C, H, W)

    Raises
    ------
    ShapeError
        The batch does not split into clips.
    """
    split_batch(x, frames)
    shifted: Tensor = _Shift.apply(x, frames, future, past)
    return shifted


class _Shift(torch.autograd.Function):
    """The shift is a permutation with loss: its transpose shifts back, in one pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, frames: int, future: int, past: int) -> Tensor:
        ctx.arguments = frames, future, past
        return _moved(x, frames, future, past, step=1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        frames, future, past = ctx.arguments
        return _moved(grads[0], frames, future, past, step=-1), None, None, None


def _moved(x: Tensor, frames: int, future: int, past: int, *, step: int) -> Tensor:
    """Shift forth (step 1) or back (step -1)."""
    out = torch.empty_like(x)
    before, after = split_batch(x, frames), split_batch(out, frames)  # (B, T, C, H, W)
    end = future + past
    for channels, ahead in ((slice(0, future), step), (slice(future, end), -step)):
        old, new = before[:, :, channels], after[:, :, channels]
        if ahead > 0:
            new[:, :-1] = old[:, 1:]
            new[:, -1] = 0
        else:
            new[:, 1:] = old[:, :-1]
            new[:, 0] = 0
    after[:, :, end:] = before[:, :, end:]
    return out


def gate_shift(x: Tensor, gate: Tensor, frames: int) -> Tensor:
    """Shift the gated part of each half of the channels, keep the rest, interleave.

    Sudhakaran et al. 2020, equations 1 to 4. The first half receives from the next frame, the
    second from the previous one.

    Parameters
    ----------
    x : Tensor of shape (B * T, C, H, W)
        Frames; C is a multiple of 4.
    gate : Tensor of shape (B * T, 2, H, W)
        What part of each half moves, from -1 to 1.
    frames : int
        T.

    Returns
    -------
    Tensor of shape (B * T, C, H, W)
        In each half, channels 0, C/4, 1, C/4 + 1, ... of the half.

    Raises
    ------
    ShapeError
        The batch does not split into clips.
    """
    n, c, h, w = x.shape
    halves = x.reshape(n, 2, c // 2, h, w)
    moving = halves * gate.unsqueeze(2)  # (B * T, 2, C/2, H, W)
    out = split_batch(halves - moving, frames)  # (B, T, 2, C/2, H, W)
    moving = split_batch(moving, frames)
    out[:, :-1, 0] += moving[:, 1:, 0]
    out[:, 1:, 1] += moving[:, :-1, 1]
    out = out.reshape(n, 2, 2, c // 4, h, w).transpose(2, 3)  # (B * T, 2, C/4, 2, H, W)
    return out.reshape(n, c, h, w)
