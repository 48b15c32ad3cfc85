"""Learning Spatiotemporal Features with 3D Convolutional Networks.

Tran, Bourdev, Fergus, Torresani and Paluri, ICCV 2015. arXiv:1412.0767
Official code: https://github.com/facebookarchive/C3D (a Caffe fork)

Eight convolutions, all 3x3x3, and five poolings; the first leaves time alone, so that two frames
are not merged early. Then three linear layers. What fc6 holds of a 16-frame clip, 4096 numbers
behind its ReLU, is the C3D feature: with a linear classifier on top it was the best general
description of video of its time.

Mean volume. The Sports-1M network saw clips of 16 x 128 x 171 pixels in BGR, 0 to 255, minus the
mean of all such clips (a volume, not a number), cropped to 112. `read_mean_volume` and
`subtract_mean_volume` do that; the rows' `ClipSpec` subtracts one number a channel, as everyone
did since, and mmaction2 in training.

Builds. In ``c3d``, pool5 pads space by one and leaves 4 x 4: fc6 sees 8192 numbers; 78.41 M
parameters with 101 classes. ``c3d_vmz`` is the authors' later Caffe2 build
(https://github.com/facebookresearch/VMZ, Apache-2.0): a batch norm of eps 1e-3 behind every
convolution, pool5 without padding, 3 x 3 and 4608 numbers: 64.95 M parameters with Kinetics'
400 classes. Both take 38.5 G multiply-adds. ``c3d_bn`` is ``c3d`` with the norms. Sources:
"jfzhang" (https://github.com/jfzhang95/pytorch-video-recognition, MIT, and the Sports-1M
checkpoint of https://github.com/DavideA/c3d-pytorch that it starts from), "mmaction2", and
"caffe", the authors' nets of Sports-1M, I380K and UCF-101. In these, pool5 gets from 7 to 4 by
rounding up, not by padding, and its windows lie one pixel off: ``create_model("c3d",
source="caffe")`` builds so. Names and shapes are those of their prototxts and of their fork of
Caffe; of their files only a mean volume was at hand.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.checkpoints.convert import RENAME_BLOBS, merge, replace_norm_eps, squeeze_blobs
from zoopraxis.errors import CheckpointError, ShapeError
from zoopraxis.checkpoints.formats.caffe import read_mean
from zoopraxis.spec import ClipSpec, ModelSpec, Replacement, Source, Weights

Pool5 = Literal["padded", "up", "down"]


class Conv(nn.Module):
    """A 3x3x3 convolution with bias, a norm or none, and a ReLU."""

    def __init__(self, in_channels: int, out_channels: int, norm: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, 3, padding=1)
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T, H, W)."""
        return F.relu(self.norm(self.conv(x)))


