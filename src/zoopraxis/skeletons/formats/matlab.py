"""UTD-MHAD: a MATLAB file for each recording (Chen, Jafari and Kehtarnavaz, ICIP 2015).

``d_skel`` is an array (20, 3, T) of x, y and z in metres. The joints are Kinect v1's, in an order
of the data set's own, from the head down; they become those of the layout ``kinect-20``.
"""

from pathlib import Path

import numpy as np

from zoopraxis.errors import DataError, VideoError
from zoopraxis.matlab import read_matlab
from zoopraxis.skeletons.recording import Recording

__all__ = ["read_utd"]

KEY = "d_skel"
# The data set has the head, the centre of the shoulders, the spine, the centre of the hips; then
# arms and legs, left before right.
ORDER = (3, 2, 1, 0, *range(4, 20))


def read_utd(file: Path) -> Recording:
    """Read one recording: (1, T, 20, 3).

    Raises
    ------
    VideoError
        The file is damaged, or holds another array.
    """
    hint = f"expected a MATLAB file of UTD-MHAD, with {KEY} of 20 joints, 3 axes and T frames"
    try:
        joints = read_matlab(file).get(KEY)
    except DataError as error:
        raise VideoError(error.problem, hint) from error
    if not isinstance(joints, np.ndarray):
        raise VideoError(f"{file} has no array {KEY}", hint)
    if joints.ndim != 3 or joints.shape[:2] != (20, 3) or not joints.shape[2]:
        raise VideoError(f"{file}: {KEY} is of shape {joints.shape}", hint)
    return Recording(joints=joints.astype(np.float64).transpose(2, 0, 1)[None, :, ORDER])
