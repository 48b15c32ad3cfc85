"""ECO: Efficient Convolutional Network for Online Video Understanding.

Zolfaghari, Singh and Brox, ECCV 2018. arXiv:1804.09066
Official code: https://github.com/mzolfaghari/ECO-efficient-video-understanding (Caffe, research
use only) and https://github.com/mzolfaghari/ECO-pytorch (BSD-2-Clause)

A video is divided into N segments of equal length, and one frame of each passes through the lower
half of BN-Inception, up to the third Inception block: 96 channels of 28 x 28. Stacked over time
these features are the input of the upper half of a 3D ResNet-18, which relates distant frames of
the video. This is ECO-Lite. ECO-Full also runs the upper half of BN-Inception, averages its
features over the frames, and classifies the features of both streams together.

The 3D half is pre-activated (batch norm, ReLU, convolution); its projections are 3x3x3 convolutions
of the activated input; as in Caffe, every convolution has a bias. ``eco_r3d_18_16`` is the whole 3D
ResNet-18 by itself, at 112 pixels.

In training, ECO-Full drops half of the 2D and 0.3 of the 3D features; here both are dropped after
averaging over the clip, whereas the authors drop the 2D ones frame by frame. Its `forward_features`
concatenates the streams at the length of the 3D one, averaging the 2D features over groups of
frames: the mean over the clip is the same if N is a multiple of 4.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.bninception import BNInception, Inception, Reduction, halve
from zoopraxis.layers.frames import merge_time, split_time
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.models.base import VideoClassifier
from zoopraxis.spec import ModelSpec


class ECOLite(VideoClassifier):
    """The lower half of BN-Inception per frame, the upper half of a 3D ResNet over the frames.

    Parameters
    ----------
    divide : int, default=1
        Divides every width, for small networks.
    num_classes : int, default=400
        K.
    dropout : float, default=0.3
        Before the classifier.
    """

    def __init__(self, *, divide: int = 1, num_classes: int = 400, dropout: float = 0.3) -> None:
        super().__init__()
        self.lower = LowerInception(divide=divide)
        self.upper = UpperResNet3d(96 // divide, width=128 // divide)
        self.num_features = self.upper.num_features
        self.head = ClipHead(self.num_features, num_classes, dropout)
        nn.init.xavier_uniform_(self.head.linear.weight)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, 512, T/4, H/32, W/32)."""
        num_frames = x.shape[2]
        x = self.lower(merge_time(x), num_frames)  # (B * T, 96, H/8, W/8)
        x = split_time(x, num_frames)  # (B, 96, T, H/8, W/8)
        out: Tensor = self.upper(x)  # (B, 512, T/4, H/32, W/32)
        return out


class ECOFull(VideoClassifier):
    """ECO-Lite with the whole BN-Inception as a parallel stream.

    The parameters are those of `ECOLite`; `dropout` is in addition to that of each stream.
    """

    def __init__(self, *, divide: int = 1, num_classes: int = 400, dropout: float = 0.0) -> None:
        super().__init__()
        self.lower = TwoLevelInception(divide=divide)
        self.upper = UpperResNet3d(96 // divide, width=128 // divide)
        self.num_flat = self.lower.num_features
        self.num_features = self.num_flat + self.upper.num_features
        self.drop_flat, self.drop_deep = nn.Dropout(0.5), nn.Dropout(0.3)
        self.head = ClipHead(self.num_features, num_classes, dropout)
        nn.init.xavier_uniform_(self.head.linear.weight)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, 1536, T/4, H/32, W/32), the 2D ones first."""
        num_frames = x.shape[2]
        # (B * T, 96, H/8, W/8), (B * T, 1024, H/32, W/32)
        low, flat = self.lower.forward_levels(merge_time(x), num_frames)
        deep = self.upper(split_time(low, num_frames))  # (B, 512, T/4, H/32, W/32)
        flat = split_time(flat, num_frames)  # (B, 1024, T, H/32, W/32)
        _, _, time, height, width = deep.shape
        flat = _pooled(flat, (time, height, width))  # (B, 1024, T/4, H/32, W/32)
        return torch.cat((flat, deep), dim=1)  # (B, 1536, T/4, H/32, W/32)

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 1536, T', H', W') to logits (B, K)."""
        x = x.mean(dim=(2, 3, 4), keepdim=True)  # (B, 1536, 1, 1, 1)
        flat, deep = x[:, : self.num_flat], x[:, self.num_flat :]  # 1024 and 512 channels
        x = torch.cat((self.drop_flat(flat), self.drop_deep(deep)), dim=1)  # (B, 1536, 1, 1, 1)
        out: Tensor = self.head(x)  # (B, K)
        return out


