"""MSR Action3D: 20 actions of 10 subjects, two or three times each.

Li, Zhang and Liu, Action recognition based on a bag of 3D points, CVPR 2010 workshops. Protocol:
cross-subject over all 20 classes, odd subjects train and even ones test (Wang et al., CVPR 2012);
not the three subsets of eight classes, which are easier.
"""

from collections.abc import Iterator
from pathlib import Path

from zoopraxis.data.sets.base import Entry, SkeletonSet, cross_subject, odd_subjects_train
from zoopraxis.data.sets.listed import Listed, VideoSet
from zoopraxis.skeletons.formats.msr import read_msr

__all__ = ["MSR_ACTION3D", "MSR_ACTION3D_DEPTH"]

TITLE, LABELS = "MSR Action3D (Li et al. 2010)", "msr_action3d"
PATTERN = r"a(\d\d)_s(\d\d)_e(\d\d)"


def _entries(root: Path) -> list[Entry]:
    return cross_subject(
        root,
        PATTERN + "_skeleton",
        suffix=".txt",
        labels=LABELS,
        layout="msr-20",
        read=read_msr,
    )


def _depth(root: Path) -> Iterator[Listed]:
    for file, label, group, parts in odd_subjects_train(
        root, PATTERN + "_sdepth", suffix=".mat", labels=LABELS
    ):
        yield Listed(file=file.name, labels=(label,), parts=parts, group=group)


MSR_ACTION3D = SkeletonSet(title=TITLE, files="a01_s01_e01_skeleton.txt", entries=_entries)
MSR_ACTION3D_DEPTH = VideoSet(
    title=f"{TITLE}, depth",
    home="https://sites.google.com/view/wanqingli/data-sets/msr-action3d",
    labels=LABELS,
    entries=_depth,
    suffixes=frozenset({".mat"}),
)
