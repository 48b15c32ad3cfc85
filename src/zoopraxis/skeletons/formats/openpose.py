"""OpenPose's output: a folder with one JSON file per frame.

``people`` lists the persons of a frame, each with ``pose_keypoints_2d`` (``pose_keypoints`` in the
first versions): x, y and score of every joint (OpenPose documentation, "Output"). Coordinates are
pixels; where OpenPose was run with ``--keypoint_scale 3`` they are in [0, 1] of the frame, and
become [-0.5, 0.5] as those of Kinetics-skeleton. People have no identity from frame to frame.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import VideoError
from zoopraxis.skeletons.recording import Recording

__all__ = ["is_openpose_folder", "read_openpose"]

_NUMBER = re.compile(r"(\d+)(?:_keypoints)?\.json$")


def is_openpose_folder(folder: Path) -> bool:
    """Whether a folder holds frames of OpenPose."""
    return folder.is_dir() and next(folder.glob("*_keypoints.json"), None) is not None


def read_openpose(folder: Path) -> Recording:
    """Read the skeletons of one video: x and y in pixels or in [-0.5, 0.5], and the score.

    Frames follow one another in the order of the numbers in their names; a number that is left out
    is a frame without a person.

    Raises
    ------
    VideoError
        A file is not of OpenPose, two have the same number, or nobody is in any frame.
    """
    files: dict[int, Path] = {}
    for file in sorted(folder.glob("*_keypoints.json")):
        number = _NUMBER.search(file.name)
        index = int(number[1]) if number else -1
        if index < 0 or index in files:
            raise VideoError(
                f"{file}: the number of its frame is missing, or that of another file",
                "expected NAME_000000000000_keypoints.json, one video in a folder",
            )
        files[index] = file
    if not files:
        raise VideoError(f"{folder}: no frames of OpenPose", "expected NAME_*_keypoints.json")
    first, last = min(files), max(files)
    if last - first + 1 > 100 * len(files):
        raise VideoError(
            f"{folder}: {len(files)} frames numbered {first} to {last}",
            "number them one after another",
        )
    frames = {index - first: _people(file) for index, file in files.items()}
    most = max(len(people) for people in frames.values())
    if not most:
        raise VideoError(f"{folder}: nobody in any frame", "leave this video out of the list")
    counts = {len(person) for people in frames.values() for person in people}
    if len(counts) > 1:
        raise VideoError(
            f"{folder}: people of {' and '.join(map(str, sorted(counts)))} joints",
            "run OpenPose with one model on the whole video",
        )
    joints = np.zeros((most, last - first + 1, counts.pop(), 3))
    for index, people in frames.items():
        for person, skeleton in enumerate(people):
            joints[person, index] = skeleton
    if joints[..., :2].min() >= 0 and joints[..., :2].max() <= 1:
        joints[..., :2] -= 0.5  # missing joints have the score 0
    return Recording(joints=joints)


def _people(file: Path) -> list[NDArray[np.float64]]:
    """Joints (J, 3) of each person in a frame."""
    try:
        people: list[Any] = json.loads(file.read_text(encoding="utf-8"))["people"]
        joints = [
            person["pose_keypoints" if "pose_keypoints" in person else "pose_keypoints_2d"]
            for person in people
        ]
        return [np.asarray(numbers, dtype=np.float64).reshape(-1, 3) for numbers in joints]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise VideoError(
            f"{file}: no frame of OpenPose: {error!r:.200}",
            "expected people, each with pose_keypoints_2d: x, y, score, ...",
        ) from error
