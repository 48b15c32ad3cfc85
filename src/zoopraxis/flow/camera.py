"""The motion of the camera between two frames, and flow without it.

Wang and Schmid, Action Recognition with Improved Trajectories, ICCV 2013.
Wang et al., Temporal Segment Networks, ECCV 2016 (warped optical flow).

A still background that is far away, or flat, moves by a homography when the camera moves. It is
estimated from matched features and from the flow itself at corners, by RANSAC; then the second
frame is warped back by it, and flow is computed again. What is left moves by itself.

As in the code of TSN, a pixel that has left the second frame is taken from the first, where it
does not move; and nothing is corrected below `LEAST_MATCHES` matches and `LEAST_INLIERS` inliers.
We differ in that features are SIFT, not SURF (which OpenCV's builds leave out), and matched only
where each is the nearest to the other; in that corners are found in the frame that the flow starts
from; in that RANSAC has a local optimisation (Barath and Matas, CVPR 2018); and in that a motion
which does not bring the frames nearer is not one of the camera.
"""

import json
from dataclasses import dataclass, field
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from zoopraxis.flow.base import FlowMethod, Frame, grey
from zoopraxis.flow.opencv import DIS

__all__ = ["Warped", "estimate_homography", "warp_back"]

Grey = NDArray[np.uint8]
Homography = NDArray[np.float64]
Points = NDArray[np.float64]

CORNERS, CORNER_QUALITY, CORNER_DISTANCE = 1000, 0.001, 3.0  # TSN's
LEAST_MATCHES, LEAST_INLIERS, TOLERANCE = 50, 25, 1.0  # TSN's; the tolerance is in pixels
MARGIN = 5  # pixels at the edge of the second frame that are not used: TSN's
FEATURES = 2000  # of each frame, the strongest
LARGEST = 1280  # pixels on the longer side; what is larger is reduced, which bounds memory


@dataclass(frozen=True, kw_only=True)
class Warped(FlowMethod):
    """Warped flow: what another method finds after the motion of the camera is taken away.

    Flow is in pixels of the first frame: the camera's motion p -> H p is undone, so a pixel that
    moves to q has the flow H^-1 q - p.

    Parameters
    ----------
    method : FlowMethod, default=DIS()
        The method that computes flow, twice for each pair of frames. TSN's is TV-L1.
    """

    name: ClassVar[str] = "warped"

    method: FlowMethod = field(default_factory=DIS)

    @property
    def key(self) -> str:
        """The name, and the key of the method that is used, as one line of JSON."""
        of = json.loads(self.method.key)
        return json.dumps({"method": self.name, "of": of}, sort_keys=True)

    def check(self) -> None:
        """Check the method that is used."""
        self.method.check()

    def between(self, first: Frame, second: Frame) -> NDArray[np.float32]:
        """Compute the flow (2, H, W) from one RGB frame (H, W, 3) to the next."""
        flow = self.method.between(first, second)
        homography = estimate_homography(first, second, flow=flow)
        if (homography == np.eye(3)).all():
            return flow
        return self.method.between(first, warp_back(first, second, homography))


