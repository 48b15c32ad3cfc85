"""Published checkpoints of CSN.

"vmz" is the authors' PyTorch port, "vmz_caffe2" reads their ``.pkl``. The port sets the momentum
of the batch norms to Caffe2's value, 0.9, which in PyTorch weights the last batch by 0.9; we keep
0.1, the same average. PyTorchVideo's epsilon of 1e-5 is absorbed into the variances on conversion.
PyTorchVideo and mmaction2 trained their own networks with other means and standard deviations; the
remaining files of mmaction2 were converted from the authors'.
"""

from collections.abc import Mapping
from typing import Any

from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.models.csn import CLIP
from zoopraxis.spec import Protocol, Source, Weights
from zoopraxis.weights.keys import replace_norm_eps
from zoopraxis.weights.keys.resnet3d import (
    RENAME_MMACTION2,
    RENAME_PYTORCHVIDEO,
    RENAME_TORCHVISION,
)
from zoopraxis.weights.keys.vmz import blobs

__all__ = ["SOURCES", "WEIGHTS"]

_VMZ = Source(
    rename=(
        (r"\.conv(\d)\.0\.0\.", r".conv\1.pointwise."),
        (r"\.conv(\d)\.0\.1\.", r".conv\1.norm."),
        (r"\.conv(\d)\.0\.2\.", r".conv\1.depthwise."),
        *RENAME_TORCHVISION,
    )
)
_PYTORCHVIDEO = Source(rename=RENAME_PYTORCHVIDEO, adapt=replace_norm_eps(theirs=1e-5, ours=1e-3))
_MMACTION2_IR = Source(
    rename=(
        *RENAME_MMACTION2,
        (r"\.conv2\.0\.conv\.", ".conv2."),
        (r"\.conv2\.0\.bn\.", ".norm2."),
    )
)
_MMACTION2_IP = Source(
    rename=(
        *RENAME_MMACTION2,
        (r"\.conv2\.0\.conv\.", ".conv2.pointwise."),
        (r"\.conv2\.0\.bn\.", ".conv2.norm."),
        (r"\.conv2\.1\.conv\.", ".conv2.depthwise."),
        (r"\.conv2\.1\.bn\.", ".norm2."),
    )
)
_DEPTHS = (26, 50, 101, 152)
SOURCES: Mapping[str, Mapping[str, Source]] = {
    **{
        f"ir_csn_{depth}": {
            "vmz": _VMZ,
            "vmz_caffe2": blobs(depth),
            "mmaction2": _MMACTION2_IR,
            "pytorchvideo": _PYTORCHVIDEO,
        }
        for depth in _DEPTHS
    },
    **{
        f"ip_csn_{depth}": {
            "vmz": _VMZ,
            "vmz_caffe2": blobs(depth, halves=("pointwise", "depthwise")),
            "mmaction2": _MMACTION2_IP,
        }
        for depth in _DEPTHS
    },
    "test_csn": {"vmz": _VMZ},
}

_IG, _SPORTS = "IG-65M, then Kinetics-400", "Sports-1M, then Kinetics-400"
_BJUNCEK = "https://github.com/bjuncek/VMZ/releases/download/test_models"
_MMACTION2_CLIP = ClipSpec(sampling=Sampling(num_frames=32, stride=2), input=RGB())


def _kinetics(model: str, tag: str, url: str, *, dataset: str, **fields: Any) -> Weights:
    """Return a checkpoint trained or fine-tuned on Kinetics-400."""
    protocol = Protocol(views=10, crops=3, size=256)
    return Weights(
        model=model,
        tag=tag,
        urls=(url,),
        dataset=dataset,
        num_classes=400,
        labels="kinetics400",
        licence="Apache-2.0",
        **{"protocol": protocol, **fields},
    )


def _vmz(model: str, tag: str, file: str, top1: float, top5: float) -> Weights:
    """Return a checkpoint of the authors, pre-trained and fine-tuned."""
    return _kinetics(
        model,
        tag,
        f"{_BJUNCEK}/{file}.pth",
        source="vmz",
        dataset=_IG if tag.startswith("ig65m") else _SPORTS,
        top1=top1,
        top5=top5,
    )


