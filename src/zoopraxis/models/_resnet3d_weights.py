"""Clips and published checkpoints of the networks of Hara et al.: `resnet3d` and `densenet3d`.

The checkpoints lie in two folders of Google Drive, to be fetched with a browser. Those of the CVPR
paper of 2018 take pixels in 0..255 less the mean of ActivityNet, those of 2020 the rows' clip.
"""

from dataclasses import replace

from zoopraxis.spec import ClipSpec, Weights

KINETICS_CLIP = ClipSpec(
    frames=16,
    resize=112,
    size=112,
    mean=(0.4345, 0.4051, 0.3775),
    std=(0.2768, 0.2713, 0.2737),
)
FLOW_CLIP = replace(
    KINETICS_CLIP, modality="flow", mean=KINETICS_CLIP.mean[:2], std=KINETICS_CLIP.std[:2]
)
CLIP_2018 = replace(
    KINETICS_CLIP, mean=(114.7748, 107.7354, 99.4750), std=(1.0,) * 3, value_range=255.0
)

_FOLDER = "https://drive.google.com/open?id=1xbYbZ7rpyjftI_KCk6YuL-XrfQDz7Yd4"
_FOLDER_2018 = "https://drive.google.com/drive/folders/1zvl89AgFAApbH0At-gMuZSeQB_LpNP-M"
_DATASETS = {  # letters in the names of the files: data sets and number of classes
    "K": ("Kinetics-700", 700),
    "M": ("Moments in Time", 339),
    "S": ("STAIR-Actions", 100),
    "KM": ("Kinetics-700 and Moments in Time", 1039),
    "KS": ("Kinetics-700 and STAIR-Actions", 800),
    "MS": ("Moments in Time and STAIR-Actions", 439),
    "KMS": ("Kinetics-700, Moments in Time and STAIR-Actions", 1139),
}
_RELEASED = {
    "resnet3d_18": ("K", "KM"),
    "resnet3d_34": ("K", "KM"),
    "resnet3d_50": ("K", "KM", "KMS", "KS", "M", "MS", "S"),
    "resnet3d_101": ("K", "KM"),
    "resnet3d_152": ("K", "KM"),
    "resnet3d_200": ("K", "KM"),
}
_RELEASED_2018: dict[str, tuple[str, float, float]] = {
    # file, top-1 and top-5 (Table 2 of the CVPR paper)
    "resnet3d_18_a": ("resnet-18-kinetics.pth", 54.2, 78.1),
    "resnet3d_34_a": ("resnet-34-kinetics.pth", 60.1, 81.9),
    "resnet3d_50": ("resnet-50-kinetics.pth", 61.3, 83.1),
    "resnet3d_101": ("resnet-101-kinetics.pth", 62.8, 83.9),
    "resnet3d_152": ("resnet-152-kinetics.pth", 63.0, 84.4),
    "resnet3d_200": ("resnet-200-kinetics.pth", 63.1, 84.4),
    "preact_resnet3d_200": ("preresnet-200-kinetics.pth", 63.0, 83.7),
    "wide_resnet3d_50_stem64": ("wideresnet-50-kinetics.pth", 64.1, 85.3),
    "resnext3d_101_stem64": ("resnext-101-kinetics.pth", 65.1, 85.7),
    "densenet3d_121": ("densenet-121-kinetics.pth", 59.7, 81.9),
    "densenet3d_201": ("densenet-201-kinetics.pth", 61.3, 83.3),
}


def _weights_2018(file: str, top1: float, top5: float) -> Weights:
    """Row of a checkpoint of the CVPR paper."""
    return Weights(
        tag="kinetics400",
        url=_FOLDER_2018,
        source="hara",
        dataset="Kinetics-400",
        num_classes=400,
        file=file,
        labels="kinetics400",
        licence="MIT (the code)",
        top1=top1,
        top5=top5,
        protocol="clips of 16 frames over the whole video, centre crop 112",
        clip=CLIP_2018,
    )


def published(name: str) -> tuple[Weights, ...]:
    """Checkpoints of a row."""
    old = (_weights_2018(*_RELEASED_2018[name]),) if name in _RELEASED_2018 else ()
    new = (
        Weights(
            tag=f"{letters.lower()}_200ep",
            url=_FOLDER,
            source="hara",
            dataset=_DATASETS[letters][0],
            num_classes=_DATASETS[letters][1],
            file=f"r3d{name.rsplit('_', 1)[1]}_{letters}_200ep.pth",
            licence="MIT (the code)",
        )
        for letters in _RELEASED.get(name, ())
    )
    return (*old, *new)
