"""Published checkpoints of I3D on a ResNet, and helpers shared by the families of the same zoos.

PyTorchVideo's network is PySlowFast's under other keys; the ``.pkl`` files of PySlowFast were
trained in Caffe2. Source "video_nonlocal_caffe2" is the authors' code, whose stem does not pad the
pooling. For long clips they froze the batch norms into scales and shifts, which are converted to
batch norms that only scale and shift. Source "video_nonlocal" is a PyTorch port of their networks
(https://github.com/Tushar-N/pytorch-resnet3d); the epsilon of its batch norms, 1.0000001e-5, is
rounded to 1e-5. Source "mmaction2" pads the pooling of the stem, which spans single frames and
drops every other one; a convolution with a stride of 4 in time keeps the same frames.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.models.inflated_resnet import InflatedResNet, UnpaddedResNet
from zoopraxis.spec import Protocol, Replacement, Source, Weights
from zoopraxis.weights.keys.inflated_resnet import CAFFE2, PYSLOWFAST, PYTORCHVIDEO_POOLED
from zoopraxis.weights.keys.resnet3d import RENAME_MMACTION2, RENAME_TORCHVISION

__all__ = [
    "KINETICS",
    "SOURCES",
    "VIEWS",
    "WEIGHTS",
    "caffe2_weights",
    "facebook_weights",
    "mmaction2_clip",
    "mmaction2_weights",
    "pooled_sources",
    "pyslowfast_weights",
    "pytorchvideo_weights",
]


def pooled_sources(unpadded: type[InflatedResNet]) -> Mapping[str, Source]:
    """Return the sources of a network for 8 frames that pools over time.

    Parameters
    ----------
    unpadded : type of InflatedResNet
        Class of the network as built by the authors' Caffe2 code.
    """
    return {
        "pyslowfast": PYSLOWFAST,
        "pyslowfast_caffe2": CAFFE2,
        "pytorchvideo": PYTORCHVIDEO_POOLED,
        "video_nonlocal_caffe2": replace(CAFFE2, build=unpadded),
    }


_RENAME_VIDEO_NONLOCAL: tuple[tuple[str, Replacement], ...] = (
    (r"^(conv|bn)1\.", r"stem.\1."),
    (r"\.nl\.", ".nonlocal."),
    (r"\.(\d+)\.nonlocal\.", r".nonlocal\1."),
    (r"\.bn(\d)\.", r".norm\1."),
    (r"\.bn\.", ".norm."),
    *RENAME_TORCHVISION,
)
SOURCES_32X2 = {
    "video_nonlocal": Source(rename=_RENAME_VIDEO_NONLOCAL),
    "video_nonlocal_caffe2": CAFFE2,
}
MMACTION2 = Source(
    rename=RENAME_MMACTION2, build=InflatedResNet, args={"stem_stride": 4, "pool1_frames": 1}
)
_8X8 = pooled_sources(UnpaddedResNet)
_WITH_MMACTION2 = {**SOURCES_32X2, "mmaction2": MMACTION2}
SOURCES: Mapping[str, Mapping[str, Source]] = {
    **dict.fromkeys(("i3d_r50_8x8", "i3d_r101_8x8", "test_i3d_resnet"), _8X8),
    **dict.fromkeys(("i3d_r50_32x2", "i3d_r101_32x2", "i3d_r50_128x1"), _WITH_MMACTION2),
    "i3d_r50_32x4": SOURCES_32X2,
}

# Entries of the zoos.

VIEWS = Protocol(views=10, crops=3, size=256, fully_convolutional=224, mode="mean_probability")
KINETICS: Mapping[str, Any] = {
    "dataset": "Kinetics-400",
    "num_classes": 400,
    "labels": "kinetics400",
}


_LICENCES = {
    "pyslowfast": "Apache-2.0 (PySlowFast)",
    "pyslowfast_caffe2": "Apache-2.0 (PySlowFast)",
    "pytorchvideo": "Apache-2.0 (PyTorchVideo)",
    "pytorchvideo_mobile": "Apache-2.0 (PyTorchVideo)",
    "video_nonlocal_caffe2": "CC-BY-NC-4.0",
}


def facebook_weights(
    model: str, tag: str, path: str, *, source: str, protocol: Protocol = VIEWS, **fields: Any
) -> Weights:
    """Return a checkpoint of PySlowFast, PyTorchVideo or video-nonlocal-net, by default of K400."""
    hosts = ["https://dl.fbaipublicfiles.com"]
    if path.startswith("video-nonlocal/"):  # where the files were before
        hosts.append("https://s3.amazonaws.com")
    return Weights(
        model=model,
        tag=tag,
        urls=tuple(f"{host}/{path}" for host in hosts),
        source=source,
        licence=_LICENCES[source],
        protocol=protocol,
        **{**KINETICS, **fields},
    )


def pytorchvideo_weights(
    model: str,
    file: str,
    top1: float,
    top5: float,
    *,
    protocol: Protocol = VIEWS,
    source: str = "pytorchvideo",
) -> Weights:
    """Return a Kinetics checkpoint of PyTorchVideo's zoo."""
    return facebook_weights(
        model,
        f"{source}_k400",
        f"pytorchvideo/model_zoo/kinetics/{file}.pyth",
        source=source,
        protocol=protocol,
        top1=top1,
        top5=top5,
    )


