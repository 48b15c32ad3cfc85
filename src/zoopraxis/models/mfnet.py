"""MFNet: Multi-Fiber Networks for Video Recognition.

Chen, Kalantidis, Li, Yan and Feng, ECCV 2018. arXiv:1807.11195
Official code: https://github.com/cypw/PyTorch-MFNet (MIT)

A residual unit is sliced into 16 parallel fibers, narrow units that share no connection (a
grouped convolution), which divides its cost by 16. So that fibers do not lose sight of each other,
a multiplexer stands before them: two 1x1x1 convolutions, a quarter as wide in between, around
which the features also pass unchanged. The first convolution of every unit is 3x3x3, the second
1x3x3. Norm and ReLU come before each convolution.

Built as the authors' code: the first unit of a stage has a full 1x1x1 convolution in place of the
second one in fibers, and its shortcut, a projection, begins before the multiplexer. Time is halved
once, at the first stage. The authors put dropout before the classifier only to fine-tune. Their
network takes 16 frames of 224 pixels and nothing else; here the last pooling spans what there is.
"""

from dataclasses import replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.head import ClipHead
from zoopraxis.spec import ClipSpec, ModelSpec, Source, Weights


class PreConv(nn.Module):
    """Norm, ReLU, convolution.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels that come and go.
    kernel : (int, int), default=(1, 1)
        In time and in space, odd; the padding keeps the size.
    stride : (int, int), default=(1, 1)
        In time and in space.
    fibers : int, default=1
        Groups.
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
        (t, d), (step, s) = kernel, stride
        self.norm = nn.BatchNorm3d(in_channels)
        self.conv = nn.Conv3d(
            in_channels,
            out_channels,
            (t, d, d),
            stride=(step, s, s),
            padding=(t // 2, d // 2, d // 2),
            groups=fibers,
            bias=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T', H', W')."""
        out: Tensor = self.conv(F.relu(self.norm(x)))
        return out


class Multiplexer(nn.Module):
    """Let the fibers exchange: x + 1x1x1(1x1x1(x)), `width` channels in between."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.gather = PreConv(channels, width)
        self.scatter = PreConv(width, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        out: Tensor = x + self.scatter(self.gather(x))
        return out


class MultiFiberUnit(nn.Module):
    """Multiplexer, two convolutions in fibers, and a shortcut.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels that come and go; out_channels are in between, too.
    fibers : int
        How many.
    stride : (int, int) or None
        Of the first unit of a stage, in time and in space; None for the others, which change no
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
        first = stride is not None
        step = stride or (1, 1)
        self.multiplexer = Multiplexer(in_channels, out_channels // 4)
        self.conv1 = PreConv(in_channels, out_channels, kernel=(3, 3), stride=step, fibers=fibers)
        self.conv2 = (
            PreConv(out_channels, out_channels)
            if first
            else PreConv(out_channels, out_channels, kernel=(1, 3), fibers=fibers)
        )
        self.shortcut = PreConv(in_channels, out_channels, stride=step) if first else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T', H', W')."""
        out = self.conv2(self.conv1(self.multiplexer(x)))  # (B, C', T', H', W')
        total: Tensor = out + self.shortcut(x)
        return total


class MFNet(nn.Module):
    """The 3D multi-fiber network.

    Parameters
    ----------
    blocks : tuple of int, default=(3, 4, 6, 3)
        Units of each stage.
    width : int, default=96
        Channels of the first stage; they double at each.
    stem : int, default=16
        Channels of the first convolution.
    fibers : int, default=16
        Of each unit.
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
            inside = width * 2**index
            stride = (2, 1) if index == 0 else (1, 2)
            first = MultiFiberUnit(channels, inside, fibers=fibers, stride=stride)
            rest = (MultiFiberUnit(inside, inside, fibers=fibers) for _ in range(count - 1))
            stages.append(nn.Sequential(first, *rest))
            channels = inside
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.last_norm = nn.BatchNorm3d(channels)
        self.num_features = channels
        self.head = ClipHead(channels, num_classes, dropout)
        for module in self.modules():  # Xavier-uniform, as the authors
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


MFNET = Source(
    rename=(
        (r"^conv1\.conv\.", "conv."),
        (r"^conv1\.bn\.", "norm."),
        (r"^tail\.bn\.", "last_norm."),
        (r"^conv(\d)\.B(\d+)\.", lambda m: f"layer{int(m[1]) - 1}.{int(m[2]) - 1}."),
        (r"\.conv_i1\.", ".multiplexer.gather."),
        (r"\.conv_i2\.", ".multiplexer.scatter."),
        (r"\.conv_m(\d)\.", r".conv\1."),
        (r"\.conv_w1\.", ".shortcut."),
        (r"\.bn\.", ".norm."),
        (r"^classifier\.", "head.linear."),
    )
)

KINETICS = Weights(
    tag="kinetics400",
    url="https://goo.gl/QdE85T",
    file="MFNet3D_Kinetics-400_72.8.pth",
    source="mfnet",
    dataset="Kinetics-400",
    num_classes=400,
    licence="MIT (the code)",
    top1=72.8,
    protocol="several random clips of a video, random crops 224 of 256 x 256, averaged",
)
_CLIP = ClipSpec(
    frames=16,
    stride=2,
    resize=(256, 256),
    size=224,
    mean=(124.0, 117.0, 104.0),
    std=(1 / 0.0167,) * 3,
    value_range=255.0,
)


def _row(name: str, params_m: float, macs_g: float, **options: Any) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=MFNet,
        params_m=params_m,
        macs_g=macs_g,
        strides=(2, 32),
        sources={"mfnet": MFNET},
        **options,
    )


SPECS = (
    _row("mfnet", 8.00, 11.05, clip=_CLIP, weights=(KINETICS,)),
    _row(
        "test_mfnet",
        0.12,
        0.01,
        args={"blocks": (2, 1, 1, 1), "width": 16, "stem": 8, "fibers": 4, "num_classes": 12},
        clip=replace(_CLIP, frames=8, stride=1, size=32, resize=40),
    ),
)
