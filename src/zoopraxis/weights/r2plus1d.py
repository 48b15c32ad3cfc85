"""Published checkpoints of R(2+1)D and its study, and the builds of other code bases.

"vmz" is the authors' PyTorch port, "vmz_caffe2" reads their ``.pkl``. The port's R(2+1)D-152 pools
after the stem, and so does "vmz"; the published 329.1 GMACs and the checkpoints are those without
this pooling, so "vmz_unpooled" has the same keys and our build. The port sets the momentum of the
batch norms to Caffe2's value, 0.9, which in PyTorch weights the last batch by 0.9; we keep 0.1,
the same average.

"mmaction2" factorises the shortcuts too, pools after the stem, and has the M_i of the formula in
the stem and an epsilon of 1e-5 inside (2+1)D convolutions.

torchvision trained at 15 frames per second, VMZ on consecutive frames, mmaction2 on larger frames
with the mean and standard deviation of ImageNet.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import nn

from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.resnet3d import ConvFn, Shortcut3d, initialise, set_norms
from zoopraxis.models.r2plus1d import (
    SPECS,
    VMZ_CLIP,
    Conv2Plus1d,
    Kind,
    R2Plus1D,
    build_caffe2,
    mid_channels,
)
from zoopraxis.spec import Protocol, Source, Weights
from zoopraxis.weights.keys import replace_norm_eps
from zoopraxis.weights.keys.resnet3d import RENAME_MMACTION2, RENAME_TORCHVISION
from zoopraxis.weights.keys.vmz import blobs

__all__ = ["SOURCES", "WEIGHTS"]


def pool_stem(network: R2Plus1D) -> None:
    """Add a 1x3x3 max pooling of stride 2 after the stem's ReLU."""
    pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
    network.stem.add_module("relu", nn.Sequential(network.stem.relu, pool))


def build_vmz_pooled(*args: Any, **options: Any) -> R2Plus1D:
    """Build the network of depth 152 as the authors' PyTorch port does."""
    network = build_caffe2(*args, **options)
    pool_stem(network)
    return network


