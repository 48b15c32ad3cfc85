"""Detectors that find people and things in frames.

- ``opencv``: people, by histograms of oriented gradients and a linear SVM (Dalal and Triggs, CVPR
  2005). It is small, fast and dated: it needs no file, and finds people who stand.
- ``motion``: whatever moves before a camera that stands still, by the mixture of Gaussians that
  each pixel of the background is (Zivkovic, ICPR 2004; OpenCV's MOG2). It needs no file, and does
  not say what it finds; what stands still for half of the video is background.
- ``torchvision``: Faster R-CNN on a ResNet-50 with a feature pyramid (Ren et al., NIPS 2015,
  arXiv:1506.01497; Lin et al., CVPR 2017, arXiv:1612.03144), trained on the 80 classes of COCO. Its
  weights, 160 MB, are torchvision's, which downloads them once. Wang and Gupta (2018) take the
  proposals of such a network; we take its detections, which have labels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import DownloadError, ZoopraxisError, did_you_mean
from zoopraxis.video import Video

__all__ = [
    "DETECTORS",
    "Detector",
    "FasterRCNN",
    "Found",
    "Look",
    "Motion",
    "People",
    "find_detector",
    "published_detector",
]


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
class FasterRCNN:
    """torchvision's Faster R-CNN, trained on COCO.

    Parameters
    ----------
    min_score : float, default=0.3
        Probability of the class, in [0, 1].
    """

    min_score: float = 0.3

    @property
    def name(self) -> str:
        """Name and settings."""
        return f"torchvision fasterrcnn_resnet50_fpn COCO_V1, scores from {self.min_score:g}"

    def of(self, video: Video) -> Look:  # noqa: ARG002
        """Return itself: frames of any video."""
        return self

    @torch.inference_mode()
    def __call__(self, frame: Tensor) -> Found:
        """Find people and things in a frame.

        Raises
        ------
        DownloadError
            The weights are not here and cannot be downloaded.
        """
        network, labels = _faster_rcnn()
        (found,) = network([frame.float() / 255])
        kept = found["scores"] >= self.min_score  # the highest first
        return Found(
            boxes=found["boxes"][kept].double().numpy(),
            scores=found["scores"][kept].double().numpy(),
            labels=tuple(labels[i] for i in found["labels"][kept].tolist()),
        )


@cache
def _faster_rcnn() -> tuple[Any, list[str]]:
    """The network in evaluation mode, and the names of its classes."""
    from torchvision.models import detection  # seconds

    weights = detection.FasterRCNN_ResNet50_FPN_Weights.COCO_V1
    network = published_detector(
        detection.fasterrcnn_resnet50_fpn,
        weights,
        title="Faster R-CNN",
        otherwise="take the detector opencv",
    )
    return network, list(weights.meta["categories"])


def published_detector(
    build: Callable[..., Any], weights: Any, *, title: str, otherwise: str
) -> Any:
    """Build one of torchvision's detectors with its published weights, in evaluation mode.

    Parameters
    ----------
    build : callable
        torchvision's function.
    weights : torchvision.models.WeightsEnum
        The weights, downloaded once.
    title, otherwise : str
        What it is called, and what else can be done, for the message.

    Raises
    ------
    DownloadError
        The weights are not here and cannot be downloaded.
    """
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    try:
        network = build(weights=weights, weights_backbone=None)
    except (OSError, RuntimeError) as error:
        raise DownloadError(
            f"the weights of {title} are not at {file}, and cannot be downloaded: {error}",
            f"download {weights.url} and put it there; or {otherwise}",
        ) from error
    return network.eval()


DETECTORS: Mapping[str, Callable[..., Detector]] = {
    "opencv": People,
    "motion": Motion,
    "torchvision": FasterRCNN,
}
"""Detectors by name."""


def find_detector(name: str, *, min_score: float | None = None) -> Detector:
    """Return a detector by name, with its default settings where none are given.

    Raises
    ------
    ZoopraxisError
        No detector has that name, or the score is out of range.
    """
    if name not in DETECTORS:
        raise ZoopraxisError(f"there is no detector called {name!r}", did_you_mean(name, DETECTORS))
    if min_score is None:
        return DETECTORS[name]()
    if not 0 <= min_score < float("inf"):
        raise ZoopraxisError(f"the lowest score is {min_score}", "give 0 or more")
    return DETECTORS[name](min_score=min_score)