# The 2D network and its lower half.


class TappedInception(BNInception):
    """BN-Inception that also returns features from within block 3c, the input of the 3D network."""

    inception_3a: Inception
    inception_3b: Inception
    inception_3c: Reduction

    def forward_low(self, x: Tensor, num_frames: int) -> tuple[Tensor, Tensor]:
        """Map frames (N, 3, H, W) to block 3b's output and the input of the 3D network.

        Returns
        -------
        Tensor of shape (N, 320, H/8, W/8)
            Output of block 3b.
        Tensor of shape (N, 96, H/8, W/8)
            Output of the second of the three convolutions in block 3c's double branch, before its
            stride.
        """
        x = self.forward_stem(x, num_frames)  # (N, 192, H/8, W/8)
        x = self.inception_3b(self.inception_3a(x, num_frames), num_frames)  # (N, 320, H/8, W/8)
        block = self.inception_3c
        low = block.conv_double_3x3_reduce(x, num_frames)  # (N, 64, H/8, W/8)
        return x, block.conv_double_3x3_1(low, num_frames)  # (N, 96, H/8, W/8)


class LowerInception(TappedInception):
    """BN-Inception up to the input of the 3D network; all other layers are removed.

    Parameters
    ----------
    divide : int, default=1
        Divides every width, for small networks.
    """

    def __init__(self, *, divide: int = 1) -> None:
        super().__init__(divide=divide)
        for name in _UPPER:
            delattr(self, f"inception_{name}")
        for name in ("conv_3x3_reduce", "conv_3x3", "conv_double_3x3_2"):
            delattr(self.inception_3c, name)
        self.num_features = 96 // divide

    def forward(self, x: Tensor, num_frames: int = 1) -> Tensor:
        """Map frames (N, 3, H, W) to (N, 96, H/8, W/8)."""
        return self.forward_low(x, num_frames)[1]


class TwoLevelInception(TappedInception):
    """BN-Inception that also returns the input of the 3D network.

    The parameters are those of `BNInception`.
    """

    def forward_levels(self, x: Tensor, num_frames: int) -> tuple[Tensor, Tensor]:
        """Map frames (N, 3, H, W) to (N, 96, H/8, W/8) and (N, 1024, H/32, W/32)."""
        x, low = self.forward_low(x, num_frames)  # (N, 320, H/8, W/8), (N, 96, H/8, W/8)
        block = self.inception_3c
        # the rest of block 3c
        three = block.conv_3x3_reduce(x, num_frames)  # (N, 128, H/8, W/8)
        three = block.conv_3x3(three, num_frames)  # (N, 160, H/16, W/16)
        double = block.conv_double_3x3_2(low, num_frames)  # (N, 96, H/16, W/16)
        x = torch.cat((three, double, halve(x)), dim=1)  # (N, 576, H/16, W/16)
        for name in _UPPER:  # 4e halves the size
            x = getattr(self, f"inception_{name}")(x, num_frames)
        return low, x  # (N, 96, H/8, W/8), (N, 1024, H/32, W/32)


_UPPER = ("4a", "4b", "4c", "4d", "4e", "5a", "5b")  # blocks after the third


# The 3D network, and its upper half.


class PreActivated(nn.Module):
    """Batch norm, ReLU, 3x3x3 convolution, twice; plus the input or a projection of it.

    Parameters
    ----------
    in_channels, out_channels : int
        Input and output channels; where they differ, the block halves time and space.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        same = in_channels == out_channels
        stride = 1 if same else 2
        self.norm1 = nn.BatchNorm3d(in_channels)
        self.conv1 = nn.Conv3d(in_channels, out_channels, 3, stride=stride, padding=1)
        self.norm2 = nn.BatchNorm3d(out_channels)
        self.conv2 = nn.Conv3d(out_channels, out_channels, 3, padding=1)
        self.down = None if same else nn.Conv3d(in_channels, out_channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T', H', W')."""
        active = F.relu(self.norm1(x))  # (B, C, T, H, W)
        out = self.conv1(active)  # (B, C', T', H', W')
        out = self.conv2(F.relu(self.norm2(out)))  # (B, C', T', H', W')
        # an identity sees the raw input, a projection the activated one
        total: Tensor = out + (x if self.down is None else self.down(active))
        return total


