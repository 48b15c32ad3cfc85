"""Networks that find people and their joints in frames: the 17 key points of COCO.

- ``torchvision``: Keypoint R-CNN, Mask R-CNN with a head for joints, on a ResNet-50 with a feature
  pyramid (He et al., ICCV 2017, arXiv:1703.06870, section 5). Its weights, 240 MB, are
  torchvision's, which downloads them once; a file with a state dict of the same network, of your
  own training perhaps, takes their place.
- ``rtmlib``: RTMPose (Jiang et al. 2023, arXiv:2303.07399) in the boxes of YOLOX (Ge et al. 2021,
  arXiv:2107.08430), by the package of that name, which downloads its networks itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.checkpoints.config import hash_weights
from zoopraxis.checkpoints.read import read_state_dict
from zoopraxis.errors import CheckpointError, ZoopraxisError, did_you_mean
from zoopraxis.prediction.detectors import published_detector

__all__ = ["ESTIMATORS", "KeypointRCNN", "PoseEstimator", "Poses", "RTMPose", "find_estimator"]

LAYOUT = "coco-17"


@dataclass(frozen=True, kw_only=True)
class Poses:
    """The people found in one frame, n of them.

    Parameters
    ----------
    joints : float64 ndarray of shape (n, 17, 3)
        x and y in pixels of the frame, and a score in [0, 1].
    boxes : float64 ndarray of shape (n, 4)
        x1, y1, x2, y2 in pixels.
    scores : float64 ndarray of shape (n,)
        Confidence that it is a person, in [0, 1].
    """

    joints: NDArray[np.float64]
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]


class PoseEstimator(Protocol):
    """Finds joints in a frame. It can be pickled, and loads its weights when it is first called."""

    @property
    def name(self) -> str:
        """Name and settings, as files of skeletons have them."""

    def __call__(self, frame: Tensor) -> Poses:
        """Find people in a frame, uint8 (3, H, W), RGB."""


@dataclass(frozen=True)
class KeypointRCNN:
    """torchvision's Keypoint R-CNN.

    A joint's score is the logistic function of the highest value of its heat map, a logit over the
    map's pixels: it grows with confidence, and is no probability.

    Parameters
    ----------
    min_score : float, default=0.5
        Probability that a box shows a person, in [0, 1].
    file : str, default=""
        File with a state dict of the network; by default torchvision's weights.
    """

    min_score: float = 0.5
    file: str = ""

    @property
    def name(self) -> str:
        """Name and settings; of a file, with the beginning of the hash of its weights."""
        weights = (
            f"{Path(self.file).name} {_keypoint_rcnn(self.file)[1]}" if self.file else "COCO_V1"
        )
        return f"torchvision keypointrcnn_resnet50_fpn {weights}, scores from {self.min_score:g}"

    @torch.inference_mode()
    def __call__(self, frame: Tensor) -> Poses:
        """Find people in a frame.

        Raises
        ------
        DownloadError
            The weights are not here and cannot be downloaded.
        CheckpointError
            The file cannot be read, or is not of this network.
        """
        network, _ = _keypoint_rcnn(self.file)
        (found,) = network([frame.float() / 255])
        kept = found["scores"] >= self.min_score  # the highest first
        points = found["keypoints"][kept][..., :2]  # (n, 17, 2)
        scores = found["keypoints_scores"][kept].sigmoid()  # (n, 17)
        return Poses(
            joints=torch.cat([points, scores[..., None]], dim=-1).double().numpy(),
            boxes=found["boxes"][kept].double().numpy(),
            scores=found["scores"][kept].double().numpy(),
        )


@cache
def _keypoint_rcnn(file: str) -> tuple[Any, str]:
    """The network in evaluation mode, and the beginning of the hash of a file's weights."""
    from torchvision.models import detection  # seconds

    if not file:
        network = published_detector(
            detection.keypointrcnn_resnet50_fpn,
            detection.KeypointRCNN_ResNet50_FPN_Weights.COCO_V1,
            title="Keypoint R-CNN",
            otherwise="name a file with its state dict",
        )
        return network, ""
    state = read_state_dict(file)
    network = detection.keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(
            f"{file} holds no Keypoint R-CNN: {' '.join(str(error).split()):.200}",
            "save the state dict of torchvision's keypointrcnn_resnet50_fpn with 17 key points",
        ) from error
    return network.eval(), hash_weights(network.state_dict())[:12]


