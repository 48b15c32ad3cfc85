"""Detectors of people and things in frames that need no weights.

- ``opencv``: people, by histograms of oriented gradients and a linear SVM (Dalal and Triggs, CVPR
  2005). It is small, fast and dated: it finds people who stand.
- ``motion``: whatever moves before a camera that stands still, by the mixture of Gaussians that
  each pixel of the background is (Zivkovic, ICPR 2004; OpenCV's MOG2). It does not say what it
  finds; what stands still for half of the video is background.
- ``selective_search``: whatever differs from what is around it, in each frame alone. The regions
  are those of selective search (Uijlings et al., IJCV 2013; OpenCV's, in its fast mode), which has
  no scores; ours is the colour contrast of Alexe, Deselaers and Ferrari (CVPR 2010, section 2).

Detectors with weights are in `zoopraxis.prediction.detectors`, which finds all by name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Protocol

import cv2
import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.video import Video

__all__ = ["Detector", "Found", "Look", "Motion", "People", "SelectiveSearch"]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was found in one frame, the highest score first.

    Parameters
    ----------
    boxes : float64 ndarray of shape (n, 4)
        x1, y1, x2, y2 in pixels of the frame.
    scores : float64 ndarray of shape (n,)
        Confidence; its scale is the detector's.
    labels : tuple of str
        What each is.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: tuple[str, ...]


Look = Callable[[Tensor], Found]
"""Finds boxes in a frame of one video, uint8 (3, H, W), RGB."""


class Detector(Protocol):
    """Finds boxes in frames. It can be pickled, and loads weights when they are first needed."""

    @property
    def name(self) -> str:
        """Name and settings, as files of boxes have them."""

    def of(self, video: Video) -> Look:
        """Return what finds boxes in the frames of a video; most look at each frame alone."""


@dataclass(frozen=True)
class People:
    """OpenCV's detector of people.

    Parameters
    ----------
    min_score : float, default=0.0
        Distance from the SVM's plane, 0 or more; a clear person has 1 and more.
    """

    min_score: float = 0.0

    @property
    def name(self) -> str:
        """Name and settings."""
        return f"opencv, scores from {self.min_score:g}"

    def of(self, video: Video) -> Look:  # noqa: ARG002
        """Return itself: frames of any video."""
        return self

    def __call__(self, frame: Tensor) -> Found:
        """Find people in a frame, enlarged so that its shorter side has 480 pixels."""
        scale = max(1.0, 480 / min(frame.shape[1:]))  # its window is 128 pixels tall
        height, width = (round(scale * side) for side in frame.shape[1:])
        large = F.interpolate(frame[None], size=(height, width), mode="bilinear", antialias=True)
        bgr = np.ascontiguousarray(large[0].permute(1, 2, 0).flip(-1).numpy())
        boxes, scores = _people().detectMultiScale(bgr, hitThreshold=self.min_score, scale=1.05)
        found = np.asarray(boxes, np.float64).reshape(-1, 4) / scale  # x, y, width, height
        found[:, 2:] += found[:, :2]
        order = np.argsort(-np.asarray(scores).ravel(), kind="stable")
        return Found(
            boxes=found[order],
            scores=np.asarray(scores, np.float64).ravel()[order],
            labels=("person",) * len(order),
        )


@cache
def _people() -> Any:
    hog: Any = cv2.HOGDescriptor()
    hog.setSVMDetector(cv2.HOGDescriptor.getDefaultPeopleDetector())
    return hog


@dataclass(frozen=True)
class Motion:
    """Whatever moves before a background that does not.

    The background is learned from up to 200 frames of the whole video. What differs from it, but
    not as a shadow does, is joined across gaps of a twentieth of the frame's shorter side; what is
    then smaller than 0.2 % of the frame is left out.

    Parameters
    ----------
    min_score : float, default=0.2
        Fraction of a box that moves, in [0, 1].
    """

    min_score: float = 0.2

    @property
    def name(self) -> str:
        """Name and settings."""
        return f"motion, scores from {self.min_score:g}"

    def of(self, video: Video) -> Look:
        """Learn the background of a video."""
        seen = np.unique(np.linspace(0, video.num_frames - 1, 200).round().astype(np.int64))
        background: Any = cv2.createBackgroundSubtractorMOG2(history=len(seen))
        background.setBackgroundRatio(0.5)  # what is there for less than half of the time moves
        for frame in seen:
            background.apply(video.frames_at([frame])[0].permute(1, 2, 0).contiguous().numpy())
        return partial(self._moving, background)

    def _moving(self, background: Any, frame: Tensor) -> Found:
        """Find what differs from the background in a frame."""
        pixels = frame.permute(1, 2, 0).contiguous().numpy()  # (H, W, 3)
        mask = background.apply(pixels, learningRate=0)  # 255; 127 for shadows, else 0
        moving = (mask == 255).astype(np.uint8)
        side = min(moving.shape)
        moving = cv2.medianBlur(moving, 3)
        reach = np.ones((max(3, side // 20),) * 2, np.uint8)
        _, _, parts, _ = cv2.connectedComponentsWithStats(
            cv2.morphologyEx(moving, cv2.MORPH_CLOSE, reach)
        )
        parts = parts[1:]  # the first is the background
        x, y, width, height, area = parts[parts[:, 4] >= moving.size / 500].T.astype(np.float64)
        scores = area / (width * height)
        order = np.argsort(-scores, kind="stable")
        order = order[scores[order] >= self.min_score]
        return Found(
            boxes=np.stack([x, y, x + width, y + height], axis=1)[order],
            scores=scores[order],
            labels=("",) * len(order),
        )


@dataclass(frozen=True)
class SelectiveSearch:
    """Proposals of selective search, scored by how much their colours differ from those around.

    A frame whose longer side has more than 320 pixels is reduced to that. Of proposals that overlap
    by more than 0.5, the one with the highest score is kept; those smaller than 0.2 % of the frame
    are left out.

    Parameters
    ----------
    min_score : float, default=0.2
        Colour contrast, in [0, 1]: the chi-squared distance between the histogram of the box, in
        Lab, and that of a frame around it, as wide as half of its sides.
    """

    min_score: float = 0.2

    @property
    def name(self) -> str:
        """Name and settings."""
        return f"selective_search, scores from {self.min_score:g}"

    def of(self, video: Video) -> Look:  # noqa: ARG002
        """Return itself: frames of any video."""
        return self

    def __call__(self, frame: Tensor) -> Found:
        """Propose regions of a frame."""
        scale = min(1.0, 320 / max(frame.shape[1:]))
        height, width = (max(1, round(scale * side)) for side in frame.shape[1:])
        small = F.interpolate(frame[None], size=(height, width), mode="bilinear", antialias=True)
        bgr = np.ascontiguousarray(small[0].permute(1, 2, 0).flip(-1).numpy())
        search: Any = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
        search.setBaseImage(bgr)
        search.switchToSelectiveSearchFast()
        # the same regions come in another order each time
        found = np.unique(np.asarray(search.process()).reshape(-1, 4), axis=0)  # x, y, w, h
        found = found[found[:, 2:].prod(axis=1) >= height * width / 500]
        colours = _colours(bgr)
        scores = np.array([_contrast(colours, *box) for box in found.tolist()])
        kept = cv2.dnn.NMSBoxes(found.tolist(), scores.tolist(), self.min_score, 0.5)
        order = np.asarray(kept, np.int64).ravel()  # the highest score first
        boxes = found[order].astype(np.float64)
        boxes[:, 2:] += boxes[:, :2]
        y, x = frame.shape[1] / height, frame.shape[2] / width
        return Found(boxes=boxes * [x, y, x, y], scores=scores[order], labels=("",) * len(order))


def _colours(bgr: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Bin (H, W) of each pixel in a histogram of Lab: 4 of lightness by 8 by 8 of colour."""
    lightness, a, b = np.moveaxis(cv2.cvtColor(bgr, cv2.COLOR_BGR2LAB), -1, 0).astype(np.int64)
    bins: NDArray[np.int64] = lightness // 64 * 64 + a // 32 * 8 + b // 32
    return bins


def _contrast(colours: NDArray[np.int64], x: int, y: int, width: int, height: int) -> float:
    """Chi-squared distance of the histogram of a box and that of what is around it."""
    top, left = max(0, y - height // 2), max(0, x - width // 2)
    bottom, right = y + height + height // 2, x + width + width // 2
    inside = np.bincount(colours[y : y + height, x : x + width].ravel(), minlength=256)
    around = np.bincount(colours[top:bottom, left:right].ravel(), minlength=256) - inside
    if not around.any():  # the whole frame
        return 0.0
    p, q = inside / inside.sum(), around / around.sum()
    return float((np.square(p - q) / np.maximum(p + q, 1e-12)).sum() / 2)
