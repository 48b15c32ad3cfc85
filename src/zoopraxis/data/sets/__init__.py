"""Public data sets, a small file each: names of classes, who trains, how files are laid out."""

from collections.abc import Mapping

from zoopraxis.data.sets.base import SkeletonSet
from zoopraxis.data.sets.jhmdb_pose import JHMDB_POSE
from zoopraxis.data.sets.msr_action3d import MSR_ACTION3D
from zoopraxis.data.sets.ntu import NTU60, NTU120
from zoopraxis.data.sets.pyskl import PYSKL
from zoopraxis.data.sets.utd_mhad import UTD_MHAD

__all__ = ["SKELETON_SETS"]

SKELETON_SETS: Mapping[str, SkeletonSet] = {
    "msr_action3d": MSR_ACTION3D,
    "utd_mhad": UTD_MHAD,
    "ntu60": NTU60,
    "ntu120": NTU120,
    "jhmdb_pose": JHMDB_POSE,
    "pyskl": PYSKL,
}
"""Sets of skeletons by the name that ``zoopraxis skeletons convert`` takes."""
