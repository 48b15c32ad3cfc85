"""Time merged into the batch: how a clip passes through an image network.

Every 2D backbone maps frames (N, C, H, W) to features (N, F, H', W'). N is B * T, and the frames
of a clip are consecutive; the backbone also receives T, so that its blocks can mix neighbouring
frames. A plain backbone ignores T.
"""

from typing import Protocol

from torch import Tensor

from zoopraxis.errors import ShapeError

__all__ = [
    "Backbone2d",
    "BackboneFn",
    "merge_time",
    "split_batch",
    "split_time",
]


class Backbone2d(Protocol):
    """An image network without classifier: ``backbone(x, num_frames)``."""

    num_features: int

    def __call__(self, x: Tensor, num_frames: int, /) -> Tensor:
        """Map frames (B * T, C, H, W) to features (B * T, F, H', W')."""


class BackboneFn(Protocol):
    """Builds a backbone."""

    def __call__(self, *, in_channels: int) -> Backbone2d:
        """Return the backbone, an `nn.Module`, for frames of ``in_channels`` channels."""


def merge_time(x: Tensor, *, stack: int = 1) -> Tensor:
    """Merge time into the batch, and the ``stack`` frames of a segment into the channels.

    Parameters
    ----------
    x : Tensor of shape (B, C, T * L, H, W)
        Clips.
    stack : int, default=1
        L, the consecutive frames of one segment.

    Returns
    -------
    Tensor of shape (B * T, L * C, H, W)
        The channels of a stack are ordered by frame: x1, y1, x2, y2, ... for flow.

    Raises
    ------
    ShapeError
        The number of frames is not a multiple of ``stack``.
    """
    length = x.shape[2]
    if length % stack:
        raise ShapeError(
            f"{length} frames do not split into stacks of {stack}",
            "a clip holds num_frames * stack frames",
        )
    # 2 clips abcd, efgh of 2 segments: with stack 2 the batch is ab, cd, ef, gh
    x = x.transpose(1, 2)  # (B, T * L, C, H, W)
    return x.reshape(-1, stack * x.shape[2], *x.shape[3:])  # (B * T, L * C, H, W)


def split_batch(x: Tensor, num_frames: int) -> Tensor:
    """View (B * T, ...) as (B, T, ...).

    Raises
    ------
    ShapeError
        There are no frames, or the batch is not a multiple of ``num_frames``.
    """
    if num_frames < 1 or len(x) % num_frames:
        raise ShapeError(
            f"a batch of {len(x)} images does not split into clips of {num_frames}",
            "merge clips of one length into the batch",
        )
    return x.reshape(-1, num_frames, *x.shape[1:])  # (B, T, ...)


def split_time(x: Tensor, num_frames: int) -> Tensor:
    """Undo `merge_time` of single frames: (B * T, C, H, W) to (B, C, T, H, W)."""
    return split_batch(x, num_frames).transpose(1, 2)
