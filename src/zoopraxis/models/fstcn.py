"""Human Action Recognition using Factorized Spatio-Temporal Convolutional Networks (FstCN).

Sun, Jia, Yeung and Shi, ICCV 2015. arXiv:1510.00562
No official code and no public weights: nothing to hold this network to but the paper.

A 3D kernel is factorised into a 2D kernel in space and a 1D kernel in time, learned in sequence:
spatial layers (SCL) below, temporal layers (TCL) above. A video is sampled sparsely, L frames s
apart, and each comes with its absolute difference to the frame d later, so that a clip shows short
and long motion. All pass four shared spatial layers. The differences go on to the T-P operator:
it lays out the positions of a frame as a vector (transformation), which leaves for each of them an
image of time by feature channels, and reorders the channels by a learned matrix P (permutation), so
that 2D kernels find related channels side by side. Kernels of 3x3 and of 5x5 slide over these
images next to each other. One frame takes a spatial path of its own beside them; two
fully-connected layers end each path, and one joins both. A test video gives many clips and crops,
and `fuse_by_concentration` trusts the scores that are peaked.

What the paper does not say is read as follows. The paddings are those of the network its spatial
layers come from (CNN-M): none, 1, 1, 1, and poolings round up; 204 pixels end in 4x4 positions. A
clip holds L = 5 frames with s = 5 and d = 9, the values of its experiments; the model takes the 30
consecutive frames they lie in and picks them. The spatial path gets the middle frame, where the
authors draw one. The auxiliary classifier of their pre-training is left out. P starts as identity.
"""

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.frames import split_batch
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.spec import ClipSpec, ModelSpec


class SpatialLayers(nn.Module):
    """Four convolutions of single frames: 7x7, 5x5, 3x3, 3x3.

    Parameters
    ----------
    widths : (int, int, int)
        Channels of the first, the second, and the last two.
    """

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        one, two, three = widths
        self.conv1 = nn.Conv2d(3, one, 7, stride=2)
        self.conv2 = nn.Conv2d(one, two, 5, stride=2, padding=1)
        self.conv3 = nn.Conv2d(two, three, 3, padding=1)
        self.conv4 = nn.Conv2d(three, three, 3, padding=1)
        self.norm = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)

    def forward(self, x: Tensor) -> Tensor:
        """Map frames (N, 3, 204, 204) to (N, 512, 12, 12)."""
        x = pool(self.norm(F.relu(self.conv1(x))), 2)  # (N, 96, 49, 49)
        x = pool(self.norm(F.relu(self.conv2(x))), 2)  # (N, 256, 12, 12)
        return F.relu(self.conv4(F.relu(self.conv3(x))))  # (N, 512, 12, 12)


def pool(x: Tensor, stride: int) -> Tensor:
    """Max pooling over 3x3 positions that rounds up, as in Caffe."""
    return F.max_pool2d(x, 3, stride=stride, ceil_mode=True)


class TransformPermute(nn.Module):
    """T-P operator: an image of time by (reordered) channels for every position.

    Parameters
    ----------
    channels : int
        F, of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.permutation = nn.Parameter(torch.eye(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, T, F, H, W) to (B, H * W, T, F)."""
        x = x.flatten(3).movedim(3, 1)  # (B, H * W, T, F)
        return x @ self.permutation


