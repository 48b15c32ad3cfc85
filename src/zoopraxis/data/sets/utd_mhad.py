"""UTD-MHAD: 27 actions of 8 subjects, four times each.

Chen, Jafari and Kehtarnavaz, UTD-MHAD, ICIP 2015. Protocol of the paper: cross-subject, subjects
1, 3, 5 and 7 train.
"""

from pathlib import Path

from zoopraxis.data.sets.base import Entry, SkeletonSet, cross_subject
from zoopraxis.skeletons.formats.matlab import read_utd

__all__ = ["UTD_MHAD"]


def _entries(root: Path) -> list[Entry]:
    return cross_subject(
        root,
        r"a(\d+)_s(\d+)_t(\d+)_skeleton",
        suffix=".mat",
        labels="utd_mhad",
        layout="kinect-20",
        read=read_utd,
    )


UTD_MHAD = SkeletonSet(
    title="UTD-MHAD (Chen et al. 2015)", files="a1_s1_t1_skeleton.mat", entries=_entries
)
