"""Keys and published checkpoints of the R(2+1)D of J. Zhang's port and of PyTorchVideo."""

from collections.abc import Mapping

from zoopraxis.models.r2plus1d_variants import SPECS
from zoopraxis.spec import Protocol, Source, Weights
from zoopraxis.weights.keys.resnet3d import RENAME_PYTORCHVIDEO

__all__ = ["SOURCES", "WEIGHTS"]

_JFZHANG = Source(
    rename=(
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
)
_PYTORCHVIDEO = Source(
    rename=(
        (r"\.conv_b\.conv_xy\.", ".conv_b.spatial."),
        (r"\.conv_b\.conv_t\.", ".conv_b.temporal."),
        *RENAME_PYTORCHVIDEO,
    )
)
SOURCES: Mapping[str, Mapping[str, Source]] = {
    spec.name: {"jfzhang": _JFZHANG} if "_jfz_" in spec.name else {"pytorchvideo": _PYTORCHVIDEO}
    for spec in SPECS
    if not spec.name.startswith("test_")
}
WEIGHTS: tuple[Weights, ...] = (
    Weights(
        model="r2plus1d_r50",
        tag="pytorchvideo_k400",
        urls=(
            "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/R2PLUS1D_16x4_R50.pyth",
        ),
        source="pytorchvideo",
        dataset="Kinetics-400",
        num_classes=400,
        labels="kinetics400",
        licence="Apache-2.0",
        top1=76.01,
        top5=92.23,
        protocol=Protocol(views=10, crops=3, size=256),
    ),
)