def pyslowfast_weights(model: str, tag: str, file: str, top1: float, top5: float) -> Weights:
    """Return a checkpoint of PySlowFast's zoo, trained from scratch in Caffe2."""
    path = f"pyslowfast/model_zoo/kinetics400/{file}.pkl"
    return facebook_weights(
        model,
        tag,
        path,
        source="pyslowfast_caffe2",
        protocol=replace(VIEWS, convention="pyslowfast"),
        top1=top1,
        top5=top5,
    )


def caffe2_weights(model: str, tag: str, file: str, top1: float, top5: float) -> Weights:
    """Return a checkpoint of video-nonlocal-net, trained from ImageNet weights."""
    path = f"video-nonlocal/{file}.pkl"
    return facebook_weights(model, tag, path, source="video_nonlocal_caffe2", top1=top1, top5=top5)


def mmaction2_weights(
    model: str,
    folder: str,
    file: str,
    top1: float,
    top5: float | None,
    *,
    tag: str = "mmaction2_k400",
    clip: ClipSpec | None = None,
) -> Weights:
    """Return a checkpoint of mmaction2's zoo; `folder` is ``<method>/<training>``."""
    classes = 700 if "k700" in tag else 400
    return Weights(
        model=model,
        tag=tag,
        urls=(f"https://download.openmmlab.com/mmaction/v1.0/recognition/{folder}/{file}.pth",),
        sha256=file.rpartition("-")[2],
        source="mmaction2",
        dataset=f"Kinetics-{classes}",
        num_classes=classes,
        labels=f"kinetics{classes}",
        licence="Apache-2.0 (mmaction2)",
        top1=top1,
        top5=top5,
        protocol=Protocol(views=10, crops=3, mode="mean_probability"),
        clip=clip,
    )


def mmaction2_clip(num_frames: int, stride: int, *, size: int = 256) -> ClipSpec:
    """Return the input of mmaction2's networks: the video's frame rate, ImageNet's mean."""
    return ClipSpec(
        sampling=Sampling(num_frames=num_frames, stride=stride), input=RGB(resize=size, size=size)
    )


def _mmaction2(training: str, tag: str, date_hash: str, top1: float, top5: float) -> Weights:
    return mmaction2_weights(
        "i3d_r50_32x2",
        f"i3d/{training}",
        f"{training}_{date_hash}",
        top1,
        top5,
        tag=tag,
        clip=mmaction2_clip(32, 2),
    )


_8X8_CAFFE2 = "i3d_baseline_8x8_IN_pretrain"
_LONG_CAFFE2 = "i3d_baseline_{}_I3D_pretrain_400k"
_MMACTION2_NAME = "i3d_imagenet-pretrained-r50_8xb8-{}32x2x1-100e_kinetics400-rgb"

# Suffixes of tags: trainings on four GPUs, or of another number of iterations than 400 thousand.
WEIGHTS: tuple[Weights, ...] = (
    pytorchvideo_weights("i3d_r50_8x8", "I3D_8x8_R50", 73.27, 90.70),
    pyslowfast_weights("i3d_r50_8x8", "pyslowfast_k400", "I3D_8x8_R50", 73.5, 90.8),
    caffe2_weights("i3d_r50_8x8", "k400", f"{_8X8_CAFFE2}_400k", 73.4, 90.9),
    caffe2_weights("i3d_r50_8x8", "k400_300k", f"{_8X8_CAFFE2}_300k", 73.2, 90.8),
    caffe2_weights("i3d_r50_8x8", "k400_600k_4gpu", f"{_8X8_CAFFE2}_600k_4gpu", 73.0, 90.4),
    caffe2_weights("i3d_r50_8x8", "k400_300k_4gpu", f"{_8X8_CAFFE2}_300k_4gpu", 72.0, 90.1),
    caffe2_weights("i3d_r50_32x2", "k400", "i3d_baseline_32x2_IN_pretrain_400k", 73.6, 90.8),
    _mmaction2(_MMACTION2_NAME.format(""), "mmaction2_k400", "20220812-e213c223", 73.47, 91.27),
    _mmaction2(
        _MMACTION2_NAME.format("dense-"), "mmaction2_k400_dense", "20220812-9f46003f", 73.77, 91.35
    ),
    caffe2_weights("i3d_r50_128x1", "k400", _LONG_CAFFE2.format("128x1"), 75.2, 92.0),
    caffe2_weights("i3d_r50_32x4", "k400", _LONG_CAFFE2.format("32x4"), 75.5, 92.0),
)