def project_2plus1d(in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> nn.Module:
    """Shortcut of mmaction2: two 1x1x1 convolutions, with M_i for t = 3 and d = 1."""
    mid = mid_channels(in_channels, out_channels, t=3, d=1)
    conv = Conv2Plus1d(in_channels, out_channels, kernel=(1, 1), stride=stride, mid=mid)
    return Shortcut3d(conv, out_channels)


class MMAction2R2Plus1D(R2Plus1D):
    """R(2+1)D as built by mmaction2."""

    shortcuts: ClassVar[Mapping[Kind, ConvFn]] = {"2+1d": project_2plus1d}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        width = self.stem.norm.num_features
        self.stem.conv = Conv2Plus1d(3, width, kernel=(3, 7), stride=(1, 2))
        initialise(self.stem)
        pool_stem(self)
        set_norms(self, eps=1e-3)
        for module in self.modules():
            if isinstance(module, Conv2Plus1d):
                module.norm.eps = 1e-5


_FACTORISED = (
    (r"^stem\.0\.", "stem.conv.spatial."),
    (r"^stem\.1\.", "stem.conv.norm."),
    (r"^stem\.3\.", "stem.conv.temporal."),
    (r"^stem\.4\.", "stem.norm."),
    (r"\.conv(\d)\.0\.0\.", r".conv\1.spatial."),
    (r"\.conv(\d)\.0\.1\.", r".conv\1.norm."),
    (r"\.conv(\d)\.0\.3\.", r".conv\1.temporal."),
    *RENAME_TORCHVISION,
)
_NORMS = replace_norm_eps(theirs=1e-3, ours=1e-5)
_STUDY = {
    "torchvision": Source(rename=RENAME_TORCHVISION),
    "vmz": Source(rename=RENAME_TORCHVISION, adapt=_NORMS),
}
_TORCHVISION = Source(rename=_FACTORISED)
_SMALL = {"torchvision": _TORCHVISION, "vmz": Source(rename=_FACTORISED, adapt=_NORMS)}
_VMZ = Source(rename=_FACTORISED)
_VMZ_POOLED = Source(rename=_FACTORISED, build=build_vmz_pooled)
_CAFFE2 = {
    18: blobs(18, halves=("spatial", "temporal"), halved="12", stem="temporal."),
    34: blobs(34, halves=("spatial", "temporal"), halved="12", stem="temporal."),
    152: blobs(152, halves=("spatial", "temporal"), stem="temporal."),  # bottlenecks
}
_MMACTION2 = Source(
    rename=(
        *RENAME_MMACTION2,
        (r"\.conv_s\.", ".spatial."),
        (r"\.bn_s\.", ".norm."),
        (r"\.conv_t\.", ".temporal."),
    ),
    build=MMAction2R2Plus1D,
)
SOURCES: Mapping[str, Mapping[str, Source]] = {
    **{spec.name: _STUDY for spec in SPECS},
    "r2plus1d_18": {"torchvision": _TORCHVISION, "mmaction2": _MMACTION2},
    "r2plus1d_vmz_18": {"vmz": _VMZ, "vmz_caffe2": _CAFFE2[18]},
    "r2plus1d_34": {"vmz": _VMZ, "vmz_caffe2": _CAFFE2[34], "mmaction2": _MMACTION2},
    "r2plus1d_152": {"vmz": _VMZ_POOLED, "vmz_unpooled": _VMZ, "vmz_caffe2": _CAFFE2[152]},
    "r2plus1d_small": _SMALL,
    "test_r2plus1d": _SMALL,
}


def _torchvision(model: str, sha256: str, top1: float, top5: float) -> Weights:
    return Weights(
        model=model,
        tag="torchvision_k400",
        urls=(f"https://download.pytorch.org/models/{model}-{sha256}.pth",),
        sha256=sha256,
        source="torchvision",
        dataset="Kinetics-400",
        num_classes=400,
        labels="kinetics400",
        licence="BSD-3-Clause",
        top1=top1,
        top5=top5,
        protocol=Protocol(views=5, crops=1, size=112, convention="torchvision"),
    )


def _kinetics(
    model: str, tag: str, url: str, dataset: str, top1: float, top5: float, **fields: Any
) -> Weights:
    """Return a checkpoint of the authors' networks, trained or fine-tuned on Kinetics-400."""
    return Weights(
        model=model,
        tag=tag,
        urls=(url,),
        dataset=dataset,
        num_classes=400,
        labels="kinetics400",
        top1=top1,
        top5=top5,
        protocol=Protocol(views=10, crops=1, size=112),
        **fields,
    )


_MOABITCOIN = "https://github.com/moabitcoin/ig65m-pytorch/releases/download/v1.0.0/r2plus1d_34_"
_BJUNCEK = "https://github.com/bjuncek/VMZ/releases/download/test_models/r2plus1d_152_"
_DROPBOX = "https://www.dropbox.com/s/9770y063u3z5bmb/r2plus1d_152_"
_VMZ_8 = VMZ_CLIP.change(num_frames=8)


def _moabitcoin(sha256: str) -> dict[str, Any]:
    """Return the fields of a checkpoint that moabitcoin converted from the authors'."""
    return {
        "sha256": sha256,
        "source": "vmz",
        "licence": "MIT (the port); Apache-2.0 (VMZ)",
    }


def _ig65m(num_frames: int, num_classes: int, sha256: str, clip: ClipSpec | None) -> Weights:
    """Return a checkpoint before fine-tuning on Kinetics; the class names are not public."""
    return Weights(
        model="r2plus1d_34",
        tag=f"ig65m_{num_frames}f",
        urls=(f"{_MOABITCOIN}clip{num_frames}_ig65m_from_scratch-{sha256}.pth",),
        dataset="IG-65M",
        num_classes=num_classes,
        clip=clip,
        **_moabitcoin(sha256),
    )


def _mmaction2(num_frames: int, stride: int, date: str, top1: float, top5: float) -> Weights:
    name = f"r2plus1d_r34_8xb8-{num_frames}x{stride}x1-180e_kinetics400-rgb"
    return Weights(
        model="r2plus1d_34",
        tag=f"mmaction2_k400_{num_frames}x{stride}",
        urls=(
            "https://download.openmmlab.com/mmaction/v1.0/recognition/r2plus1d/"
            f"{name}/{name}_{date}.pth",
        ),
        sha256=date.rsplit("-", 1)[1],
        source="mmaction2",
        dataset="Kinetics-400",
        num_classes=400,
        labels="kinetics400",
        licence="Apache-2.0",
        top1=top1,
        top5=top5,
        protocol=Protocol(views=10, crops=3, size=256),
        clip=ClipSpec(sampling=Sampling(num_frames=num_frames, stride=stride), input=RGB()),
    )


WEIGHTS: tuple[Weights, ...] = (
    _torchvision("r3d_18", "b3b3357e", 63.200, 83.479),
    _torchvision("mc3_18", "a90a0ba3", 63.960, 84.130),
    _torchvision("r2plus1d_18", "91a641e6", 67.463, 86.175),
    _kinetics(
        "r2plus1d_34",
        "ig65m_ft_k400_32f",
        f"{_MOABITCOIN}clip32_ft_kinetics_from_ig65m-ade133f1.pth",
        "IG-65M, then Kinetics-400",
        80.0,
        94.2,
        **_moabitcoin("ade133f1"),
    ),
    _kinetics(
        "r2plus1d_34",
        "ig65m_ft_k400_8f",
        f"{_MOABITCOIN}clip8_ft_kinetics_from_ig65m-0aa0550b.pth",
        "IG-65M, then Kinetics-400",
        74.9,
        91.8,
        clip=_VMZ_8,
        **_moabitcoin("0aa0550b"),
    ),
    _ig65m(32, 359, "449a7af9", clip=None),
    _ig65m(8, 487, "9bae36ae", clip=_VMZ_8),
    _mmaction2(8, 8, "20220812-47cfe041", 69.76, 88.41),
    _mmaction2(32, 2, "20220812-4270588c", 75.46, 92.28),
    _kinetics(
        "r2plus1d_152",
        "k400",
        f"{_DROPBOX}kinetics_from_scratch_f127858918.pkl?dl=1",
        "Kinetics-400",
        77.3,
        92.5,
        source="vmz_caffe2",
        licence="Apache-2.0",
    ),
    _kinetics(
        "r2plus1d_152",
        "ig65m_ft_k400",
        f"{_BJUNCEK}ft_kinetics_from_ig65m_f107107466.pth",
        "IG-65M, then Kinetics-400",
        81.6,
        95.3,
        source="vmz_unpooled",
        licence="Apache-2.0",
    ),
    _kinetics(
        "r2plus1d_152",
        "sports1m_ft_k400",
        f"{_BJUNCEK}ft_kinetics_from_sports1m_f128957437.pth",
        "Sports-1M, then Kinetics-400",
        79.5,
        94.0,
        source="vmz_unpooled",
        licence="Apache-2.0",
    ),
)
