"""Time folded into the batch: how a clip passes through a network of images.

Every 2D backbone maps frames (N, C, H, W) to features (N, F, H', W'), N = B T with the frames of
a clip next to each other, and is told T, so that its blocks can mix neighbours. A plain backbone
has no use for T.
"""

from typing import Protocol

from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.layers.head import FrameHead
from zoopraxis.spec import Replacement

__all__ = [
    "RENAME_SEGMENTS",
    "Backbone2d",
    "SegmentNetwork",
    "Trunk",
    "fold",
    "split_batch",
    "unfold",
]


class Backbone2d(Protocol):
    """A network of images without classifier: ``backbone(x, frames)``."""

    num_features: int

    def __call__(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (N, C, H, W) to features (N, F, H', W')."""


class Trunk(Protocol):
    """Makes a backbone."""

    def __call__(self, *, in_channels: int) -> Backbone2d:
        """Return the backbone, a module, for frames of so many channels."""


def fold(x: Tensor, *, stack: int = 1) -> Tensor:
    """Fold time into the batch, and the `stack` frames of a segment into the channels.

    Parameters
    ----------
    x : Tensor of shape (B, C, T * stack, H, W)
        Clips.
    stack : int, default=1
        L, the consecutive frames of one segment.

    Returns
    -------
    Tensor of shape (B * T, stack * C, H, W)
        Frame by frame: of stacked flow x1, y1, x2, y2, ...

    Raises
    ------
    ShapeError
        The frames do not split into stacks.
    """
    length = x.shape[2]
    if length % stack:
        raise ShapeError(
            f"{length} frames do not split into stacks of {stack}",
            "the clip's `frames` times `stack` is the length that the model takes",
        )
    x = x.transpose(1, 2)  # (B, T * L, C, H, W)
    return x.reshape(-1, stack * x.shape[2], *x.shape[3:])  # (B * T, L * C, H, W)


def split_batch(x: Tensor, frames: int) -> Tensor:
    """View (B * T, ...) as (B, T, ...).

    Raises
    ------
    ShapeError
        The batch is not a multiple of `frames`.
    """
    if len(x) % frames:
        raise ShapeError(
            f"a batch of {len(x)} images does not split into clips of {frames}",
            "fold clips of one length into the batch",
        )
    return x.reshape(-1, frames, *x.shape[1:])  # (B, T, ...)


def unfold(x: Tensor, frames: int) -> Tensor:
    """Take time out of the batch again: (B * T, C, H, W) to (B, C, T, H, W)."""
    return split_batch(x, frames).transpose(1, 2)


class SegmentNetwork(nn.Module):
    """A backbone over the frames of a clip, and a head over their features.

    Parameters
    ----------
    trunk : Trunk
        Makes the backbone.
    num_classes : int, default=400
        K.
    channels : int, default=3
        C of the clip.
    stack : int, default=1
        L, the consecutive frames that a segment folds into channels.
    dropout : float, default=0.5
        Before the classifier.
    """

    head: FrameHead

    def __init__(
        self,
        trunk: Trunk,
        *,
        num_classes: int = 400,
        channels: int = 3,
        stack: int = 1,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.stack = stack
        self.trunk = trunk(in_channels=channels * stack)
        self.num_features = self.trunk.num_features
        self.head = FrameHead(self.num_features, num_classes, dropout)
        nn.init.normal_(self.head.linear.weight, std=0.001)
        nn.init.zeros_(self.head.linear.bias)

    def reset_head(self, num_classes: int) -> None:
        """Replace the classifier by a new one for K classes."""
        self.head.reset(num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T * L, H, W) to features (B, F, T, H', W')."""
        clips, frames = len(x), x.shape[2] // self.stack
        x = self.trunk(fold(x, stack=self.stack), frames)  # (B * T, F, H', W')
        return unfold(x, len(x) // clips)  # (B, F, T, H', W'): a backbone may pool time

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, F, T, H', W') to logits (B, K)."""
        out: Tensor = self.head(x)
        return out

    def forward_frames(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T * L, H, W) to the logits at every frame (B, T, K)."""
        x = self.forward_features(x).mean(dim=(3, 4)).transpose(1, 2)  # (B, T, F)
        out: Tensor = self.head.linear(self.head.dropout(x))  # (B, T, K)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T * L, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))


RENAME_SEGMENTS: tuple[tuple[str, Replacement], ...] = (
    (r"^base_model\.", "trunk."),
    (r"^new_fc\.", "head.linear."),
    (r"^trunk\.(fc|classifier|top_cls_fc)\.", "head.linear."),
)
"""Keys of the TSN lineage's wrapper (TSN, TRN, TSM, GSM) in terms of `SegmentNetwork`.

Built without dropout, its classifier is the image network's last layer; else a layer of its own.
"""
