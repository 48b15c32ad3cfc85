"""Human Action Recognition using Factorized Spatio-Temporal Convolutional Networks (FstCN).

Sun, Jia, Yeung and Shi, ICCV 2015. arXiv:1510.00562
No official code and no public weights: the network could be checked only against the paper.

A 3D kernel is factorised into a 2D kernel in space and a 1D kernel in time, learned in sequence:
spatial layers (SCL), then temporal layers (TCL). A clip consists of L frames with a stride of s,
and of the absolute difference of each to the frame d later: short- and long-term motion at once.
Frames and differences pass through four shared spatial layers. The features of the differences then
enter the T-P operator. It flattens the positions of a frame (transformation), so that each position
has an image of time by feature channels, and reorders the channels by a learned matrix P
(permutation), so that related channels are adjacent. Two parallel convolutions, 3x3 and 5x5, run
over these images. One frame passes through a separate spatial path. Each path ends in two
fully-connected layers, and one more joins both. A test video has many clips and crops;
`fuse_by_concentration` gives peaked scores more weight.

What the paper leaves open is our choice. The paddings are those of CNN-M, the origin of its spatial
layers: 0, 1, 1, 1; poolings round sizes up; 204 pixels end in 4 x 4 positions. L, s and d are 5, 5
and 9 as in its experiments; the model expects the 30 consecutive frames that they span. The spatial
path sees the middle frame, whereas the authors draw one at random. The auxiliary classifier of
their pre-training is omitted. P is initialised to the identity.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.frames import split_batch
from zoopraxis.layers.head import linear_like
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.models.base import VideoClassifier
from zoopraxis.spec import ModelSpec


class TransformPermute(nn.Module):
    """T-P operator: for every position, an image of time by reordered channels.

    Parameters
    ----------
    channels : int
        F.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.permutation = nn.Parameter(torch.zeros(channels, channels).fill_diagonal_(1.0))

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, T, F, H, W) to (B, H * W, T, F)."""
        x = x.flatten(3).movedim(3, 1)  # (B, H * W, T, F)
        return x @ self.permutation  # (B, H * W, T, F)


class TemporalLayers(nn.Module):
    """Two parallel convolutions over time and channels, 3x3 and 5x5.

    Parameters
    ----------
    positions : int
        H * W, the input channels.
    width : int, default=32
        Output channels of each convolution.
    dropout : float, default=0.5
        After each convolution.
    """

    def __init__(self, positions: int, *, width: int = 32, dropout: float = 0.5) -> None:
        super().__init__()
        self.conv3 = nn.Conv2d(positions, width, 3, padding=1)
        self.conv5 = nn.Conv2d(positions, width, 5, padding=2)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, H * W, T, F) to (B, 2 width, T, F)."""
        branches = (self.conv3(x), self.conv5(x))  # (B, width, T, F) each
        # (B, 2 width, T, F)
        return torch.cat([self.dropout(F.relu(branch)) for branch in branches], dim=1)


