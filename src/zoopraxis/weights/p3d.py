"""Published checkpoints of P3D, and the builds of the authors' prototxts and of the PyTorch port.

The authors released Caffe models of 199 layers only. Source "caffe" reads their ``.caffemodel``;
names and shapes are those of the prototxts, but no such file was available to test with. The
prototxts differ from the paper's equations: in B and C the ReLU follows the sum instead of T, and
in C the result is halved (`ReleasedP3D`).

The port (https://github.com/qijiezhao/pseudo-3d-pytorch, MIT) converted these models, and combines
S and T as in the equations. It pads pool1 by a pixel and rounds sizes down, which gives the same
sizes from windows shifted by one pixel. Source "p3d_pytorch" builds the port's network; source
"p3d_caffe" reads the same keys and keeps the authors' poolings, with which the weights were
trained. Where more than one frame reaches the last stage, the port's reshape mixes channels and
time, which we do not reproduce. Its code gives the mean and standard deviation of ImageNet for RGB
in [0, 1]; the entry's clip is the authors', BGR in [0, 255] less the mean.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor

from zoopraxis.models.p3d import P3D, P3DA, SPECS, Kind, Pseudo3D
from zoopraxis.spec import Source, Weights
from zoopraxis.weights.keys import RENAME_BLOBS, kernels_of_one_frame, merge, squeeze_blobs

__all__ = ["SOURCES", "WEIGHTS"]


class ReleasedB(Pseudo3D):
    """B of the prototxts: ReLU(S(x) + T(x)), where T has no ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        return F.relu(self.spatial(x) + self.norm_t(self.conv_t(x)))


class ReleasedC(Pseudo3D):
    """C of the prototxts: ReLU(S(x) + T(S(x))) / 2, where T has no ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        x = self.spatial(x)
        return F.relu(x + self.norm_t(self.conv_t(x))) / 2


class ReleasedP3D(P3D):
    """P3D with the units of the authors' prototxts."""

    units: ClassVar[Mapping[Kind, type[Pseudo3D]]] = {"a": P3DA, "b": ReleasedB, "c": ReleasedC}


def ported_p3d(*args: Any, **options: Any) -> P3D:
    """Build P3D with the port's poolings: pool1 padded by a pixel, sizes rounded down."""
    model = P3D(*args, **options)
    model.pool.padding, model.pool.ceil_mode = (0, 1, 1), False
    model.pool_time.ceil_mode = False
    return model


_RENAME_PORT = (
    (r"^conv1_custom\.", "conv."),
    (r"^bn1\.", "norm."),
    (r"\.conv2\.", ".unit.conv_s."),
    (r"\.bn2\.", ".unit.norm_s."),
    (r"\.conv3\.", ".unit.conv_t."),
    (r"\.bn3\.", ".unit.norm_t."),
    (r"\.conv_normal\.", ".unit.conv_s."),
    (r"\.bn_normal\.", ".unit.norm_s."),
    (r"\.conv4\.", ".conv2."),
    (r"\.bn4\.", ".norm2."),
    (r"\.bn1\.", ".norm1."),
    (r"\.downsample\.0\.", ".shortcut.conv."),
    (r"\.downsample\.1\.", ".shortcut.norm."),
    (r"^fc\.", "head.linear."),
)
_BRANCHES = {
    "1": "shortcut.{}",
    "2a": "{}1",
    "2b": "unit.{}_s",
    "2b_t": "unit.{}_t",
    "2c": "{}2",
}


def _block_key(match: re.Match[str]) -> str:
    """Name a layer of a block: stages of three blocks use a, b, c; longer ones a, b1, b2, ...

    # res2c_branch2b_t. -> layer1.2.unit.conv_t.    bn3b7_branch2a. -> layer2.7.norm1.
    """
    prefix, stage, letter, number, branch = match.groups()
    index = number or ord(letter) - ord("a")
    kind = "conv" if prefix == "res" else "norm"
    return f"layer{int(stage) - 1}.{index}.{_BRANCHES[branch].format(kind)}."


_RENAME_CAFFE = (
    *RENAME_BLOBS,
    (r"^conv1\.", "conv."),
    (r"^bn_conv1\.", "norm."),
    (r"^(res|bn)(\d)([a-z])(\d*)_branch(1|2a|2b|2b_t|2c)\.", _block_key),
    (r"^fc_\w+\.", "head.linear."),
)
_PORT = {
    "p3d_pytorch": Source(rename=_RENAME_PORT, adapt=kernels_of_one_frame, build=ported_p3d),
    "p3d_caffe": Source(rename=_RENAME_PORT, adapt=kernels_of_one_frame),
}
_CAFFE = {
    "caffe": Source(
        rename=_RENAME_CAFFE, adapt=merge(squeeze_blobs, kernels_of_one_frame), build=ReleasedP3D
    )
}
_RELEASED = ("p3d_199", "p3d_199_flow", "test_p3d")
SOURCES: Mapping[str, Mapping[str, Source]] = {
    spec.name: {**_PORT, **(_CAFFE if spec.name in _RELEASED else {})} for spec in SPECS
}


def _weights(model: str, file: str) -> Weights:
    return Weights(
        model=model,
        tag="k400",
        page="https://drive.google.com/drive/folders/1u_l-yvhS0shpW6e0tCiqPE7Bd1qQZKdD",
        file=file,
        source="p3d_caffe",
        dataset="Kinetics-400",
        num_classes=400,
        labels="kinetics400",
        licence="MIT (the code)",
    )


WEIGHTS: tuple[Weights, ...] = (
    _weights("p3d_199", "p3d_rgb_199.checkpoint.pth.tar"),
    _weights("p3d_199_flow", "p3d_flow_199.checkpoint.pth.tar"),
)
