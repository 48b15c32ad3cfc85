"""Features of regions: RoI max pooling, RoIAlign, spatial pyramid pooling.

- Spatial pyramid pooling (He et al., ECCV 2014, arXiv:1406.4729) divides a map of any size into
  l x l bins, for a few l, and takes the maximum of each: a vector of fixed length. SPP-net pools
  the window of each region so, from one map of the whole image.
- RoI max pooling (Girshick, Fast R-CNN, ICCV 2015, arXiv:1504.08083) is its one-level form. Box
  and bins are rounded to cells of the map; the cells of both corners belong to the region.
- RoIAlign (He et al., Mask R-CNN, ICCV 2017, arXiv:1703.06870) rounds nothing: it averages values
  that are interpolated bilinearly inside each bin.

Boxes are in pixels of the frame; a map has one cell for every ``stride`` pixels. torchvision takes
seconds to load, so it is imported where it is used.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from zoopraxis.errors import ShapeError

__all__ = ["pyramid_pool", "pyramid_pool_regions", "roi_align", "roi_max_pool"]

LEVELS = (6, 3, 2, 1)  # SPP-net's for detection, section 4.1: 50 bins


def roi_align(maps: Tensor, boxes: Tensor, *, stride: float, size: int = 7) -> Tensor:
    """Average each region's features, bilinearly interpolated, in size x size bins.

    Parameters
    ----------
    maps : Tensor of shape (M, C, H, W)
        Maps of M frames.
    boxes : Tensor of shape (M, N, 4)
        N boxes of each frame, in pixels.
    stride : float
        Pixels from one cell of the map to the next.
    size : int, default=7
        Bins along each side.

    Returns
    -------
    Tensor of shape (M, N, C, size, size)

    Raises
    ------
    ShapeError
        The boxes do not fit the maps.
    """
    from torchvision import ops

    rois = _numbered(maps, boxes)  # (M * N, 5)
    out = ops.roi_align(maps, rois, size, spatial_scale=1 / stride, aligned=True)
    # of a box without area torchvision makes 0, and OpenVINO the mean of no samples: NaN
    empty = (boxes[..., 2:] <= boxes[..., :2]).any(dim=2)  # (M, N)
    out = out.unflatten(0, boxes.shape[:2])  # (M, N, C, size, size)
    return out.masked_fill(empty[..., None, None, None], 0)  # type: ignore[no-any-return]


def roi_max_pool(maps: Tensor, boxes: Tensor, *, stride: float, size: int = 7) -> Tensor:
    """Take the maximum of each region's features in size x size bins of whole cells.

    Girshick, Fast R-CNN, ICCV 2015, section 2.1. Parameters, shapes and errors are those of
    `roi_align`.
    """
    from torchvision import ops

    out = ops.roi_pool(maps, _numbered(maps, boxes), size, spatial_scale=1 / stride)
    return out.unflatten(0, boxes.shape[:2])  # type: ignore[no-any-return]


def _numbered(maps: Tensor, boxes: Tensor) -> Tensor:
    """Boxes (M, N, 4) as torchvision takes them: (M * N, 5), the number of the map before each."""
    if maps.ndim != 4 or boxes.ndim != 3 or boxes.shape[::2] != (len(maps), 4):
        raise ShapeError(
            f"boxes of shape {tuple(boxes.shape)} for maps of shape {tuple(maps.shape)}; "
            "expected (M, N, 4) and (M, C, H, W)",
            "give every map as many boxes, with `zoopraxis.regions.pad_boxes`",
        )
    numbers = torch.arange(len(maps), device=boxes.device, dtype=boxes.dtype)
    numbered = torch.cat([numbers[:, None, None].expand(*boxes.shape[:2], 1), boxes], dim=2)
    return numbered.flatten(0, 1).to(maps.dtype)


def pyramid_pool(maps: Tensor, levels: Sequence[int] = LEVELS) -> Tensor:
    """Take the maximum of maps of any size in l x l bins for each level l.

    Parameters
    ----------
    maps : Tensor of shape (M, C, H, W)
        Maps.
    levels : sequence of int, default=(6, 3, 2, 1)
        Bins along each side.

    Returns
    -------
    Tensor of shape (M, C * B)
        B is the sum of l * l; the bins of the first level come first.
    """
    return torch.cat([F.adaptive_max_pool2d(maps, level).flatten(1) for level in levels], dim=1)


def pyramid_pool_regions(
    maps: Tensor, boxes: Tensor, *, stride: float, levels: Sequence[int] = LEVELS
) -> Tensor:
    """Pool the window of each region in a pyramid, as SPP-net: (M, N, C * B).

    Parameters are those of `roi_align` and `pyramid_pool`.
    """
    pooled = [roi_max_pool(maps, boxes, stride=stride, size=level) for level in levels]
    return torch.cat([part.flatten(2) for part in pooled], dim=2)
