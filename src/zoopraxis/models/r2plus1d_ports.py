"""Ports of A Closer Look at Spatiotemporal Convolutions that became networks of their own.

Tran, Wang, Torresani, Ray, LeCun and Paluri, CVPR 2018. arXiv:1711.11248
Code: https://github.com/jfzhang95/pytorch-video-recognition (MIT),
https://github.com/facebookresearch/pytorchvideo (Apache-2.0)

``r2plus1d_jfz_18`` and ``r3d_jfz_18`` are the widely copied port of J. Zhang: a further norm and
ReLU behind every convolution, and factored shortcuts. ``r2plus1d_r50`` is PyTorchVideo's (and
``_r101``, ``_r152``): a 2D stem, and in bottlenecks the temporal convolution before the spatial
one, both as wide as the bottleneck. The network of the paper is in `r2plus1d`.
"""

from typing import Any

from torch import Tensor, nn

from zoopraxis.layers.conv3d import Conv2Plus1d, conv_spatial, conv_spatiotemporal, mid_channels
from zoopraxis.layers.resnet3d import RENAME_PYTORCHVIDEO, Shortcut3d
from zoopraxis.models.r2plus1d import FIGURE_1, R2Plus1D, factored
from zoopraxis.spec import ClipSpec, ModelSpec, Source, Weights


class NormedConv(nn.Module):
    """A convolution with a norm and a ReLU of its own behind it."""

    def __init__(self, conv: nn.Module, channels: int) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm3d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T', H', W')."""
        out: Tensor = self.relu(self.norm(self.conv(x)))
        return out


class TemporalFirst(nn.Module):
    """PyTorchVideo's order: 3x1x1 convolution, norm, ReLU, then 1x3x3, equally wide."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> None:
        super().__init__()
        t, s = stride
        self.temporal = nn.Conv3d(
            in_channels, out_channels, (3, 1, 1), stride=(t, 1, 1), padding=(1, 0, 0), bias=False
        )
        self.norm = nn.BatchNorm3d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.spatial = conv_spatial(out_channels, out_channels, stride=s)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T', H', W')."""
        x = self.relu(self.norm(self.temporal(x)))  # (B, C', T', H, W)
        out: Tensor = self.spatial(x)  # (B, C', T', H', W')
        return out


def factored_temporal_first(
    _block_in: int, in_channels: int, out_channels: int, *, stride: tuple[int, int]
) -> nn.Module:
    """3x1x1 and 1x3x3 (PyTorchVideo)."""
    return TemporalFirst(in_channels, out_channels, stride=stride)


def full_normed(
    _block_in: int, in_channels: int, out_channels: int, *, stride: tuple[int, int]
) -> nn.Module:
    """3x3x3 with a norm and a ReLU behind it (the copied port)."""
    conv = conv_spatiotemporal(in_channels, out_channels, stride=stride)
    return NormedConv(conv, out_channels)


def factored_normed(
    block_in: int, in_channels: int, out_channels: int, *, stride: tuple[int, int]
) -> nn.Module:
    """1x3x3 and 3x1x1 with a norm and a ReLU behind them (the copied port)."""
    conv = factored(block_in, in_channels, out_channels, stride=stride)
    return NormedConv(conv, out_channels)


