"""MSR Action3D: 20 actions of 10 subjects, two or three times each.

Li, Zhang and Liu, Action recognition based on a bag of 3D points, CVPR 2010 workshops. Protocol:
cross-subject over all 20 classes, odd subjects train and even ones test (Wang et al., CVPR 2012);
not the three subsets of eight classes, which are easier.
"""

from pathlib import Path

from zoopraxis.data.sets.base import Entry, SkeletonSet, cross_subject
from zoopraxis.skeletons.formats.msr import read_msr

__all__ = ["MSR_ACTION3D"]


def _entries(root: Path) -> list[Entry]:
    return cross_subject(
        root,
        r"a(\d\d)_s(\d\d)_e(\d\d)_skeleton",
        suffix=".txt",
        labels="msr_action3d",
        layout="msr-20",
        read=read_msr,
    )


MSR_ACTION3D = SkeletonSet(
    title="MSR Action3D (Li et al. 2010)", files="a01_s01_e01_skeleton.txt", entries=_entries
)
