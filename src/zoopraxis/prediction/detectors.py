"""Detectors by name, or from a file of your own training.

`zoopraxis.regions.detect` has those that need no weights. Here is Faster R-CNN (Ren et al., NIPS
2015, arXiv:1506.01497) with a feature pyramid (Lin et al., CVPR 2017, arXiv:1612.03144), in
torchvision's implementation:

- ``torchvision``: on a ResNet-50, trained on the 80 classes of COCO. Its weights, 160 MB, are
  torchvision's, which downloads them once. Wang and Gupta (2018) take the proposals of such a
  network; we take its detections, which have labels.
- a file: one of your own training. A safetensors file of `save_detector` says in its header which
  network it holds and what its classes are (`DetectorConfig`); beside a file of anyone else,
  ``weights.pth``, the same stands as JSON in ``weights.json``.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save
from torch import Tensor, nn

from zoopraxis.checkpoints.config import hash_weights
from zoopraxis.checkpoints.read import read_safetensors, read_state_dict
from zoopraxis.errors import CheckpointError, DownloadError, ZoopraxisError, did_you_mean
from zoopraxis.files import write_atomically
from zoopraxis.records import build
from zoopraxis.regions.detect import Detector, Found, Look, Motion, People, SelectiveSearch
from zoopraxis.video import Video

__all__ = [
    "DETECTORS",
    "DetectorConfig",
    "FasterRCNN",
    "create_detector",
    "find_detector",
    "open_detector",
    "published_detector",
    "save_detector",
]

HEADER = "zoopraxis.detector"  # key of the configuration in a safetensors header
_LARGEST = 8192  # pixels of a side
_EXAMPLE = '{"network": "fasterrcnn_resnet50_fpn", "classes": ["person", "ball"]}'


@dataclass(frozen=True, kw_only=True)
class DetectorConfig:
    """Which Faster R-CNN a file holds; plain JSON.

    Parameters
    ----------
    network : str
        Function of `torchvision.models.detection` that builds it.
    classes : tuple of str
        Names of its classes, in their order. The background, torchvision's class 0, is not named.
    min_size, max_size : int, optional
        A frame is resized so that its shorter side has ``min_size`` pixels, or less where the
        longer one would have more than ``max_size``. The default is the network's.
    epsilon : float, optional
        Epsilon of the batch norms, 0 or more; it is 0 where a ``fasterrcnn_resnet50_fpn`` was
        fine-tuned from torchvision's ``COCO_V1``. The default is the network's, 1e-5.

    Raises
    ------
    ZoopraxisError
        There are no classes, or a number is out of range.
    """

    network: Literal[
        "fasterrcnn_resnet50_fpn",
        "fasterrcnn_resnet50_fpn_v2",
        "fasterrcnn_mobilenet_v3_large_fpn",
        "fasterrcnn_mobilenet_v3_large_320_fpn",
    ]
    classes: tuple[str, ...]
    min_size: int | None = None
    max_size: int | None = None
    epsilon: float | None = None

    def __post_init__(self) -> None:
        if not self.classes:
            raise ZoopraxisError("the detector has no classes", "name them, without a background")
        for side in (self.min_size, self.max_size):
            if side is not None and not 1 <= side <= _LARGEST:
                raise ZoopraxisError(
                    f"the detector resizes frames to {side} pixels", f"give 1 to {_LARGEST}"
                )
        if self.epsilon is not None and not 0 <= self.epsilon < 1:
            raise ZoopraxisError(f"the detector's epsilon is {self.epsilon}", "give 0 or more")


def create_detector(config: DetectorConfig, **options: Any) -> nn.Module:
    """Build a detector with random weights, to be trained.

    Parameters
    ----------
    config : DetectorConfig
        Which one.
    **options
        Further arguments of `torchvision.models.detection.FasterRCNN`, such as the number of
        regions that a training step takes of each image.

    Returns
    -------
    nn.Module
        In training mode. It maps images, a list of float (3, H, W) in [0, 1], and targets to
        losses, as torchvision documents.
    """
    from torchvision.models import detection  # seconds

    sizes = {"min_size": config.min_size, "max_size": config.max_size}
    network: nn.Module = getattr(detection, config.network)(
        weights=None,
        weights_backbone=None,
        num_classes=1 + len(config.classes),
        **{name: side for name, side in sizes.items() if side is not None},
        **options,
    )
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and config.epsilon is not None:
            module.eps = config.epsilon
    return network


def save_detector(path: str | Path, network: nn.Module, config: DetectorConfig) -> Path:
    """Write a detector to one safetensors file, atomically; its configuration is in the header.

    Parameters
    ----------
    path : path
        The file, whose suffix is ``.safetensors``.
    network : nn.Module
        What `create_detector` returned for ``config``, trained.
    config : DetectorConfig
        Which it is.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    CheckpointError
        The file has another suffix.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise CheckpointError(f"{path} is no .safetensors file", "name one that ends so")
    state = {key: value.cpu().contiguous() for key, value in network.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, save(state, metadata={HEADER: json.dumps(asdict(config))}))
    return path