class Dense(nn.Module):
    """A linear layer, a norm or none, a ReLU, and dropout."""

    def __init__(self, in_features: int, out_features: int, norm: nn.Module, drop: float) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.norm = norm
        self.dropout = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N) to (B, M)."""
        out: Tensor = self.dropout(F.relu(self.norm(self.linear(x))))
        return out


class C3D(nn.Module):
    """Eight convolutions, five poolings, three linear layers; the clip's size is fixed.

    Parameters
    ----------
    norms : {"none", "convolutions", "all"}, default="none"
        Where batch norms are: nowhere, behind the convolutions, or behind fc6 and fc7 too.
    pool1 : int, default=1
        Frames that the first pooling merges; poolings go on over time while there is any.
    pool5 : {"padded", "up", "down"}, default="padded"
        The last pooling pads space by one, or has no padding and rounds sizes up, or down.
    clip : (int, int), default=(16, 112)
        T and S of the clips, which decide the size of fc6.
    width : int, default=64
        Channels of the first convolution; fc6 and fc7 have 64 times as many.
    num_classes : int, default=487
        K; Sports-1M has 487.
    dropout : float, default=0.5
        Behind fc6 and fc7.
    """

    def __init__(
        self,
        *,
        norms: Literal["none", "convolutions", "all"] = "none",
        pool1: int = 1,
        pool5: Pool5 = "padded",
        clip: tuple[int, int] = (16, 112),
        width: int = 64,
        num_classes: int = 487,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()

        def conv(in_channels: int, out_channels: int) -> Conv:
            norm = nn.Identity() if norms == "none" else nn.BatchNorm3d(out_channels, eps=1e-3)
            return Conv(in_channels, out_channels, norm)

        def dense(in_features: int, out_features: int) -> Dense:
            norm = nn.BatchNorm1d(out_features, eps=1e-3) if norms == "all" else nn.Identity()
            return Dense(in_features, out_features, norm, dropout)

        w = width
        self.conv1a = conv(3, w)
        self.conv2a = conv(w, 2 * w)
        self.conv3a, self.conv3b = conv(2 * w, 4 * w), conv(4 * w, 4 * w)
        self.conv4a, self.conv4b = conv(4 * w, 8 * w), conv(8 * w, 8 * w)
        self.conv5a, self.conv5b = conv(8 * w, 8 * w), conv(8 * w, 8 * w)
        self.pool1, self.pool5 = pool1, pool5
        self.num_features = 8 * w
        self.fc6 = dense(self._flat(clip), 64 * w)
        self.fc7 = dense(64 * w, 64 * w)
        self.fc8 = nn.Linear(64 * w, num_classes)
        self._initialise()

    def _flat(self, clip: tuple[int, int]) -> int:
        """Count the numbers that leave the last pooling."""
        frames, size = clip[0] // self.pool1, clip[1] // 16
        for _ in range(3):
            frames = max(frames // 2, 1)
        frames, size = {
            "padded": (max(frames // 2, 1), size // 2 + 1),
            "up": ((frames + 1) // 2, (size + 1) // 2),
            "down": (max(frames // 2, 1), size // 2),
        }[self.pool5]
        return self.num_features * frames * size * size

    def _initialise(self) -> None:
        """He-normal convolutions; linear layers N(0, 0.005), the last N(0, 0.01)."""
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(torch.as_tensor(module.bias))
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01 if module is self.fc8 else 0.005)
                nn.init.zeros_(module.bias)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, 16, 112, 112) to features (B, 512, 1, 4, 4)."""
        x = _pool(self.conv1a(x), self.pool1)  # (B, 64, 16, 56, 56)
        x = _pool(self.conv2a(x), 2)  # (B, 128, 8, 28, 28)
        x = _pool(self.conv3b(self.conv3a(x)), 2)  # (B, 256, 4, 14, 14)
        x = _pool(self.conv4b(self.conv4a(x)), 2)  # (B, 512, 2, 7, 7)
        return _pool(self.conv5b(self.conv5a(x)), 2, self.pool5)  # (B, 512, 1, 4, 4)

    def forward_fc6(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, 16, 112, 112) to C3D features (B, 4096)."""
        out: Tensor = self.fc6(self.forward_features(x).flatten(1))
        return out

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 512, 1, 4, 4) to logits (B, K)."""
        x = self.fc7(self.fc6(x.flatten(1)))  # (B, 4096)
        out: Tensor = self.fc8(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, 16, 112, 112) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def reset_head(self, num_classes: int) -> None:
        """Replace the last layer by a new one for K classes."""
        weight = self.fc8.weight
        self.fc8 = nn.Linear(
            self.fc8.in_features, num_classes, device=weight.device, dtype=weight.dtype
        )


def _pool(x: Tensor, frames: int, ends: Pool5 = "down") -> Tensor:
    """Max pooling of stride 2 in space and `frames` in time, 1 where no more frames are left."""
    size, pad = (min(frames, x.shape[2]), 2, 2), int(ends == "padded")
    return F.max_pool3d(x, size, stride=size, padding=(0, pad, pad), ceil_mode=ends == "up")


# The mean volume of Sports-1M.

VOLUME = (3, 16, 128, 171)


