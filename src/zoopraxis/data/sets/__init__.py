"""Public data sets, a small file each: names of classes, who trains, how files are laid out."""

from collections.abc import Mapping

from zoopraxis.data.sets.activitynet import ACTIVITYNET
from zoopraxis.data.sets.aslan import ASLAN
from zoopraxis.data.sets.ava import AVA
from zoopraxis.data.sets.base import SkeletonSet
from zoopraxis.data.sets.charades import CHARADES
from zoopraxis.data.sets.diving48 import DIVING48, DIVING48_V1
from zoopraxis.data.sets.epic_kitchens import EPIC_KITCHENS
from zoopraxis.data.sets.hmdb51 import HMDB51, JHMDB
from zoopraxis.data.sets.jhmdb_pose import JHMDB_POSE
from zoopraxis.data.sets.kinetics import KINETICS, MINI_KINETICS
from zoopraxis.data.sets.listed import VideoSet
from zoopraxis.data.sets.moments import MOMENTS
from zoopraxis.data.sets.msr_action3d import MSR_ACTION3D, MSR_ACTION3D_DEPTH
from zoopraxis.data.sets.ntu import NTU60, NTU120, NTU_VIDEOS
from zoopraxis.data.sets.pyskl import PYSKL
from zoopraxis.data.sets.scenes import DYNAMIC_SCENES, YUPENN
from zoopraxis.data.sets.something import JESTER, SSV1, SSV2
from zoopraxis.data.sets.sports1m import SPORTS1M
from zoopraxis.data.sets.ucf101 import UCF101
from zoopraxis.data.sets.utd_mhad import UTD_MHAD

__all__ = ["SKELETON_SETS", "VIDEO_SETS"]

SKELETON_SETS: Mapping[str, SkeletonSet] = {
    "msr_action3d": MSR_ACTION3D,
    "utd_mhad": UTD_MHAD,
    "ntu60": NTU60,
    "ntu120": NTU120,
    "jhmdb_pose": JHMDB_POSE,
    "pyskl": PYSKL,
}
"""Sets of skeletons by the name that ``zoopraxis skeletons convert`` takes."""

VIDEO_SETS: Mapping[str, VideoSet] = {
    **KINETICS,
    "minikinetics": MINI_KINETICS,
    "ucf101": UCF101,
    "hmdb51": HMDB51,
    "ssv1": SSV1,
    "ssv2": SSV2,
    "jester": JESTER,
    "diving48": DIVING48,
    "diving48_v1": DIVING48_V1,
    **EPIC_KITCHENS,
    "charades": CHARADES,
    "activitynet": ACTIVITYNET,
    "sports1m": SPORTS1M,
    "ava": AVA,
    "aslan": ASLAN,
    "moments": MOMENTS,
    **NTU_VIDEOS,
    "msr_action3d_depth": MSR_ACTION3D_DEPTH,
    "jhmdb": JHMDB,
    "yupenn": YUPENN,
    "dynamic_scenes": DYNAMIC_SCENES,
}
"""Sets of videos by the name that ``zoopraxis data prepare`` takes."""
