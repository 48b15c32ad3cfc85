"""Skeletons as arrays: ``.npy``, or ``.npz`` with ``skeleton`` and perhaps ``fps``."""

from pathlib import Path

import numpy as np

from zoopraxis.errors import VideoError
from zoopraxis.skeletons.recording import FPS, Recording

__all__ = ["read_array"]


def read_array(file: Path) -> Recording:
    """Read skeletons of shape (T, J, C) or (P, T, J, C).

    Raises
    ------
    VideoError
        The file holds no such array.
    """
    expected = "expected (T, J, C) or (P, T, J, C)"
    fps = FPS
    try:
        with file.open("rb") as opened:
            content = np.load(opened)
            if file.suffix == ".npz":
                fps = float(content["fps"]) if "fps" in content.files else FPS
                content = content["skeleton"]
            joints = np.asarray(content, dtype=np.float64)
    except Exception as error:  # numpy and zipfile raise anything on a damaged file
        raise VideoError(f"{file}: holds no skeletons: {error!r:.200}", expected) from error
    if joints.ndim not in (3, 4) or not 0 < fps < float("inf"):
        raise VideoError(
            f"{file}: skeletons of shape {joints.shape} at {fps:g} frames per second", expected
        )
    return Recording(joints=joints[None] if joints.ndim == 3 else joints, fps=fps)
