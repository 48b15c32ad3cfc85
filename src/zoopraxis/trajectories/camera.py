"""The motion of the camera: a homography from one frame to the next, in which no person counts.

Wang and Schmid, Action Recognition with Improved Trajectories, ICCV 2013. Matches are local
features of both frames and the flow of strong corners. The second frame is then warped as if
the camera had stood still, and flow to it is what moves in front of the camera.

The authors' features are SURF, which OpenCV's wheels leave out; these are SIFT. On the KTH clip
that comes with the authors' program, taken by a camera that stands still, this loses or adds one
trajectory in 300: those whose motion is close to the threshold.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from zoopraxis.errors import DataError
from zoopraxis.flow.kernels import compiled

__all__ = [
    "Features", "background", "find_features", "find_homography", "find_people", "read_boxes",
    "stabilise",
]  # fmt: skip

Grey = NDArray[np.uint8]
Plane = NDArray[np.float32]
Matrix = NDArray[np.float64]

MAX_FEATURES = 1000
"""Features of a frame, the strongest of them, which bounds the time of large frames."""
MAX_SIDE = 1280
"""Pixels of the longer side of a frame in which features are found."""
MAX_DISTANCE = 25
"""Pixels in x and in y within which a feature is looked for in the other frame."""
CORNERS, CORNER_QUALITY, CORNER_DISTANCE = 1000, 0.001, 3
"""Corners whose flow is a match (Shi and Tomasi, CVPR 1994): number, least quality, distance."""
TOLERANCE = 1.0
"""Pixels by which a match may miss the homography."""
MIN_MATCHES, MIN_AGREEING = 50, 25
"""With no more matches, or no more that agree, the camera counts as still."""
MARGIN = 5
"""Pixels at the edges of the second frame that are not warped."""
DETECTION_SIZE = 256
"""Shorter side in pixels to which a frame is resized to find people of 128 pixels or more."""


@dataclass(frozen=True)
class Features:
    """Local features of a frame.

    Parameters
    ----------
    points : float32 ndarray of shape (N, 2)
        x and y in pixels.
    descriptors : uint8 ndarray of shape (N, 128)
        SIFT (Lowe, IJCV 2004).
    """

    points: Plane
    descriptors: NDArray[np.uint8]


def read_boxes(path: str | Path) -> list[Plane]:
    """Read boxes of people from a file of the authors' form.

    A line holds a frame: its index, then x0, y0, x1, y1 and a confidence for each box, separated
    by white space. Lines are in the order of the frames.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    list of float32 ndarray of shape (N, 4)
        Corners x0, y0, x1, y1 in pixels, for each frame.

    Raises
    ------
    DataError
        The file cannot be read or has another form; the line is named.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}", "pass a text file of boxes") from error
    frames = []
    for number, line in enumerate(lines, start=1):
        try:
            values = [float(word) for word in line.split()]
            boxes = np.array(values[1:], np.float32).reshape(-1, 5)  # (N, 5)
        except ValueError:
            raise DataError(
                f"{path}, line {number}: {line[:60]!r} is no index and five numbers for each box",
                "write: index x0 y0 x1 y1 confidence x0 y0 x1 y1 confidence ...",
            ) from None
        if values:
            frames.append(boxes[:, :4])
    return frames


def find_people(frame: NDArray[np.uint8]) -> Plane:
    """Find people who stand or walk upright, with OpenCV's detector.

    Dalal and Triggs, Histograms of Oriented Gradients for Human Detection, CVPR 2005. It misses
    many people in films, and finds none who are less than half as high as the frame.

    Parameters
    ----------
    frame : uint8 ndarray of shape (H, W, 3)
        RGB.

    Returns
    -------
    float32 ndarray of shape (N, 4)
        Corners x0, y0, x1, y1 in pixels.
    """
    detector = cv2.HOGDescriptor()
    detector.setSVMDetector(np.asarray(cv2.HOGDescriptor.getDefaultPeopleDetector()))
    scale = DETECTION_SIZE / min(frame.shape[:2])
    resized = cv2.resize(frame, None, fx=scale, fy=scale)
    found, _ = detector.detectMultiScale(resized, winStride=(8, 8), padding=(8, 8), scale=1.05)
    x, y, width, height = np.asarray(found, np.float32).reshape(-1, 4).T
    corners = np.stack([x, y, x + width, y + height], axis=1) / scale  # (N, 4)
    return np.asarray(corners, np.float32)


def background(size: tuple[int, int], boxes: ArrayLike) -> Grey:
    """Mask (H, W) of a frame: 255 outside of boxes (N, 4), 0 inside.

    Parameters
    ----------
    size : (int, int)
        Height and width in pixels.
    boxes : array of shape (N, 4)
        Corners x0, y0, x1, y1 in pixels; they may reach beyond the frame.
    """
    mask = np.full(size, 255, np.uint8)
    for x0, y0, x1, y1 in np.asarray(boxes, np.float64).reshape(-1, 4).tolist():
        rows = slice(max(int(np.ceil(y0)), 0), max(int(np.floor(y1)) + 1, 0))
        columns = slice(max(int(np.ceil(x0)), 0), max(int(np.floor(x1)) + 1, 0))
        mask[rows, columns] = 0
    return mask