def read_mean_volume(path: str | Path) -> Tensor:
    """Read the authors' ``sport1m_train16_128_mean.binaryproto``, or the same volume as ``.npy``.

    Returns
    -------
    Tensor of shape (3, 16, 128, 171)
        BGR, in [0, 255].

    Raises
    ------
    CheckpointError
        The file is no such volume.
    """
    path = Path(path)
    volume = _read_array(path) if path.suffix == ".npy" else read_mean(path)
    if volume.shape[-4:] != VOLUME or volume.numel() != math.prod(VOLUME):
        raise CheckpointError(
            f"{path} holds numbers of shape {tuple(volume.shape)}, not a mean volume of {VOLUME}",
            "it takes the Caffe blob sport1m_train16_128_mean.binaryproto",
        )
    return volume.reshape(VOLUME)


def _read_array(path: Path) -> Tensor:
    try:
        array = np.load(path, allow_pickle=False)
        return torch.from_numpy(array).float()
    except (OSError, ValueError, EOFError, TypeError) as error:
        raise CheckpointError(f"{path} is not an array of numbers: {error}") from error


def subtract_mean_volume(clips: Tensor, volume: Tensor) -> Tensor:
    """Subtract the centre of a mean volume from clips of its frames.

    Parameters
    ----------
    clips : Tensor of shape (B, 3, 16, S, S)
        BGR, in [0, 255]: centre crops of frames resized to 128 x 171.
    volume : Tensor of shape (3, 16, 128, 171)
        From `read_mean_volume`.

    Raises
    ------
    ShapeError
        The clips do not fit the volume.
    """
    size = clips.shape[-1]
    if clips.shape[1:] != (*volume.shape[:2], size, size) or size > volume.shape[2]:
        raise ShapeError(
            f"clips of shape {tuple(clips.shape)} do not fit a volume of {tuple(volume.shape)}"
        )
    top, left = (volume.shape[2] - size) // 2, (volume.shape[3] - size) // 2
    return clips - volume[:, :, top : top + size, left : left + size]


# The keys of the sources, as ordered rules.

Rules = tuple[tuple[str, Replacement], ...]

