"""The motion of the camera: a homography from one frame to the next, without the people.

Wang and Schmid, Action Recognition with Improved Trajectories, ICCV 2013, section 3.1.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from zoopraxis.trajectories._compiled import compiled

__all__ = ["Features", "find_features", "find_homography", "stabilise"]

Grey = NDArray[np.uint8]
Plane = NDArray[np.float32]


from dataclasses import dataclass


@dataclass(frozen=True)
class Features:
    """Local features of a frame.

    Parameters
    ----------
    points : float32 ndarray of shape (N, 2)
        x and y in pixels.
    descriptors : uint8 ndarray of shape (N, 128)
        SIFT.
    """

    points: Plane
    descriptors: NDArray[np.uint8]


MAX_DISTANCE = 25
"""Pixels in x and in y within which a feature is looked for in the next frame."""
CORNERS, CORNER_QUALITY, CORNER_DISTANCE = 1000, 0.001, 3
"""Points whose flow is a match: how many, and how they are chosen (Shi and Tomasi, CVPR 1994)."""
TOLERANCE = 1.0
"""Pixels by which a match may differ from the homography."""
MIN_MATCHES, MIN_AGREEING = 50, 25
"""With fewer matches, or fewer that agree, the camera counts as still."""
MARGIN = 5
"""Pixels at the edges of the next frame that are not warped."""


def find_features(grey: Grey, mask: Grey | None) -> Features:
    keypoints, descriptors = cv2.SIFT_create(0, 3, 0.04, 10, 1.6, cv2.CV_8U).detectAndCompute(grey, mask)
    if descriptors is None:
        return Features(np.empty((0, 2), np.float32), np.empty((0, 128), np.uint8))
    return Features(np.array([k.pt for k in keypoints], np.float32), np.asarray(descriptors, np.uint8))


@compiled
def _match(points, descriptors, before, before_descriptors, out) -> None:
    for i in range(points.shape[0]):
        best = 2147483647
        out[i] = -1
        for j in range(before.shape[0]):
            if (
                abs(points[i, 0] - before[j, 0]) < MAX_DISTANCE
                and abs(points[i, 1] - before[j, 1]) < MAX_DISTANCE
            ):
                total = 0
                for k in range(descriptors.shape[1]):
                    d = np.int32(descriptors[i, k]) - np.int32(before_descriptors[j, k])
                    total += d * d
                if total < best:
                    best = total
                    out[i] = j


def find_homography(previous: Grey, first: Features, second: Features, flow: Plane, mask) -> NDArray[np.float64]:
    matches = np.empty(len(second.points), np.int64)
    _match(second.points, second.descriptors, first.points, first.descriptors, matches)
    found = matches >= 0
    corners = cv2.goodFeaturesToTrack(previous, CORNERS, CORNER_QUALITY, CORNER_DISTANCE, mask=mask)
    corners = np.empty((0, 2), np.float32) if corners is None else corners.reshape(-1, 2)
    x, y = np.rint(corners).astype(np.int64).T
    source = np.concatenate([corners, first.points[matches[found]]])
    target = np.concatenate([np.stack([x, y], axis=1) + flow[:, y, x].T, second.points[found]]).astype(np.float32)
    if len(source) > MIN_MATCHES:
        h, agreeing = cv2.findHomography(source, target, cv2.RANSAC, TOLERANCE)
        if h is not None and np.count_nonzero(agreeing) > MIN_AGREEING:
            return h
    return np.eye(3)


def stabilise(previous: Grey, grey: Grey, homography) -> Grey:
    """Warp a frame as if the camera had not moved since the previous one."""
    out = np.empty_like(grey)
    _warp(previous, grey, homography, out)
    return out


@compiled
def _warp(previous, grey, h, out) -> None:
    height, width = grey.shape
    for y in range(height):
        for x in range(width):
            w = h[2, 0] * x + h[2, 1] * y + h[2, 2]
            w = 1 / w if w != 0 else 0.0
            sx = (h[0, 0] * x + h[0, 1] * y + h[0, 2]) * w
            sy = (h[1, 0] * x + h[1, 1] * y + h[1, 2]) * w
            if MARGIN < sx < width - 1 - MARGIN and MARGIN < sy < height - 1 - MARGIN:
                sx = np.rint(sx * 32) / 32
                sy = np.rint(sy * 32) / 32
                x0, y0 = int(np.floor(sx)), int(np.floor(sy))
                fx, fy = sx - x0, sy - y0
                top = grey[y0, x0] * (1 - fx) + grey[y0, x0 + 1] * fx
                bottom = grey[y0 + 1, x0] * (1 - fx) + grey[y0 + 1, x0 + 1] * fx
                out[y, x] = np.uint8(top * (1 - fy) + bottom * fy + 0.5)
            else:
                out[y, x] = previous[y, x]
