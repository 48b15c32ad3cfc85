"""How frames are resized, wherever they come from."""

import sys
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoopraxis.video._base import Size

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["resize_batch", "resize_image"]


def resize_image(image: NDArray[np.uint8], size: Size | None) -> NDArray[np.uint8]:
    """Resize (H, W, 3) bilinearly, with antialiasing where it shrinks, rounded to whole levels.

    It is Pillow's filter, in torch's version: five times as fast, and in some values a grey level
    off. Where torch was not imported, for a program that runs another engine, Pillow does it.
    """
    if size is None or image.shape[:2] == size:
        return image
    if "torch" not in sys.modules:
        made = Image.fromarray(np.ascontiguousarray(image))
        return np.array(made.resize(size[::-1], Image.Resampling.BILINEAR))
    import torch

    # Batched before the channels move: only so torch sees that channels are last, and is fast.
    batch = torch.from_numpy(image)[None].movedim(-1, 1)  # (1, 3, H, W)
    return resize_batch(batch, size)[0].movedim(0, -1).numpy()  # (H, W, 3)


def resize_batch(x: "Tensor", size: Size) -> "Tensor":
    """Resize (N, C, H, W) likewise; bytes stay bytes, and are several times faster than floats."""
    import torch

    if size[1] == 1 < size[0]:  # torch repeats the first row of floats in a column of one pixel
        return resize_batch(x.mT, (1, size[0])).mT
    if size == (1, 1) and x.dtype == torch.uint8:  # its kernel for bytes fails on one pixel
        return resize_batch(x.float(), size).round().to(torch.uint8)
    return torch.nn.functional.interpolate(x, size=size, mode="bilinear", antialias=True)