class UpperResNet3d(nn.Module):
    """The 3D half: a pre-activated ResNet-18 from its second stage up.

    Parameters
    ----------
    in_channels : int
        Input channels.
    width : int, default=128
        Channels of the second stage.
    """

    def __init__(self, in_channels: int, *, width: int = 128) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, width, 3, padding=1)
        self.block3b = PreActivated(width, width)
        self.block4a = PreActivated(width, 2 * width)
        self.block4b = PreActivated(2 * width, 2 * width)
        self.block5a = PreActivated(2 * width, 4 * width)
        self.block5b = PreActivated(4 * width, 4 * width)
        self.norm = nn.BatchNorm3d(4 * width)
        self.num_features = 4 * width
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 96, T, H, W) to (B, 512, T/4, H/4, W/4)."""
        x = self.block3b(self.conv(x))  # (B, 128, T, H, W)
        x = self.block4b(self.block4a(x))  # (B, 256, T/2, H/2, W/2)
        x = self.block5b(self.block5a(x))  # (B, 512, T/4, H/4, W/4)
        return F.relu(self.norm(x), inplace=True)


class PreActivatedResNet3d(VideoClassifier):
    """The whole pre-activated 3D ResNet-18, of which ECO uses the upper half.

    Parameters
    ----------
    width : int, default=64
        Channels of the stem.
    num_classes : int, default=400
        K.
    dropout : float, default=0.5
        Before the classifier.
    """

    def __init__(self, *, width: int = 64, num_classes: int = 400, dropout: float = 0.5) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, width, (3, 7, 7), stride=2, padding=(1, 3, 3))
        self.block2a = PreActivated(width, width)
        self.block2b = PreActivated(width, width)
        self.block3a = PreActivated(width, 2 * width)
        self.block3b = PreActivated(2 * width, 2 * width)
        self.block4a = PreActivated(2 * width, 4 * width)
        self.block4b = PreActivated(4 * width, 4 * width)
        self.block5a = PreActivated(4 * width, 8 * width)
        self.block5b = PreActivated(8 * width, 8 * width)
        self.norm = nn.BatchNorm3d(8 * width)
        self.num_features = 8 * width
        self.head = ClipHead(self.num_features, num_classes, dropout)
        initialise(self)
        nn.init.xavier_uniform_(self.head.linear.weight)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, 512, T/16, H/16, W/16)."""
        x = self.block2b(self.block2a(self.conv1(x)))  # (B, 64, T/2, H/2, W/2)
        x = self.block3b(self.block3a(x))  # (B, 128, T/4, H/4, W/4)
        x = self.block4b(self.block4a(x))  # (B, 256, T/8, H/8, W/8)
        x = self.block5b(self.block5a(x))  # (B, 512, T/16, H/16, W/16)
        return F.relu(self.norm(x), inplace=True)


def _pooled(x: Tensor, size: tuple[int, int, int]) -> Tensor:
    """Average a volume (B, C, T, H, W) to a size, in plain bins where it divides: for ONNX."""
    if any(whole % part for whole, part in zip(x.shape[2:], size, strict=True)):
        return F.adaptive_avg_pool3d(x, size)
    return F.avg_pool3d(x, [whole // part for whole, part in zip(x.shape[2:], size, strict=True)])


CLIP = ClipSpec(
    sampling=Sampling(num_frames=16, mode="segments"),
    input=RGB(
        mean=(104.0, 117.0, 128.0), std=(1.0, 1.0, 1.0), channel_order="bgr", value_range=255.0
    ),
)
_LENGTHS = (4, 8, 12, 16, 20, 24, 32)  # N


def _spec(name: str, build: type[VideoClassifier], num_frames: int) -> ModelSpec:
    clip = CLIP.change(num_frames=num_frames)
    return ModelSpec(name=f"{name}_{num_frames}", build=build, clip=clip, strides=(4, 32))


SPECS = (
    *(_spec("eco_lite", ECOLite, num_frames) for num_frames in _LENGTHS),
    *(_spec("eco_full", ECOFull, num_frames) for num_frames in _LENGTHS),
    ModelSpec(
        name="eco_r3d_18_16",
        build=PreActivatedResNet3d,
        clip=CLIP.change(resize=128, size=112),
        strides=(16, 16),
    ),
    ModelSpec(
        name="test_eco",
        build=ECOFull,
        args={"divide": 16, "num_classes": 12},
        clip=CLIP.change(num_frames=8, size=64, resize=64),
        strides=(4, 32),
    ),
    ModelSpec(
        name="test_eco_r3d",
        build=PreActivatedResNet3d,
        args={"width": 4, "num_classes": 12, "dropout": 0.0},
        clip=CLIP.change(num_frames=16, size=32, resize=32),
        strides=(16, 16),
    ),
)
