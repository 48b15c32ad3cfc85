"""STM: SpatioTemporal and Motion Encoding for Action Recognition.

Jiang, Wang, Gan, Wu and Yan, ICCV 2019. arXiv:1908.02486
No official code; two public implementations are sources (see `zoopraxis.weights.stm`).

Two parallel modules replace the 3x3 convolution of a bottleneck, and their outputs are summed.
CSTM, channel-wise spatio-temporal (section 3.1): each channel has its own convolution over three
frames, then a 3x3 convolution mixes space and channels. CMM, channel-wise motion (section 3.2): in
one channel in 16, the next frame after a depth-wise 3x3 convolution, less this frame, approximates
the motion; a 1x1 convolution restores the width. The temporal filters are initialised as shifts: a
quarter of the channels takes the previous frame, a quarter the next.

The paper does not say where the batch norms and ReLUs are. We follow what the first author's file
and ResNet-50 have in common: 3x3 convolution, batch norm, ReLU, so that ImageNet weights remain
valid. CMM ends in a batch norm, and its last convolution has the stride. 24.04 M parameters and
33.0 GMACs at 8 frames agree with the paper's 24.0 M and 33.3 G.
"""

from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.frames import split_batch
from zoopraxis.layers.resnet2d import Block2d, Bottleneck2d, ResNet2d, everywhere
from zoopraxis.models.base import SegmentNetwork
from zoopraxis.spec import ModelSpec

REDUCTION = 16
"""r of section 3.2: CMM works on one channel in 16."""


class STMBottleneck(Bottleneck2d):
    """A bottleneck with CSTM(x) + CMM(x) in the middle.

    The parameters are those of `Bottleneck2d`.
    """

    def __init__(self, in_channels: int, width: int, *, stride: int, shortcut: nn.Module) -> None:
        super().__init__(in_channels, width, stride=stride, shortcut=shortcut)
        self.temporal = TemporalFilters(width)
        self.motion = CMM(width, stride=stride)

    def spatiotemporal(self, x: Tensor, num_frames: int) -> Tensor:
        """CSTM: (B * T, width, H, W) to (B * T, width, H', W')."""
        return F.relu(self.norm2(self.conv2(self.temporal(x, num_frames))), inplace=True)

    def residual(self, x: Tensor, num_frames: int) -> Tensor:
        """Residual branch: (B * T, C, H, W) to (B * T, 4 width, H', W')."""
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)  # (B * T, width, H, W)
        cstm = self.spatiotemporal(x, num_frames)  # (B * T, width, H', W')
        cmm = self.motion(x, num_frames)  # (B * T, width, H', W')
        out: Tensor = self.norm3(self.conv3(cstm + cmm))  # (B * T, 4 width, H', W')
        return out


class TemporalFilters(nn.Module):
    """Depth-wise convolution over three frames: one filter per channel (equation 1).

    Parameters
    ----------
    channels : int
        C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            channels, channels, (3, 1), padding=(1, 0), groups=channels, bias=False
        )
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """Let a quarter of the channels take the previous frame, and a quarter the next."""
        # C = 8: taps 0 0 1 1 1 1 2 2; tap 0 is the previous frame, 1 this one, 2 the next
        quarter = len(self.conv.weight) // 4
        nn.init.zeros_(self.conv.weight)  # (C, 1, 3, 1)
        self.conv.weight[:quarter, :, 0] = 1
        self.conv.weight[quarter : len(self.conv.weight) - quarter, :, 1] = 1
        self.conv.weight[len(self.conv.weight) - quarter :, :, 2] = 1

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to the same shape."""
        # a 1D convolution over time at each pixel, as a 2D convolution over (T, H * W)
        size = x.shape[2:]
        x = split_batch(x.flatten(2), num_frames).transpose(1, 2)  # (B, C, T, H * W)
        x = self.conv(x).transpose(1, 2)  # (B, T, C, H * W)
        return x.reshape(-1, x.shape[2], *size)  # (B * T, C, H, W)


class CMM(nn.Module):
    """Channel-wise motion module: the filtered next frame less this frame (section 3.2).

    Parameters
    ----------
    channels : int
        C.
    stride : int
        In space, of the last convolution.
    """

    def __init__(self, channels: int, *, stride: int) -> None:
        super().__init__()
        reduced = max(channels // REDUCTION, 1)
        self.reduce = nn.Conv2d(channels, reduced, 1, bias=False)
        self.reduce_norm = nn.BatchNorm2d(reduced)
        self.filters = nn.Conv2d(reduced, reduced, 3, padding=1, groups=reduced, bias=False)
        self.restore = nn.Conv2d(reduced, channels, 1, stride=stride, bias=False)
        self.restore_norm = nn.BatchNorm2d(channels)

    def differences(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to motion (B * T, C/r, H, W), zero at the last frame."""
        x = self.reduce_norm(self.reduce(x))  # (B * T, C/r, H, W)
        following = split_batch(self.filters(x), num_frames)[:, 1:]  # (B, T - 1, C/r, H, W)
        motion = following - split_batch(x, num_frames)[:, :-1]  # (B, T - 1, C/r, H, W)
        motion = F.pad(motion, (0, 0, 0, 0, 0, 0, 0, 1))  # (B, T, C/r, H, W)
        return motion.flatten(0, 1)  # (B * T, C/r, H, W)

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, C, H', W')."""
        x = self.differences(x, num_frames)  # (B * T, C/r, H, W)
        out: Tensor = self.restore_norm(self.restore(x))  # (B * T, C, H', W')
        return out


class STM(SegmentNetwork):
    """ResNet of STM blocks over segments; the logits of a clip are the mean of its frames' logits.

    Parameters
    ----------
    depth : {50, 101, 152}, default=50
        Layers.
    width : int, default=64
        Channels of the stem.
    num_classes : int, default=174
        K; Something-Something has 174.
    dropout : float, default=0.5
        Before the classifier.
    """

    block: ClassVar[Block2d] = STMBottleneck

    def __init__(
        self, *, depth: int = 50, width: int = 64, num_classes: int = 174, dropout: float = 0.5
    ) -> None:
        backbone_fn = partial(ResNet2d, depth, block=everywhere(self.block), width=width)
        super().__init__(backbone_fn, num_classes=num_classes, dropout=dropout)


_CLIP = ClipSpec(sampling=Sampling(num_frames=8, mode="segments"), input=RGB())


def _entry(name: str, depth: int, num_frames: int) -> ModelSpec:
    clip = _CLIP.change(num_frames=num_frames)
    return ModelSpec(name=name, build=STM, args={"depth": depth}, clip=clip, strides=(1, 32))


SPECS = (
    _entry("stm_r50_8", 50, 8),
    _entry("stm_r50_16", 50, 16),
    _entry("stm_r101_8", 101, 8),
    _entry("stm_r101_16", 101, 16),
    _entry("stm_r152_8", 152, 8),
    _entry("stm_r152_16", 152, 16),
    ModelSpec(
        name="test_stm",
        build=STM,
        args={"depth": 50, "width": 8, "num_classes": 12},
        clip=_CLIP.change(num_frames=4, size=32, resize=32),
        strides=(1, 32),
    ),
)
