"""The skeletons of one recording, as every reader of a format gives them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import VideoError
from zoopraxis.skeletons.layouts import Layout

__all__ = ["FPS", "Recording"]

FPS = 30.0  # of Kinetics-skeleton, of NTU RGB+D, and of both Kinects


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """Skeletons of P people over T frames.

    Parameters
    ----------
    joints : ndarray of shape (P, T, J, C)
        x, y and score, or x, y and z; C is 2 where a format has no scores. A missing joint has the
        score 0, or is NaN or 0.
    fps : float, default=30
        Frames per second.
    """

    joints: NDArray[np.floating[Any]]
    fps: float = FPS

    def checked(self, layout: Layout, *, name: str) -> NDArray[np.float32]:
        """Skeletons (P, T, J, 3) of a layout; all values of a missing joint are 0.

        Parameters
        ----------
        layout : Layout
            What the skeletons should be.
        name : str
            File, for messages.

        Raises
        ------
        VideoError
            Skeletons of another layout, nobody in any frame, or an infinite coordinate.
        """
        joints, expected = self.joints, f"{layout.num_joints} joints of {layout.name}"
        if joints.ndim != 4 or joints.shape[2] != layout.num_joints or 0 in joints.shape[:2]:
            raise VideoError(
                f"{name}: skeletons of shape {joints.shape} are not (P, T, J, C) with the "
                f"{expected}",
                "choose the layout in which they were written",
            )
        if joints.shape[3] not in (2, 3) or (layout.has_depth and joints.shape[3] != 3):
            raise VideoError(
                f"{name}: joints of {joints.shape[3]} numbers, and {layout.name} has "
                + ("x, y and z" if layout.has_depth else "x, y and perhaps a score"),
                "choose the layout in which they were written",
            )
        missing = np.isnan(joints).any(axis=-1, keepdims=True)
        joints = np.where(missing, 0, joints).astype(np.float32)
        if not np.isfinite(joints).all():
            raise VideoError(
                f"{name}: a coordinate is infinite", "write missing joints as 0 or NaN"
            )
        if joints.shape[3] == 2:  # without scores: what is not missing is certain
            there = (joints != 0).any(axis=-1, keepdims=True)
            joints = np.concatenate([joints, there.astype(np.float32)], axis=-1)
        if not layout.has_depth:
            joints = joints * (joints[..., 2:] != 0)
        if not joints.any():
            raise VideoError(f"{name}: nobody in any frame", "leave it out of the list")
        checked: NDArray[np.float32] = joints.astype(np.float32)
        return checked
