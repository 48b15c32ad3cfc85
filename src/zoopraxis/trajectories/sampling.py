"""Where tracks start: a grid of points, as dense as the frame has structure.

Wang et al., Dense Trajectories and Motion Boundary Descriptors for Action Recognition, IJCV 2013,
section 3.1.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["candidates", "new_points", "scale_sizes"]

QUALITY = 0.001
"""Least eigenvalue of a point's structure tensor, as a part of the greatest in the frame."""
BLOCK = 3
"""Side of the window of the structure tensor, and of the Sobel filter."""
STEP = 2**0.5
"""How much finer a scale is than the next."""


def scale_sizes(width: int, height: int, *, scales: int, smallest: int) -> list[tuple[int, int]]:
    """Width and height of the frame at every scale, from the finest; none is below ``smallest``."""
    sizes: list[tuple[int, int]] = []
    while len(sizes) < scales and min(width, height) / STEP ** len(sizes) >= smallest:
        scale = STEP ** len(sizes)
        sizes.append((round(width / scale), round(height / scale)))
    return sizes


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
