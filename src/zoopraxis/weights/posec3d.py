"""Published checkpoints of PoseC3D on the slow pathway, from its authors ("pyskl").

Kinetics-400, UCF-101, HMDB-51, FineGym and Diving48 are in joints that HRNet estimated.
"""

from collections.abc import Mapping
from dataclasses import replace

from zoopraxis.models.posec3d import SPECS
from zoopraxis.spec import Protocol, Source, Weights
from zoopraxis.weights.keys.pyskl import ADDRESS, DATASETS
from zoopraxis.weights.keys.resnet3d import RENAME_MMACTION2

__all__ = ["SOURCES", "WEIGHTS"]

SOURCES: Mapping[str, Mapping[str, Source]] = {
    spec.name: {"pyskl": Source(rename=RENAME_MMACTION2)} for spec in SPECS
}

_OTHERS: Mapping[str, tuple[str, int, str]] = {
    "k400": ("Kinetics-400", 400, "kinetics400"),
    "gym99": ("FineGym, 99 classes", 99, "gym99"),
    "k400_ft_ucf101_1": ("Kinetics-400, then UCF-101, split 1", 101, "ucf101"),
    "k400_ft_hmdb51_1": ("Kinetics-400, then HMDB-51, split 1", 51, "hmdb51"),
    "diving48": ("Diving48", 48, "diving48"),
}
_VIEWS = Protocol(views=10, note="each also flipped")
_MEAN = replace(_VIEWS, metric="mean_class")


def _weights(
    tag: str, folder: str, file: str, top1: float, *, blocks: str = "", protocol: Protocol = _VIEWS
) -> Weights:
    """Return a checkpoint of joints, or of limbs."""
    dataset, num_classes, labels = {**DATASETS, **_OTHERS}[tag]
    limbs = "_limbs" if file == "limb" else ""
    return Weights(
        model=f"posec3d_slowonly_r50{blocks}{limbs}",
        tag=tag,
        urls=(f"{ADDRESS}posec3d/slowonly_r50_{folder}/{file}.pth",),
        source="pyskl",
        dataset=dataset,
        num_classes=num_classes,
        labels=labels,
        licence="Apache-2.0",
        top1=top1,
        protocol=protocol,
    )


WEIGHTS = (
    _weights("ntu60_xsub", "ntu60_xsub", "joint", 93.7),
    _weights("ntu60_xsub", "ntu60_xsub", "limb", 93.4),
    _weights("ntu60_xview", "ntu60_xview", "joint", 96.5),
    _weights("ntu60_xview", "ntu60_xview", "limb", 96.0),
    _weights("ntu120_xsub", "ntu120_xsub", "joint", 85.9),
    _weights("ntu120_xsub", "ntu120_xsub", "limb", 85.9),
    _weights("ntu120_xset", "ntu120_xset", "joint", 89.7),
    _weights("ntu120_xset", "ntu120_xset", "limb", 89.7),
    _weights("k400", "346_k400", "joint", 47.3, blocks="_346"),
    _weights("k400", "346_k400", "limb", 46.9, blocks="_346"),
    _weights("k400", "463_k400", "joint", 46.6),
    _weights("k400", "463_k400", "limb", 45.7),
    _weights("gym99", "gym", "joint", 93.8, protocol=_MEAN),
    _weights("gym99", "gym", "limb", 93.8, protocol=_MEAN),
    _weights("k400_ft_ucf101_1", "ucf101_k400p", "s1_joint", 86.9, blocks="_346"),
    _weights("k400_ft_hmdb51_1", "hmdb51_k400p", "s1_joint", 69.4, blocks="_346"),
    _weights("diving48", "diving48", "joint", 54.5),
)
