"""Where tracks start: a grid of points, as dense as the frame has structure.

Wang et al., Dense Trajectories and Motion Boundary Descriptors for Action Recognition, IJCV 2013.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["STEP", "Scale", "candidates", "new_points", "scales_of"]

QUALITY = 0.001
"""Least eigenvalue of a point's structure tensor, as a part of the greatest in the frame."""
BLOCK = 3
"""Side of the window of the structure tensor, and of the Sobel filter."""
STEP = np.float32(2**0.5)
"""How much finer a scale is than the next."""


class Scale(NamedTuple):
    """Pixels of the video in a pixel of this scale, and the frame in pixels of this scale."""

    factor: float
    width: int
    height: int


def scales_of(width: int, height: int, *, count: int, smallest: int) -> list[Scale]:
    """Scales of a frame, from the finest; the shorter side of none is below ``smallest`` pixels.

    In float32, which decides between two sizes for some frames, as it does for the authors.
    """
    scales: list[Scale] = []
    factor, shorter = np.float32(1), np.float32(min(width, height))
    while len(scales) < count and shorter >= smallest:
        size = (round(float(side / factor)) for side in map(np.float32, (width, height)))
        scales.append(Scale(float(factor), *size))
        factor, shorter = factor * STEP, shorter / STEP
    return scales


def candidates(grey: NDArray[np.uint8], stride: int) -> NDArray[np.bool_]:
    """Which squares of a grid have structure in their centre.

    Returns
    -------
    bool ndarray of shape (H // stride, W // stride)
        A frame of one colour has none.
    """
    height, width = (side // stride for side in grey.shape)
    smaller_eigenvalue = np.asarray(cv2.cornerMinEigenVal(grey, BLOCK, ksize=BLOCK))  # (H, W)
    centres = smaller_eigenvalue[stride // 2 :: stride, stride // 2 :: stride][:height, :width]
    return np.asarray(centres > QUALITY * float(smaller_eigenvalue.max()), bool)


def new_points(
    structured: NDArray[np.bool_], points: NDArray[np.float32], stride: int
) -> NDArray[np.float32]:
    """Centres of the squares with structure in which no track is.

    Parameters
    ----------
    structured : bool ndarray
        What `candidates` gives.
    points : float32 ndarray of shape (N, 2)
        Where the tracks are.
    stride : int
        Side of a square in pixels.

    Returns
    -------
    float32 ndarray of shape (M, 2)
        x and y, row by row.
    """
    height, width = structured.shape
    x, y = (points // stride).astype(np.int64).T
    inside = (x < width) & (y < height)  # the last pixels of a row or column are in no square
    free = structured.copy()
    free[y[inside], x[inside]] = False
    rows, columns = np.nonzero(free)
    return (np.stack([columns, rows], axis=1) * stride + stride // 2).astype(np.float32)
