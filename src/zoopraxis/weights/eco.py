"""Published checkpoints of ECO, from the authors' PyTorch code ("eco") and Caffe release.

Names and shapes of source "caffe" follow the authors' prototxts, and could not be checked against a
trained network. Weights for 16 segments fit every number of segments, as no tensor's shape depends
on it. File names are those in the authors' scripts.
"""

from collections.abc import Mapping
from itertools import pairwise

from zoopraxis.models.eco import CLIP, SPECS, PreActivatedResNet3d
from zoopraxis.spec import Replacement, Source, Weights
from zoopraxis.weights.keys import RENAME_BLOBS, RENAME_SEGMENTS, squeeze_blobs
from zoopraxis.weights.keys.bninception import RENAME_BNINCEPTION

__all__ = ["SOURCES", "WEIGHTS"]

Rules = tuple[tuple[str, Replacement], ...]

# In the authors' files a batch norm is named after its input, the output of the previous block:
# res2a_bn is the first batch norm of block 2b.
_NEXT = dict(pairwise(("2a", "2b", "3a", "3b", "4a", "4b", "5a", "5b")))
_RENAME_RESNET: Rules = (
    (r"\bconv1_bn\.", "block2a.norm1."),
    (r"\bres5b_bn\.", "norm."),
    (r"\bres(\d[ab])_bn\.", lambda m: f"block{_NEXT[m[1]]}.norm1."),
    (r"\bres(\d[ab])_1_bn\.", r"block\1.norm2."),
    (r"\bres(\d[ab])_([12])\.", r"block\1.conv\2."),
    (r"\bres(\d[ab])_down\.", r"block\1.down."),
)
_RENAME_PYTORCH: Rules = (
    (r"^base_model\.fc_final\.", "head.linear."),  # trained without dropout
    (r"^base_model\.res3a_2\.", "upper.conv."),
    (r"^base_model\.(?=res)", "upper."),
    (r"^base_model\.", "lower."),
    *RENAME_SEGMENTS,
    *RENAME_BNINCEPTION,
    *_RENAME_RESNET,
)
_RENAME_CAFFE: Rules = (
    *RENAME_BLOBS,
    (r"^fc8\w?\.", "head.linear."),  # fc8N, fc8u, fc8h, by data set
    (r"^res3a_2n?\.", "upper.conv."),
    (r"^(?=res)", "upper."),
    (r"^(?=conv|inception)", "lower."),
    *RENAME_BNINCEPTION,
    *_RENAME_RESNET,
)
_RENAME_R3D: Rules = (
    (r"^base_model\.(?:fc8\.)?", ""),
    *_RENAME_RESNET,
    (r"^new_fc\.|^(?=weight|bias)", "head.linear."),
)

_ECO = {
    "eco": Source(rename=_RENAME_PYTORCH),
    "caffe": Source(rename=_RENAME_CAFFE, adapt=squeeze_blobs),
}
_R3D = {"eco": Source(rename=_RENAME_R3D)}
SOURCES: Mapping[str, Mapping[str, Source]] = {
    spec.name: _R3D if spec.build is PreActivatedResNet3d else _ECO for spec in SPECS
}

_CAFFE_CLIP = CLIP.change(mean=(104.0, 117.0, 123.0))
_DATA = {  # by tag: name, classes, labels
    "k400": ("Kinetics-400", 400, "kinetics400"),
    "k400_ft_ucf101": ("Kinetics-400, then UCF-101", 101, "ucf101"),
    "k400_ft_hmdb51": ("Kinetics-400, then HMDB-51", 51, ""),
    "k400_ft_ssv1": ("Kinetics-400, then Something-Something v1", 174, "ssv1"),
}


def _pytorch(model: str, tag: str, file: str, drive_id: str) -> Weights:
    """Return a checkpoint of the PyTorch code by its file name."""
    return Weights(
        model=model,
        tag=tag,
        urls=(f"gdrive://{drive_id}",),
        file=f"{file}.pth.tar",
        source="eco",
        dataset="Kinetics-400",
        num_classes=400,
        labels="kinetics400",
        licence="BSD-2-Clause (the code)",
    )


def _caffe(model: str, data: str, file: str, drive_id: str) -> Weights:
    """Return a checkpoint of the Caffe release by its file name."""
    dataset, num_classes, labels = _DATA[data]
    return Weights(
        model=model,
        tag=f"caffe_{data}",
        urls=(f"gdrive://{drive_id}",),
        file=f"{file}.caffemodel",
        source="caffe",
        dataset=dataset,
        num_classes=num_classes,
        labels=labels,
        licence="research only (the code)",
        clip=_CAFFE_CLIP,
    )


_LITE, _FULL = "eco_lite_16", "eco_full_16"
WEIGHTS: tuple[Weights, ...] = (
    _pytorch(_LITE, "k400", "ECO_Lite_rgb_model_Kinetics", "1XNIq7byciKgrn011jLBggd2g79jKX4uD"),
    _pytorch(
        _LITE, "k400_2018", "eco_lite_rgb_16F_kinetics_v3", "17SnoxH8tkuUCvW-4ifa4Hk7ITm93nMqI"
    ),
    _caffe(_LITE, "k400", "ECO_Lite_kinetics", "1Zbu7m6Gu5NmCQlYdrP6iHsFTvIspUgrl"),
    _caffe(_LITE, "k400_ft_ucf101", "ECO_Lite_UCF101", "1FMFjtzt_sBWRUyBV86d1cuwHAlnw7HpB"),
    _caffe(_LITE, "k400_ft_hmdb51", "ECO_Lite_HMDB51", "1cmRvhpMp_Rr2xfUfc9nZ7DORdjfTl6Jw"),
    _caffe(
        _LITE, "k400_ft_ssv1", "ECO_Lite_SomethingSomething", "1_3M9gEWautVRncnYzDwOsU5GynU41P2d"
    ),
    _pytorch(_FULL, "k400", "ECO_Full_rgb_model_Kinetics", "1ATuN_KctsbFAbcNgWDlETZVsy2vhxZay"),
    _caffe(_FULL, "k400", "ECO_full_kinetics", "1uj38jjdjmfKfIvlfuVSx_4720--U5GLL"),
    _caffe(_FULL, "k400_ft_ucf101", "ECO_full_ucf101", "1QffeXdoZYhPEEGXv4FT6Aicu0Hmi2o76"),
    _caffe(_FULL, "k400_ft_hmdb51", "ECO_full_HMDB51", "1eMtm7bwNQIbjPlKf6V-a23BmgARl_8XC"),
    _caffe(
        _FULL, "k400_ft_ssv1", "ECO_full_somethingSomething", "1zN3IRygn1sgCKVoTij_9JTbMvJz-PXbW"
    ),
    _pytorch(
        "eco_r3d_18_16",
        "k400",
        "C3DResNet18_rgb_16F_kinetics_v1",
        "1J2mV0Kl9pWOK0FJ23ApHnJHQ3eq76D8a",
    ),
)