def estimate_homography(
    first: Frame,
    second: Frame,
    *,
    flow: NDArray[np.float32] | None = None,
    boxes: ArrayLike | None = None,
) -> Homography:
    """Estimate the motion of the camera between two frames.

    Parameters
    ----------
    first, second : uint8 ndarray of shape (H, W, 3)
        RGB frames.
    flow : float32 ndarray of shape (2, H, W), optional
        Flow from the first to the second in pixels, which adds matches at corners.
    boxes : array_like of shape (N, 4), optional
        Boxes (x0, y0, x1, y1) in pixels of the first frame, of people for example, from which no
        matches are taken. A box of NaN is none.

    Returns
    -------
    float64 ndarray of shape (3, 3)
        Maps (x, y, 1) in the first frame to the second, up to scale. The identity where there are
        too few matches, too few agree on one motion, or it does not bring the frames nearer.
    """
    height, width = first.shape[:2]
    mask = _outside(boxes, (height, width))
    factor = min(1.0, LARGEST / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    scale = np.array(size) / (width, height)
    if factor < 1:
        first, second, mask = (
            np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
            for image in (first, second, mask)
        )
        if flow is not None:
            small = cv2.resize(flow.transpose(1, 2, 0), size, interpolation=cv2.INTER_AREA)
            flow = (small * scale).transpose(2, 0, 1).astype(np.float32)  # (2, h, w)
    start, end = _matches(grey(first), grey(second), flow, mask)
    if len(start) <= LEAST_MATCHES:
        return np.eye(3)
    # OpenCV's RANSAC draws from a generator with a fixed seed: the same frames, the same answer
    found, inliers = cv2.findHomography(start, end, cv2.USAC_ACCURATE, TOLERANCE)
    if found is None or np.count_nonzero(inliers) <= LEAST_INLIERS:
        return np.eye(3)
    moved = np.asarray(found, np.float64)
    if not _brings_nearer(moved, first, second, mask):
        return np.eye(3)
    # pixel centres are whole numbers: where x becomes s x, it becomes s (x + 1/2) - 1/2
    (a, b), (dx, dy) = scale, (scale - 1) / 2
    reduce = np.array([[a, 0, dx], [0, b, dy], [0, 0, 1]])
    return np.asarray(np.linalg.inv(reduce) @ moved @ reduce)


def warp_back(first: Frame, second: Frame, homography: Homography) -> Frame:
    """Warp the second frame to where the camera was at the first.

    Parameters
    ----------
    first, second : uint8 ndarray of shape (H, W, 3)
        RGB frames.
    homography : float64 ndarray of shape (3, 3)
        Motion of the camera, as of `estimate_homography`.

    Returns
    -------
    uint8 ndarray of shape (H, W, 3)
        The second frame at ``homography @ p`` for each pixel p; the first frame where that is not
        in the second.
    """
    warped, inside = _look_up(second, homography)
    return np.where(inside[..., None], warped, first)


def _look_up(frame: Frame, homography: Homography) -> tuple[Frame, NDArray[np.bool_]]:
    """Look up a frame (H, W, 3) at ``homography @ p``, and say (H, W) where that lies in it."""
    height, width = frame.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)  # (H, W) each
    points = cv2.perspectiveTransform(np.stack([x, y], axis=-1), homography)  # (H, W, 2)
    x, y = np.ascontiguousarray(points.transpose(2, 0, 1))
    found = cv2.remap(frame, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = (x > MARGIN) & (x < width - 1 - MARGIN) & (y > MARGIN) & (y < height - 1 - MARGIN)
    return np.asarray(found, np.uint8), inside


def _brings_nearer(
    homography: Homography, first: Frame, second: Frame, mask: NDArray[np.uint8]
) -> bool:
    """Whether the second frame, warped back, differs less from the first than as it is."""
    warped, inside = _look_up(second, homography)
    seen = np.where(inside, mask, 0).astype(np.uint8)
    after, before = (cv2.mean(cv2.absdiff(first, frame), seen) for frame in (warped, second))
    return sum(after) < sum(before)


def _outside(boxes: ArrayLike | None, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Mask (H, W) that is 255 outside boxes (N, 4), as OpenCV's detectors take it."""
    mask = np.full(size, 255, np.uint8)
    for box in [] if boxes is None else np.asarray(boxes, float).reshape(-1, 4):
        if np.isfinite(box).all():
            x0, y0 = np.floor(np.maximum(box[:2], 0)).astype(int)
            x1, y1 = np.ceil(np.maximum(box[2:], 0)).astype(int)
            mask[y0:y1, x0:x1] = 0
    return mask


def _matches(
    first: Grey, second: Grey, flow: NDArray[np.float32] | None, mask: Grey
) -> tuple[Points, Points]:
    """Positions (N, 2) in both frames of what matches: features, and corners moved by the flow."""
    start, end = [np.empty((0, 2))], [np.empty((0, 2))]
    sift = cv2.SIFT.create(FEATURES)
    at_first, of_first = sift.detectAndCompute(first, mask)
    at_second, of_second = sift.detectAndCompute(second, None)
    if at_first and at_second:
        matches = cv2.BFMatcher(cv2.NORM_L2, crossCheck=True).match(of_first, of_second)
        start.append(np.array([at_first[match.queryIdx].pt for match in matches]))
        end.append(np.array([at_second[match.trainIdx].pt for match in matches]))
    if flow is not None:
        corners = cv2.goodFeaturesToTrack(
            first, CORNERS, CORNER_QUALITY, CORNER_DISTANCE, mask=mask
        )
        if corners is not None:
            x, y = corners.astype(int).reshape(-1, 2).T  # corners lie on whole pixels
            start.append(np.stack([x, y], axis=1).astype(float))
            end.append(start[-1] + flow[:, y, x].T)
    return np.concatenate(start), np.concatenate(end)  # (N, 2) each
