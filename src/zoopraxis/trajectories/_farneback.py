"""Dense optical flow by polynomial expansion, at every scale at once.

Farnebäck, Two-Frame Motion Estimation Based on Polynomial Expansion, SCIA 2003.

OpenCV's function gives the flow of one scale and expands both frames anew at each call. Tracks
need the flow of every scale, and every frame is expanded once and used in two or three flows. Also,
the flow of each scale is median filtered before it is the first guess of the next finer one
(Wang et al., IJCV 2013). The rest is the algorithm of OpenCV's.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from zoopraxis.flow.kernels import compiled

__all__ = ["expand", "flow_pyramid"]

Plane = NDArray[np.float32]
Row = NDArray[np.float32]

RADIUS, SIGMA = 7, 1.5
"""Half the side of the neighbourhood in which the polynomial is fitted, and its Gaussian weight."""
WINDOW, WINDOW_SIGMA = 5, 1.5
"""Half the side of the window in which displacements are averaged, and its Gaussian weight."""
ITERATIONS = 2
MEDIAN = 5
"""Side of the median filter."""


def _gaussian(radius: int, sigma: float) -> Row:
    """Weights at 0, 1, ... radius, of a kernel whose sum is one."""
    weights = np.exp(-(np.arange(radius + 1) ** 2) / (2 * sigma**2))
    return np.asarray(weights / (2 * weights.sum() - weights[0]), np.float32)


def _inverse(weights: Row) -> tuple[float, float, float, float]:
    """Entries of the inverse of the normal equations: of x, of 1 with x^2, of x^2 and of xy."""
    steps = np.arange(-RADIUS, RADIUS + 1)
    g = weights.astype(np.float64)[np.abs(steps)]
    basis = [(0, 0), (1, 0), (0, 1), (2, 0), (0, 2), (1, 1)]  # powers of x and y
    terms = [np.outer(g * steps**b, g * steps**a).sum() for a, b in
             ((a + c, b + d) for a, b in basis for c, d in basis)]  # fmt: skip
    inverse = np.linalg.inv(np.reshape(terms, (6, 6)))
    return inverse[1, 1], inverse[0, 3], inverse[3, 3], inverse[5, 5]


EXPANSION = _gaussian(RADIUS, SIGMA)
INVERSE = np.array(_inverse(EXPANSION), np.float32)
AVERAGING = _gaussian(WINDOW, WINDOW_SIGMA)
BORDER = np.array([0.14, 0.14, 0.4472, 0.4472, 0.4472], np.float32)
"""Weight of the pixels nearest to an edge, where the expansion is less certain."""


def expand(image: Plane) -> Plane:
    """Fit a polynomial around every pixel of an image (H, W).

    Returns
    -------
    float32 ndarray of shape (H, W, 5)
        Coefficients of y, x, y^2, x^2 and xy.
    """
    coefficients = np.empty((*image.shape, 5), np.float32)
    _expand(image, EXPANSION, INVERSE, coefficients)
    return coefficients


@compiled
def _expand(image: Plane, g: Row, inverse: Row, out: Plane) -> None:
    height, width = image.shape
    n = g.shape[0] - 1
    rows = np.empty((3, width + 2 * n), np.float32)  # moments 0, 1 and 2 along y
    sums = np.empty((6, width), np.float32)
    for y in range(height):
        middle = rows[:, n : n + width]
        middle[0] = g[0] * image[y]
        middle[1:] = 0
        for k in range(1, n + 1):
            above, below = image[max(y - k, 0)], image[min(y + k, height - 1)]
            _add_moments(middle[0], middle[1], middle[2], above, below, g[k], np.float32(k))
        for m in range(3):
            rows[m, :n] = rows[m, n]
            rows[m, n + width :] = rows[m, n + width - 1]
        # 1, x, x^2 of moment 0; 1, x of moment 1; 1 of moment 2
        sums[0] = g[0] * middle[0]
        sums[1:3] = 0
        sums[3] = g[0] * middle[1]
        sums[4] = 0
        sums[5] = g[0] * middle[2]
        for k in range(1, n + 1):
            _add_row(
                sums[0], sums[1], sums[2], sums[3], sums[4], sums[5],
                rows[0, n - k :], rows[0, n + k :], rows[1, n - k :], rows[1, n + k :],
                rows[2, n - k :], rows[2, n + k :], g[k], np.float32(k),
            )  # fmt: skip
        _solve_row(sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], inverse, out[y])


@compiled
def _add_moments(
    m0: Row, m1: Row, m2: Row, above: Row, below: Row, weight: np.float32, k: np.float32
) -> None:
    """Add the rows k above and k below to the moments along y."""
    w1 = weight * k
    w2 = w1 * k
    for x in range(m0.shape[0]):
        both = above[x] + below[x]
        m0[x] += weight * both
        m1[x] += w1 * (below[x] - above[x])
        m2[x] += w2 * both


@compiled
def _add_row(
    s1: Row, sx: Row, sxx: Row, sy: Row, sxy: Row, syy: Row,
    left0: Row, right0: Row, left1: Row, right1: Row, left2: Row, right2: Row,
    weight: np.float32, k: np.float32,
) -> None:  # fmt: skip
    """Add the pixels k to the left and k to the right to the moments along x."""
    w1 = weight * k
    w2 = w1 * k
    for x in range(s1.shape[0]):
        both = left0[x] + right0[x]
        s1[x] += weight * both
        sx[x] += w1 * (right0[x] - left0[x])
        sxx[x] += w2 * both
        sy[x] += weight * (left1[x] + right1[x])
        sxy[x] += w1 * (right1[x] - left1[x])
        syy[x] += weight * (left2[x] + right2[x])


@compiled
def _solve_row(
    s1: Row, sx: Row, sxx: Row, sy: Row, sxy: Row, syy: Row, inverse: Row, out: Plane
) -> None:
    i11, i03, i33, i55 = inverse[0], inverse[1], inverse[2], inverse[3]
    for x in range(s1.shape[0]):
        out[x, 0] = sy[x] * i11
        out[x, 1] = sx[x] * i11
        out[x, 2] = s1[x] * i03 + syy[x] * i33
        out[x, 3] = s1[x] * i03 + sxx[x] * i33
        out[x, 4] = sxy[x] * i55


def flow_pyramid(first: Sequence[Plane], second: Sequence[Plane], step: np.float32) -> list[Plane]:
    """Compute the flow from one frame to the next at every scale.

    Parameters
    ----------
    first, second : sequence of float32 ndarray of shape (H, W, 5)
        Expansions of both frames, from the finest scale to the coarsest.
    step : float32
        How much finer a scale is than the next.

    Returns
    -------
    list of float32 ndarray of shape (2, H, W)
        Pixels of the scale, x then y, median filtered.
    """
    flows: list[Plane] = []
    for r0, r1 in zip(reversed(first), reversed(second), strict=True):
        height, width = r0.shape[:2]
        if flows:
            resized = [cv2.resize(plane, (width, height)) for plane in flows[-1]]
            flow = np.asarray(resized, np.float32) * step
        else:
            flow = np.zeros((2, height, width), np.float32)
        equations = np.empty((5, height, width), np.float32)
        for _ in range(ITERATIONS):
            _set_equations(r0, r1, flow, BORDER, equations)
            _solve(equations, AVERAGING, flow)
        flows.append(np.stack([cv2.medianBlur(plane, MEDIAN) for plane in flow]))  # (2, H, W)
    return flows[::-1]


@compiled
def _set_equations(r0: Plane, r1: Plane, flow: Plane, border: Row, out: Plane) -> None:
    """Write the normal equations of every pixel's displacement: three of G, two of h."""
    height, width = flow.shape[1:]
    edge = border.shape[0]
    half, quarter, one = np.float32(0.5), np.float32(0.25), np.float32(1)
    for y in range(height):
        wy = border[min(y, edge - 1)] if y < edge else one
        if y >= height - edge:
            wy *= border[height - y - 1]
        for x in range(width):
            dx, dy = flow[0, y, x], flow[1, y, x]
            fx, fy = np.float32(x) + dx, np.float32(y) + dy
            x1, y1 = math.floor(fx), math.floor(fy)
            a2, a3, a4, a5, a6 = r0[y, x, 0], r0[y, x, 1], r0[y, x, 2], r0[y, x, 3], r0[y, x, 4]
            if 0 <= x1 < width - 1 and 0 <= y1 < height - 1:
                fx -= np.float32(x1)
                fy -= np.float32(y1)
                a00 = (one - fx) * (one - fy)
                a01 = fx * (one - fy)
                a10 = (one - fx) * fy
                a11 = fx * fy
                p, q = r1[y1], r1[y1 + 1]
                b2 = a00 * p[x1, 0] + a01 * p[x1 + 1, 0] + a10 * q[x1, 0] + a11 * q[x1 + 1, 0]
                b3 = a00 * p[x1, 1] + a01 * p[x1 + 1, 1] + a10 * q[x1, 1] + a11 * q[x1 + 1, 1]
                b4 = a00 * p[x1, 2] + a01 * p[x1 + 1, 2] + a10 * q[x1, 2] + a11 * q[x1 + 1, 2]
                b5 = a00 * p[x1, 3] + a01 * p[x1 + 1, 3] + a10 * q[x1, 3] + a11 * q[x1 + 1, 3]
                b6 = a00 * p[x1, 4] + a01 * p[x1 + 1, 4] + a10 * q[x1, 4] + a11 * q[x1 + 1, 4]
                r4 = (a4 + b4) * half
                r5 = (a5 + b5) * half
                r6 = (a6 + b6) * quarter
            else:
                b2 = b3 = np.float32(0)
                r4, r5, r6 = a4, a5, a6 * half
            r2 = (a2 - b2) * half + r4 * dy + r6 * dx
            r3 = (a3 - b3) * half + r6 * dy + r5 * dx
            weight = wy
            if x < edge:
                weight *= border[x]
            if x >= width - edge:
                weight *= border[width - x - 1]
            r2 *= weight
            r3 *= weight
            r4 *= weight
            r5 *= weight
            r6 *= weight
            out[0, y, x] = r4 * r4 + r6 * r6
            out[1, y, x] = (r4 + r5) * r6
            out[2, y, x] = r5 * r5 + r6 * r6
            out[3, y, x] = r4 * r2 + r6 * r3
            out[4, y, x] = r6 * r2 + r5 * r3


