"""Solver of TV-L1 optical flow on the CPU, with numba.

At each level of a pyramid the second frame is warped by the flow found so far, and the linearised
problem is solved by alternating a thresholding step, a gradient step of the flow and one of its
dual variables (equations 12 to 16 and algorithm 1 of Sánchez et al., IPOL 2013; Zach et al., DAGM
2007, proposition 3). Between runs of iterations the flow is median filtered, as OpenCV does it.

One iteration is one sweep over the rows. Row y of the flow needs the old dual variables of rows y
and y-1, and row y of the dual variables needs the new flow of rows y and y+1, so that the dual
variables of row y-1 are due as soon as the flow of row y is done: everything is updated in place,
and every value is read from memory and written to it once.

An iteration moves 10 values in and 6 out for each pixel, 64 bytes, and needs two square roots and
two divisions for it. At 320x240 that is 4.9 MB, 0.1 ms at 50 GB/s from a third-level cache.

numba takes long to import: import this file where it is called.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from zoopraxis.flow._tvl1_parameters import SMALLEST, TVL1Parameters
from zoopraxis.flow.kernels import compiled

__all__ = ["solve"]

Plane = NDArray[np.float32]
Row = NDArray[np.float32]


def solve(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    *,
    parameters: TVL1Parameters,
) -> Plane:
    """Compute the flow from one grey frame to the next.

    Parameters
    ----------
    first, second : uint8 ndarray of shape (H, W)
        Grey frames.
    parameters : TVL1Parameters
        Weights, and how often what is done.

    Returns
    -------
    float32 ndarray of shape (2, H, W)
        Pixels, x then y.
    """
    levels = list(
        zip(
            _pyramid(first, parameters=parameters),
            _pyramid(second, parameters=parameters),
            strict=True,
        )
    )
    u = np.zeros((2, *levels[-1][0].shape), np.float32)  # (2, H, W) of the coarsest level
    for first_level, second_level in reversed(levels):
        height, width = first_level.shape
        if u.shape[1:] != (height, width):
            u = np.stack([cv2.resize(plane, (width, height)) for plane in u])
            u *= np.float32(1 / parameters.scale_step)
        u = _solve_level(first_level, second_level, u, parameters=parameters)
    return u


def _pyramid(frame: NDArray[np.uint8], *, parameters: TVL1Parameters) -> list[Plane]:
    """Levels (H, W) of a frame, from fine to coarse; the first is the frame."""
    levels = [frame.astype(np.float32)]
    while len(levels) < parameters.scales:
        shape = [round(side * parameters.scale_step) for side in levels[-1].shape]
        if min(shape) < SMALLEST:
            break
        step = parameters.scale_step
        levels.append(np.asarray(cv2.resize(levels[-1], None, fx=step, fy=step), np.float32))
    return levels


def _solve_level(first: Plane, second: Plane, start: Plane, *, parameters: TVL1Parameters) -> Plane:
    """Flow (2, H, W) at one level, from a first guess of it."""
    height, width = first.shape
    # A column after the last and a row before the first spare the sweep its special cases.
    u = np.empty((2, height, width + 1), np.float32)  # the last column repeats the one before it
    u[:, :, :width] = start
    dual = np.zeros((4, height + 1, width + 1), np.float32)  # row 0 and column 0 stay zero
    data = np.empty((4, height, width), np.float32)
    target = _with_gradients(second)
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    stop = parameters.epsilon**2 * first.size
    threshold = np.float32(parameters.lambda_ * parameters.theta)  # pixels at a gradient of one
    theta = np.float32(parameters.theta)
    step = np.float32(parameters.tau / parameters.theta)
    for _ in range(parameters.warps):
        x, y = xs + u[0, :, :width], ys + u[1, :, :width]
        warped = np.asarray(cv2.remap(target, x, y, cv2.INTER_CUBIC), np.float32)  # (H, W, 3)
        _linearise(first, warped, u, data)
        for _ in range(parameters.outer_iterations):
            if parameters.median_filtering > 1:
                for plane in u:
                    plane[:, :width] = cv2.medianBlur(plane[:, :width], parameters.median_filtering)
            change = _sweeps(
                u, dual, data, threshold, theta, step, stop, parameters.inner_iterations
            )
            if change <= stop:
                break
    return np.ascontiguousarray(u[:, :, :width])


def _with_gradients(frame: Plane) -> Plane:
    """A frame and its centred gradients, halved at the edge: (H, W, 3)."""
    padded = np.pad(frame, 1, mode="edge")
    half = np.float32(0.5)
    x = half * (padded[1:-1, 2:] - padded[1:-1, :-2])
    y = half * (padded[2:, 1:-1] - padded[:-2, 1:-1])
    return np.dstack([frame, x, y])


@compiled
def _linearise(first: Plane, warped: Plane, u: Plane, data: Plane) -> None:
    """Write gradients, the inverse of their squared norm and the constant part of the residual.

    ``data`` (4, H, W) receives them in this order, of the frame ``warped`` (H, W, 3).
    """
    height, width = first.shape
    for y in range(height):
        for x in range(width):
            ix, iy = warped[y, x, 1], warped[y, x, 2]
            norm = ix * ix + iy * iy
            data[0, y, x] = ix
            data[1, y, x] = iy
            data[2, y, x] = np.float32(1) / norm if norm > np.float32(1.2e-7) else np.float32(0)
            data[3, y, x] = warped[y, x, 0] - first[y, x] - ix * u[0, y, x] - iy * u[1, y, x]


@compiled
def _flow_row(
    u1: Row,
    u2: Row,
    p11: Row,
    p12: Row,
    p21: Row,
    p22: Row,
    above12: Row,
    above22: Row,
    ix: Row,
    iy: Row,
    inverse: Row,
    rho: Row,
    threshold: np.float32,
    theta: np.float32,
) -> np.float32:
    """Update one row of the flow; return its summed squared change.

    The thresholding of equation 14 of Sánchez et al. is a residual over the gradient's squared
    norm, clipped.
    """
    change = np.float32(0)
    for x in range(ix.shape[0]):
        residual = rho[x] + ix[x] * u1[x] + iy[x] * u2[x]
        step = min(max(-residual * inverse[x], -threshold), threshold)
        d1 = step * ix[x] + theta * (p11[x + 1] - p11[x] + p12[x + 1] - above12[x + 1])
        d2 = step * iy[x] + theta * (p21[x + 1] - p21[x] + p22[x + 1] - above22[x + 1])
        u1[x] += d1
        u2[x] += d2
        change += d1 * d1 + d2 * d2
    return change


@compiled
def _dual_row(u: Row, below: Row, p1: Row, p2: Row, step: np.float32) -> None:
    """Update one row of the two dual variables of one component of the flow."""
    one = np.float32(1)
    for x in range(u.shape[0] - 1):
        gx = step * (u[x + 1] - u[x])
        gy = step * (below[x] - u[x])
        scale = one / (one + math.sqrt(gx * gx + gy * gy))
        p1[x + 1] = (p1[x + 1] + gx) * scale
        p2[x + 1] = (p2[x + 1] + gy) * scale


@compiled
def _flow_at(
    u: Plane, p: Plane, data: Plane, y: int, threshold: np.float32, theta: np.float32
) -> np.float32:
    """Update row y of the flow; return its summed squared change."""
    change = _flow_row(
        u[0, y], u[1, y], p[0, y + 1], p[1, y + 1], p[2, y + 1], p[3, y + 1], p[1, y], p[3, y],
        data[0, y], data[1, y], data[2, y], data[3, y], threshold, theta,
    )  # fmt: skip
    width = data.shape[2]
    u[0, y, width] = u[0, y, width - 1]
    u[1, y, width] = u[1, y, width - 1]
    return change


@compiled
def _dual_at(u: Plane, p: Plane, y: int, step: np.float32) -> None:
    """Update row y of the dual variables; the row after the last repeats it."""
    below = min(y + 1, u.shape[1] - 1)
    _dual_row(u[0, y], u[0, below], p[0, y + 1], p[1, y + 1], step)
    _dual_row(u[1, y], u[1, below], p[2, y + 1], p[3, y + 1], step)


@compiled
def _sweeps(
    u: Plane,
    p: Plane,
    data: Plane,
    threshold: np.float32,
    theta: np.float32,
    step: np.float32,
    stop: float,
    count: int,
) -> float:
    """Run iterations, each one sweep over the rows; return the last summed squared change."""
    height = u.shape[1]
    change = math.inf
    for _ in range(count):
        change = 0.0
        for y in range(height):
            change += float(_flow_at(u, p, data, y, threshold, theta))
            if y > 0:
                _dual_at(u, p, y - 1, step)
        _dual_at(u, p, height - 1, step)
        if change <= stop:
            break
    return change
