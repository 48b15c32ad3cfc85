"""Detectors that find people and things in frames.

- ``opencv``: people, by histograms of oriented gradients and a linear SVM (Dalal and Triggs, CVPR
  2005). It is small, fast and dated: it needs no file, and finds people who stand.
- ``torchvision``: Faster R-CNN on a ResNet-50 with a feature pyramid (Ren et al., NIPS 2015,
  arXiv:1506.01497; Lin et al., CVPR 2017, arXiv:1612.03144), trained on the 80 classes of COCO. Its
  weights, 160 MB, are torchvision's, which downloads them once. Wang and Gupta (2018) take the
  proposals of such a network; we take its detections, which have labels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import DownloadError, ZoopraxisError, did_you_mean

__all__ = [
    "DETECTORS",
    "Detector",
    "FasterRCNN",
    "Found",
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


class Detector(Protocol):
    """Finds boxes in a frame. It can be pickled, and loads its weights when it is first called."""

    @property
    def name(self) -> str:
        """Name and settings, as files of boxes have them."""

    def __call__(self, frame: Tensor) -> Found:
        """Find boxes in a frame, uint8 (3, H, W), RGB."""


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


DETECTORS: Mapping[str, Callable[..., Detector]] = {"opencv": People, "torchvision": FasterRCNN}
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