def find_features(grey: Grey, mask: Grey | None) -> Features:
    """Find local features in a grey frame (H, W), where its mask (H, W) is not 0.

    A frame whose longer side is over 1280 pixels is resized to that: SIFT holds 90 times the memory
    of a frame.
    """
    scale = min(1.0, MAX_SIDE / max(grey.shape))
    if scale < 1:
        grey = np.asarray(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        if mask is not None:
            mask = np.asarray(cv2.resize(mask, grey.shape[::-1], interpolation=cv2.INTER_NEAREST))
    # Default values but the first; whole numbers; and no shift of a quarter of a pixel.
    sift = cv2.SIFT.create(MAX_FEATURES, 3, 0.04, 10, 1.6, cv2.CV_8U, True)
    keypoints, descriptors = sift.detectAndCompute(grey, mask)
    if not keypoints:
        return Features(np.empty((0, 2), np.float32), np.empty((0, 128), np.uint8))
    points = (np.array([k.pt for k in keypoints]) + 0.5) / scale - 0.5  # of the centres of pixels
    return Features(points.astype(np.float32), np.asarray(descriptors))


def find_homography(
    previous: Grey, mask: Grey | None, *, flow: Plane, first: Features, second: Features
) -> Matrix:
    """Find the motion of the camera from one frame to the next.

    Parameters
    ----------
    previous : uint8 ndarray of shape (H, W)
        The first frame.
    mask : uint8 ndarray of shape (H, W), optional
        0 where corners do not count.
    flow : float32 ndarray of shape (2, H, W)
        Flow from the first frame to the second, in pixels.
    first, second : Features
        Local features of both.

    Returns
    -------
    float64 ndarray of shape (3, 3)
        Where a pixel of the first frame is in the second; the identity without enough matches.
    """
    nearest = np.empty(len(second.points), np.int64)
    _match(second.points, second.descriptors, first.points, first.descriptors, nearest)
    matched = nearest >= 0
    found = cv2.goodFeaturesToTrack(
        previous, CORNERS, CORNER_QUALITY, CORNER_DISTANCE, mask=mask
    )  # None where there is none
    corners = np.empty((0, 2), np.float32) if found is None else np.reshape(found, (-1, 2))
    x, y = corners.astype(np.int64).T  # whole pixels
    source = np.concatenate([corners, first.points[nearest[matched]]])
    target = np.concatenate([corners + flow[:, y, x].T, second.points[matched]])
    if len(source) <= MIN_MATCHES:
        return np.eye(3)
    homography, agreeing = cv2.findHomography(source, target, cv2.RANSAC, TOLERANCE)
    if homography is None or np.count_nonzero(agreeing) <= MIN_AGREEING:
        return np.eye(3)
    if not np.isfinite(homography).all():  # matches on one line
        return np.eye(3)
    return np.asarray(homography, np.float64)


@compiled
def _match(
    points: Plane,
    descriptors: NDArray[np.uint8],
    others: Plane,
    other_descriptors: NDArray[np.uint8],
    nearest: NDArray[np.int64],
) -> None:
    """Write the most similar of the other features that are near each feature, or -1."""
    for i in range(points.shape[0]):
        nearest[i] = -1
        smallest = 255 * 255 * 128 + 1
        for j in range(others.shape[0]):
            if abs(points[i, 0] - others[j, 0]) >= MAX_DISTANCE:
                continue
            if abs(points[i, 1] - others[j, 1]) >= MAX_DISTANCE:
                continue
            distance = 0
            for k in range(descriptors.shape[1]):
                difference = int(descriptors[i, k]) - int(other_descriptors[j, k])
                distance += difference * difference
            if distance < smallest:
                smallest = distance
                nearest[i] = j


def stabilise(previous: Grey, frame: Grey, homography: Matrix) -> Grey:
    """Warp a frame as if the camera had stood still since the previous one.

    Parameters
    ----------
    previous, frame : uint8 ndarray of shape (H, W)
        Two frames in order. Pixels for which the warp would leave the second, or come near its
        edge, are those of the first: nothing moves there.
    homography : float64 ndarray of shape (3, 3)
        Where a pixel of the first frame is in the second.

    Returns
    -------
    uint8 ndarray of shape (H, W)
    """
    out = np.empty_like(frame)
    _warp(previous, frame, homography, out)
    return out


@compiled
def _warp(previous: Grey, frame: Grey, h: Matrix, out: Grey) -> None:
    """Interpolate linearly at multiples of 1/32 pixel, which leave a frame as it is at rest."""
    height, width = frame.shape
    for y in range(height):
        for x in range(width):
            w = h[2, 0] * x + h[2, 1] * y + h[2, 2]
            w = 1 / w if w != 0 else 0.0
            to_x = (h[0, 0] * x + h[0, 1] * y + h[0, 2]) * w
            to_y = (h[1, 0] * x + h[1, 1] * y + h[1, 2]) * w
            if MARGIN < to_x < width - 1 - MARGIN and MARGIN < to_y < height - 1 - MARGIN:
                to_x = np.rint(to_x * 32) / 32
                to_y = np.rint(to_y * 32) / 32
                column, row = int(to_x), int(to_y)
                right, down = to_x - column, to_y - row
                upper = frame[row, column] * (1 - right) + frame[row, column + 1] * right
                lower = frame[row + 1, column] * (1 - right) + frame[row + 1, column + 1] * right
                out[y, x] = np.uint8(upper * (1 - down) + lower * down + 0.5)
            else:
                out[y, x] = previous[y, x]
