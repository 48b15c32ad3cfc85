"""MiCT: Mixed 3D/2D Convolutional Tube for Human Action Recognition.

Zhou, Sun, Zha and Zeng, CVPR 2018.
No official code. Port: https://github.com/fmahoudeau/MiCT-Net-PyTorch (Apache-2.0)

A tube adds one 3D convolution to a block of a 2D network, which sees each frame alone. The 2D block
extracts spatial features; the 3D convolution, over a few neighbouring frames, only has to learn
what the 2D block cannot see, the motion: a cross-domain residual. Five tubes suffice, in the stem
and at the beginning of each stage.

The paper's backbone resembles Inception and its weights were never published; the networks here
are the port's, on ResNet-18 and -34. In them the 3D convolution of a tube sees a frame and later
ones only (the clip is padded with zeros), and the 2D block processes every `stride`-th frame.
v1 has a stride of 2 in time in the stem and in each of the last three stages (16 frames become
one), v2 in the stem and in the third stage. The port drops whole channels of the features,
classifies each frame and averages; dropping channels of the mean and classifying it is equivalent.
"""

from math import prod
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.conv3d import conv_spatial
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.resnet3d import DEPTHS, BasicBlock3d, initialise, make_stage
from zoopraxis.models.base import VideoClassifier
from zoopraxis.spec import ModelSpec


class Tube(nn.Module):
    """A stage of 2D blocks; the output of a 3D convolution is added to that of the first block.

    Parameters
    ----------
    in_channels, width : int
        Input and output channels.
    blocks : int
        Number of 2D blocks.
    stride : (int, int)
        In time and in space.
    """

    def __init__(
        self, in_channels: int, width: int, *, blocks: int, stride: tuple[int, int]
    ) -> None:
        super().__init__()
        self.step = stride[0]
        self.motion = ForwardConv(in_channels, width, kernel=3, stride=stride)
        self.blocks = make_stage(
            BasicBlock3d,
            in_channels,
            width,
            blocks=blocks,
            stride=(1, stride[1]),
            conv=conv_spatial,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, width, T/stride, H/stride, W/stride)."""
        # stride 2, frames abcd: the 2D block maps a and c, the 3D convolution abc and cd0
        frames = self.blocks[0](x[:, :, :: self.step])  # (B, width, T', H', W')
        out: Tensor = self.blocks[1:](self.motion(x) + frames)  # (B, width, T', H', W')
        return out


class ForwardConv(nn.Module):
    """3D convolution of each frame and the following ones, batch norm, ReLU.

    Parameters
    ----------
    in_channels, out_channels : int
        Input and output channels.
    kernel : int
        In time and in space; odd.
    stride : (int, int)
        In time and in space.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel: int, stride: tuple[int, int]
    ) -> None:
        super().__init__()
        t, s = stride
        half = kernel // 2
        self.following = kernel - 1
        self.conv = nn.Conv3d(
            in_channels,
            out_channels,
            kernel,
            stride=(t, s, s),
            padding=(0, half, half),
            bias=False,
        )
        self.norm = nn.BatchNorm3d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T/stride, H/stride, W/stride)."""
        # kernel 3, frames abcd: the windows are abc bcd cd0 d00
        x = F.pad(x, (0, 0, 0, 0, 0, self.following))  # (B, C, T + kernel - 1, H, W)
        return F.relu(self.norm(self.conv(x)), inplace=True)  # (B, C', T', H', W')


class Stem(nn.Module):
    """The first tube: 7x7x7 over all frames plus 7x7 on every second one, both pooled.

    Parameters
    ----------
    width : int
        Output channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.motion = ForwardConv(3, width, kernel=7, stride=(1, 2))
        self.pool_motion = nn.MaxPool3d(3, stride=2, padding=1)
        self.conv = nn.Conv3d(3, width, (1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3), bias=False)
        self.norm = nn.BatchNorm3d(width)
        self.pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to (B, width, T/2, H/4, W/4)."""
        motion = self.pool_motion(self.motion(x))  # (B, width, T/2, H/4, W/4)
        frames = F.relu(self.norm(self.conv(x[:, :, ::2])))  # (B, width, T/2, H/2, W/2)
        out: Tensor = motion + self.pool(frames)  # (B, width, T/2, H/4, W/4)
        return out


class MiCT(VideoClassifier):
    """A 2D ResNet with five mixed tubes.

    Parameters
    ----------
    depth : {10, 18, 34}
        Layers of the 2D network.
    time_strides : tuple of int
        Strides in time of the four stages.
    width : int, default=64
        Channels of the stem and of the first stage.
    num_classes : int, default=101
        K.
    dropout : float, default=0.5
        Before the classifier.
    """

    def __init__(
        self,
        depth: int,
        *,
        time_strides: tuple[int, int, int, int],
        width: int = 64,
        num_classes: int = 101,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.stem = Stem(width)
        channels, stages = width, []
        for index, (blocks, step) in enumerate(zip(DEPTHS[depth], time_strides, strict=True)):
            stride = (step, 1 if index == 0 else 2)
            stages.append(Tube(channels, width * 2**index, blocks=blocks, stride=stride))
            channels = width * 2**index
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.num_features = channels
        self.head = ClipHead(channels, num_classes, dropout)
        initialise(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, 512, T/16 (v1) or T/4 (v2), H/32, W/32)."""
        x = self.stem(x)  # (B, 64, T/2, H/4, W/4)
        x = self.layer1(x)  # (B, 64, T/2, H/4, W/4)
        x = self.layer2(x)  # (B, 128, T/4 or T/2, H/8, W/8)
        x = self.layer3(x)  # (B, 256, T/8 or T/4, H/16, W/16)
        out: Tensor = self.layer4(x)  # (B, 512, T/16 or T/4, H/32, W/32)
        return out


_CLIP = ClipSpec(sampling=Sampling(num_frames=16), input=RGB(resize=(192, 256), size=160))
_TIME_STRIDES = {"v1": (1, 2, 2, 2), "v2": (1, 1, 2, 1)}


def _entry(
    name: str, depth: int, version: str, *, clip: ClipSpec = _CLIP, **args: Any
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=MiCT,
        args={"depth": depth, "time_strides": _TIME_STRIDES[version], **args},
        clip=clip,
        strides=(2 * prod(_TIME_STRIDES[version]), 32),
    )


SPECS = (
    _entry("mict_18_v1", 18, "v1"),
    _entry("mict_18_v2", 18, "v2"),
    _entry("mict_34_v1", 34, "v1"),
    _entry("mict_34_v2", 34, "v2"),
    _entry(
        "test_mict",
        10,
        "v2",
        clip=_CLIP.change(num_frames=8, size=32, resize=32),
        width=8,
        num_classes=12,
    ),
)
