"""Layouts of skeletons: which joints there are, and which are joined.

The order of the joints is that of the tool or data set that writes them: OpenPose with its COCO
network, the COCO key points, Kinect v2 as in NTU RGB+D, MSR Action3D, Kinect v1 (SDK 1.8), the
puppets of JHMDB. Edges and centres of OpenPose and NTU RGB+D are those of the official code of
ST-GCN (``net/utils/graph.py``), those of COCO mmaction2's (``mmaction/utils/graph.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from zoopraxis.errors import ZoopraxisError, did_you_mean

__all__ = ["LAYOUTS", "Layout", "skeleton_layout"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Joints of a skeleton, and the edges between them.

    Parameters
    ----------
    name : str
        For example ``"openpose-18"``.
    joints : tuple of str
        Names of the J joints in order; ``left_`` and ``right_`` begin those of the sides of the
        body.
    edges : tuple of (int, int)
        Pairs of joints that are joined, each once.
    centre : int
        The joint that stands for the centre of gravity in the spatial partition.
    has_depth : bool
        Whether joints are (x, y, z) in metres; else (x, y) in the image, and a score.
    """

    name: str
    joints: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    centre: int
    has_depth: bool

    @property
    def num_joints(self) -> int:
        """J."""
        return len(self.joints)

    @property
    def parents(self) -> tuple[int, ...]:
        """Neighbour of each joint on the way to the centre, (J,); of the centre, itself."""
        parent = {self.centre: self.centre}
        reached = [self.centre]
        for joint in reached:  # grows as it is walked through: breadth first
            for v, w in (*self.edges, *((w, v) for v, w in self.edges)):
                if v == joint and w not in parent:
                    parent[w] = joint
                    reached.append(w)
        return tuple(parent[joint] for joint in range(self.num_joints))

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Left and right joints that a flip swaps."""
        return tuple(
            (index, self.joints.index(name.replace("left_", "right_", 1)))
            for index, name in enumerate(self.joints)
            if name.startswith("left_")
        )

    @property
    def mirrored(self) -> tuple[int, ...]:
        """Joint of the unflipped skeleton that stands at each place of the flipped one, (J,)."""
        swap = dict(self.pairs) | {right: left for left, right in self.pairs}
        return tuple(swap.get(index, index) for index in range(self.num_joints))


_OPENPOSE = Layout(
    name="openpose-18",
    joints=(
        "nose",
        "neck",
        *(f"right_{part}" for part in ("shoulder", "elbow", "wrist")),
        *(f"left_{part}" for part in ("shoulder", "elbow", "wrist")),
        *(f"right_{part}" for part in ("hip", "knee", "ankle")),
        *(f"left_{part}" for part in ("hip", "knee", "ankle")),
        "right_eye",
        "left_eye",
        "right_ear",
        "left_ear",
    ),
    edges=(
        *((4, 3), (3, 2), (2, 1)),  # right arm, from the wrist to the neck
        *((7, 6), (6, 5), (5, 1)),  # left arm
        *((10, 9), (9, 8), (8, 2)),  # right leg, from the ankle to the shoulder
        *((13, 12), (12, 11), (11, 5)),  # left leg
        *((0, 1), (14, 0), (16, 14), (15, 0), (17, 15)),  # head
    ),
    centre=1,
    has_depth=False,
)

_COCO = Layout(
    name="coco-17",
    joints=(
        "nose",
        *(
            f"{side}_{part}"
            for part in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
            for side in ("left", "right")
        ),
    ),
    edges=(
        *((1, 0), (2, 0), (3, 1), (4, 2)),  # head
        *((5, 0), (7, 5), (9, 7)),  # left arm
        *((6, 0), (8, 6), (10, 8)),  # right arm
        *((11, 5), (13, 11), (15, 13)),  # left leg
        *((12, 6), (14, 12), (16, 14)),  # right leg
    ),
    centre=0,
    has_depth=False,
)

_ARM = ("shoulder", "elbow", "wrist", "hand")
_LEG = ("hip", "knee", "ankle", "foot")
_KINECT = (
    *(f"left_{part}" for part in _ARM),
    *(f"right_{part}" for part in _ARM),
    *(f"left_{part}" for part in _LEG),
    *(f"right_{part}" for part in _LEG),
)
_KINECT_CHAINS = (  # along arms and legs, of joints 4 to 19
    *((5, 4), (6, 5), (7, 6)),
    *((9, 8), (10, 9), (11, 10)),
    *((13, 12), (14, 13), (15, 14)),
    *((17, 16), (18, 17), (19, 18)),
    *((12, 0), (16, 0)),
)
_KINECT2 = ("base_of_spine", "middle_of_spine", "neck", "head", *_KINECT)
_FINGERS = ("left_hand_tip", "left_thumb", "right_hand_tip", "right_thumb")

_NTU = Layout(
    name="ntu-25",
    joints=(*_KINECT2, "spine_shoulder", *_FINGERS),
    edges=(
        *_KINECT_CHAINS,
        *((0, 1), (1, 20), (2, 20), (3, 2), (4, 20), (8, 20)),
        *((21, 22), (22, 7), (23, 24), (24, 11)),
    ),
    centre=20,
    has_depth=True,
)

_NTU_EDGE = Layout(
    name="ntu-24",  # without the shoulders' joint of the spine
    joints=(*_KINECT2, *_FINGERS),
    edges=(
        *_KINECT_CHAINS,
        *((0, 1), (2, 1), (3, 2), (4, 1), (8, 1)),
        *((20, 21), (21, 7), (22, 23), (23, 11)),
    ),
    centre=2,
    has_depth=True,
)

_KINECT1 = Layout(
    name="kinect-20",
    joints=("hip_centre", "spine", "shoulder_centre", "head", *_KINECT),
    edges=(*_KINECT_CHAINS, (1, 0), (2, 1), (3, 2), (4, 2), (8, 2)),
    centre=2,
    has_depth=True,
)

_MSR = Layout(
    name="msr-20",
    # The data set does not say which of a pair is left. A flip needs the pairs only.
    joints=(
        "left_shoulder",
        "right_shoulder",
        "shoulder_centre",
        "spine",
        "left_hip",
        "right_hip",
        "hip_centre",
        *(
            f"{side}_{part}"
            for part in ("elbow", "wrist", "hand", "knee", "ankle", "foot")
            for side in ("left", "right")
        ),
        "head",
    ),
    edges=(
        *((19, 2), (0, 2), (1, 2), (3, 2), (6, 3)),
        *((7, 0), (9, 7), (11, 9)),
        *((8, 1), (10, 8), (12, 10)),
        *((4, 6), (13, 4), (15, 13), (17, 15)),
        *((5, 6), (14, 5), (16, 14), (18, 16)),
    ),
    centre=2,
    has_depth=True,
)

_JHMDB = Layout(
    name="jhmdb-15",
    joints=(
        *("neck", "belly", "face"),
        *(
            f"{side}_{part}"
            for part in ("shoulder", "hip", "elbow", "knee", "wrist", "ankle")
            for side in ("right", "left")
        ),
    ),
    edges=(
        *((1, 0), (2, 0), (3, 0), (4, 0), (5, 1), (6, 1)),
        *((7, 3), (11, 7), (8, 4), (12, 8)),  # arms
        *((9, 5), (13, 9), (10, 6), (14, 10)),  # legs
    ),
    centre=0,
    has_depth=False,
)

LAYOUTS: Mapping[str, Layout] = {
    layout.name: layout for layout in (_OPENPOSE, _COCO, _NTU, _NTU_EDGE, _MSR, _KINECT1, _JHMDB)
}
"""Layouts by name."""


def skeleton_layout(name: str) -> Layout:
    """Choose a layout by name.

    Raises
    ------
    ZoopraxisError
        There is none of this name.
    """
    if name not in LAYOUTS:
        raise ZoopraxisError(
            f"unknown layout of skeletons {name!r:.40}", did_you_mean(str(name), LAYOUTS)
        )
    return LAYOUTS[name]