def _sports1m(model: str, file: str) -> Weights:
    """Return a checkpoint of the authors before fine-tuning on Kinetics."""
    return Weights(
        model=model,
        tag="sports1m",
        urls=(f"{_BJUNCEK}/{file}.pth",),
        source="vmz",
        dataset="Sports-1M",
        num_classes=487,
        licence="Apache-2.0",
    )


def _mmaction2(model: str, tag: str, path: str, top1: float, top5: float, **fields: Any) -> Weights:
    return _kinetics(
        model,
        tag,
        f"https://download.openmmlab.com/mmaction/{path}.pth",
        sha256=path.rsplit("-", 1)[1],
        source="mmaction2",
        top1=top1,
        top5=top5,
        **fields,
    )


def _converted(model: str, file: str, top1: float, top5: float) -> Weights:
    """Return a checkpoint that mmaction2 converted from the authors', trained from scratch."""
    path = f"recognition/csn/vmz/vmz_{file}"
    return _mmaction2(model, "mmaction2_k400", path, top1, top5, dataset="Kinetics-400")


def _trained(model: str, tag: str, name: str, date: str, top1: float, top5: float) -> Weights:
    """Return a checkpoint that mmaction2 fine-tuned."""
    name = f"ircsn_ig65m-pretrained-{name}_8xb12-32x2x1-58e_kinetics400-rgb"
    path = f"v1.0/recognition/csn/{name}/{name}_{date}"
    return _mmaction2(model, tag, path, top1, top5, dataset=_IG, clip=_MMACTION2_CLIP)


WEIGHTS: tuple[Weights, ...] = (
    _trained(
        "ir_csn_50",
        "mmaction2_ig65m_ft_k400",
        "r50-bnfrozen",
        "20220811-44395bae",
        79.44,
        94.26,
    ),
    _kinetics(
        "ir_csn_50",
        "ig65m_ft_k400",
        "https://www.dropbox.com/s/b6o2mvoqrvupatt/"
        "irCSN_50_ft_kinetics_from_ig65m_f233743920.pkl?dl=1",
        source="vmz_caffe2",
        dataset=_IG,
        protocol=None,
    ),
    _kinetics(
        "ir_csn_101",
        "pytorchvideo_k400",
        "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/CSN_32x2_R101.pyth",
        source="pytorchvideo",
        dataset="Kinetics-400",
        top1=77.00,
        top5=92.90,
        clip=CLIP.change(mean=(0.45,) * 3, std=(0.225,) * 3),
    ),
    _converted(
        "ir_csn_152",
        "ircsn_from_scratch_r152_32x2x1_180e_kinetics400_rgb_20210617-5c933ae1",
        76.53,
        92.28,
    ),
    _vmz("ir_csn_152", "ig65m_ft_k400", "irCSN_152_ft_kinetics_from_ig65m_f126851907", 82.6, 95.3),
    _vmz(
        "ir_csn_152",
        "sports1m_ft_k400",
        "irCSN_152_ft_kinetics_from_Sports1M_f101599884",
        78.2,
        93.0,
    ),
    _sports1m("ir_csn_152", "irCSN_152_Sports1M_from_scratch_f99918785"),
    _trained(
        "ir_csn_152",
        "mmaction2_ig65m_ft_k400",
        "r152",
        "20220811-c7a3cc5b",
        82.87,
        95.90,
    ),
    _trained(
        "ir_csn_152",
        "mmaction2_ig65m_ft_k400_bnfrozen",
        "r152-bnfrozen",
        "20220811-7d1dacde",
        82.84,
        95.92,
    ),
    _converted(
        "ip_csn_152",
        "ipcsn_from_scratch_r152_32x2x1_180e_kinetics400_rgb_20210617-d565828d",
        77.80,
        93.10,
    ),
    _vmz("ip_csn_152", "ig65m_ft_k400", "ipCSN_152_ft_kinetics_from_ig65m_f133090949", 82.5, 95.3),
    _vmz(
        "ip_csn_152",
        "sports1m_ft_k400",
        "ipCSN_152_ft_kinetics_from_Sports1M_f111279053",
        78.8,
        93.5,
    ),
    _sports1m("ip_csn_152", "ipCSN_152_Sports1M_from_scratch_f111018543"),
)
