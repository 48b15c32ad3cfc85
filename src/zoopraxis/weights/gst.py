"""Published checkpoints of GST, whose authors write every layer as a 3D convolution."""

from collections.abc import Mapping

from torch import Tensor

from zoopraxis.models.gst import SPECS
from zoopraxis.spec import Protocol, Source, Weights
from zoopraxis.weights.keys import RENAME_SEGMENTS
from zoopraxis.weights.keys.resnet2d import RENAME_RESNET2D

__all__ = ["SOURCES", "WEIGHTS"]


def squeeze_single_frames(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Turn kernels that span one frame, (out, in, 1, h, w), into those of 2D convolutions."""
    return {
        key: tensor.squeeze(2) if tensor.ndim == 5 and tensor.shape[2] == 1 else tensor
        for key, tensor in state.items()
    }


_GST = Source(
    rename=(
        *RENAME_SEGMENTS,
        *RENAME_RESNET2D,
        (r"\.conv2\.", ".conv2.spatial."),
        (r"\.Tconv\.", ".conv2.temporal."),
    ),
    adapt=squeeze_single_frames,
)
SOURCES: Mapping[str, Mapping[str, Source]] = {spec.name: {"gst": _GST} for spec in SPECS}


def _ssv(version: int, model: str, drive_id: str, top1: float) -> Weights:
    return Weights(
        model=model,
        tag=f"ssv{version}",
        urls=(f"gdrive://{drive_id}",),
        file=f"gst_{drive_id}.pth.tar",  # the authors publish links without names
        source="gst",
        dataset=f"Something-Something v{version}",
        num_classes=174,
        labels={1: "ssv1_sorted", 2: "ssv2"}[version],
        licence="MIT",
        top1=top1,
        protocol=Protocol(views=1, crops=1, size=224),
    )


WEIGHTS: tuple[Weights, ...] = (
    _ssv(2, "gst_r50_8", "18xiD9C2GS0YcdrAzTUbW7ylv6XbrWkdS", 61.6),
    _ssv(2, "gst_r50_16", "1llsMnRFEaKLPcCNG4uk2ls9K8iuLVGFi", 62.6),
    _ssv(1, "gst_large_r50_8", "1TvgmZqv-20P77jKmqWNoJA7tewqJC_nK", 47.7),
    _ssv(2, "gst_large_r50_8", "1Ymc_NK5WK47Z4qAoVEJI3wBGlbuwaFdw", 62.0),
)
