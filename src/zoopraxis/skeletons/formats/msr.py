"""MSR Action3D: a text file for each recording (Li, Zhang and Liu, CVPR 2010 workshops).

A line for each joint, twenty for each frame: x and y in pixels of the 320x240 depth image, depth,
and confidence. Joints become (x, y, z) as a pinhole camera sees them, x to the right, y upwards
and z away from the camera, so that a rotation of the body is one of its coordinates.
"""

from pathlib import Path

import numpy as np

from zoopraxis.errors import VideoError
from zoopraxis.skeletons.recording import Recording

__all__ = ["read_msr"]

NUM_JOINTS = 20
RATE = 15.0  # frames per second, of the data set
WIDTH, HEIGHT = 320, 240  # pixels
FOCAL = 285.63  # pixels, nominal, of Kinect v1's depth image of that size
# A unit of depth in metres. The data set does not say; with 4 mm, adults have thighs of half a
# metre. Only absolute sizes depend on it.
UNIT = 0.004
FARTHEST = 10 * WIDTH  # pixels from the image; lost joints have 2147480000


def read_msr(file: Path) -> Recording:
    """Read one recording in metres: (1, T, 20, 3), NaN where a joint was lost.

    A joint is lost where its depth is 0. The confidence is not used: joints of confidence 0 are
    guesses, and better than none.

    Raises
    ------
    VideoError
        The file is truncated or another one.
    """
    try:
        numbers = np.array(file.read_text(encoding="ascii").split(), dtype=np.float64)
    except (OSError, ValueError) as error:
        raise _not_msr(file, f"{error}") from error
    if not len(numbers) or len(numbers) % (4 * NUM_JOINTS):
        raise _not_msr(file, f"{len(numbers)} numbers are not 80 for each frame")
    x, y, depth, _ = np.moveaxis(numbers.reshape(-1, NUM_JOINTS, 4), 2, 0)  # each (T, J)
    z = depth * UNIT
    joints = np.stack([(x - WIDTH / 2) * z / FOCAL, (HEIGHT / 2 - y) * z / FOCAL, z], axis=2)
    lost = (depth <= 0) | (abs(x) > FARTHEST) | (abs(y) > FARTHEST)
    joints[lost] = np.nan
    return Recording(joints=joints[None], fps=RATE)


def _not_msr(file: Path, why: str) -> VideoError:
    return VideoError(
        f"{file}: no skeletons of MSR Action3D: {why:.200}",
        "expected lines of x, y, depth and confidence, twenty for each frame",
    )
