"""Published checkpoints of S3D: torchvision's, K. Min's and MIL-NCE's.

torchvision (BSD-3-Clause) and K. Min's port (https://github.com/kylemin/S3D, MIT) differ in the
classifier's window; both have batch norms with a momentum of 0.001. MIL-NCE's port
(https://github.com/antoine77340/S3D_HowTo100M, Apache-2.0) pads as if every stride divided the
size, and has batch norms with an epsilon of 1e-5, which the conversion absorbs. It computes its
space-to-depth stem also at positions that it then drops (37.1 GMACs, 36.3 here). Without this stem
it has one with symmetric padding, which source "s3dg_howto100m" of ``s3dg`` builds. The text branch
of the network is left out.
"""

from collections.abc import Mapping
from typing import Any

from torch import nn

from zoopraxis.layers.inception_v1 import EPS, ConvNorm
from zoopraxis.models.s3d import GATED, S3D, SPECS, WHOLE, S3DLayers
from zoopraxis.spec import Protocol, Replacement, Source, Weights
from zoopraxis.weights.keys import flatten_head, replace_norm_eps
from zoopraxis.weights.keys.inception_v1 import pad_as_divisible, with_momentum

__all__ = ["SOURCES", "WEIGHTS"]

Rules = tuple[tuple[str, Replacement], ...]

_PARTS: tuple[str, ...] = (  # in the order of the ports' nn.Sequential; "" is a pooling
    *("conv_1a", "", "conv_2b", "conv_2c", "", "mixed_3b", "mixed_3c", "", "mixed_4b"),
    *("mixed_4c", "mixed_4d", "mixed_4e", "mixed_4f", "", "mixed_5b", "mixed_5c"),
)
_SEPARABLE = r"(conv_1a|conv_2c|branch[12]\.1)"

_TORCHVISION: Rules = (
    (r"^features\.(\d+)\.", lambda m: f"backbone.{_PARTS[int(m[1])]}."),
    (r"^classifier\.1\.", "head.linear."),
    (rf"{_SEPARABLE}\.0\.", r"\1.spatial."),
    (rf"{_SEPARABLE}\.1\.", r"\1.temporal."),
    (r"\.0\.([a-z_]+)$", r".conv.\1"),
    (r"\.1\.([a-z_]+)$", r".norm.\1"),
)
_KYLEMIN: Rules = (
    (r"^base\.(\d+)\.", lambda m: f"backbone.{_PARTS[int(m[1])]}."),
    (r"\.branch0\.0\.", ".branch0."),
    (r"\.conv_s\.", ".spatial.conv."),
    (r"\.bn_s\.", ".spatial.norm."),
    (r"\.conv_t\.", ".temporal.conv."),
    (r"\.bn_t\.", ".temporal.norm."),
    (r"\.bn\.", ".norm."),
    (r"^fc\.0\.", "head.linear."),
)
_HOWTO100M: Rules = (
    (r"^text_module\.", None),
    (r"^fc\.", "head.linear."),
    (r"^conv1\.", "backbone.conv_1a."),
    (r"^conv_2b\.", "backbone.conv_2b."),
    (r"^conv_2c\.", "backbone.conv_2c.layer."),
    (r"^gating\.fc\.", "backbone.conv_2c.gate."),
    (r"^mixed", "backbone.mixed"),
    (r"\.conv_b([12])_a\.", r".branch\1.0."),
    (r"\.conv_b0\.", ".branch0.layer."),
    (r"\.conv_b([123])_b\.", r".branch\1.1.layer."),
    (r"\.gating_b0\.fc\.", ".branch0.gate."),
    (r"\.gating_b([123])\.fc\.", r".branch\1.1.gate."),
    (r"(conv_2c|branch[12]\.1)\.layer\.(conv|bn)1\.", r"\1.layer.spatial.\2."),
    (r"\.(conv|bn)2\.", r".temporal.\1."),
    (r"\.(conv|bn)1\.", r".\1."),
    (r"\.bn\.", ".norm."),
)


def milnce_s3d(layers: S3DLayers, **options: Any) -> S3D:
    """Build S3D with the padding of MIL-NCE's port, as if every stride divided the size."""
    model = S3D(layers, **options)
    pad_as_divisible(model, measured=0)
    return model


def symmetric_stem(in_channels: int, out_channels: int) -> nn.Module:
    """Build the port's other stem: 3 x 7 x 7 with stride 2, padded equally on both sides."""
    conv = nn.Conv3d(in_channels, out_channels, (3, 7, 7), stride=2, padding=(1, 3, 3), bias=False)
    return ConvNorm(conv)


def _howto100m(**args: Any) -> Source:
    adapt = replace_norm_eps(theirs=1e-5, ours=EPS)
    return Source(rename=_HOWTO100M, adapt=adapt, build=milnce_s3d, args=args)


_SYMMETRIC_STEM = S3DLayers(stem=symmetric_stem, gated=GATED)
SOURCES: Mapping[str, Mapping[str, Source]] = {
    "s3d": {
        "torchvision": Source(
            rename=_TORCHVISION, adapt=flatten_head, build=with_momentum(S3D, 0.001)
        ),
        "s3d_kylemin": Source(
            rename=_KYLEMIN,
            adapt=flatten_head,
            build=with_momentum(S3D, 0.001),
            args={"window": (2, None, None)},
        ),
    },
    "s3dg": {"s3dg_howto100m": _howto100m(layers=_SYMMETRIC_STEM, window=WHOLE)},
    "s3dg_howto100m": {"s3dg_howto100m": _howto100m()},
}

_CLIPS = {spec.name: spec.clip for spec in SPECS}
WEIGHTS: tuple[Weights, ...] = (
    Weights(
        model="s3d",
        tag="torchvision_k400",
        urls=("https://download.pytorch.org/models/s3d-d76dad2f.pth",),
        source="torchvision",
        dataset="Kinetics-400",
        num_classes=400,
        sha256="d76dad2f",
        labels="kinetics400",
        licence="BSD-3-Clause (torchvision)",
        top1=68.368,
        top5=88.050,
        protocol=Protocol(views=1, crops=1, size=224, convention="torchvision"),
        clip=_CLIPS["s3d"].change(num_frames=128),
    ),
    Weights(
        model="s3d",
        tag="kylemin_k400",
        urls=(
            "gdrive://1IysdsJI7UuWazoxFyYvrbO97Lz_EP5H-",
            "gdrive://1HJVDBOQpnTMDVUM3SsXLy0HUkf_wryGO",
        ),
        file="S3D_kinetics400.pt",
        source="s3d_kylemin",
        dataset="Kinetics-400",
        num_classes=400,
        labels="kinetics400",
        licence="MIT",
        top1=72.08,
        top5=90.35,
        protocol=Protocol(note="Kinetics-400 validation set, views not stated"),
        clip=_CLIPS["s3dg"],
    ),
    Weights(
        model="s3dg_howto100m",
        tag="howto100m",
        urls=(
            "https://www.rocq.inria.fr/cluster-willow/amiech/howto100m/s3d_howto100m.pth",
            "https://www.di.ens.fr/~miech/S3D_howto100m/s3d_howto100m.pth",
        ),
        source="s3dg_howto100m",
        dataset="HowTo100M (narration, no labels)",
        num_classes=512,
        licence="Apache-2.0 (the code)",
    ),
)
