"""The inflated bottleneck ResNet: 2D except for the first convolution of some blocks.

C2D, Slow and I3D on a ResNet, the pathways of SlowFast, the non-local networks and the baselines
of CoST are built from these parts. They differ in which convolutions span more than one frame:
`Kernels`.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.conv3d import conv_spatial
from zoopraxis.layers.resnet3d import DEPTHS, Bottleneck3d, ConvFn, project

__all__ = [
    "InflatedBottleneck",
    "InflatedStem",
    "Kernels",
    "Span",
    "inflated_stages",
    "zero_last_norms",
]

Span = tuple[int, ...]
"""Frames spanned by each block of a stage, repeated to its end: (3, 1) is 3, 1, 3, 1, 3, 1."""
Kernels = tuple[int, Span, Span, Span, Span]
"""Frames spanned by the stem's convolution, and by the first one in the blocks of each stage.

# I3D is (5, (3,), (3, 1), (3, 1), (1, 3)): from the second stage on, every other block spans 3
"""


class InflatedBottleneck(Bottleneck3d):
    """A bottleneck whose first convolution spans t frames: t x 1 x 1, 1x3x3, 1x1x1.

    Parameters
    ----------
    in_channels, width : int
        Input channels; channels inside. The output has ``4 * width``.
    num_frames : int, default=1
        t, odd. With 1 the block is 2D.
    stride : int, default=1
        In space, of the middle convolution and of the shortcut.
    frame_stride : int, default=1
        Of the same in time.
    conv : ConvFn, default=conv_spatial
        Builds the middle convolution.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        num_frames: int = 1,
        stride: int = 1,
        frame_stride: int = 1,
        conv: ConvFn = conv_spatial,
    ) -> None:
        out_channels, steps, t = width * self.expansion, (frame_stride, stride), num_frames
        same = in_channels == out_channels
        shortcut = nn.Identity() if same else project(in_channels, out_channels, stride=steps)
        super().__init__(in_channels, width, conv=conv, stride=steps, shortcut=shortcut)
        # the plain bottleneck's 1x1x1, inflated
        self.conv1 = nn.Conv3d(in_channels, width, (t, 1, 1), padding=(t // 2, 0, 0), bias=False)


class InflatedStem(nn.Module):
    """t x 7 x 7 convolution of spatial stride 2, batch norm, ReLU, 3x3 max pooling of stride 2.

    Parameters
    ----------
    width : int
        Output channels.
    num_frames : int
        t, odd.
    stride : int, default=1
        Of the convolution in time.
    pool_frames : int, default=1
        Frames in a window of the pooling, and its stride in time.
    """

    def __init__(
        self, width: int, *, num_frames: int, stride: int = 1, pool_frames: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv3d(
            3,
            width,
            (num_frames, 7, 7),
            stride=(stride, 2, 2),
            padding=(num_frames // 2, 3, 3),
            bias=False,
        )
        self.norm = nn.BatchNorm3d(width)
        self.pool = nn.MaxPool3d((pool_frames, 3, 3), stride=(pool_frames, 2, 2), padding=(0, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to (B, width, T', H/4, W/4)."""
        x = F.relu(self.norm(self.conv(x)), inplace=True)  # (B, width, T/stride, H/2, W/2)
        out: Tensor = self.pool(x)  # (B, width, T', H/4, W/4)
        return out


def inflated_stages(
    spans: tuple[Span, Span, Span, Span],
    *,
    depth: int = 50,
    width: int = 64,
    lateral: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> list[nn.Sequential]:
    """Build the four stages: (B, width, T, H, W) to (B, 32 width, T, H/8, W/8).

    Parameters
    ----------
    spans : tuple of Span
        Frames spanned by the first convolutions of each stage's blocks.
    depth : {26, 50, 101, 152}, default=50
        Number of layers of the ResNet.
    width : int, default=64
        Channels of the stem and inside the blocks of the first stage; they double from stage to
        stage.
    lateral : tuple of int, default=(0, 0, 0, 0)
        Channels from another pathway, concatenated to the input of each stage.
    """
    # stem 64; stages 64 to 256, 256 to 512, 512 to 1024, 1024 to 2048 channels
    stages, in_channels = [], width
    for index, span in enumerate(spans):
        inner = width * 2**index  # 64, 128, 256, 512
        stage = nn.Sequential()
        for block in range(DEPTHS[depth][index]):
            halve = index > 0 and block == 0  # the stem's pooling halves before the first stage
            stage.append(
                InflatedBottleneck(
                    in_channels + lateral[index] if block == 0 else in_channels,
                    inner,
                    num_frames=span[block % len(span)],
                    stride=2 if halve else 1,
                )
            )
            in_channels = inner * InflatedBottleneck.expansion  # 256, 512, 1024, 2048
        stages.append(stage)
    return stages


def zero_last_norms(model: nn.Module) -> None:
    """Make every bottleneck start as its shortcut: set the scale of its last batch norm to zero.

    Goyal et al. 2017 (arXiv:1706.02677), section 5.1; the authors' ``ZERO_INIT_FINAL_BN``.
    """
    for module in model.modules():
        if isinstance(module, InflatedBottleneck):
            nn.init.zeros_(module.norm3.weight)
