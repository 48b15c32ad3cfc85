"""Classifiers on top of a feature map: pooling, dropout, one linear layer.

The papers pool in two orders. A clip head averages the features and classifies once; a frame
head classifies every frame and averages the logits. The two give the same logits, except under
dropout or another consensus than the mean.
"""

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ClipHead", "FrameHead", "WindowHead", "linear_like"]


def linear_like(linear: nn.Linear, num_classes: int) -> nn.Linear:
    """Return a new linear layer like another, but with K outputs: same bias, device and dtype."""
    return nn.Linear(
        linear.in_features,
        num_classes,
        bias=linear.bias is not None,
        device=linear.weight.device,
        dtype=linear.weight.dtype,
    )


class ClipHead(nn.Module):
    """Mean over time and space, dropout, one linear layer.

    Parameters
    ----------
    num_features : int
        C.
    num_classes : int
        K.
    dropout : float, default=0.0
        Before the linear layer.
    """

    def __init__(self, num_features: int, num_classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(num_features, num_classes)

    @property
    def num_classes(self) -> int:
        """K."""
        return self.linear.out_features

    def reset(self, num_classes: int) -> None:
        """Replace the linear layer with a re-initialised one for K classes."""
        self.linear = linear_like(self.linear, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, T, H, W) to logits (B, K)."""
        x = x.mean(dim=(2, 3, 4))  # (B, C)
        out: Tensor = self.linear(self.dropout(x))  # (B, K)
        return out


class FrameHead(ClipHead):
    """Mean over space, dropout, one linear layer per frame, mean over the frames' logits."""

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, T, H, W) to logits (B, K)."""
        x = x.mean(dim=(3, 4)).transpose(1, 2)  # (B, T, C)
        out: Tensor = self.linear(self.dropout(x)).mean(dim=1)  # (B, K)
        return out


class WindowHead(ClipHead):
    """Mean over a sliding window, dropout, one linear layer per window, mean over the logits.

    I3D's classifier, which slides over clips longer or larger than those of training. The windows
    overlap, so inner positions count more often than outer ones.

    Parameters
    ----------
    num_features, num_classes, dropout
        As in `ClipHead`.
    window : tuple of int or None, default=(2, 7, 7)
        Size (t, h, w), clipped to that of the feature map; None spans the whole axis.
    """

    def __init__(
        self,
        num_features: int,
        num_classes: int,
        dropout: float = 0.0,
        window: tuple[int | None, ...] = (2, 7, 7),
    ) -> None:
        super().__init__(num_features, num_classes, dropout)
        self.window = window

    def positions(self, x: Tensor) -> Tensor:
        """Map features (B, C, T, H, W) to the logits of all windows, (B, K, T', H', W')."""
        sizes = x.shape[2:]
        # features of 8x7x7 positions: 7 windows of 2x7x7, over frames 0-1, 1-2, ..., 6-7
        window = [min(w or size, size) for w, size in zip(self.window, sizes, strict=True)]
        x = F.avg_pool3d(x, window, stride=1)  # (B, C, T', H', W')
        x = self.linear(self.dropout(x).movedim(1, -1))  # (B, T', H', W', K)
        return x.movedim(-1, 1)  # (B, K, T', H', W')

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, T, H, W) to logits (B, K)."""
        return self.positions(x).mean(dim=(2, 3, 4))