_SEQUENCE = ("conv1a", "conv2a", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b")
_FEATURES = dict(zip((0, 3, 6, 8, 11, 13, 16, 18), _SEQUENCE, strict=True))
_JFZHANG: Rules = (
    (r"^features\.(\d+)\.", lambda m: f"{_FEATURES[int(m[1])]}."),  # the port's pretrained file
    (r"^classifier\.([036])\.", lambda m: f"fc{6 + int(m[1]) // 3}."),
    (r"^(conv[12])\.", r"\1a."),
    (r"^(conv\w+)\.", r"\1.conv."),
    (r"^(fc[67])\.", r"\1.linear."),
)
_CAFFE: Rules = (
    *RENAME_BLOBS,
    (r"^(fc[678])-1\.", r"\1."),  # so called in the net of Sports-1M
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
    (r"^(conv\d[ab])_bn_riv$", r"\1.norm.running_var"),  # the variance, whatever its name says
    (r"^(fc[67])_w$", r"\1.linear.weight"),
    (r"^(fc[67])_b$", r"\1.linear.bias"),
    (r"^last_out_L\d+_w$", "fc8.weight"),
    (r"^last_out_L\d+_b$", "fc8.bias"),
)


def _add_biases(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give convolutions in front of a norm the bias 0, where the source has none."""
    absent = {
        key.replace("weight", "bias"): torch.zeros(len(weight))
        for key, weight in state.items()
        if key.endswith(".conv.weight")
    }
    return {**absent, **state}


_MMACTION2_BN = Source(
    rename=_MMACTION2, adapt=merge(_add_biases, replace_norm_eps(theirs=1e-5, ours=1e-3))
)
_SOURCES: Mapping[str, Source] = {
    "caffe": Source(rename=_CAFFE, adapt=squeeze_blobs, args={"pool5": "up"}),
    "jfzhang": Source(rename=_JFZHANG),
    "mmaction2": Source(rename=_MMACTION2),
}

# The published checkpoints.

_DROPBOX = "https://www.dropbox.com/s/"
_SPORTS1M = Weights(
    tag="sports1m",
    url=f"{_DROPBOX}vr8ckp0pxgbldhs/conv3d_deepnetA_sport1m_iter_1900000?dl=1",
    source="caffe",
    dataset="Sports-1M",
    num_classes=487,
    licence="CC-BY-NC-3.0 (the code)",
    clip=ClipSpec(
        frames=16,
        resize=(128, 171),
        size=112,
        mean=(90.0, 98.0, 102.0),  # jfzhang's numbers for the mean volume
        std=(1.0,),
        channel_order="bgr",
        value_range=255.0,
    ),
)
_KINETICS: dict[str, Any] = {
    "source": "vmz",
    "num_classes": 400,
    "labels": "kinetics400",
    "licence": "Apache-2.0 (VMZ)",
    "protocol": "Kinetics-400 validation set, video level",
}
_C3D_WEIGHTS = (
    _SPORTS1M,
    Weights(
        tag="ucf101",
        url="https://download.openmmlab.com/mmaction/v1.0/recognition/c3d/"
        "c3d_sports1m-pretrained_8xb30-16x1x1-45e_ucf101-rgb/"
        "c3d_sports1m-pretrained_8xb30-16x1x1-45e_ucf101-rgb_20220811-31723200.pth",
        sha256="31723200",
        source="mmaction2",
        dataset="Sports-1M, then UCF-101",
        num_classes=101,
        licence="Apache-2.0 (mmaction2)",
        top1=83.08,
        top5=95.93,
        protocol="UCF-101 split 1, 10 clips, centre crop 112",
    ),
)
_VMZ_WEIGHTS = (
    Weights(
        tag="kinetics400",
        url=f"{_DROPBOX}z6w799mqet65mkq/c3d_kinetics_from_scratch_f129282105.pkl?dl=1",
        dataset="Kinetics-400",
        top1=66.6,
        top5=86.7,
        **_KINETICS,
    ),
    Weights(
        tag="sports1m",
        url=f"{_DROPBOX}s2ooup80wal8o5d/c3d_sports1m_from_scratch_f129642950.pkl?dl=1",
        source="vmz",
        dataset="Sports-1M",
        num_classes=487,
        licence="Apache-2.0 (VMZ)",
    ),
    Weights(
        tag="sports1m_kinetics400",
        url=f"{_DROPBOX}jadubfxhh5hdyp5/c3d_ft_kinetics_from_sports1m_f131638306.pkl?dl=1",
        dataset="Sports-1M, then Kinetics-400",
        top1=67.4,
        top5=87.2,
        **_KINETICS,
    ),
)

# The rows.

_CLIP = ClipSpec(
    frames=16,
    resize=128,
    size=112,
    mean=(104.0, 117.0, 128.0),
    std=(1.0,),
    value_range=255.0,
)
_VMZ_CLIP = ClipSpec(
    frames=16,
    resize=(128, 171),
    size=112,
    mean=(0.43216, 0.394666, 0.37645),
    std=(0.22803, 0.22145, 0.216989),
)
_TINY_CLIP = ClipSpec(frames=8, resize=64, size=56)
_TINY: dict[str, Any] = {"clip": (8, 56), "width": 8, "num_classes": 12}

SPECS = (
    ModelSpec(
        name="c3d",
        build=C3D,
        args={"num_classes": 101},
        clip=_CLIP,
        params_m=78.41,
        macs_g=38.55,
        strides=(16, 32),
        sources=_SOURCES,
        weights=_C3D_WEIGHTS,
    ),
    ModelSpec(
        name="c3d_bn",
        build=C3D,
        args={"norms": "convolutions", "num_classes": 101},
        clip=_CLIP,
        params_m=78.42,
        macs_g=38.55,
        strides=(16, 32),
        sources={"mmaction2": _MMACTION2_BN},
    ),
    ModelSpec(
        name="c3d_vmz",
        build=C3D,
        args={"norms": "convolutions", "pool5": "down", "num_classes": 400},
        clip=_VMZ_CLIP,
        params_m=64.96,
        macs_g=38.53,
        strides=(16, 32),
        sources={"vmz": Source(rename=_VMZ)},
        weights=_VMZ_WEIGHTS,
    ),
    ModelSpec(
        name="test_c3d",
        build=C3D,
        args=_TINY,
        clip=_TINY_CLIP,
        params_m=0.83,
        macs_g=0.09,
        strides=(16, 32),
        sources={"caffe": _SOURCES["caffe"]},
    ),
)
