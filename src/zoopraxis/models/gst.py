"""GST: Grouped Spatial-Temporal Aggregation for Efficient Action Recognition.

Luo and Yuille, ICCV 2019. arXiv:1909.13130
Official code: https://github.com/chenxuluo/GST-video (MIT)

Not every channel needs temporal modelling. GST splits the 3x3 convolution of a bottleneck into two
groups: a 1x3x3 convolution computes three quarters of the output channels, a 3x3x3 convolution the
last quarter, and one batch norm follows their concatenation. The network is smaller than the 2D
ResNet it is made from, and the scales of that batch norm show how much a stage relies on motion.
The logits of a clip are the mean of its frames' logits.

In GST each convolution sees one half of the input channels (beta = 2), in GST-Large both see all
of them (beta = 1, ``gst_large_*``). One output channel in alpha = 4 is temporal; in ``*_a2_*`` and
``*_a8_*`` it is one in 2 or 8. The authors write every layer as a 3D convolution; here all but the
3x3x3 are equivalent 2D convolutions of frames merged into the batch.
"""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.frames import merge_time, split_time
from zoopraxis.layers.resnet2d import Bottleneck2d, ResNet2d, everywhere
from zoopraxis.models.base import SegmentNetwork
from zoopraxis.spec import ModelSpec


class GroupedConv(nn.Module):
    """1x3x3 and 3x3x3 convolutions side by side (section 3).

    Parameters
    ----------
    channels : int
        Input and output channels C.
    stride : int
        In space.
    alpha : int
        One output channel in `alpha` is temporal.
    beta : {1, 2}
        Groups of input channels: with 1 both convolutions see all of them, with 2 one half each.
    """

    def __init__(self, channels: int, *, stride: int, alpha: int, beta: int) -> None:
        super().__init__()
        # C = 64, alpha = 4, beta = 2: channels 0-31 to 48 spatial ones, 32-63 to 16 temporal ones
        self.group = group = channels // beta  # input channels of each convolution
        temporal = channels // alpha
        self.spatial = nn.Conv2d(group, channels - temporal, 3, stride, padding=1, bias=False)
        self.temporal = nn.Conv3d(group, temporal, 3, (1, stride, stride), padding=1, bias=False)

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, C, H', W')."""
        spatial = self.spatial(x[:, : self.group])  # (B * T, C - C/alpha, H', W')
        clips = split_time(x[:, -self.group :], num_frames)  # (B, C/beta, T, H, W)
        temporal = merge_time(self.temporal(clips))  # (B * T, C/alpha, H', W')
        return torch.cat((spatial, temporal), dim=1)  # (B * T, C, H', W')


class GSTBottleneck(Bottleneck2d):
    """A bottleneck with a grouped convolution in the middle.

    Parameters
    ----------
    in_channels, width, stride, shortcut
        As of `Bottleneck2d`.
    alpha, beta : int
        As of `GroupedConv`.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int,
        shortcut: nn.Module,
        alpha: int,
        beta: int,
    ) -> None:
        super().__init__(in_channels, width, stride=stride, shortcut=shortcut)
        self.conv2 = GroupedConv(width, stride=stride, alpha=alpha, beta=beta)

    def residual(self, x: Tensor, num_frames: int) -> Tensor:
        """Residual branch: (B * T, C, H, W) to (B * T, 4 width, H', W')."""
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)  # (B * T, width, H, W)
        x = F.relu(self.norm2(self.conv2(x, num_frames)), inplace=True)  # (B * T, width, H', W')
        out: Tensor = self.norm3(self.conv3(x))  # (B * T, 4 width, H', W')
        return out


class GST(SegmentNetwork):
    """ResNet of GST bottlenecks over segments.

    Parameters
    ----------
    depth : {50, 101, 152}, default=50
        Layers.
    alpha : int, default=4
        One output channel in `alpha` of a grouped convolution is temporal.
    beta : {1, 2}, default=2
        Groups of its input channels: 2 for GST, 1 for GST-Large.
    width : int, default=64
        Channels of the stem.
    num_classes : int, default=174
        K; Something-Something has 174.
    dropout : float, default=0.3
        Before the classifier.
    """

    def __init__(
        self,
        *,
        depth: int = 50,
        alpha: int = 4,
        beta: int = 2,
        width: int = 64,
        num_classes: int = 174,
        dropout: float = 0.3,
    ) -> None:
        block = everywhere(partial(GSTBottleneck, alpha=alpha, beta=beta))
        backbone_fn = partial(ResNet2d, depth, block=block, width=width)
        super().__init__(backbone_fn, num_classes=num_classes, dropout=dropout)


_CLIP = ClipSpec(sampling=Sampling(num_frames=8, mode="segments"), input=RGB())


def _entry(name: str, *, num_frames: int = 8, **args: Any) -> ModelSpec:
    clip = _CLIP.change(num_frames=num_frames)
    return ModelSpec(name=name, build=GST, args=args, clip=clip, strides=(1, 32))


SPECS = (
    _entry("gst_r50_8"),
    _entry("gst_r50_16", num_frames=16),
    _entry("gst_a2_r50_8", alpha=2),
    _entry("gst_a8_r50_8", alpha=8),
    _entry("gst_r101_8", depth=101),
    _entry("gst_r101_16", depth=101, num_frames=16),
    _entry("gst_large_r50_8", beta=1),
    _entry("gst_large_r50_16", beta=1, num_frames=16),
    _entry("gst_large_a2_r50_8", alpha=2, beta=1),
    _entry("gst_large_a8_r50_8", alpha=8, beta=1),
    _entry("gst_large_r101_8", depth=101, beta=1),
    _entry("gst_large_r101_16", depth=101, beta=1, num_frames=16),
    ModelSpec(
        name="test_gst",
        build=GST,
        args={"depth": 50, "width": 8, "num_classes": 12},
        clip=_CLIP.change(num_frames=4, size=64, resize=64),
        strides=(1, 32),
    ),
)
