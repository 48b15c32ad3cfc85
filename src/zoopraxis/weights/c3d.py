"""Published checkpoints of C3D, the authors' Caffe build, and their mean volume.

In Caffe, pool5 reduces 7 pixels to 4 by rounding up, not by padding: its windows are shifted by
one pixel from those of the ports. Source "caffe" builds this network (`CaffeC3D`), for the
authors' models of Sports-1M, I380K and UCF-101. Names and shapes are those of their prototxts and
of their fork of Caffe; of their files, only a mean volume was available to test with.

Source "jfzhang" is https://github.com/jfzhang95/pytorch-video-recognition (MIT); it also reads the
Sports-1M checkpoint of https://github.com/DavideA/c3d-pytorch, with which that code starts.
"mmaction2" is C3D with and without batch norms; "vmz" reads the authors' Caffe2 blobs.

The authors' input is 16 frames of 128 x 171 pixels, BGR in [0, 255], less the mean clip of
Sports-1M (a volume, not a number), cropped to 112 pixels: `subtract_mean_volume`.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zoopraxis.errors import ShapeError
from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.models.c3d import C3D, EPS
from zoopraxis.spec import Protocol, Replacement, Source, Weights
from zoopraxis.weights.keys import RENAME_BLOBS, merge, replace_norm_eps, squeeze_blobs

__all__ = ["SOURCES", "VOLUME", "WEIGHTS", "CaffeC3D", "subtract_mean_volume"]


class CaffeC3D(C3D):
    """C3D whose last pooling has no padding and rounds sizes up."""

    def pool5(self, x: Tensor) -> Tensor:
        """Map (B, 512, 2, 7, 7) to (B, 512, 1, 4, 4): pixels 0-1, 2-3, 4-5, 6 of an axis."""
        return F.max_pool3d(x, (min(2, x.shape[2]), 2, 2), ceil_mode=True)


VOLUME = (3, 16, 128, 171)
"""Shape of the mean volume of Sports-1M."""


def subtract_mean_volume(clips: Tensor, volume: Tensor) -> Tensor:
    """Subtract the centre of a mean volume from clips.

    Parameters
    ----------
    clips : Tensor of shape (B, 3, 16, S, S)
        BGR in [0, 255]: centre crops of frames resized to 128 x 171.
    volume : Tensor of shape (3, 16, 128, 171) or (1, 3, 16, 128, 171)
        BGR: the authors' ``sport1m_train16_128_mean.binaryproto``, as read by
        `zoopraxis.checkpoints.formats.caffe.read_mean`.

    Raises
    ------
    ShapeError
        The volume or the clips have another shape.
    """
    if tuple(volume.shape) not in (VOLUME, (1, *VOLUME)):
        raise ShapeError(
            f"a volume of shape {tuple(volume.shape)}, expected a mean volume of {VOLUME}",
            "read it from the Caffe blob sport1m_train16_128_mean.binaryproto",
        )
    channels, num_frames, height, width = VOLUME
    size = clips.shape[-1]
    if clips.shape[1:] != (channels, num_frames, size, size) or size > height:
        raise ShapeError(f"clips of shape {tuple(clips.shape)} do not fit a volume of {VOLUME}")
    top, left = (height - size) // 2, (width - size) // 2
    return clips - volume.reshape(VOLUME)[:, :, top : top + size, left : left + size]


Rules = tuple[tuple[str, Replacement], ...]

_CONVS = ("conv1a", "conv2a", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b")
_FEATURES = dict(zip((0, 3, 6, 8, 11, 13, 16, 18), _CONVS, strict=True))  # by index in `features`
_JFZHANG: Rules = (
    (r"^features\.(\d+)\.", lambda m: f"{_FEATURES[int(m[1])]}."),  # DavideA's file
    (r"^classifier\.([036])\.", lambda m: f"fc{6 + int(m[1]) // 3}."),
    (r"^(conv[12])\.", r"\1a."),
    (r"^(conv\w+)\.", r"\1.conv."),
    (r"^(fc[67])\.", r"\1.linear."),
)
_CAFFE: Rules = (
    *RENAME_BLOBS,
    (r"^(fc[678])-1\.", r"\1."),  # in the Sports-1M model
    (r"^(conv\w+)\.", r"\1.conv."),
    (r"^(fc[67])\.", r"\1.linear."),
)
_MMACTION2: Rules = (
    (r"^data_preprocessor\.", None),
    (r"^backbone\.", ""),
    (r"\.bn\.", ".norm."),
    (r"^(fc[67])\.", r"\1.linear."),
    (r"^cls_head\.fc_cls\.", "fc8."),
)
_VMZ: Rules = (
    (r"^(conv\d[ab])_w$", r"\1.conv.weight"),
    (r"^(conv\d[ab])_b$", r"\1.conv.bias"),
    (r"^(conv\d[ab])_bn_s$", r"\1.norm.weight"),
    (r"^(conv\d[ab])_bn_b$", r"\1.norm.bias"),
    (r"^(conv\d[ab])_bn_rm$", r"\1.norm.running_mean"),
    (r"^(conv\d[ab])_bn_riv$", r"\1.norm.running_var"),  # the variance, despite its name
    (r"^(fc[67])_w$", r"\1.linear.weight"),
    (r"^(fc[67])_b$", r"\1.linear.bias"),
    (r"^last_out_L\d+_w$", "fc8.weight"),
    (r"^last_out_L\d+_b$", "fc8.bias"),
)


def add_biases(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add zero biases to the convolutions, which have none where a batch norm follows."""
    zeros = {
        key.replace("weight", "bias"): torch.zeros(len(weight))
        for key, weight in state.items()
        if key.endswith(".conv.weight")
    }
    return {**zeros, **state}


