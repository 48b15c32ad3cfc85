"""C3D: Learning Spatiotemporal Features with 3D Convolutional Networks.

Tran, Bourdev, Fergus, Torresani and Paluri, ICCV 2015. arXiv:1412.0767
Official code: https://github.com/facebookarchive/C3D (a fork of Caffe, CC-BY-NC-3.0)

One kernel size everywhere: eight 3x3x3 convolutions and five max poolings, the first of which
keeps time so that frames are not merged early. Three linear layers follow. The C3D feature of a
16-frame clip is the output of fc6 after its ReLU, 4096 numbers: with a linear classifier on top,
it was the best general-purpose video descriptor of its time.

pool5 reduces 7 pixels to 4 by a padding of one, as in the PyTorch ports; the authors' Caffe rounds
up instead (`zoopraxis.weights.c3d`). ``c3d_bn`` adds batch norms. ``c3d_vmz`` is the authors'
later network in Caffe2 (https://github.com/facebookresearch/VMZ, Apache-2.0): batch norms, and a
pool5 without padding, which leaves 3 x 3 pixels. The entries' clips subtract one mean per channel,
as has become usual; the authors subtracted a mean volume.
"""

from functools import partial
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.head import linear_like
from zoopraxis.models.base import VideoClassifier
from zoopraxis.spec import ModelSpec

EPS = 1e-3  # epsilon of the batch norms


class C3D(VideoClassifier):
    """Eight convolutions, five poolings, three linear layers, for clips of a fixed size.

    Parameters
    ----------
    batch_norm : bool, default=False
        Whether a batch norm follows every convolution.
    pool5_padding : int, default=1
        Pixels around the input of the last pooling.
    clip : (int, int), default=(16, 112)
        T and S of the clips, which fix the size of fc6.
    width : int, default=64
        Channels of the first convolution; fc6 and fc7 have 64 times as many.
    num_classes : int, default=487
        K; Sports-1M has 487.
    dropout : float, default=0.5
        After fc6 and fc7.
    """

    pool1_frames: ClassVar[int] = 1

    def __init__(
        self,
        *,
        batch_norm: bool = False,
        pool5_padding: int = 1,
        clip: tuple[int, int] = (16, 112),
        width: int = 64,
        num_classes: int = 487,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        w = width
        conv = partial(Conv, batch_norm=batch_norm)
        self.conv1a = conv(3, w)
        self.conv2a = conv(w, 2 * w)
        self.conv3a = conv(2 * w, 4 * w)
        self.conv3b = conv(4 * w, 4 * w)
        self.conv4a = conv(4 * w, 8 * w)
        self.conv4b = conv(8 * w, 8 * w)
        self.conv5a = conv(8 * w, 8 * w)
        self.conv5b = conv(8 * w, 8 * w)
        self.pool5_padding = pool5_padding
        self.num_features = 8 * w
        self.fc6 = Dense(self.num_features * self.num_positions(*clip), 64 * w, dropout)
        self.fc7 = Dense(64 * w, 64 * w, dropout)
        self.fc8 = nn.Linear(64 * w, num_classes)
        self.initialise()

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, 16, 112, 112) to features (B, 512, 1, 4, 4)."""
        x = max_pool(self.conv1a(x), self.pool1_frames)  # (B, 64, 16, 56, 56)
        x = max_pool(self.conv2a(x), 2)  # (B, 128, 8, 28, 28)
        x = max_pool(self.conv3b(self.conv3a(x)), 2)  # (B, 256, 4, 14, 14)
        x = max_pool(self.conv4b(self.conv4a(x)), 2)  # (B, 512, 2, 7, 7)
        return self.pool5(self.conv5b(self.conv5a(x)))  # (B, 512, 1, 4, 4)

    def forward_fc6(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, 16, 112, 112) to C3D features (B, 4096)."""
        out: Tensor = self.fc6(self.forward_features(x).flatten(1))  # (B, 4096)
        return out

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 512, 1, 4, 4) to logits (B, K)."""
        x = self.fc7(self.fc6(x.flatten(1)))  # (B, 4096)
        out: Tensor = self.fc8(x)  # (B, K)
        return out

    def pool5(self, x: Tensor) -> Tensor:
        """Map (B, 512, 2, 7, 7) to (B, 512, 1, 4, 4): pixels 0, 1-2, 3-4, 5-6 of an axis."""
        return max_pool(x, 2, padding=self.pool5_padding)

    def num_positions(self, num_frames: int, size: int) -> int:
        """Count the positions (t, h, w) of the feature map of a clip."""
        x = torch.empty(1, 1, num_frames, size, size, device="meta")
        for pool_frames in (self.pool1_frames, 2, 2, 2):
            x = max_pool(x, pool_frames)
        return self.pool5(x).numel()

    def initialise(self) -> None:
        """He-normal convolutions; linear layers with a deviation of 0.005, the last of 0.01."""
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01 if module is self.fc8 else 0.005)
            if isinstance(module, nn.Conv3d | nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    @property
    def num_classes(self) -> int:
        """K, the logits of one clip."""
        return self.fc8.out_features

    def reset_classifier(self, num_classes: int) -> None:
        """Replace fc8 by a re-initialised one for K classes."""
        self.fc8 = linear_like(self.fc8, num_classes)


class Conv(nn.Module):
    """A 3x3x3 convolution with bias, an optional batch norm, and a ReLU."""

    def __init__(self, in_channels: int, out_channels: int, *, batch_norm: bool) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, 3, padding=1)
        self.norm = nn.BatchNorm3d(out_channels, eps=EPS) if batch_norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T, H, W)."""
        return F.relu(self.norm(self.conv(x)))


class Dense(nn.Module):
    """A linear layer, a ReLU and dropout."""

    def __init__(self, in_features: int, out_features: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.norm: nn.Module = nn.Identity()  # a batch norm in `i3d_baselines.ConvNet3D`
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N) to (B, M)."""
        out: Tensor = self.dropout(F.relu(self.norm(self.linear(x))))
        return out


def max_pool(x: Tensor, num_frames: int, *, padding: int = 0) -> Tensor:
    """Max pooling over 2 x 2 pixels and `num_frames` frames, or all that are left if fewer."""
    window = (min(num_frames, x.shape[2]), 2, 2)
    return F.max_pool3d(x, window, stride=window, padding=(0, padding, padding))


_CLIP = ClipSpec(
    sampling=Sampling(num_frames=16),
    input=RGB(resize=128, size=112, mean=(104.0, 117.0, 128.0), std=(1.0,), value_range=255.0),
)
_VMZ = ClipSpec(
    sampling=Sampling(num_frames=16),
    input=RGB(
        resize=(128, 171),
        size=112,
        mean=(0.43216, 0.394666, 0.37645),
        std=(0.22803, 0.22145, 0.216989),
    ),
)
_TINY = ClipSpec(sampling=Sampling(num_frames=8), input=RGB(resize=64, size=56))


def _entry(name: str, expects: ClipSpec, /, **args: Any) -> ModelSpec:
    return ModelSpec(name=name, build=C3D, args=args, clip=expects, strides=(16, 32))


SPECS = (
    _entry("c3d", _CLIP, num_classes=101),
    _entry("c3d_bn", _CLIP, batch_norm=True, num_classes=101),
    _entry("c3d_vmz", _VMZ, batch_norm=True, pool5_padding=0, num_classes=400),
    _entry("test_c3d", _TINY, clip=(8, 56), width=8, num_classes=12),
)
