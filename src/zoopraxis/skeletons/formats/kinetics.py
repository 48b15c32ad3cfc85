"""Kinetics-skeleton: a JSON file for each video (Yan, Xiong and Lin, AAAI 2018, section 4.1).

``data`` has the frames, each with its ``frame_index`` and the people's ``pose`` (x, y, x, y, ... in
[0, 1] of the frame) and ``score``. Coordinates become [-0.5, 0.5], as in the official code
(yysijie/st-gcn, ``feeder/feeder_kinetics.py``).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import VideoError
from zoopraxis.skeletons.recording import Recording

__all__ = ["read_kinetics"]

MOST_FRAMES = 1 << 20  # of a file; more is a damaged frame_index


def read_kinetics(file: Path) -> Recording:
    """Read the skeletons of one video: x and y in [-0.5, 0.5], and the score.

    Raises
    ------
    VideoError
        Another JSON, or nobody in any frame.
    """
    hint = "expected the JSON of Kinetics-skeleton: data, frame_index, skeleton, pose, score"
    try:
        frames = json.loads(file.read_text(encoding="utf-8"))["data"]
        people = {int(frame["frame_index"]): frame["skeleton"] for frame in frames}
        count = max(people, default=-1) + 1
        most = max((len(some) for some in people.values()), default=0)
        if len(people) < len(frames) or min(people, default=0) < 0 or count > MOST_FRAMES:
            raise VideoError(f"{file}: frames with the same, a negative or a huge index", hint)
        if not most:
            raise VideoError(f"{file}: nobody in any frame", "leave this video out of the list")
        first = next(some[0] for some in people.values() if some)
        joints = np.zeros((most, count, len(first["score"]), 3))
        for index, some in people.items():
            for person, skeleton in enumerate(some):
                joints[person, index] = _person(skeleton, joints.shape[2])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VideoError(f"{file}: holds no skeletons: {error!r:.200}", hint) from error
    return Recording(joints=joints)


def _person(skeleton: Mapping[str, Any], num_joints: int) -> NDArray[np.float64]:
    """Joints (J, 3) of one person, x and y in [-0.5, 0.5]."""
    pose = np.asarray(skeleton["pose"], dtype=np.float64)
    score = np.asarray(skeleton["score"], dtype=np.float64)
    if pose.shape != (2 * num_joints,) or score.shape != (num_joints,):
        raise ValueError(
            f"pose of {pose.size} and score of {score.size} numbers, not of {num_joints} joints"
        )
    return np.concatenate([pose.reshape(-1, 2) - 0.5, score[:, None]], axis=1)
