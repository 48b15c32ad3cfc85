"""MSR Action3D: 20 actions of 10 subjects, two or three times each.

Li, Zhang and Liu, Action recognition based on a bag of 3D points, CVPR 2010 workshops. Protocol:
cross-subject over all 20 classes, odd subjects train and even ones test (Wang et al., CVPR 2012);
not the three subsets of eight classes, which are easier.
"""

from functools import partial
from pathlib import Path

from zoopraxis.data.labels import label_names
from zoopraxis.data.sets.base import Entry, SkeletonSet, named_files
from zoopraxis.skeletons.formats.msr import read_msr

__all__ = ["MSR_ACTION3D"]


def _entries(root: Path) -> list[Entry]:
    labels = label_names("msr_action3d")
    pattern = r"a(\d\d)_s(\d\d)_e(\d\d)_skeleton"
    return [
        Entry(
            name=file.stem.removesuffix("_skeleton"),
            label=labels[action - 1],
            layout="msr-20",
            read=partial(read_msr, file),
            group=f"s{subject:02d}",
            parts={"cross_subject": "train" if subject % 2 else "test"},
        )
        for file, (action, subject, _) in named_files(root, pattern, suffix=".txt")
        if 1 <= action <= len(labels)
    ]


MSR_ACTION3D = SkeletonSet(
    title="MSR Action3D (Li et al. 2010)", files="a01_s01_e01_skeleton.txt", entries=_entries
)
