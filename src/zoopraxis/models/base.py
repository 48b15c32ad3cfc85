"""Base classes of the networks in the zoo."""

import abc
import re

from torch import Tensor, nn

from zoopraxis.layers.frames import BackboneFn, merge_time, split_time
from zoopraxis.layers.head import FrameHead

__all__ = ["SegmentNetwork", "VideoClassifier", "is_wrong_clip_size"]

WRONG_CLIP_SIZE = re.compile(
    r"Kernel size can't be greater than actual input size|[Oo]utput size is too small"
    r"|smaller than kernel size|shapes cannot be multiplied"
)


def is_wrong_clip_size(error: BaseException) -> bool:
    """Whether torch says that a clip has other sizes than a network is built for.

    A clip that is too small is reduced to nothing, or a classifier has weights for positions.
    """
    return isinstance(error, RuntimeError) and bool(WRONG_CLIP_SIZE.search(str(error)))


class VideoClassifier(nn.Module, abc.ABC):
    """Maps clips to logits: features, then a head.

    Attributes
    ----------
    num_features : int
        Channels of the features.
    head : nn.Module
        The classifier: ``head.num_classes`` is K, ``head.reset(K)`` re-initialises its last layer.
    """

    num_features: int
    head: nn.Module

    @property
    def num_classes(self) -> int:
        """K, the number of logits of a clip."""
        return int(self.head.num_classes)  # type: ignore[arg-type]

    @abc.abstractmethod
    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T, H, W) to features (B, F, T', H', W')."""

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, F, T', H', W') to logits (B, K)."""
        out: Tensor = self.head(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the classifier with a re-initialised one for K classes."""
        self.head.reset(num_classes)  # type: ignore[operator]


class SegmentNetwork(VideoClassifier):
    """A 2D backbone over the frames of a clip; the clip's logits are the mean of theirs (TSN).

    Parameters
    ----------
    backbone_fn : BackboneFn
        Builds the backbone.
    num_classes : int, default=400
        K.
    in_channels : int, default=3
        C of the clip.
    stack : int, default=1
        L, the number of consecutive frames that are merged into the channels of one segment.
    dropout : float, default=0.5
        Before the classifier.
    """

    head: FrameHead

    def __init__(
        self,
        backbone_fn: BackboneFn,
        *,
        num_classes: int = 400,
        in_channels: int = 3,
        stack: int = 1,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.stack = stack
        self.backbone = backbone_fn(in_channels=in_channels * stack)
        self.num_features = self.backbone.num_features
        self.head = FrameHead(self.num_features, num_classes, dropout)
        nn.init.normal_(self.head.linear.weight, std=0.001)
        nn.init.zeros_(self.head.linear.bias)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T * L, H, W) to features (B, F, T', H', W')."""
        num_clips, num_frames = x.shape[0], x.shape[2] // self.stack
        x = merge_time(x, stack=self.stack)  # (B * T, C * L, H, W)
        # a backbone may pool time: T' frames of each clip are left
        x = self.backbone(x, num_frames)  # (B * T', F, H', W')
        return split_time(x, x.shape[0] // num_clips)  # (B, F, T', H', W')

    def forward_frames(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T * L, H, W) to the logits of every frame (B, T', K)."""
        x = self.forward_features(x).mean(dim=(3, 4)).transpose(1, 2)  # (B, T', F)
        out: Tensor = self.head.linear(self.head.dropout(x))  # (B, T', K)
        return out