def open_detector(path: str | Path) -> tuple[nn.Module, DetectorConfig]:
    """Read a detector: a file of `save_detector`, or any state dict with a JSON file beside it.

    Returns
    -------
    network : nn.Module
        In evaluation mode, on the CPU.
    config : DetectorConfig
        Which it is.

    Raises
    ------
    CheckpointError
        The file cannot be read, does not say what it holds, or holds something else.
    """
    path = Path(path)
    header: dict[str, str] = {}
    if path.suffix == ".safetensors" and path.is_file():
        state, header = read_safetensors(path)
    else:
        state = read_state_dict(path)
    config = _read_config(path, header)
    network = create_detector(config)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} holds no {config.network} of {len(config.classes)} classes and background: "
            f"{' '.join(str(error).split()):.200}",
            "save the state dict of that network, and name all of its classes",
        ) from error
    return network.eval(), config


def _read_config(path: Path, header: Mapping[str, str]) -> DetectorConfig:
    """Configuration in a header, else in the JSON file beside."""
    beside = path.with_suffix(".json")
    where = path if HEADER in header else beside
    if HEADER not in header and not beside.is_file():
        raise CheckpointError(
            f"{path} does not say which detector it holds, and there is no {beside.name} beside it",
            f"write {beside}, such as {_EXAMPLE}",
        )
    try:
        table = json.loads(header[HEADER] if HEADER in header else beside.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{where}: the detector's configuration cannot be read: {error}",
            f"expected JSON such as {_EXAMPLE}",
        ) from error
    if not isinstance(table, dict):
        raise CheckpointError(
            f"{where}: the detector's configuration is a {type(table).__name__}",
            f"expected JSON such as {_EXAMPLE}",
        )
    return build(DetectorConfig, table, where=str(where), error=CheckpointError)


@dataclass(frozen=True)
class FasterRCNN:
    """torchvision's Faster R-CNN, trained on COCO, or that of a file.

    Parameters
    ----------
    min_score : float, default=0.3
        Probability of the class, in [0, 1]. The network leaves out what has less than 0.05.
    file : str, default=""
        File of a detector (`open_detector`); by default torchvision's weights.
    """

    min_score: float = 0.3
    file: str = ""

    @property
    def name(self) -> str:
        """Name and settings; of a file, the beginning of the hash of what it holds."""
        if not self.file:
            return f"torchvision fasterrcnn_resnet50_fpn COCO_V1, scores from {self.min_score:g}"
        return f"{Path(self.file).name} {_trained(self.file)[2]}, scores from {self.min_score:g}"

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
        CheckpointError
            The file cannot be read, or is not of a detector.
        """
        network, labels = _trained(self.file)[:2] if self.file else _published()
        (found,) = network([frame.float() / 255])
        kept = found["scores"] >= self.min_score  # the highest first
        return Found(
            boxes=found["boxes"][kept].double().numpy(),
            scores=found["scores"][kept].double().numpy(),
            labels=tuple(labels[i] for i in found["labels"][kept].tolist()),
        )


@cache
def _published() -> tuple[Any, tuple[str, ...]]:
    """The network in evaluation mode, and the names of its classes."""
    from torchvision.models import detection  # seconds

    weights = detection.FasterRCNN_ResNet50_FPN_Weights.COCO_V1
    network = published_detector(
        detection.fasterrcnn_resnet50_fpn,
        weights,
        title="Faster R-CNN",
        otherwise="name a file of your own training; or take a detector without weights, opencv",
    )
    return network, tuple(weights.meta["categories"])


@cache
def _trained(file: str) -> tuple[Any, tuple[str, ...], str]:
    """The network in evaluation mode, the names of its classes, and a hash of all this."""
    network, config = open_detector(file)
    identity = hash_weights(network.state_dict()) + json.dumps(asdict(config))
    digest = hashlib.sha256(identity.encode()).hexdigest()
    return network, ("background", *config.classes), digest[:12]


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
    "selective_search": SelectiveSearch,
    "torchvision": FasterRCNN,
}
"""Detectors by name."""


def find_detector(name: str, *, min_score: float | None = None) -> Detector:
    """Return a detector by name, or that of a file, with default settings where none are given.

    Parameters
    ----------
    name : str
        A key of `DETECTORS`, or a file (`open_detector`).
    min_score : float, optional
        The lowest score; the default is the detector's.

    Raises
    ------
    ZoopraxisError
        Neither a detector nor a file has that name, or the score is out of range.
    CheckpointError
        The file is not one of a detector.
    """
    make: Callable[..., Detector]
    if name in DETECTORS:
        make = DETECTORS[name]
    elif Path(name).is_file():
        _trained(name)  # what is wrong with it is said once, not for each video
        make = partial(FasterRCNN, file=name)
    else:
        raise ZoopraxisError(
            f"there is no detector, and no file, called {name!r}", did_you_mean(name, DETECTORS)
        )
    if min_score is None:
        return make()
    if not 0 <= min_score < float("inf"):
        raise ZoopraxisError(f"the lowest score is {min_score}", "give 0 or more")
    return make(min_score=min_score)
