"""Base classes of the networks in the zoo."""

import abc
import re

from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.layers.frames import BackboneFn, merge_time, split_time
from zoopraxis.layers.head import ClipHead, FrameHead
from zoopraxis.skeletons import skeleton_layout

__all__ = ["SegmentNetwork", "SkeletonNetwork", "VideoClassifier", "is_wrong_clip_size"]

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


class SkeletonNetwork(VideoClassifier):
    """Blocks over the joints of each person; features are the mean over people and joints.

    Parameters
    ----------
    layout : str
        Joints and edges: `zoopraxis.skeletons.LAYOUTS`.
    in_channels : int
        C.
    people : int, optional
        P, where the batch norm of the input has statistics for each person; by default it has one
        for all, and the network takes any number of people.
    """

    head: ClipHead

    def __init__(self, layout: str, *, in_channels: int, people: int | None = None) -> None:
        super().__init__()
        self.layout, self.in_channels, self.people = layout, in_channels, people
        self.num_joints = skeleton_layout(layout).num_joints
        self.input_norm = nn.BatchNorm1d((people or 1) * self.num_joints * in_channels)

    @abc.abstractmethod
    def forward_blocks(self, x: Tensor) -> Tensor:
        """Map joints of single people (N, C, T, J) to features (N, F, T', J)."""

    def forward_joints(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T, J, P) to features of every joint, (B, F, T', J, P)."""
        if (
            x.ndim != 5
            or (x.shape[1], x.shape[3]) != (self.in_channels, self.num_joints)
            or self.people not in (None, x.shape[4])
        ):
            raise ShapeError(
                f"skeletons of shape {tuple(x.shape)} are not (B, {self.in_channels}, T, "
                f"{self.num_joints}, {self.people or 'P'})",
                f"this network expects the {self.num_joints} joints of {self.layout!r}"
                + (f", of {self.people} people" if self.people else ""),
            )
        num_people, num_frames = x.shape[4], x.shape[2]
        x = x.permute(0, 4, 3, 1, 2)  # (B, P, J, C, T)
        x = x.reshape(-1, self.input_norm.num_features, num_frames)  # (N, J * C or P * J * C, T)
        x = self.input_norm(x)
        x = x.reshape(-1, self.num_joints, self.in_channels, num_frames)  # (B * P, J, C, T)
        x = self.forward_blocks(x.permute(0, 2, 3, 1).contiguous())  # (B * P, F, T', J)
        x = x.reshape(-1, num_people, *x.shape[1:])  # (B, P, F, T', J)
        return x.movedim(1, -1)  # (B, F, T', J, P)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T, J, P) to the mean over joints and people, (B, F, T', 1, 1)."""
        return self.forward_joints(x).mean(dim=(3, 4), keepdim=True)
