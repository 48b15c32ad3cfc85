"""TSM's shift in one pass over memory.

`zoopraxis.models.tsm.shift` is the plain form: pad, concatenate, permute. Here every value is
written once, directly to its destination, in the memory layout of the convolutions around it; so is
the gradient. A training step takes 2 % longer with shifts than without, and 11 % in the published
form (docs/order.md; ``benchmarks/bench_shift.py``).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zoopraxis.layers.frames import split_batch

__all__ = ["temporal_shift"]


def temporal_shift(x: Tensor, num_frames: int, *, future: int, past: int) -> Tensor:
    """Shift some channels by one frame towards the past, some towards the future.

    Parameters
    ----------
    x : Tensor of shape (B * T, C, H, W)
        Frames; those of a clip are consecutive.
    num_frames : int
        T.
    future, past : int
        The first ``future`` channels receive the values of the next frame, the following ``past``
        channels those of the previous frame, and zero beyond the clip. The others stay.

    Returns
    -------
    Tensor of shape (B * T, C, H, W)

    Raises
    ------
    ShapeError
        The batch does not split into clips.
    """
    split_batch(x, num_frames)  # raises ShapeError
    if torch.compiler.is_exporting():
        return _concatenated(x, num_frames, future, past)
    # an autograd function cannot be traced, and is not needed without gradients
    traced = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    if torch.is_grad_enabled() and x.requires_grad and not traced:
        shifted: Tensor = _Shift.apply(x, num_frames, future, past)
        return shifted
    return _moved(x, num_frames, future, past, step=1)


def _concatenated(x: Tensor, num_frames: int, future: int, past: int) -> Tensor:
    """Shift in the form for files: writes to a part of a tensor become scatters there.

    No tensor has more than four dimensions (`zoopraxis.engine.folding`).
    """
    frames = split_batch(x.flatten(2), num_frames)  # (B, T, C, H * W)
    from_next, from_previous, still = frames.tensor_split((future, future + past), dim=2)
    from_next = F.pad(from_next[:, 1:], (0, 0, 0, 0, 0, 1))  # 1 2 3 4 becomes 2 3 4 0
    from_previous = F.pad(from_previous[:, :-1], (0, 0, 0, 0, 1, 0))  # 1 2 3 4 becomes 0 1 2 3
    return torch.cat((from_next, from_previous, still), dim=2).reshape(x.shape)  # (B * T, C, H, W)


class _Shift(torch.autograd.Function):
    """The gradient of a shift is the shift in the opposite direction."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, num_frames: int, future: int, past: int) -> Tensor:
        ctx.arguments = num_frames, future, past
        return _moved(x, num_frames, future, past, step=1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        num_frames, future, past = ctx.arguments
        return _moved(grads[0], num_frames, future, past, step=-1), None, None, None


def _moved(x: Tensor, num_frames: int, future: int, past: int, *, step: int) -> Tensor:
    """Shift (step 1) or shift back (step -1): (B * T, C, H, W) to the same shape."""
    out = torch.empty_like(x)
    source, target = split_batch(x, num_frames), split_batch(out, num_frames)  # (B, T, C, H, W)
    # step 1: the first channels take the values of the next frame, the following ones those of the
    # previous frame; step -1, the gradient, the other way round
    end = future + past
    for channels, ahead in ((slice(0, future), step), (slice(future, end), -step)):
        old, new = source[:, :, channels], target[:, :, channels]
        if ahead > 0:  # 1 2 3 4 becomes 2 3 4 0
            new[:, :-1] = old[:, 1:]
            new[:, -1] = 0
        else:  # 1 2 3 4 becomes 0 1 2 3
            new[:, 1:] = old[:, :-1]
            new[:, 0] = 0
    target[:, :, end:] = source[:, :, end:]
    return out