class TemporalLayers(nn.Module):
    """Two convolutions side by side over time and channels, of 3x3 and 5x5.

    Parameters
    ----------
    positions : int
        H * W, the channels of the images.
    width : int, default=32
        Images out, of each.
    dropout : float, default=0.5
        Behind each.
    """

    def __init__(self, positions: int, *, width: int = 32, dropout: float = 0.5) -> None:
        super().__init__()
        self.conv3 = nn.Conv2d(positions, width, 3, padding=1)
        self.conv5 = nn.Conv2d(positions, width, 5, padding=2)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, H * W, T, F) to (B, 2 width, T, F)."""
        branches = (self.conv3(x), self.conv5(x))
        return torch.cat([self.dropout(F.relu(branch)) for branch in branches], dim=1)


class Dense(nn.Sequential):
    """Two fully-connected layers, each with ReLU and dropout."""

    def __init__(self, features: int, hidden: int, out: int, dropout: float) -> None:
        super().__init__(
            nn.Linear(features, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, out),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
        )


class FstCN(nn.Module):
    """Factorized spatio-temporal convolutional network; the size of the clips is fixed.

    Parameters
    ----------
    length : int, default=5
        L, the frames it looks at, and their differences.
    stride : int, default=5
        s, from one to the next.
    distance : int, default=9
        d, from a frame to the one it is compared with.
    size : int, default=204
        Side of the frames in pixels.
    widths : (int, int, int), default=(96, 256, 512)
        Channels of the shared spatial layers.
    features : int, default=128
        F, channels that each path reads.
    dense : (int, int), default=(4096, 2048)
        Widths of the fully-connected layers.
    num_classes : int, default=101
        K; UCF101 has 101.
    dropout : float, default=0.5
        Behind the temporal and the fully-connected layers.
    """

    def __init__(
        self,
        *,
        length: int = 5,
        stride: int = 5,
        distance: int = 9,
        size: int = 204,
        widths: tuple[int, int, int] = (96, 256, 512),
        features: int = 128,
        dense: tuple[int, int] = (4096, 2048),
        num_classes: int = 101,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.length, self.stride, self.distance = length, stride, distance
        self.shared = SpatialLayers(widths)
        self.spatial = nn.Conv2d(widths[2], features, 3, padding=1)
        self.temporal = nn.Conv2d(widths[2], features, 3, padding=1)
        side = positions_per_side(size)
        self.transform = TransformPermute(features)
        self.time = TemporalLayers(side**2, dropout=dropout)
        hidden, self.num_features = dense
        self.spatial_dense = Dense(features * side**2, hidden, self.num_features, dropout)
        self.temporal_dense = Dense(64 * length * features, hidden, self.num_features, dropout)
        self.join = nn.Linear(2 * self.num_features, self.num_features)
        self.linear = nn.Linear(self.num_features, num_classes)
        initialise(self)

    def sample(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pick frames and make differences: (B, 3, T, H, W) to (B, L, 3, H, W) twice."""
        last = (self.length - 1) * self.stride + 1
        x = x.transpose(1, 2)  # (B, T, 3, H, W)
        frames = x[:, : last : self.stride]  # (B, L, 3, H, W)
        later = x[:, self.distance : self.distance + last : self.stride]
        return frames, (frames - later).abs()

    def forward_paths(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map clips (B, 3, T, H, W) to what both paths read, (B, F, h, w) and (B, L, F, h, w)."""
        frames, differences = self.sample(x)
        middle = self.shared(frames[:, self.length // 2])  # (B, 512, H/17, W/17)
        still = pool(self.spatial(middle).relu(), 3)  # (B, F, h, w)
        moving = self.shared(differences.flatten(0, 1))  # (B * L, 512, H/17, W/17)
        moving = pool(self.temporal(moving).relu(), 3)  # (B * L, F, h, w)
        return still, split_batch(moving, self.length)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, 2048, 1, 1, 1)."""
        still, moving = self.forward_paths(x)
        moving = self.time(self.transform(moving))  # (B, 64, L, F)
        paths = (self.spatial_dense(still.flatten(1)), self.temporal_dense(moving.flatten(1)))
        joined: Tensor = self.join(torch.cat(paths, dim=1)).relu()  # (B, 2048)
        return joined[:, :, None, None, None]

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 2048, 1, 1, 1) to logits (B, K)."""
        out: Tensor = self.linear(x.flatten(1))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def reset_head(self, num_classes: int) -> None:
        """Replace the last layer by a new one for K classes."""
        weight = self.linear.weight
        self.linear = nn.Linear(
            self.num_features, num_classes, device=weight.device, dtype=weight.dtype
        )


def positions_per_side(size: int) -> int:
    """Side of the feature map of each path for frames of `size` pixels: 4 for 204."""
    size = -(-((size - 7) // 2 + 1 - 3) // 2) + 1  # conv1, pooling: 49
    size = -(-((size + 2 - 5) // 2 + 1 - 3) // 2) + 1  # conv2, pooling: 12
    return -(-(size - 3) // 3) + 1  # pooling of the path: 4


# Score fusion.


def concentration(probabilities: Tensor) -> Tensor:
    """Sparsity concentration index: 1 where one class has it all, 0 where all have the same.

    Parameters
    ----------
    probabilities : Tensor of shape (..., K)
        Not negative.

    Returns
    -------
    Tensor of shape (...)
    """
    classes = probabilities.shape[-1]
    peak = probabilities.amax(dim=-1) / probabilities.sum(dim=-1)
    return (classes * peak - 1) / (classes - 1)


def fuse_by_concentration(probabilities: Tensor) -> Tensor:
    """Score a video: the mean over crops weighed by concentration, then the maximum over clips.

    Parameters
    ----------
    probabilities : Tensor of shape (M, C, K)
        Of C crops of M clips.

    Returns
    -------
    Tensor of shape (K,)
    """
    trust = concentration(probabilities)[..., None]  # (M, C, 1)
    clips = (trust * probabilities).sum(dim=1) / trust.sum(dim=1)  # (M, K)
    return clips.amax(dim=0)


_TINY: dict[str, Any] = {
    "length": 3,
    "stride": 2,
    "distance": 1,
    "size": 64,
    "widths": (8, 16, 16),
    "features": 8,
    "dense": (32, 32),
    "num_classes": 12,
}
_CLIP = ClipSpec(frames=30, resize=240, size=204)

SPECS = (
    ModelSpec(
        name="fstcn",
        build=FstCN,
        clip=_CLIP,
        params_m=206.93,
        macs_g=6.73,
        strides=(None, None),
    ),
    ModelSpec(
        name="test_fstcn",
        build=FstCN,
        args=_TINY,
        clip=replace(_CLIP, frames=6, resize=72, size=64),
        params_m=0.07,
        macs_g=0.00,
        strides=(None, None),
    ),
)
