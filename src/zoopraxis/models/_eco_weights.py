"""The published checkpoints of ECO: the authors' PyTorch code and their Caffe release."""

from collections.abc import Mapping
from dataclasses import replace

from zoopraxis.spec import ClipSpec, Weights

CLIP = ClipSpec(
    frames=16,
    sampling="segments",
    mean=(104.0, 117.0, 128.0),
    std=(1.0, 1.0, 1.0),
    channel_order="bgr",
    value_range=255.0,
)
_CAFFE_CLIP = replace(CLIP, mean=(104.0, 117.0, 123.0))
_DRIVE = "https://drive.google.com/open?id="
_LINKS = {
    "eco_lite": {
        "kinetics400": ("ECO_Lite_rgb_model_Kinetics", "1XNIq7byciKgrn011jLBggd2g79jKX4uD"),
        "kinetics400_2018": ("eco_lite_rgb_16F_kinetics_v3", "17SnoxH8tkuUCvW-4ifa4Hk7ITm93nMqI"),
    },
    "eco_full": {
        "kinetics400": ("ECO_Full_rgb_model_Kinetics", "1ATuN_KctsbFAbcNgWDlETZVsy2vhxZay"),
    },
    "eco_r3d_18": {
        "kinetics400": ("C3DResNet18_rgb_16F_kinetics_v1", "1J2mV0Kl9pWOK0FJ23ApHnJHQ3eq76D8a"),
    },
}
_CAFFE_LINKS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "eco_lite": {
        "kinetics400": ("ECO_Lite_kinetics", "1Zbu7m6Gu5NmCQlYdrP6iHsFTvIspUgrl"),
        "ucf101": ("ECO_Lite_UCF101", "1FMFjtzt_sBWRUyBV86d1cuwHAlnw7HpB"),
        "hmdb51": ("ECO_Lite_HMDB51", "1cmRvhpMp_Rr2xfUfc9nZ7DORdjfTl6Jw"),
        "something-something-v1": (
            "ECO_Lite_SomethingSomething",
            "1_3M9gEWautVRncnYzDwOsU5GynU41P2d",
        ),
    },
    "eco_full": {
        "kinetics400": ("ECO_full_kinetics", "1uj38jjdjmfKfIvlfuVSx_4720--U5GLL"),
        "ucf101": ("ECO_full_ucf101", "1QffeXdoZYhPEEGXv4FT6Aicu0Hmi2o76"),
        "hmdb51": ("ECO_full_HMDB51", "1eMtm7bwNQIbjPlKf6V-a23BmgARl_8XC"),
        "something-something-v1": (
            "ECO_full_somethingSomething",
            "1zN3IRygn1sgCKVoTij_9JTbMvJz-PXbW",
        ),
    },
}
_DATASETS = {
    "kinetics400": ("Kinetics-400", 400),
    "ucf101": ("Kinetics-400, then UCF-101", 101),
    "hmdb51": ("Kinetics-400, then HMDB-51", 51),
    "something-something-v1": ("Kinetics-400, then Something-Something v1", 174),
}


def published(net: str) -> tuple[Weights, ...]:
    """Published checkpoints; the file names are those in the authors' scripts."""
    ports = (
        Weights(
            tag=tag,
            url=_DRIVE + link,
            file=f"{file}.pth.tar",
            source="eco",
            dataset="Kinetics-400",
            num_classes=400,
            licence="BSD-2-Clause (the code)",
        )
        for tag, (file, link) in _LINKS[net].items()
    )
    originals = (
        Weights(
            tag=f"{tag}_caffe",
            url=_DRIVE + link,
            file=f"{file}.caffemodel",
            source="caffe",
            dataset=_DATASETS[tag][0],
            num_classes=_DATASETS[tag][1],
            licence="research only (the code)",
            clip=_CAFFE_CLIP,
        )
        for tag, (file, link) in _CAFFE_LINKS.get(net, {}).items()
    )
    return (*ports, *originals)
