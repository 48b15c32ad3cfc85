"""Histograms of gradients (HOG), of flow (HOF) and of the gradients of flow (MBH) along tracks.

Wang et al., Dense Trajectories and Motion Boundary Descriptors for Action Recognition, IJCV 2013.
At each step of a track, the patch of 32 pixels around it is cut into 2 x 2 cells, each
with a histogram of orientations weighted by magnitude; a descriptor is the mean over five steps, in
each third of the track, of the histograms' square roots after division by their sum (RootSIFT,
Wang and Schmid, ICCV 2013).

Instead of an integral histogram of the whole frame, one sweep over the rows keeps the histogram of
the last 16 pixels of each column, to which the pixel that comes is added and from which the pixel
that leaves is taken. A cell is a difference of two running sums over such columns. The state is
one row, which stays in the cache, and rounding does not grow with the frame.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from zoopraxis.flow.kernels import compiled
from zoopraxis.trajectories.settings import BINS, CELLS, SPANS

__all__ = ["DESCRIPTOR", "PATCH", "add_descriptors"]

Plane = NDArray[np.float32]
Row = NDArray[np.float32]
Indices = NDArray[np.int32]

PATCH = 32
"""Side of the patch around a track in pixels, N in the paper."""
SIDE = PATCH // CELLS
"""Side of a cell in pixels."""
DESCRIPTOR = SPANS * CELLS * CELLS * sum(BINS.values())
"""Numbers of all descriptors of a track: 396."""
EPSILON = 0.05
"""Added to every bin before a histogram is normalised."""
MIN_FLOW = 0.4
"""Pixels that move less, in pixels a frame, are counted in the last bin of HOF."""


def add_descriptors(
    grey: NDArray[np.uint8],
    flow: Plane,
    *,
    points: Plane,
    spans: Indices,
    slots: Indices,
    descriptors: Plane,
) -> None:
    """Add the histograms of one step to the descriptors of the tracks.

    Parameters
    ----------
    grey : uint8 ndarray of shape (H, W)
        The frame in which the step begins; H and W are 32 or more.
    flow : float32 ndarray of shape (2, H, W)
        Flow to the next frame, in pixels.
    points : float32 ndarray of shape (N, 2)
        Where the tracks are in the frame, x and y.
    spans : int32 ndarray of shape (N,)
        Third of each track to which the step belongs: 0, 1 or 2.
    slots : int32 ndarray of shape (N,)
        Row of ``descriptors`` of each track.
    descriptors : float32 ndarray of shape (M, 396)
        Sums to which is added: HOG, HOF, MBHx and MBHy.
    """
    height, width = grey.shape
    limits = np.array([width - PATCH, height - PATCH])
    corners = np.clip(np.rint(points).astype(np.int32) - PATCH // 2, 0, limits)  # (N, 2)
    by_row = np.argsort(corners[:, 1], kind="stable").astype(np.int32)
    rows = corners[by_row, 1].astype(np.int32)
    left = corners[by_row, 0].astype(np.int32)
    components = {
        "hog": _gradient(grey),
        "hof": (flow[0], flow[1]),
        "mbhx": _gradient(flow[0]),
        "mbhy": _gradient(flow[1]),
    }
    first = 0
    for name, (x, y) in components.items():
        bins = BINS[name]
        cells = np.empty((len(points), CELLS, CELLS, bins), np.float32)
        threshold = np.float32(MIN_FLOW if name == "hof" else -1)
        _count(x, y, threshold, rows, left, cells)
        size = CELLS * CELLS * bins
        histograms = cells.reshape(-1, size)
        _add(histograms, slots[by_row], first + size * spans[by_row], descriptors)
        first += SPANS * size


def _gradient(image: NDArray[np.uint8] | Plane) -> tuple[Plane, Plane]:
    """Differences of the neighbours in x and in y, zero at the edges."""
    return (
        np.asarray(cv2.Sobel(image, cv2.CV_32F, 1, 0, ksize=1), np.float32),
        np.asarray(cv2.Sobel(image, cv2.CV_32F, 0, 1, ksize=1), np.float32),
    )


@compiled
def _count(
    dx: Plane, dy: Plane, threshold: np.float32, rows: Indices, left: Indices, cells: Plane
) -> None:
    """Write the histograms (N, 2, 2, bins) of the cells, x before y, of patches sorted by row."""
    height, width = dx.shape
    bins = cells.shape[3]
    directions = bins - 1 if threshold >= 0 else bins
    columns = np.zeros((width, bins), np.float32)
    sums = np.zeros((width + 1, bins), np.float32)
    # What the last rows added to the columns, to be taken away again.
    bin0 = np.zeros((SIDE, width), np.int32)
    bin1 = np.zeros((SIDE, width), np.int32)
    weight0 = np.zeros((SIDE, width), np.float32)
    weight1 = np.zeros((SIDE, width), np.float32)
    starts = np.zeros(CELLS, np.int32)  # first patch, for each row of cells, that is not done
    for y in range(height):
        i = y % SIDE
        _replace(
            columns, dx[y], dy[y], threshold, directions, bin0[i], bin1[i], weight0[i], weight1[i]
        )
        summed = False
        for cy in range(CELLS):
            top = y + 1 - (cy + 1) * SIDE  # of the patches whose row of cells ends here
            p = starts[cy]
            while p < rows.shape[0] and rows[p] == top:
                if not summed:
                    _accumulate(columns, sums)
                    summed = True
                for cx in range(CELLS):
                    a = left[p] + cx * SIDE
                    for b in range(bins):
                        cells[p, cx, cy, b] = sums[a + SIDE, b] - sums[a, b]
                p += 1
            starts[cy] = p


@compiled
def _replace(
    columns: Plane,
    dx: Row,
    dy: Row,
    threshold: np.float32,
    directions: int,
    bin0: Indices,
    bin1: Indices,
    weight0: Row,
    weight1: Row,
) -> None:
    """Take the oldest row from the columns, and add a new one in its place."""
    width = dx.shape[0]
    for x in range(width):
        columns[x, bin0[x]] -= weight0[x]
        columns[x, bin1[x]] -= weight1[x]
    _vote(dx, dy, np.float32(directions), bin0, bin1, weight0, weight1)
    if threshold >= 0:
        for x in range(width):
            if weight0[x] + weight1[x] <= threshold:
                bin0[x] = directions
                weight0[x] = 1
                weight1[x] = 0
    for x in range(width):
        columns[x, bin0[x]] += weight0[x]
        columns[x, bin1[x]] += weight1[x]


@compiled
def _vote(
    dx: Row, dy: Row, directions: np.float32, bin0: Indices, bin1: Indices, w0: Row, w1: Row
) -> None:
    """Share each vector's magnitude between the two nearest directions, counted from x to y."""
    one, half = np.float32(1), np.float32(0.5)
    # An odd polynomial of degree 7 for the angle in turns, within 0.01 degrees.
    c1, c3 = np.float32(0.99978784 / (2 * math.pi)), np.float32(-0.32580840 / (2 * math.pi))
    c5, c7 = np.float32(0.15557865 / (2 * math.pi)), np.float32(-0.04432656 / (2 * math.pi))
    for x in range(dx.shape[0]):
        ax, ay = abs(dx[x]), abs(dy[x])
        t = min(ax, ay) / (max(ax, ay) + np.float32(1e-20))
        t2 = t * t
        turn = (((c7 * t2 + c5) * t2 + c3) * t2 + c1) * t
        turn = np.float32(0.25) - turn if ay > ax else turn
        turn = half - turn if dx[x] < 0 else turn
        turn = one - turn if dy[x] < 0 else turn
        position = turn * directions
        lower = min(np.float32(math.floor(position)), directions)
        magnitude = np.float32(math.sqrt(ax * ax + ay * ay))
        w1[x] = (position - lower) * magnitude
        w0[x] = magnitude - w1[x]
        lower = np.float32(0) if lower >= directions else lower
        upper = lower + one
        bin0[x] = np.int32(lower)
        bin1[x] = np.int32(np.float32(0) if upper >= directions else upper)


@compiled
def _accumulate(columns: Plane, sums: Plane) -> None:
    """Write running sums (W + 1, bins) over the columns."""
    width, bins = columns.shape
    for x in range(width):
        for b in range(bins):
            sums[x + 1, b] = sums[x, b] + columns[x, b]


@compiled
def _add(histograms: Plane, slots: Indices, firsts: Indices, descriptors: Plane) -> None:
    """Add square roots of the normalised histograms (N, size) to the descriptors."""
    count, size = histograms.shape
    zero, epsilon = np.float32(0), np.float32(EPSILON)
    for p in range(count):
        total = zero
        for i in range(size):
            histograms[p, i] = max(histograms[p, i], zero) + epsilon
            total += histograms[p, i]
        out = descriptors[slots[p], firsts[p] : firsts[p] + size]
        scale = np.float32(1) / total
        for i in range(size):
            out[i] += np.float32(math.sqrt(histograms[p, i] * scale))