@compiled
def _solve(equations: Plane, g: Row, flow: Plane) -> None:
    """Average the equations in a window around every pixel, and solve them."""
    height, width = flow.shape[1:]
    n = g.shape[0] - 1
    rows = np.empty((5, width + 2 * n), np.float32)
    sums = np.empty((5, width), np.float32)
    for y in range(height):
        for c in range(5):
            middle = rows[c, n : n + width]
            _scale_row(middle, equations[c, y], g[0])
            for k in range(1, n + 1):
                above, below = equations[c, max(y - k, 0)], equations[c, min(y + k, height - 1)]
                _add_both(middle, above, below, g[k])
            rows[c, :n] = rows[c, n]
            rows[c, n + width :] = rows[c, n + width - 1]
            _scale_row(sums[c], middle, g[0])
            for k in range(1, n + 1):
                _add_both(sums[c], rows[c, n - k :], rows[c, n + k :], g[k])
        _displacements(sums[0], sums[1], sums[2], sums[3], sums[4], flow[0, y], flow[1, y])


@compiled
def _scale_row(out: Row, row: Row, weight: np.float32) -> None:
    for x in range(out.shape[0]):
        out[x] = weight * row[x]


@compiled
def _add_both(out: Row, a: Row, b: Row, weight: np.float32) -> None:
    for x in range(out.shape[0]):
        out[x] += weight * (a[x] + b[x])


@compiled
def _displacements(g11: Row, g12: Row, g22: Row, h1: Row, h2: Row, dx: Row, dy: Row) -> None:
    for x in range(dx.shape[0]):
        a, b, c = float(g11[x]), float(g12[x]), float(g22[x])
        inverse = 1 / (a * c - b * b + 1e-3)
        dx[x] = (a * h2[x] - b * h1[x]) * inverse
        dy[x] = (c * h1[x] - b * h2[x]) * inverse
