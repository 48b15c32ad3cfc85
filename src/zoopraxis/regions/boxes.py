"""Boxes (x1, y1, x2, y2): overlap, clipping, scaling, and a fixed number of them for each frame.

x grows to the right and y downwards, in pixels whose edges have integer coordinates: the whole
frame of H by W pixels is (0, 0, W, H).
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["box_area", "box_iou", "clip_boxes", "pad_boxes", "scale_boxes"]

Size = tuple[float, float]  # height and width


def box_area(boxes: Tensor) -> Tensor:
    """Areas (...) of boxes (..., 4)."""
    width, height = (boxes[..., 2:] - boxes[..., :2]).unbind(-1)
    return width * height


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of every pair of boxes.

    That of `torchvision.ops.box_iou`, for batches, and 0 where both boxes have no area.

    Parameters
    ----------
    a : Tensor of shape (..., N, 4)
        Boxes.
    b : Tensor of shape (..., M, 4)
        Others.

    Returns
    -------
    Tensor of shape (..., N, M)
        In [0, 1].
    """
    low = torch.maximum(a[..., :, None, :2], b[..., None, :, :2])  # (..., N, M, 2)
    high = torch.minimum(a[..., :, None, 2:], b[..., None, :, 2:])  # (..., N, M, 2)
    common = (high - low).clamp(min=0).prod(dim=-1)  # (..., N, M)
    union = box_area(a)[..., :, None] + box_area(b)[..., None, :] - common
    return common / union.clamp(min=torch.finfo(union.dtype).tiny)


def clip_boxes(boxes: Tensor, size: Size) -> Tensor:
    """Clip boxes to a frame; those outside lose their area.

    Parameters
    ----------
    boxes : Tensor of shape (..., 4)
        x1, y1, x2, y2 in pixels.
    size : (float, float)
        Height and width of the frame, in pixels.

    Returns
    -------
    Tensor of shape (..., 4)
    """
    height, width = size
    return boxes.clamp(min=0).minimum(boxes.new_tensor([width, height, width, height]))


def scale_boxes(boxes: Tensor, before: Size, after: Size) -> Tensor:
    """Scale boxes (..., 4) of a frame to another one: to a resized frame, or to a feature map.

    # a frame of 224 x 224 to its map of 14 x 14: (16, 32, 64, 64) becomes (1, 2, 4, 4)

    Parameters
    ----------
    boxes : Tensor of shape (..., 4)
        In the coordinates of ``before``.
    before, after : (float, float)
        Heights and widths.
    """
    y, x = after[0] / before[0], after[1] / before[1]
    return boxes * boxes.new_tensor([x, y, x, y])


def pad_boxes(
    boxes: Sequence[NDArray[np.floating]], number: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give every frame the same number of boxes: the first ones, then boxes of zeros.

    Parameters
    ----------
    boxes : sequence of ndarray of shape (n, 4)
        Those of each of T frames, the most important first; n may be 0.
    number : int
        N.

    Returns
    -------
    boxes : float32 ndarray of shape (T, N, 4)
    mask : float32 ndarray of shape (T, N)
        1 where there is a box, else 0.
    """
    padded = np.zeros((len(boxes), number, 4), np.float32)
    mask = np.zeros((len(boxes), number), np.float32)
    for t, some in enumerate(boxes):
        kept = min(len(some), number)
        padded[t, :kept], mask[t, :kept] = some[:kept], 1
    return padded, mask