def project_normed(in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> nn.Module:
    """Shortcut of the copied port's R3D: a norm and a ReLU more."""
    t, s = stride
    conv = nn.Conv3d(in_channels, out_channels, 1, stride=(t, s, s), bias=False)
    return Shortcut3d(NormedConv(conv, out_channels), out_channels)


def project_factored_normed(
    in_channels: int, out_channels: int, *, stride: tuple[int, int]
) -> nn.Module:
    """Shortcut of the copied port: factored with M of t = d = 1, a norm and a ReLU more."""
    mid = mid_channels(in_channels, out_channels, t=1, d=1)
    conv = Conv2Plus1d(in_channels, out_channels, mid, kernel=(1, 1), stride=stride)
    return Shortcut3d(NormedConv(conv, out_channels), out_channels)


# The keys of the sources, as ordered rules.

_JFZHANG = (
    (r"^res(2plus1|3)d\.conv1\.", "stem."),
    (r"^res(2plus1|3)d\.", ""),
    (r"^conv(\d)\.block1\.", lambda m: f"layer{int(m[1]) - 1}.0."),
    (r"^conv(\d)\.blocks\.(\d+)\.", lambda m: f"layer{int(m[1]) - 1}.{int(m[2]) + 1}."),
    (r"^stem\.temporal_spatial_conv\.", "stem.conv."),
    (r"^stem\.(spatial|temporal)_conv\.", r"stem.conv.\1."),
    (r"^stem\.bn1\.", "stem.conv.norm."),
    (r"^stem\.bn2?\.", "stem.norm."),
    (r"\.downsamplebn\.", ".shortcut.norm."),
    (r"\.downsampleconv\.", ".shortcut.conv."),
    (r"\.(conv\d?)\.temporal_spatial_conv\.", r".\1.conv."),
    (r"\.(conv\d?)\.(spatial|temporal)_conv\.", r".\1.conv.\2."),
    (r"\.(conv\d?)\.bn1\.", r".\1.conv.norm."),
    (r"\.(conv\d?)\.bn2?\.", r".\1.norm."),
    (r"\.bn(\d)\.", r".norm\1."),
    (r"^linear\.", "head.linear."),
)

PYTORCHVIDEO = Source(
    rename=(
        (r"\.conv_b\.conv_xy\.", ".conv_b.spatial."),
        (r"\.conv_b\.conv_t\.", ".conv_b.temporal."),
        *RENAME_PYTORCHVIDEO,
    )
)
JFZHANG = Source(rename=_JFZHANG)

# The rows.

_R2PLUS1D: dict[str, Any] = {
    "groups": FIGURE_1["r2plus1d"],
    "convs": {"2+1d": factored_normed},
    "projection": project_factored_normed,
}
_R3D: dict[str, Any] = {
    "groups": FIGURE_1["r3d"],
    "convs": {"3d": full_normed},
    "projection": project_normed,
}
_CLIP = ClipSpec(
    frames=16,
    stride=4,
    resize=(128, 171),
    size=112,
    mean=(90.0, 98.0, 102.0),
    std=(1.0,) * 3,
    channel_order="bgr",
    value_range=255.0,
)


def _row(name: str, net: dict[str, Any], params_m: float, macs_g: float, **args: Any) -> ModelSpec:
    """Row of a network of the copied port."""
    return ModelSpec(
        name=name,
        build=R2Plus1D,
        args={**net, **args},
        clip=_CLIP,
        params_m=params_m,
        macs_g=macs_g,
        strides=(8, 16),
        sources={"jfzhang": JFZHANG},
    )


_PYTORCHVIDEO_WEIGHTS = Weights(
    tag="kinetics400",
    url="https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/R2PLUS1D_16x4_R50.pyth",
    source="pytorchvideo",
    dataset="Kinetics-400",
    num_classes=400,
    labels="kinetics400",
    licence="Apache-2.0",
    top1=76.01,
    top5=92.23,
    protocol="10 uniform clips of 16 x 4 frames, three crops of 256",
)


def _pytorchvideo(
    name: str, depth: int, params_m: float, macs_g: float, weights: tuple[Weights, ...] = ()
) -> ModelSpec:
    """Row of PyTorchVideo's network."""
    return ModelSpec(
        name=name,
        build=R2Plus1D,
        args={
            "groups": ("2d", "2+1d", "2+1d", "2+1d", "2+1d"),
            "depth": depth,
            "convs": {"2+1d": factored_temporal_first},
            "strides": ((1, 2), (1, 2), (2, 2), (2, 2)),
            "dropout": 0.5,
        },
        clip=ClipSpec(frames=16, stride=4, mean=(0.45,) * 3, std=(0.225,) * 3),
        params_m=params_m,
        macs_g=macs_g,
        strides=(4, 32),
        sources={"pytorchvideo": PYTORCHVIDEO},
        weights=weights,
    )


SPECS = (
    _row("r2plus1d_jfz_18", _R2PLUS1D, 33.38, 41.52),
    _row("r2plus1d_jfz_34", _R2PLUS1D, 63.71, 76.21, depth=34),
    _row("r3d_jfz_18", _R3D, 33.38, 40.70),
    _row("r3d_jfz_34", _R3D, 63.70, 75.38, depth=34),
    _pytorchvideo("r2plus1d_r50", 50, 28.11, 57.53, weights=(_PYTORCHVIDEO_WEIGHTS,)),
    _pytorchvideo("r2plus1d_r101", 101, 50.45, 92.47),
    _pytorchvideo("r2plus1d_r152", 152, 68.85, 135.63),
    ModelSpec(
        name="test_r2plus1d_ports",
        build=R2Plus1D,
        args={**_R2PLUS1D, "depth": 10, "width": 16, "num_classes": 12},
        clip=ClipSpec(frames=8, resize=64, size=56),
        params_m=0.90,
        macs_g=0.17,
        strides=(8, 16),
    ),
)
