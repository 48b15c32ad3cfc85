"""Clip and published checkpoints of `csn`."""

from dataclasses import replace
from typing import Any

from zoopraxis.spec import ClipSpec, Weights

CLIP = ClipSpec(
    frames=32,
    stride=2,
    resize=256,
    size=224,
    mean=(0.43216, 0.394666, 0.37645),
    std=(0.22803, 0.22145, 0.216989),
)
_IMAGENET = ClipSpec(frames=32, stride=2)  # ImageNet's mean and deviation

_VIEWS = "10 uniform clips of 32 frames, every second one, 3 crops of 256"
_IG, _SPORTS, _SCRATCH = "IG-65M, then Kinetics-400", "Sports-1M, then Kinetics-400", "Kinetics-400"
_BJUNCEK = "https://github.com/bjuncek/VMZ/releases/download/test_models"
_CONVERTED = "recognition/csn/vmz/vmz"


def _kinetics(tag: str, url: str, source: str, dataset: str, **options: Any) -> Weights:
    """Row of a checkpoint with the 400 classes of Kinetics."""
    options = {"licence": "Apache-2.0", "protocol": _VIEWS, **options}
    return Weights(
        tag=tag,
        url=url,
        source=source,
        dataset=dataset,
        num_classes=400,
        labels="kinetics400",
        **options,
    )


def _vmz(tag: str, file: str, dataset: str, top1: float, top5: float) -> Weights:
    return _kinetics(tag, f"{_BJUNCEK}/{file}.pth", "vmz", dataset, top1=top1, top5=top5)


def _sports1m(file: str) -> Weights:
    """Row of a checkpoint before its fine-tuning on Kinetics."""
    return Weights(
        tag="sports1m",
        url=f"{_BJUNCEK}/{file}.pth",
        source="vmz",
        dataset="Sports-1M",
        num_classes=487,
        licence="Apache-2.0",
    )


def _mmaction2(
    tag: str, path: str, dataset: str, top1: float, top5: float, *, clip: ClipSpec | None = None
) -> Weights:
    return _kinetics(
        tag,
        f"https://download.openmmlab.com/mmaction/{path}.pth",
        "mmaction2",
        dataset,
        sha256=path.rsplit("-", 1)[1],
        top1=top1,
        top5=top5,
        clip=clip,
    )


def _mmaction2_trained(tag: str, name: str, file: str, top1: float, top5: float) -> Weights:
    """One of mmaction2's own; the others are converted from the authors'."""
    name = f"{name}_8xb12-32x2x1-58e_kinetics400-rgb"
    path = f"v1.0/recognition/csn/{name}/{name}_{file}"
    return _mmaction2(tag, path, _IG, top1, top5, clip=_IMAGENET)


WEIGHTS = {
    "ir_csn_50": (
        _mmaction2_trained(
            "ig65m_kinetics400",
            "ircsn_ig65m-pretrained-r50-bnfrozen",
            "20220811-44395bae",
            79.44,
            94.26,
        ),
        _kinetics(
            "ig65m_kinetics400_vmz",
            "https://www.dropbox.com/s/b6o2mvoqrvupatt/"
            "irCSN_50_ft_kinetics_from_ig65m_f233743920.pkl?dl=1",
            "vmz_caffe2",
            _IG,
            protocol="",
        ),
    ),
    "ir_csn_101": (
        _kinetics(
            "kinetics400",
            "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/CSN_32x2_R101.pyth",
            "pytorchvideo",
            _SCRATCH,
            top1=77.00,
            top5=92.90,
            clip=replace(CLIP, mean=(0.45,) * 3, std=(0.225,) * 3),
        ),
    ),
    "ir_csn_152": (
        _mmaction2(
            "kinetics400",
            f"{_CONVERTED}_ircsn_from_scratch_r152_32x2x1_180e_kinetics400_rgb_20210617-5c933ae1",
            _SCRATCH,
            76.53,
            92.28,
        ),
        _vmz("ig65m_kinetics400", "irCSN_152_ft_kinetics_from_ig65m_f126851907", _IG, 82.6, 95.3),
        _vmz(
            "sports1m_kinetics400",
            "irCSN_152_ft_kinetics_from_Sports1M_f101599884",
            _SPORTS,
            78.2,
            93.0,
        ),
        _sports1m("irCSN_152_Sports1M_from_scratch_f99918785"),
        _mmaction2_trained(
            "ig65m_kinetics400_mm",
            "ircsn_ig65m-pretrained-r152",
            "20220811-c7a3cc5b",
            82.87,
            95.90,
        ),
        _mmaction2_trained(
            "ig65m_kinetics400_mm_bnfrozen",
            "ircsn_ig65m-pretrained-r152-bnfrozen",
            "20220811-7d1dacde",
            82.84,
            95.92,
        ),
    ),
    "ip_csn_152": (
        _mmaction2(
            "kinetics400",
            f"{_CONVERTED}_ipcsn_from_scratch_r152_32x2x1_180e_kinetics400_rgb_20210617-d565828d",
            _SCRATCH,
            77.80,
            93.10,
        ),
        _vmz("ig65m_kinetics400", "ipCSN_152_ft_kinetics_from_ig65m_f133090949", _IG, 82.5, 95.3),
        _vmz(
            "sports1m_kinetics400",
            "ipCSN_152_ft_kinetics_from_Sports1M_f111279053",
            _SPORTS,
            78.8,
            93.5,
        ),
        _sports1m("ipCSN_152_Sports1M_from_scratch_f111018543"),
    ),
}