class FstCN(VideoClassifier):
    """Factorized spatio-temporal convolutional network, for clips of one size.

    Parameters
    ----------
    length : int, default=5
        L, the number of frames and of differences.
    stride : int, default=5
        s, the stride of the frames.
    distance : int, default=9
        d, the distance between the frames of a difference.
    size : int, default=204
        Height and width of the frames in pixels.
    widths : (int, int, int), default=(96, 256, 512)
        Output channels of the shared spatial layers.
    features : int, default=128
        F, output channels of the first convolution of each path.
    dense : (int, int), default=(4096, 2048)
        Widths of the fully-connected layers.
    num_classes : int, default=101
        K; UCF-101 has 101.
    dropout : float, default=0.5
        After the temporal and the fully-connected layers.
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
        positions = positions_per_side(size) ** 2
        self.transform = TransformPermute(features)
        self.time = TemporalLayers(positions, dropout=dropout)
        hidden, self.num_features = dense
        self.spatial_dense = Dense(features * positions, hidden, self.num_features, dropout)
        self.temporal_dense = Dense(64 * length * features, hidden, self.num_features, dropout)
        self.join = nn.Linear(2 * self.num_features, self.num_features)
        self.linear = nn.Linear(self.num_features, num_classes)
        initialise(self)

    def sample(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Split clips (B, 3, T, H, W) into frames and their differences, (B, L, 3, H, W) each.

        # L=3, s=2, d=1, T=6: frames 0, 2, 4; differences |0 - 1|, |2 - 3|, |4 - 5|
        """
        end = (self.length - 1) * self.stride + 1  # after the last frame: 21 for L=5, s=5
        if x.shape[2] < end + self.distance:
            raise ShapeError(
                f"a clip of {x.shape[2]} frames, expected {end + self.distance}",
                "leave out clip.num_frames; the network is built for clips of one size",
            )
        x = x.transpose(1, 2)  # (B, T, 3, H, W)
        frames = x[:, : end : self.stride]  # (B, L, 3, H, W)
        later = x[:, self.distance : self.distance + end : self.stride]  # (B, L, 3, H, W)
        return frames, (frames - later).abs()

    def forward_paths(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map clips (B, 3, T, H, W) to the inputs of both paths, (B, F, h, w), (B, L, F, h, w)."""
        frames, differences = self.sample(x)  # (B, L, 3, H, W) each
        middle = self.shared(frames[:, self.length // 2])  # (B, 512, H/17, W/17)
        still = pool(self.spatial(middle).relu(), 3)  # (B, F, h, w)
        moving = self.shared(differences.flatten(0, 1))  # (B * L, 512, H/17, W/17)
        moving = pool(self.temporal(moving).relu(), 3)  # (B * L, F, h, w)
        return still, split_batch(moving, self.length)  # (B, F, h, w), (B, L, F, h, w)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, 2048, 1, 1, 1)."""
        still, moving = self.forward_paths(x)  # (B, F, h, w), (B, L, F, h, w)
        moving = self.time(self.transform(moving))  # (B, 64, L, F)
        # (B, 2048) each
        paths = (self.spatial_dense(still.flatten(1)), self.temporal_dense(moving.flatten(1)))
        joined: Tensor = self.join(torch.cat(paths, dim=1)).relu()  # (B, 2048)
        return joined[:, :, None, None, None]  # (B, 2048, 1, 1, 1)

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 2048, 1, 1, 1) to logits (B, K)."""
        out: Tensor = self.linear(x.flatten(1))  # (B, K)
        return out

    @property
    def num_classes(self) -> int:
        """K, the number of logits of a clip."""
        return self.linear.out_features

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the last layer with a re-initialised one for K classes."""
        self.linear = linear_like(self.linear, num_classes)


class SpatialLayers(nn.Module):
    """Four convolutions of single frames: 7x7, 5x5, 3x3, 3x3.

    Parameters
    ----------
    widths : (int, int, int)
        Output channels of the first, the second, and the last two convolutions.
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


class Dense(nn.Sequential):
    """Two fully-connected layers, each with ReLU and dropout."""

    def __init__(self, in_features: int, hidden: int, out_features: int, dropout: float) -> None:
        super().__init__(
            nn.Linear(in_features, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, out_features),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
        )


def pool(x: Tensor, stride: int) -> Tensor:
    """3x3 max pooling that rounds sizes up, as in Caffe."""
    return F.max_pool2d(x, 3, stride=stride, ceil_mode=True)


def positions_per_side(size: int) -> int:
    """Return height and width of the features of each path, for frames of `size` pixels."""
    # -(-a // b) rounds a / b up
    size = -(-((size - 7) // 2 + 1 - 3) // 2) + 1  # 204: conv1 99, pooling 49
    size = -(-((size + 2 - 5) // 2 + 1 - 3) // 2) + 1  # 49: conv2 24, pooling 12
    return -(-(size - 3) // 3) + 1  # 12: pooling of the path 4


# Score fusion.


def concentration(probabilities: Tensor) -> Tensor:
    """Sparsity concentration index: 1 for one class alone, 0 for a uniform distribution.

    Parameters
    ----------
    probabilities : Tensor of shape (..., K)
        Non-negative.

    Returns
    -------
    Tensor of shape (...)
    """
    # (0.5, 0.5, 0, 0): peak 0.5, (4 * 0.5 - 1) / 3 = 1/3
    classes = probabilities.shape[-1]
    peak = probabilities.amax(dim=-1) / probabilities.sum(dim=-1)  # (...)
    return (classes * peak - 1) / (classes - 1)


def fuse_by_concentration(probabilities: Tensor) -> Tensor:
    """Fuse the scores of a video: mean over crops weighted by concentration, maximum over clips.

    Parameters
    ----------
    probabilities : Tensor of shape (M, C, K)
        Probabilities of C crops of M clips.

    Returns
    -------
    Tensor of shape (K,)
    """
    trust = concentration(probabilities)[..., None]  # (M, C, 1)
    clips = (trust * probabilities).sum(dim=1) / trust.sum(dim=1)  # (M, K)
    return clips.amax(dim=0)  # (K,)


_CLIP = ClipSpec(sampling=Sampling(num_frames=30), input=RGB(resize=240, size=204))
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

SPECS = (
    ModelSpec(name="fstcn", build=FstCN, clip=_CLIP, strides=(None, None)),
    ModelSpec(
        name="test_fstcn",
        build=FstCN,
        args=_TINY,
        clip=_CLIP.change(num_frames=6, resize=72, size=64),
        strides=(None, None),
    ),
)