@dataclass(frozen=True)
class RTMPose:
    """RTMPose in the boxes of YOLOX, by rtmlib; its "balanced" networks.

    Parameters
    ----------
    min_score : float, default=0.3
        Mean score of a person's joints, in [0, 1]; the detector gives no scores of its own.
    """

    min_score: float = 0.3

    @property
    def name(self) -> str:
        """Name and settings."""
        return f"rtmlib balanced, scores from {self.min_score:g}"

    def __call__(self, frame: Tensor) -> Poses:
        """Find people in a frame.

        Raises
        ------
        ZoopraxisError
            rtmlib is not installed, or cannot download its networks.
        """
        body = _rtmlib()
        bgr = np.ascontiguousarray(frame.permute(1, 2, 0).flip(-1).numpy())
        boxes = np.asarray(body.det_model(bgr), np.float64).reshape(-1, 4)
        if not len(boxes):  # the network of joints would take the whole frame for a person
            return Poses(joints=np.zeros((0, 17, 3)), boxes=boxes, scores=np.zeros(0))
        points, scores = body.pose_model(bgr, bboxes=boxes)  # (n, 17, 2) and (n, 17)
        scores = np.clip(scores, 0, 1)
        joints = np.concatenate([points, scores[..., None]], axis=-1).astype(np.float64)
        mean: NDArray[np.float64] = joints[..., 2].mean(axis=1)  # (n,)
        order = np.argsort(-mean, kind="stable")
        order = order[mean[order] >= self.min_score]
        return Poses(joints=joints[order], boxes=boxes[order], scores=mean[order])


@cache
def _rtmlib() -> Any:
    try:
        from rtmlib import Body
    except ImportError as error:
        raise ZoopraxisError(
            f"these joints are found by rtmlib: {error}",
            # rtmlib asks for opencv-python, whose files replace those of
            # opencv-contrib-python-headless
            "pip install 'zoopraxis[pose]', then pip install --no-deps rtmlib",
        ) from error
    try:
        return Body(mode="balanced", backend="onnxruntime", device="cpu")
    except Exception as error:  # whatever its downloads and onnxruntime raise
        raise ZoopraxisError(
            f"rtmlib cannot load its networks: {error!r:.200}",
            "it downloads them once, from download.openmmlab.com: check the network; or take the "
            "estimator torchvision",
        ) from error


ESTIMATORS: Mapping[str, Callable[..., PoseEstimator]] = {
    "torchvision": KeypointRCNN,
    "rtmlib": RTMPose,
}
"""Estimators by name."""


def find_estimator(name: str, *, min_score: float | None = None) -> PoseEstimator:
    """Return an estimator by name, or Keypoint R-CNN with the weights of a file.

    Parameters
    ----------
    name : str
        A key of `ESTIMATORS`, or a file.
    min_score : float, optional
        The lowest score of a person; the default is the estimator's.

    Raises
    ------
    ZoopraxisError
        Neither an estimator nor a file has that name, or the score is out of range.
    """
    if name in ESTIMATORS:
        make = ESTIMATORS[name]
    elif Path(name).is_file():
        make = partial(KeypointRCNN, file=name)
    else:
        raise ZoopraxisError(
            f"there is no estimator of poses, and no file, called {name!r}",
            did_you_mean(name, ESTIMATORS),
        )
    if min_score is None:
        return make()
    if not 0 <= min_score <= 1:
        raise ZoopraxisError(f"the lowest score is {min_score}", "give one from 0 to 1")
    return make(min_score=min_score)
