"""Classifiers on top of a feature map: pool, drop, project.

The papers pool in two orders. A clip head averages the features and classifies once; a frame
head classifies every frame and averages the logits. For one linear layer and an average they
are the same function; with dropout, or another consensus, they are not.
"""

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ClipHead", "FrameHead", "WindowHead"]


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

    def reset(self, num_classes: int) -> None:
        """Replace the linear layer by a new one for K classes."""
        self.linear = nn.Linear(
            self.linear.in_features,
            num_classes,
            device=self.linear.weight.device,
            dtype=self.linear.weight.dtype,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, T, H, W) to logits (B, K)."""
        x = x.mean(dim=(2, 3, 4))  # (B, C)
        out: Tensor = self.linear(self.dropout(x))
        return out


class FrameHead(ClipHead):
    """Mean over space, dropout, one linear layer a frame, mean over the frames' logits."""

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, T, H, W) to logits (B, K)."""
        x = x.mean(dim=(3, 4)).transpose(1, 2)  # (B, T, C)
        out: Tensor = self.linear(self.dropout(x)).mean(dim=1)  # (B, K)
        return out


class WindowHead(ClipHead):
    """Means over a sliding window, dropout, one linear layer a window, mean over the windows.

    I3D's classifier, made to slide over videos longer and larger than its clips. Neighbouring
    windows overlap, so positions inside count more often than those at the ends.

    Parameters
    ----------
    num_features, num_classes, dropout
        As in `ClipHead`.
    window : tuple of int or None, default=(2, 7, 7)
        Size (t, h, w), or what there is of a smaller feature map; None is the whole axis.
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
        window = [min(w or size, size) for w, size in zip(self.window, sizes, strict=True)]
        x = F.avg_pool3d(x, window, stride=1)  # (B, C, T', H', W')
        x = self.linear(self.dropout(x).movedim(1, -1))  # (B, T', H', W', K)
        return x.movedim(-1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, T, H, W) to logits (B, K)."""
        return self.positions(x).mean(dim=(2, 3, 4))
