"""Published checkpoints of the 3D ResNets of Hara et al.

The files are in two folders of Google Drive, to be downloaded with a browser. Those of the CVPR
paper expect pixels from 0 to 255 minus the mean of ActivityNet, those of 2020 the clip of the
entries. The published constructors of the pre-activation networks and of ResNeXt fail because of
misnamed arguments; the goldens fix only these names.
"""

from collections.abc import Mapping

from zoopraxis.models.resnet3d import KINETICS_CLIP, SPECS
from zoopraxis.spec import Protocol, Source, Weights

__all__ = ["SOURCES", "WEIGHTS", "weights_2018"]

_HARA = Source(
    rename=(
        (r"^conv1\.", "stem.conv."),
        (r"^conv1_s\.", "stem.conv.spatial."),
        (r"^bn1_s\.", "stem.conv.norm."),
        (r"^conv1_t\.", "stem.conv.temporal."),
        (r"^bn1(_t)?\.", "stem.norm."),
        (r"\.conv(\d)_s\.", r".conv\1.spatial."),
        (r"\.bn(\d)_s\.", r".conv\1.norm."),
        (r"\.conv(\d)_t\.", r".conv\1.temporal."),
        (r"\.bn(\d)(_t)?\.", r".norm\1."),
        (r"\.downsample\.0\.", ".shortcut.conv."),
        (r"\.downsample\.1\.", ".shortcut.norm."),
        (r"^fc\.", "head.linear."),
    )
)
SOURCES: Mapping[str, Mapping[str, Source]] = {spec.name: {"hara": _HARA} for spec in SPECS}

_CLIP_2018 = KINETICS_CLIP.change(
    mean=(114.7748, 107.7354, 99.4750), std=(1.0,) * 3, value_range=255.0
)


def weights_2018(model: str, file: str, top1: float, top5: float) -> Weights:
    """Return a checkpoint of the CVPR paper with its accuracy (Table 2)."""
    return Weights(
        model=model,
        tag="k400",
        page="https://drive.google.com/drive/folders/1zvl89AgFAApbH0At-gMuZSeQB_LpNP-M",
        file=file,
        source="hara",
        dataset="Kinetics-400",
        num_classes=400,
        labels="kinetics400",
        licence="MIT (the code)",
        top1=top1,
        top5=top5,
        protocol=Protocol(crops=1, size=112, note="clips of 16 frames over the whole video"),
        clip=_CLIP_2018,
    )


_DATASETS = {  # letters in the file names: tag, data sets, number of classes
    "K": ("k700", "Kinetics-700", 700),
    "KM": ("k700_mit", "Kinetics-700 and Moments in Time", 1039),
    "KMS": ("k700_mit_stair", "Kinetics-700, Moments in Time and STAIR-Actions", 1139),
    "KS": ("k700_stair", "Kinetics-700 and STAIR-Actions", 800),
    "M": ("mit", "Moments in Time", 339),
    "MS": ("mit_stair", "Moments in Time and STAIR-Actions", 439),
    "S": ("stair", "STAIR-Actions", 100),
}
_RELEASED_2020 = {  # by depth
    18: ("K", "KM"),
    34: ("K", "KM"),
    50: ("K", "KM", "KMS", "KS", "M", "MS", "S"),
    101: ("K", "KM"),
    152: ("K", "KM"),
    200: ("K", "KM"),
}


def _weights_2020(depth: int, letters: str) -> Weights:
    data, dataset, num_classes = _DATASETS[letters]
    return Weights(
        model=f"resnet3d_{depth}",
        tag=f"{data}_200ep",
        page="https://drive.google.com/open?id=1xbYbZ7rpyjftI_KCk6YuL-XrfQDz7Yd4",
        file=f"r3d{depth}_{letters}_200ep.pth",
        source="hara",
        dataset=dataset,
        num_classes=num_classes,
        licence="MIT (the code)",
    )


WEIGHTS: tuple[Weights, ...] = (
    weights_2018("resnet3d_18_a", "resnet-18-kinetics.pth", 54.2, 78.1),
    weights_2018("resnet3d_34_a", "resnet-34-kinetics.pth", 60.1, 81.9),
    weights_2018("resnet3d_50", "resnet-50-kinetics.pth", 61.3, 83.1),
    weights_2018("resnet3d_101", "resnet-101-kinetics.pth", 62.8, 83.9),
    weights_2018("resnet3d_152", "resnet-152-kinetics.pth", 63.0, 84.4),
    weights_2018("resnet3d_200", "resnet-200-kinetics.pth", 63.1, 84.4),
    weights_2018("preact_resnet3d_200", "preresnet-200-kinetics.pth", 63.0, 83.7),
    weights_2018("wide_resnet3d_50_stem64", "wideresnet-50-kinetics.pth", 64.1, 85.3),
    weights_2018("resnext3d_101_stem64", "resnext-101-kinetics.pth", 65.1, 85.7),
    *(
        _weights_2020(depth, letters)
        for depth, released in _RELEASED_2020.items()
        for letters in released
    ),
)
