"""MFNet: Multi-Fiber Networks for Video Recognition.

Chen, Kalantidis, Li, Yan and Feng, ECCV 2018. arXiv:1807.11195
Official code: https://github.com/cypw/PyTorch-MFNet (MIT)

A residual unit is sliced into N parallel fibers, narrow units without connections to each other,
which divides its multiply-adds by N. A multiplexer before them lets information flow between the
fibers: two 1x1x1 convolutions with a bottleneck between them, and an identity shortcut around
both. The network for video has 16 fibers; the first convolution of every unit is 3x3x3, the second
1x3x3. All convolutions are pre-activated: batch norm, ReLU, convolution.

Details are those of the authors' code. In the first unit of a stage the second convolution is a
1x1x1 over all channels, and the projection shortcut starts before the multiplexer. Only the first
stage halves time. Dropout is used in fine-tuning only. The authors' network expects clips of
exactly 16 x 224 x 224; here the last pooling is global.
"""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.head import ClipHead
from zoopraxis.models.base import VideoClassifier
from zoopraxis.spec import ModelSpec


class Multiplexer(nn.Module):
    """Mixes the channels of all fibers: x + expand(reduce(x)) (Figure 1e).

    Parameters
    ----------
    channels, width : int
        Input and output channels; channels between the convolutions.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.gather = PreConv(channels, width)
        self.scatter = PreConv(width, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        narrow = self.gather(x)  # (B, width, T, H, W)
        out: Tensor = x + self.scatter(narrow)  # (B, C, T, H, W)
        return out


class MultiFiberUnit(nn.Module):
    """A multiplexer, two convolutions in fibers, and a shortcut around all three (Figure 1d).

    Parameters
    ----------
    in_channels, out_channels : int
        Input channels; output channels, also between the convolutions.
    fibers : int
        N.
    stride : (int, int) or None, default=None
        In time and in space, of the first unit of a stage; None for the others, which keep the
        shape.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        fibers: int,
        stride: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.multiplexer = Multiplexer(in_channels, out_channels // 4)
        self.conv1 = PreConv(
            in_channels, out_channels, kernel=(3, 3), stride=stride or (1, 1), fibers=fibers
        )
        self.shortcut: nn.Module
        if stride is None:
            self.conv2 = PreConv(out_channels, out_channels, kernel=(1, 3), fibers=fibers)
            self.shortcut = nn.Identity()
        else:
            self.conv2 = PreConv(out_channels, out_channels)
            self.shortcut = PreConv(in_channels, out_channels, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T', H', W')."""
        # 96 channels, 16 fibers: channels 0-5 of conv1's output depend on 0-5 of the multiplexer's
        out = self.conv1(self.multiplexer(x))  # (B, C', T', H', W')
        total: Tensor = self.conv2(out) + self.shortcut(x)  # (B, C', T', H', W')
        return total


class PreConv(nn.Module):
    """Batch norm, ReLU, convolution.

    Parameters
    ----------
    in_channels, out_channels : int
        Input and output channels.
    kernel : (int, int), default=(1, 1)
        In time and in space, odd; padded to keep the size.
    stride : (int, int), default=(1, 1)
        In time and in space.
    fibers : int, default=1
        Number of groups of the convolution: a fiber sees only its own channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: tuple[int, int] = (1, 1),
        stride: tuple[int, int] = (1, 1),
        fibers: int = 1,
    ) -> None:
        super().__init__()
        (t, k), (step, s) = kernel, stride
        self.norm = nn.BatchNorm3d(in_channels)
        self.conv = nn.Conv3d(
            in_channels,
            out_channels,
            (t, k, k),
            stride=(step, s, s),
            padding=(t // 2, k // 2, k // 2),
            groups=fibers,
            bias=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T', H', W')."""
        out: Tensor = self.conv(F.relu(self.norm(x)))  # (B, C', T', H', W')
        return out


class MFNet(VideoClassifier):
    """The 3D multi-fiber network.

    Parameters
    ----------
    blocks : tuple of int, default=(3, 4, 6, 3)
        Number of units in each stage.
    width : int, default=96
        Output channels of the first stage; they double from stage to stage.
    stem : int, default=16
        Output channels of the first convolution.
    fibers : int, default=16
        N.
    num_classes : int, default=400
        K.
    dropout : float, default=0.0
        Before the classifier; the authors fine-tune with 0.5.
    """

    def __init__(
        self,
        *,
        blocks: tuple[int, int, int, int] = (3, 4, 6, 3),
        width: int = 96,
        stem: int = 16,
        fibers: int = 16,
        num_classes: int = 400,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, stem, (3, 5, 5), stride=(1, 2, 2), padding=(1, 2, 2), bias=False)
        self.norm = nn.BatchNorm3d(stem)
        self.pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        channels, stages = stem, []
        for index, count in enumerate(blocks):
            out_channels = width * 2**index  # 96, 192, 384, 768
            stride = (2, 1) if index == 0 else (1, 2)  # time in the first stage, then space
            first = MultiFiberUnit(channels, out_channels, fibers=fibers, stride=stride)
            rest = (
                MultiFiberUnit(out_channels, out_channels, fibers=fibers) for _ in range(count - 1)
            )
            stages.append(nn.Sequential(first, *rest))
            channels = out_channels
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.last_norm = nn.BatchNorm3d(channels)
        self.num_features = channels
        self.head = ClipHead(channels, num_classes, dropout)
        for module in self.modules():  # Xavier-uniform, as in the authors' code
            if isinstance(module, nn.Conv3d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, 768, T/2, H/32, W/32)."""
        x = F.relu(self.norm(self.conv(x)))  # (B, 16, T, H/2, W/2)
        x = self.pool(x)  # (B, 16, T, H/4, W/4)
        x = self.layer1(x)  # (B, 96, T/2, H/4, W/4)
        x = self.layer2(x)  # (B, 192, T/2, H/8, W/8)
        x = self.layer3(x)  # (B, 384, T/2, H/16, W/16)
        x = self.layer4(x)  # (B, 768, T/2, H/32, W/32)
        return F.relu(self.last_norm(x))


_CLIP = ClipSpec(
    sampling=Sampling(num_frames=16, stride=2),
    input=RGB(
        resize=(256, 256),
        size=224,
        mean=(124.0, 117.0, 104.0),
        std=(1 / 0.0167,) * 3,
        value_range=255.0,
    ),
)
_TINY: dict[str, Any] = {
    "blocks": (2, 1, 1, 1),
    "width": 16,
    "stem": 8,
    "fibers": 4,
    "num_classes": 12,
}

SPECS = (
    ModelSpec(name="mfnet", build=MFNet, clip=_CLIP, strides=(2, 32)),
    ModelSpec(
        name="test_mfnet",
        build=MFNet,
        args=_TINY,
        clip=_CLIP.change(num_frames=8, stride=1, size=32, resize=40),
        strides=(2, 32),
    ),
)
