"""Clips and published checkpoints of `r2plus1d`.

Torchvision's networks see 15 frames a second, those of VMZ consecutive frames of the file. Clips of
mmaction2 are larger, spread, and normalised as ImageNet's images.
"""

from dataclasses import replace

from zoopraxis.spec import ClipSpec, Weights

TORCHVISION_CLIP = ClipSpec(
    frames=16,
    fps=15.0,
    resize=(128, 171),
    size=112,
    mean=(0.43216, 0.394666, 0.37645),
    std=(0.22803, 0.22145, 0.216989),
)
VMZ_CLIP = replace(TORCHVISION_CLIP, frames=32, fps=None)
_MMACTION2_CLIP = ClipSpec(frames=8, stride=8)  # ImageNet's mean and deviation


def _torchvision(file: str, top1: float, top5: float) -> tuple[Weights, ...]:
    return (
        Weights(
            tag="kinetics400",
            url=f"https://download.pytorch.org/models/{file}.pth",
            sha256=file.rsplit("-", 1)[1],
            source="torchvision",
            dataset="Kinetics-400",
            num_classes=400,
            labels="kinetics400",
            licence="BSD-3-Clause",
            top1=top1,
            top5=top5,
            protocol="5 uniform clips of 16 frames at 15 fps, centre crop 112",
        ),
    )


def _vmz(
    tag: str,
    url: str,
    *,
    source: str = "vmz",
    classes: int = 400,
    before: str = "IG-65M, then ",
    top: tuple[float, float] | None = None,
    frames: int = 32,
) -> Weights:
    """Row of one of the authors' networks, fine-tuned on Kinetics if `top` says how well."""
    hashed = url.rsplit("-", 1)[1].removesuffix(".pth") if "moabitcoin" in url else ""
    return Weights(
        tag=tag,
        url=url,
        sha256=hashed,
        source=source,
        dataset=f"{before}Kinetics-400" if top else before.removesuffix(", then "),
        num_classes=classes,
        labels="kinetics400" if top else "",
        licence="MIT (the port); Apache-2.0 (VMZ)" if hashed else "Apache-2.0",
        protocol="10 uniform clips, centre crop 112" if top else "",
        top1=top[0] if top else None,
        top5=top[1] if top else None,
        clip=replace(VMZ_CLIP, frames=frames) if frames != VMZ_CLIP.frames else None,
    )


def _mmaction2(name: str, date: str, clip: ClipSpec, top1: float, top5: float) -> Weights:
    name = f"r2plus1d_r34_8xb8-{name}-180e_kinetics400-rgb"
    return Weights(
        tag=f"kinetics400_mm_{clip.frames}x{clip.stride}",
        url="https://download.openmmlab.com/mmaction/v1.0/recognition/r2plus1d/"
        f"{name}/{name}_{date}.pth",
        sha256=date.rsplit("-", 1)[1],
        source="mmaction2",
        dataset="Kinetics-400",
        num_classes=400,
        labels="kinetics400",
        licence="Apache-2.0",
        top1=top1,
        top5=top5,
        protocol="10 uniform clips, 3 crops of 256",
        clip=clip,
    )


_MOABITCOIN = "https://github.com/moabitcoin/ig65m-pytorch/releases/download/v1.0.0/r2plus1d_34_"
_BJUNCEK = "https://github.com/bjuncek/VMZ/releases/download/test_models/r2plus1d_152_"
WEIGHTS = {
    "r3d_18": _torchvision("r3d_18-b3b3357e", 63.200, 83.479),
    "mc3_18": _torchvision("mc3_18-a90a0ba3", 63.960, 84.130),
    "r2plus1d_18": _torchvision("r2plus1d_18-91a641e6", 67.463, 86.175),
    "r2plus1d_34": (
        _vmz(
            "ig65m_kinetics400_32f",
            f"{_MOABITCOIN}clip32_ft_kinetics_from_ig65m-ade133f1.pth",
            top=(80.0, 94.2),
        ),
        _vmz(
            "ig65m_kinetics400_8f",
            f"{_MOABITCOIN}clip8_ft_kinetics_from_ig65m-0aa0550b.pth",
            top=(74.9, 91.8),
            frames=8,
        ),
        _vmz("ig65m_32f", f"{_MOABITCOIN}clip32_ig65m_from_scratch-449a7af9.pth", classes=359),
        _vmz(
            "ig65m_8f",
            f"{_MOABITCOIN}clip8_ig65m_from_scratch-9bae36ae.pth",
            classes=487,
            frames=8,
        ),
        _mmaction2("8x8x1", "20220812-47cfe041", _MMACTION2_CLIP, 69.76, 88.41),
        _mmaction2(
            "32x2x1",
            "20220812-4270588c",
            replace(_MMACTION2_CLIP, frames=32, stride=2),
            75.46,
            92.28,
        ),
    ),
    "r2plus1d_152": (
        _vmz(
            "kinetics400",
            "https://www.dropbox.com/s/9770y063u3z5bmb/"
            "r2plus1d_152_kinetics_from_scratch_f127858918.pkl?dl=1",
            source="vmz_caffe2",
            before="",
            top=(77.3, 92.5),
        ),
        _vmz(
            "ig65m_kinetics400",
            f"{_BJUNCEK}ft_kinetics_from_ig65m_f107107466.pth",
            source="vmz_unpooled",
            top=(81.6, 95.3),
        ),
        _vmz(
            "sports1m_kinetics400",
            f"{_BJUNCEK}ft_kinetics_from_sports1m_f128957437.pth",
            source="vmz_unpooled",
            before="Sports-1M, then ",
            top=(79.5, 94.0),
        ),
    ),
}
