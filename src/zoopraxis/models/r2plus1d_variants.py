"""R(2+1)D of two other code bases, each with its own architecture.

Tran, Wang, Torresani, Ray, LeCun and Paluri, CVPR 2018. arXiv:1711.11248
Code: https://github.com/jfzhang95/pytorch-video-recognition (MIT),
https://github.com/facebookresearch/pytorchvideo (Apache-2.0)

``r2plus1d_jfz_*`` and ``r3d_jfz_*`` are the widely copied port of J. Zhang: every convolution is
followed by its own batch norm and ReLU, before those of the block, and (2+1)D stages have (2+1)D
shortcuts. ``r2plus1d_r50`` (``_r101``, ``_r152``) is PyTorchVideo's: a 2D stem, and bottlenecks
whose temporal convolution precedes the spatial one, both as wide as the bottleneck. The network of
the paper is in `zoopraxis.models.r2plus1d`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.conv3d import conv_spatial, conv_spatiotemporal
from zoopraxis.layers.resnet3d import ConvFn, Shortcut3d
from zoopraxis.models.r2plus1d import FIGURE_1, Conv2Plus1d, Kind, R2Plus1D
from zoopraxis.spec import ModelSpec


class NormedConv(nn.Module):
    """A convolution followed by its own batch norm and ReLU (J. Zhang).

    Parameters
    ----------
    conv : nn.Module
        The convolution.
    channels : int
        Its output channels.
    """

    def __init__(self, conv: nn.Module, channels: int) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm3d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T', H', W')."""
        out: Tensor = self.relu(self.norm(self.conv(x)))
        return out


def normed_3d(in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> nn.Module:
    """3x3x3 convolution, batch norm, ReLU."""
    return NormedConv(conv_spatiotemporal(in_channels, out_channels, stride=stride), out_channels)


def normed_2plus1d(in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> nn.Module:
    """(2+1)D convolution, batch norm, ReLU."""
    return NormedConv(Conv2Plus1d(in_channels, out_channels, stride=stride), out_channels)


def project_3d(in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> nn.Module:
    """Shortcut of a 3D stage: 1x1x1 convolution, batch norm, ReLU, batch norm."""
    t, s = stride
    conv = nn.Conv3d(in_channels, out_channels, 1, stride=(t, s, s), bias=False)
    return Shortcut3d(NormedConv(conv, out_channels), out_channels)


def project_2plus1d(in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> nn.Module:
    """Shortcut of a (2+1)D stage: the 1x1x1 convolution is factorised too, through M_i channels."""
    conv = Conv2Plus1d(in_channels, out_channels, kernel=(1, 1), stride=stride)
    return Shortcut3d(NormedConv(conv, out_channels), out_channels)


class NormedR2Plus1D(R2Plus1D):
    """J. Zhang's network: `R2Plus1D` with a batch norm and a ReLU after every convolution."""

    convs: ClassVar[Mapping[Kind, ConvFn]] = {"3d": normed_3d, "2+1d": normed_2plus1d}
    shortcuts: ClassVar[Mapping[Kind, ConvFn]] = {"3d": project_3d, "2+1d": project_2plus1d}


class TemporalFirst(nn.Module):
    """3x1x1 convolution, batch norm, ReLU, 1x3x3 convolution (PyTorchVideo).

    Parameters
    ----------
    in_channels, out_channels : int
        Input and output channels; the 3x1x1 convolution already has the output channels.
    stride : (int, int)
        In time (of the first convolution) and in space (of the second).
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> None:
        super().__init__()
        t, s = stride
        self.temporal = nn.Conv3d(
            in_channels, out_channels, (3, 1, 1), stride=(t, 1, 1), padding=(1, 0, 0), bias=False
        )
        self.norm = nn.BatchNorm3d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.spatial = conv_spatial(out_channels, out_channels, stride=(1, s))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T', H', W')."""
        x = self.relu(self.norm(self.temporal(x)))  # (B, C', T', H, W)
        out: Tensor = self.spatial(x)  # (B, C', T', H', W')
        return out


class TemporalFirstR2Plus1D(R2Plus1D):
    """PyTorchVideo's network: `R2Plus1D` of `TemporalFirst` blocks, with a stride in time twice."""

    convs: ClassVar[Mapping[Kind, ConvFn]] = {"2+1d": TemporalFirst}

    @staticmethod
    def stage_stride(kind: Kind, index: int) -> tuple[int, int]:  # noqa: ARG004
        """Return the strides of a stage in time and in space: 1, 1, 2, 2 in time; 2 in space."""
        # (T, H) for 16 frames of 224: stem (16, 112), stages (16, 56), (16, 28), (8, 14), (4, 7)
        return (1 if index < 2 else 2, 2)


_JFZ_CLIP = ClipSpec(
    sampling=Sampling(num_frames=16, stride=4),
    input=RGB(
        resize=(128, 171),
        size=112,
        mean=(90.0, 98.0, 102.0),
        std=(1.0,) * 3,
        channel_order="bgr",
        value_range=255.0,
    ),
)
_PYTORCHVIDEO_CLIP = ClipSpec(
    sampling=Sampling(num_frames=16, stride=4), input=RGB(mean=(0.45,) * 3, std=(0.225,) * 3)
)


def _jfz(name: str, net: str, *, clip: ClipSpec = _JFZ_CLIP, **args: Any) -> ModelSpec:
    """Entry of a network of J. Zhang's port."""
    return ModelSpec(
        name=name,
        build=NormedR2Plus1D,
        args={"groups": FIGURE_1[net], **args},
        clip=clip,
        strides=(8, 16),
    )


def _pytorchvideo(depth: int) -> ModelSpec:
    """Entry of a network of PyTorchVideo."""
    return ModelSpec(
        name=f"r2plus1d_r{depth}",
        build=TemporalFirstR2Plus1D,
        args={
            "groups": ("2d", "2+1d", "2+1d", "2+1d", "2+1d"),
            "depth": depth,
            "dropout": 0.5,
        },
        clip=_PYTORCHVIDEO_CLIP,
        strides=(4, 32),
    )


SPECS = (
    # J. Zhang's
    _jfz("r2plus1d_jfz_18", "r2plus1d"),
    _jfz("r2plus1d_jfz_34", "r2plus1d", depth=34),
    _jfz("r3d_jfz_18", "r3d"),
    _jfz("r3d_jfz_34", "r3d", depth=34),
    # PyTorchVideo's
    _pytorchvideo(50),
    _pytorchvideo(101),
    _pytorchvideo(152),
    _jfz(
        "test_r2plus1d_ports",
        "r2plus1d",
        clip=ClipSpec(sampling=Sampling(num_frames=8), input=RGB(resize=64, size=56)),
        depth=10,
        width=16,
        num_classes=12,
    ),
)
