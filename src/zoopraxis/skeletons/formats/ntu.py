"""NTU RGB+D: a ``.skeleton`` file for each recording (Shahroudy et al., CVPR 2016).

Text: the number of frames; for each frame the number of bodies; for each body a line about it, the
number of its joints, and a line of twelve numbers for each joint, of which the first three are x, y
and z in metres. Format: github.com/shahroudy/NTURGB-D, ``Matlab/read_skeleton_file.m``.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import VideoError
from zoopraxis.skeletons.recording import Recording

__all__ = ["by_motion", "read_ntu"]

NUM_JOINTS = 25
NUMBERS_OF_BODY, NUMBERS_OF_JOINT = 10, 12


def read_ntu(file: Path) -> Recording:
    """Read the bodies of one recording, those that move most first.

    As in the tools of ST-GCN and 2s-AGCN, the bodies of a frame are told apart by their places in
    the file, not by Kinect's numbers, which change when a body is lost.

    Raises
    ------
    VideoError
        The file is truncated or another one, or nobody is in any frame.
    """
    try:
        words = iter(file.read_text(encoding="ascii").split())
        frames = [_frame(words) for _ in range(int(next(words)))]
        if next(words, None) is not None:
            raise ValueError("it goes on after its last frame")
    except StopIteration:
        raise _not_ntu(file, "it is truncated") from None
    except (OSError, ValueError) as error:
        raise _not_ntu(file, str(error)) from error
    most = max((len(bodies) for bodies in frames), default=0)
    if not most:
        raise VideoError(f"{file}: nobody in any frame", "leave this recording out of the list")
    joints = np.zeros((most, len(frames), NUM_JOINTS, 3))
    for index, bodies in enumerate(frames):
        if bodies:
            joints[: len(bodies), index] = bodies
    return Recording(joints=by_motion(joints))


def _frame(words: Iterator[str]) -> list[NDArray[np.float64]]:
    """Joints (25, 3) of each body in a frame."""
    bodies = []
    for _ in range(int(next(words))):
        for _ in range(NUMBERS_OF_BODY):
            next(words)
        count = int(next(words))
        if count != NUM_JOINTS:
            raise ValueError(f"a body of {count} joints, not {NUM_JOINTS}")
        numbers = [float(next(words)) for _ in range(NUM_JOINTS * NUMBERS_OF_JOINT)]
        bodies.append(np.reshape(numbers, (NUM_JOINTS, NUMBERS_OF_JOINT))[:, :3])
    return bodies


def by_motion(joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put the people (P, T, J, 3) that move most first.

    Motion is the sum of the standard deviations of x, y and z over all joints and the frames in
    which a person is there, by which the tools of 2s-AGCN choose two of Kinect's bodies
    (lshiwjx/2s-AGCN, ``data_gen/ntu_gendata.py``); those of ST-GCN take the first two.
    """

    def motion(person: NDArray[np.float64]) -> float:
        there = person[person.any(axis=(1, 2))]  # (T', J, 3)
        return float(there.std(axis=(0, 1)).sum()) if len(there) else 0.0

    order = np.argsort([-motion(person) for person in joints], kind="stable")
    return joints[order]


def _not_ntu(file: Path, why: str) -> VideoError:
    return VideoError(
        f"{file}: no skeletons of NTU RGB+D: {why}",
        "get the file again: it starts with the number of its frames",
    )
