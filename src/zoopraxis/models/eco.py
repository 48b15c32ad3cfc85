"""ECO: Efficient Convolutional Network for Online Video Understanding.

Zolfaghari, Singh and Brox, ECCV 2018. arXiv:1804.09066
Official code: https://github.com/mzolfaghari/ECO-efficient-video-understanding (Caffe, research
use only; source "caffe") and https://github.com/mzolfaghari/ECO-pytorch (BSD-2-Clause; "eco")

The whole video is cut into N segments, of which one frame each passes the lower half of
BN-Inception, up to the third inception block: 96 channels on 28x28 positions. Stacked over time
they are a volume that the upper half of a 3D ResNet-18 reads, so that the network itself relates
what is far apart. That is ECO-Lite. ECO-Full runs the rest of BN-Inception too, averages its
features over the frames, and classifies both together. ``eco_r3d_18_16`` is the 3D ResNet-18 whose
upper half it is, alone and on 112 pixels.

The 3D half is pre-activated (norm, ReLU, convolution), its projections are 3x3x3 convolutions of
the activated input, and as in Caffe every convolution has a bias. ECO-Full's dropout inside, 0.5
of the 2D and 0.3 of the 3D features, acts here on the clip's averages; the authors drop from each
frame's 2D features. `forward_features` of ECO-Full joins the streams at the length of the 3D one,
the 2D features averaged over the frames of each step: the same means over the clip, where N is a
multiple of 4. Source "caffe" takes names and shapes from the authors' prototxts; no trained net
was at hand.
"""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.checkpoints.convert import RENAME_BLOBS, squeeze_blobs
from zoopraxis.layers.bninception import (
    RENAME_BNINCEPTION,
    BNInception,
    Inception,
    Reduction,
    halve,
)
from zoopraxis.layers.conv2d import conv_norm
from zoopraxis.layers.frames import RENAME_SEGMENTS, fold, unfold
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.models._eco_weights import CLIP, published
from zoopraxis.spec import ModelSpec, Replacement, Source


