"""The fully convolutional test: larger crops than in training, seen through windows of its size.

Simonyan and Zisserman (arXiv:1409.1556, section 3.2) slide a network over a larger image, and
PySlowFast (``ResNetBasicHead`` of its head_helper.py) and PyTorchVideo test so. The features of a
crop of 224 pixels are a map of 7x7 positions; those of 256 pixels are one of 8x8, which holds four
windows of 7x7. Each is classified as in training, and their probabilities are averaged. A network
as it is averages the features of all positions instead, and classifies once.
"""

from dataclasses import replace
from itertools import product
from math import log
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.checkpoints.saved import OpenModel
from zoopraxis.errors import ShapeError, ZoopraxisError
from zoopraxis.inputs import ClipSpec
from zoopraxis.models.base import VideoClassifier

__all__ = ["FullyConvolutional", "Scores", "fully_convolutional", "map_size"]

Scores = Literal["softmax", "sigmoid"]


class FullyConvolutional(VideoClassifier):
    """A network that classifies every window of its features, and averages the probabilities.

    Its logits are those whose softmax (or sigmoid) is that average, so that whatever comes after
    them, another average over views for example, is exact.

    Parameters
    ----------
    network : VideoClassifier
        Features, then a head.
    window : (int, int)
        Height and width of the windows, in positions: those of the features of a crop of training.
    scores : {"softmax", "sigmoid"}, default="softmax"
        What makes probabilities of logits: softmax where one class is true, sigmoid where several
        may be.
    """

    def __init__(
        self, network: VideoClassifier, window: tuple[int, int], *, scores: Scores = "softmax"
    ) -> None:
        super().__init__()
        self.network = network
        self.window, self.scores = window, scores
        self.num_features = network.num_features

    @property
    def num_classes(self) -> int:
        """K, the number of logits of a clip."""
        return self.network.num_classes

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T, H, W) to features (B, F, T', H', W')."""
        return self.network.forward_features(x)

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, F, T', H', W') to logits (B, K).

        # a map of 8x8, windows of 7x7: rows 0 to 6 and 1 to 7, columns too
        """
        height, width = self.window
        rows, columns = x.shape[3] - height + 1, x.shape[4] - width + 1
        if rows < 1 or columns < 1:
            raise ShapeError(
                f"features of {x.shape[3]} x {x.shape[4]} positions hold no window of "
                f"{height} x {width}",
                "crop as large as in training, or larger",
            )
        windows = [
            x[:, :, :, top : top + height, left : left + width]  # (B, F, T', h, w)
            for top, left in product(range(rows), range(columns))
        ]
        logits = torch.stack([self.network.forward_head(window) for window in windows])
        return _logits_of_mean(logits, self.scores)  # (W, B, K) -> (B, K)

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the classifier with a re-initialised one for K classes."""
        self.network.reset_classifier(num_classes)


def _logits_of_mean(logits: Tensor, scores: Scores) -> Tensor:
    """Logits (B, K) whose probabilities are the mean over those of W windows, (W, B, K).

    They are added as logarithms, which neither overflow nor become zero.
    """
    if scores == "softmax":
        return logits.log_softmax(2).logsumexp(0) - log(len(logits))
    # log(p / (1 - p)), and 1 - p is the mean of the sigmoids of -x
    return F.logsigmoid(logits).logsumexp(0) - F.logsigmoid(-logits).logsumexp(0)


def fully_convolutional(net: OpenModel, size: int, *, scores: Scores = "softmax") -> OpenModel:
    """Return a network that is tested through windows of its crops in training.

    Parameters
    ----------
    net : OpenModel
        Its clip is the one to be tested on: ``net.with_clip(size=256, resize=256)``.
    size : int
        Side of the crops of training, in pixels: 224 for most, 160 for X3D-XS and X3D-S.
    scores : {"softmax", "sigmoid"}, default="softmax"
        As for `FullyConvolutional`.

    Raises
    ------
    ZoopraxisError
        The network is not features and a head, its features have no positions, or its input is not
        made of crops.
    ShapeError
        The clip's crops are smaller than those of training.

    # 10 clips of 3 crops of 256 pixels, as PySlowFast tests what it trained on 224
    # evaluate(fully_convolutional(net.with_clip(size=256, resize=256), 224), samples, crops=3)
    """
    if scores not in get_args(Scores):
        raise ZoopraxisError(
            f"scores must be {' or '.join(get_args(Scores))}, not {scores!r}", "choose one"
        )
    crop = getattr(net.clip.input, "size", None)
    apart = isinstance(net.model, VideoClassifier) and not net.windows
    if crop is None or not apart or type(net.model).forward is not VideoClassifier.forward:
        raise ZoopraxisError(
            f"{net.name} cannot be tested fully convolutionally: it is not a map of features of "
            "the crop, and a classifier on it",
            "leave this out: its crops are seen as a whole",
        )
    if size < 1 or crop < size:
        raise ShapeError(
            f"crops of {crop} pixels hold no windows of {size}",
            "set size to that of the test, which is larger than that of training",
        )
    window = map_size(net.model, net.clip.change(size=size))
    if window == (1, 1) and crop > size and map_size(net.model, net.clip) == (1, 1):
        raise ZoopraxisError(
            f"{net.name} cannot be tested fully convolutionally: of {crop} pixels as of {size} its "
            "features have one position",
            "leave this out: its crops are seen as a whole",
        )
    model = FullyConvolutional(net.model, window, scores=scores).eval()  # type: ignore[arg-type]
    return replace(net, model=model, windows=f"{size} {scores}")


def map_size(network: nn.Module, clip: ClipSpec) -> tuple[int, int]:
    """Height and width, in positions, of the features (B, F, T', H', W') of a clip.

    They are measured on one clip, by a network in evaluation mode: paddings and odd sizes round as
    it rounds.
    """
    device = next(iter(network.parameters()), torch.empty(0)).device
    with torch.no_grad():
        features = network.forward_features(torch.zeros(1, *clip.shape, device=device))  # type: ignore[operator]
    if features.ndim != 5:
        raise ZoopraxisError(
            f"features of shape {tuple(features.shape)} are no map (B, F, T', H', W')",
            "leave the fully convolutional test out",
        )
    return features.shape[3], features.shape[4]
