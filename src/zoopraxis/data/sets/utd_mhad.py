"""UTD-MHAD: 27 actions of 8 subjects, four times each.

Chen, Jafari and Kehtarnavaz, UTD-MHAD, ICIP 2015. Protocol of the paper: cross-subject, subjects
1, 3, 5 and 7 train.
"""

from functools import partial
from pathlib import Path

from zoopraxis.data.labels import label_names
from zoopraxis.data.sets.base import Entry, SkeletonSet, named_files
from zoopraxis.skeletons.formats.matlab import read_utd

__all__ = ["UTD_MHAD"]


def _entries(root: Path) -> list[Entry]:
    labels = label_names("utd_mhad")
    pattern = r"a(\d+)_s(\d+)_t(\d+)_skeleton"
    return [
        Entry(
            name=file.stem.removesuffix("_skeleton"),
            label=labels[action - 1],
            layout="kinect-20",
            read=partial(read_utd, file),
            group=f"s{subject}",
            parts={"cross_subject": "train" if subject % 2 else "test"},
        )
        for file, (action, subject, _) in named_files(root, pattern, suffix=".mat")
        if 1 <= action <= len(labels)
    ]


UTD_MHAD = SkeletonSet(
    title="UTD-MHAD (Chen et al. 2015)", files="a1_s1_t1_skeleton.mat", entries=_entries
)