class Half3c(nn.Module):
    """The beginning of one branch of inception block 3c: 1x1, 3x3.

    Parameters
    ----------
    in_channels, reduced, out_channels : int
        Channels that come, between the convolutions, that go.
    """

    def __init__(self, in_channels: int, reduced: int, out_channels: int) -> None:
        super().__init__()
        self.conv_double_3x3_reduce = conv_norm("3c", in_channels, reduced, 1)
        self.conv_double_3x3_1 = conv_norm("3c", reduced, out_channels, 3, padding=1)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map (N, C, H, W) to (N, C', H, W)."""
        out: Tensor = self.conv_double_3x3_1(self.conv_double_3x3_reduce(x, frames), frames)
        return out


class LowerInception(nn.Module):
    """BN-Inception up to the middle of block 3c.

    Parameters
    ----------
    divide : int, default=1
        Divides every width, for small networks.
    """

    def __init__(self, *, divide: int = 1) -> None:
        super().__init__()
        w32, w64, w96 = (width // divide for width in (32, 64, 96))
        self.conv1_7x7_s2 = conv_norm("conv1_7x7_s2", 3, w64, 7, stride=2, padding=3)
        self.conv2_3x3_reduce = conv_norm("conv2_3x3_reduce", w64, w64, 1)
        self.conv2_3x3 = conv_norm("conv2_3x3", w64, 3 * w64, 3, padding=1)
        self.inception_3a = Inception(
            "3a", 3 * w64, w64, (w64, w64), (w64, w96), w32, pool="average", conv=conv_norm
        )
        self.inception_3b = Inception(
            "3b", 4 * w64, w64, (w64, w96), (w64, w96), w64, pool="average", conv=conv_norm
        )
        self.inception_3c = Half3c(5 * w64, w64, w96)
        self.num_features = w96

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (N, 3, H, W) to (N, 96, H/8, W/8)."""
        x = halve(self.conv1_7x7_s2(x, frames))  # (N, 64, H/4, W/4)
        x = self.conv2_3x3(self.conv2_3x3_reduce(x, frames), frames)  # (N, 192, H/4, W/4)
        x = self.inception_3a(halve(x), frames)  # (N, 256, H/8, W/8)
        x = self.inception_3b(x, frames)  # (N, 320, H/8, W/8)
        out: Tensor = self.inception_3c(x, frames)  # (N, 96, H/8, W/8)
        return out


class TwoLevelInception(BNInception):
    """BN-Inception that also gives what the 3D network reads.

    The arguments are those of `BNInception`.
    """

    inception_3a: Inception
    inception_3b: Inception
    inception_3c: Reduction

    def forward_levels(self, x: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """Map frames (N, 3, H, W) to (N, 96, H/8, W/8) and (N, 1024, H/32, W/32)."""
        x = self.forward_stem(x, frames)  # (N, 192, H/8, W/8)
        x = self.inception_3b(self.inception_3a(x, frames), frames)  # (N, 320, H/8, W/8)
        block = self.inception_3c
        low = block.conv_double_3x3_1(block.conv_double_3x3_reduce(x, frames), frames)
        three = block.conv_3x3(block.conv_3x3_reduce(x, frames), frames)
        double = block.conv_double_3x3_2(low, frames)
        x = torch.cat((three, double, halve(x)), dim=1)  # (N, 576, H/16, W/16)
        for name in ("4a", "4b", "4c", "4d", "4e", "5a", "5b"):
            x = getattr(self, f"inception_{name}")(x, frames)
        return low, x


class PreActivated(nn.Module):
    """Norm, ReLU, 3x3x3 convolution, twice; plus the input, or its projection once activated.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels that come and go; where they differ the block halves time and space.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        stride = 1 if in_channels == out_channels else 2
        self.norm1 = nn.BatchNorm3d(in_channels)
        self.conv1 = nn.Conv3d(in_channels, out_channels, 3, stride=stride, padding=1)
        self.norm2 = nn.BatchNorm3d(out_channels)
        self.conv2 = nn.Conv3d(out_channels, out_channels, 3, padding=1)
        if stride == 2:
            self.down = nn.Conv3d(in_channels, out_channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T', H', W')."""
        active = F.relu(self.norm1(x))
        out: Tensor = self.conv2(F.relu(self.norm2(self.conv1(active))))
        return out + (self.down(active) if hasattr(self, "down") else x)


class UpperResNet3d(nn.Module):
    """The 3D half: from the third stage of a pre-activated ResNet-18 on.

    Parameters
    ----------
    in_channels : int
        Channels of a frame.
    width : int, default=128
        Channels of its first stage.
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


class PreActivatedResNet3d(nn.Module):
    """The 3D ResNet-18 whose upper half ECO takes.

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

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 512, T', H', W') to logits (B, K)."""
        out: Tensor = self.head(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def reset_head(self, num_classes: int) -> None:
        """Replace the classifier by a new one for K classes."""
        self.head.reset(num_classes)


class ECOLite(nn.Module):
    """Half of BN-Inception a frame, half of a 3D ResNet over the frames.

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
        initialise(self.lower)
        self.upper = UpperResNet3d(self.lower.num_features, width=128 // divide)
        self.num_features = self.upper.num_features
        self.head = ClipHead(self.num_features, num_classes, dropout)
        nn.init.xavier_uniform_(self.head.linear.weight)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, 512, T/4, H/32, W/32)."""
        frames = x.shape[2]
        x = self.lower(fold(x), frames)  # (B * T, 96, H/8, W/8)
        out: Tensor = self.upper(unfold(x, frames))  # (B, 512, T/4, H/32, W/32)
        return out

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, C, T', H', W') to logits (B, K)."""
        out: Tensor = self.head(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def reset_head(self, num_classes: int) -> None:
        """Replace the classifier by a new one for K classes."""
        self.head.reset(num_classes)


class ECOFull(nn.Module):
    """ECO-Lite, and the whole of BN-Inception beside it.

    The parameters are those of `ECOLite`; `dropout` comes on top of that of each stream.
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
        frames = x.shape[2]
        low, flat = self.lower.forward_levels(fold(x), frames)
        deep = self.upper(unfold(low, frames))  # (B, 512, T/4, H/32, W/32)
        flat = F.adaptive_avg_pool3d(unfold(flat, frames), deep.shape[2:])  # (B, 1024, T/4, ., .)
        return torch.cat((flat, deep), dim=1)  # (B, 1536, T/4, H/32, W/32)

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 1536, T', H', W') to logits (B, K)."""
        x = x.mean(dim=(2, 3, 4), keepdim=True)  # (B, 1536, 1, 1, 1)
        flat, deep = x[:, : self.num_flat], x[:, self.num_flat :]
        out: Tensor = self.head(torch.cat((self.drop_flat(flat), self.drop_deep(deep)), dim=1))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def reset_head(self, num_classes: int) -> None:
        """Replace the classifier by a new one for K classes."""
        self.head.reset(num_classes)


# In the authors' files a norm is named for what it follows: the sums are res2a, res2b, ...
_SUMS = ("2a", "2b", "3a", "3b", "4a", "4b", "5a", "5b")
_AFTER = dict(pairwise(_SUMS))
_RENAME_RESNET: tuple[tuple[str, Replacement], ...] = (
    (r"\bconv1_bn\.", "block2a.norm1."),
    (r"\bres5b_bn\.", "norm."),
    (r"\bres(\d[ab])_bn\.", lambda m: f"block{_AFTER[m[1]]}.norm1."),
    (r"\bres(\d[ab])_1_bn\.", r"block\1.norm2."),
    (r"\bres(\d[ab])_([12])\.", r"block\1.conv\2."),
    (r"\bres(\d[ab])_down\.", r"block\1.down."),
)
AUTHORS = Source(
    rename=(
        (r"^base_model\.fc_final\.", "head.linear."),  # trained without dropout
        (r"^base_model\.res3a_2\.", "upper.conv."),
        (r"^base_model\.(?=res)", "upper."),
        (r"^base_model\.", "lower."),
        *RENAME_SEGMENTS,
        *RENAME_BNINCEPTION,
        *_RENAME_RESNET,
    )
)
CAFFE = Source(
    rename=(
        *RENAME_BLOBS,
        (r"^fc8\w?\.", "head.linear."),  # fc8N, fc8u, fc8h: another for each data set
        (r"^res3a_2n?\.", "upper.conv."),
        (r"^(?=res)", "upper."),
        (r"^(?=conv|inception)", "lower."),
        *RENAME_BNINCEPTION,
        *_RENAME_RESNET,
    ),
    adapt=squeeze_blobs,
)
AUTHORS_3D = Source(
    rename=(
        (r"^base_model\.(?:fc8\.)?", ""),
        *_RENAME_RESNET,
        (r"^new_fc\.|^(?=weight|bias)", "head.linear."),
    )
)


def _row(
    name: str, build: type[ECOLite] | type[ECOFull], params_m: float, macs_g: float, **clip: Any
) -> ModelSpec:
    """Row of a network; the weights for 16 segments fit every length, as no shape depends on it."""
    net, frames = name.rsplit("_", 1)
    return ModelSpec(
        name=name,
        build=build,
        clip=replace(CLIP, frames=int(frames), **clip),
        params_m=params_m,
        macs_g=macs_g,
        strides=(4, 32),
        sources={"eco": AUTHORS, "caffe": CAFFE},
        weights=published(net) if frames == "16" else (),
    )


SPECS = (
    _row("eco_lite_4", ECOLite, 37.50, 11.62),
    _row("eco_lite_8", ECOLite, 37.50, 23.24),
    _row("eco_lite_12", ECOLite, 37.50, 34.86),
    _row("eco_lite_16", ECOLite, 37.50, 46.49),
    _row("eco_lite_20", ECOLite, 37.50, 58.11),
    _row("eco_lite_24", ECOLite, 37.50, 69.73),
    _row("eco_lite_32", ECOLite, 37.50, 92.97),
    _row("eco_full_4", ECOFull, 47.50, 16.10),
    _row("eco_full_8", ECOFull, 47.50, 32.21),
    _row("eco_full_12", ECOFull, 47.50, 48.31),
    _row("eco_full_16", ECOFull, 47.50, 64.41),
    _row("eco_full_20", ECOFull, 47.50, 80.52),
    _row("eco_full_24", ECOFull, 47.50, 96.62),
    _row("eco_full_32", ECOFull, 47.50, 128.83),
    ModelSpec(
        name="eco_r3d_18_16",
        build=PreActivatedResNet3d,
        clip=replace(CLIP, resize=128, size=112),
        params_m=37.85,
        macs_g=21.52,
        strides=(16, 16),
        sources={"eco": AUTHORS_3D},
        weights=published("eco_r3d_18"),
    ),
    ModelSpec(
        name="test_eco",
        build=ECOFull,
        args={"divide": 16, "num_classes": 12},
        clip=replace(CLIP, frames=8, size=64, resize=64),
        params_m=0.19,
        macs_g=0.01,
        strides=(4, 32),
        sources={"eco": AUTHORS, "caffe": CAFFE},
    ),
    ModelSpec(
        name="test_eco_r3d",
        build=PreActivatedResNet3d,
        args={"width": 4, "num_classes": 12, "dropout": 0.0},
        clip=replace(CLIP, frames=16, size=32, resize=32),
        params_m=0.15,
        macs_g=0.01,
        strides=(16, 16),
        sources={"eco": AUTHORS_3D},
    ),
)