_CAFFE_SOURCE = Source(rename=_CAFFE, adapt=squeeze_blobs, build=CaffeC3D)
_MMACTION2_BN = Source(
    rename=_MMACTION2, adapt=merge(add_biases, replace_norm_eps(theirs=1e-5, ours=EPS))
)
SOURCES: Mapping[str, Mapping[str, Source]] = {
    "c3d": {
        "caffe": _CAFFE_SOURCE,
        "jfzhang": Source(rename=_JFZHANG),
        "mmaction2": Source(rename=_MMACTION2),
    },
    "c3d_bn": {"mmaction2": _MMACTION2_BN},
    "c3d_vmz": {"vmz": Source(rename=_VMZ)},
    "test_c3d": {"caffe": _CAFFE_SOURCE},
}

_DROPBOX = "https://www.dropbox.com/s/"
_CAFFE_CLIP = ClipSpec(
    sampling=Sampling(num_frames=16),
    input=RGB(
        resize=(128, 171),
        size=112,
        mean=(90.0, 98.0, 102.0),  # per channel, instead of the mean volume
        std=(1.0,),
        channel_order="bgr",
        value_range=255.0,
    ),
)
_VMZ_K400: dict[str, Any] = {
    "model": "c3d_vmz",
    "source": "vmz",
    "num_classes": 400,
    "labels": "kinetics400",
    "licence": "Apache-2.0 (VMZ)",
    "protocol": Protocol(note="Kinetics-400 validation set, video level"),
}
WEIGHTS: tuple[Weights, ...] = (
    Weights(
        model="c3d",
        tag="sports1m",
        urls=(f"{_DROPBOX}vr8ckp0pxgbldhs/conv3d_deepnetA_sport1m_iter_1900000?dl=1",),
        source="caffe",
        dataset="Sports-1M",
        num_classes=487,
        licence="CC-BY-NC-3.0",
        clip=_CAFFE_CLIP,
    ),
    Weights(
        model="c3d",
        tag="mmaction2_sports1m_ft_ucf101_1",
        urls=(
            "https://download.openmmlab.com/mmaction/v1.0/recognition/c3d/"
            "c3d_sports1m-pretrained_8xb30-16x1x1-45e_ucf101-rgb/"
            "c3d_sports1m-pretrained_8xb30-16x1x1-45e_ucf101-rgb_20220811-31723200.pth",
        ),
        sha256="31723200",
        source="mmaction2",
        dataset="Sports-1M, then UCF-101",
        num_classes=101,
        labels="ucf101",
        licence="Apache-2.0 (mmaction2)",
        top1=83.08,
        top5=95.93,
        protocol=Protocol(views=10, crops=1, size=112, note="UCF-101 split 1"),
    ),
    Weights(
        tag="vmz_k400",
        urls=(f"{_DROPBOX}z6w799mqet65mkq/c3d_kinetics_from_scratch_f129282105.pkl?dl=1",),
        dataset="Kinetics-400",
        top1=66.6,
        top5=86.7,
        **_VMZ_K400,
    ),
    Weights(
        model="c3d_vmz",
        tag="vmz_sports1m",
        urls=(f"{_DROPBOX}s2ooup80wal8o5d/c3d_sports1m_from_scratch_f129642950.pkl?dl=1",),
        source="vmz",
        dataset="Sports-1M",
        num_classes=487,
        licence="Apache-2.0 (VMZ)",
    ),
    Weights(
        tag="vmz_sports1m_ft_k400",
        urls=(f"{_DROPBOX}jadubfxhh5hdyp5/c3d_ft_kinetics_from_sports1m_f131638306.pkl?dl=1",),
        dataset="Sports-1M, then Kinetics-400",
        top1=67.4,
        top5=87.2,
        **_VMZ_K400,
    ),
)
