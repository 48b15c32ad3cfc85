"""UTD-MHAD: a MATLAB file for each recording (Chen, Jafari and Kehtarnavaz, ICIP 2015).

``d_skel`` is an array (20, 3, T) of x, y and z in metres. The joints are Kinect v1's, in an order
of the data set's own, from the head down; they become those of the layout ``kinect-20``.
"""

from pathlib import Path

import numpy as np
import scipy.io

from zoopraxis.errors import VideoError
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
        content = scipy.io.loadmat(file, variable_names=[KEY])
        joints = np.asarray(content[KEY], dtype=np.float64)
    except Exception as error:  # scipy raises anything on a damaged file
        raise VideoError(f"{file}: no skeletons of UTD-MHAD: {error!r:.200}", hint) from error
    if joints.ndim != 3 or joints.shape[:2] != (20, 3) or not joints.shape[2]:
        raise VideoError(f"{file}: {KEY} is of shape {joints.shape}", hint)
    return Recording(joints=joints.transpose(2, 0, 1)[None, :, ORDER])
