"""Tracks of points at one scale, and which of them are trajectories.

Wang et al., Dense Trajectories and Motion Boundary Descriptors for Action Recognition, IJCV 2013;
Wang and Schmid, Action Recognition with Improved Trajectories, ICCV 2013.
"""

import numpy as np
from numpy.typing import NDArray

from zoopraxis.trajectories.descriptors import DESCRIPTOR, add_descriptors
from zoopraxis.trajectories.sampling import new_points
from zoopraxis.trajectories.settings import LENGTH, PARTS, SPANS

__all__ = ["MIN_MOTION", "Tracks"]

Plane = NDArray[np.float32]
Indices = NDArray[np.int32]

PER_SPAN = LENGTH // SPANS
"""Steps of a descriptor."""
MIN_DEVIATION, MAX_DEVIATION = 3**0.5, 50.0
"""Pixels: less in both x and y is a static point, more in either an erratic one."""
MAX_STEP, MAX_SHARE = 20.0, 0.7
"""A step of more pixels that is more than this part of the whole way is a jump."""
MIN_MOTION = 1.0
"""Pixels: a trajectory none of whose steps is longer, without the camera's, moves with it."""


class Tracks:
    """Tracks at one scale that are not yet as long as a trajectory.

    Parameters
    ----------
    scale : float
        Pixels of the video in a pixel of this scale.
    stride : int
        Distance of the sampled points in pixels.
    min_motion : float
        Pixels of the video: where no step without the camera's motion is longer, the track is no
        trajectory.
    """

    def __init__(self, *, scale: float, stride: int, min_motion: float) -> None:
        self.scale = scale
        self.min_motion = min_motion
        self.stride = stride
        self.slots: Indices = np.empty(0, np.int32)  # rows of the arrays below, oldest track first
        self.free: Indices = np.empty(0, np.int32)
        self.steps: Indices = np.empty(0, np.int32)
        self.points: Plane = np.empty((0, LENGTH + 1, 2), np.float32)
        self.motion: Plane = np.empty((0, LENGTH, 2), np.float32)
        self.descriptors: Plane = np.empty((0, DESCRIPTOR), np.float32)

    @property
    def ends(self) -> Plane:
        """Last point (N, 2) of every track, x and y."""
        return self.points[self.slots, self.steps[self.slots]]

    def start(self, structured: NDArray[np.bool_]) -> None:
        """Start tracks where there is structure and no track."""
        points = new_points(structured, self.ends, self.stride)
        missing = len(points) - len(self.free)
        if missing > 0:
            self._grow(max(missing, len(self.steps) // 2))
        slots, self.free = np.split(self.free, [len(points)])
        self.points[slots, 0] = points
        self.steps[slots] = 0
        self.descriptors[slots] = 0
        self.slots = np.concatenate([self.slots, slots])

    def _grow(self, count: int) -> None:
        used = len(self.steps)
        for name in ("steps", "points", "motion", "descriptors"):
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.zeros((count, *old.shape[1:]), old.dtype)]))
        self.free = np.concatenate([self.free, np.arange(used, used + count, dtype=np.int32)])

    def advance(self, grey: NDArray[np.uint8], flow: Plane, stabilised: Plane) -> None:
        """Move every track by one frame, and describe what is around it.

        Parameters
        ----------
        grey : uint8 ndarray of shape (H, W)
            The frame in which the tracks are.
        flow, stabilised : float32 ndarray of shape (2, H, W)
            Flow to the next frame, and what of it is not the camera's, in pixels of this scale.
        """
        height, width = grey.shape
        points = self.ends
        x, y = np.rint(points).astype(np.int64).T
        x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
        moved = points + flow[:, y, x].T  # (N, 2)
        inside = ((moved > 0) & (moved < [width, height])).all(axis=1)
        self.free = np.concatenate([self.free, self.slots[~inside]])
        self.slots = self.slots[inside]
        steps = self.steps[self.slots]
        add_descriptors(
            grey, stabilised, points=points[inside], spans=steps // PER_SPAN, slots=self.slots,
            descriptors=self.descriptors,
        )  # fmt: skip
        self.motion[self.slots, steps] = stabilised[:, y[inside], x[inside]].T
        self.points[self.slots, steps + 1] = moved[inside]
        self.steps[self.slots] += 1

    def finish(self, frame: int) -> Plane:
        """Remove the tracks that are long enough, and return those that are trajectories.

        Parameters
        ----------
        frame : int
            Index of the frame in which the tracks end.

        Returns
        -------
        float32 ndarray of shape (N, 436)
            Without the positions relative to the video, which are zero.
        """
        long = self.steps[self.slots] == LENGTH
        done = self.slots[long]
        self.slots = self.slots[~long]
        self.free = np.concatenate([self.free, done])
        points = self.points[done] * np.float32(self.scale)  # (N, 16, 2)
        motion = self.motion[done] * np.float32(self.scale)  # (N, 15, 2)
        mean, deviation = points.mean(axis=1), points.std(axis=1)  # (N, 2)
        lengths = np.linalg.norm(np.diff(points, axis=1), axis=2)  # (N, 15)
        way = lengths.sum(axis=1)
        longest = lengths.max(axis=1, initial=0)
        jumps = (longest > MAX_STEP) & (longest > MAX_SHARE * way)
        motions = np.linalg.norm(motion, axis=2)  # (N, 15)
        kept = (
            (deviation >= MIN_DEVIATION).any(axis=1)
            & (deviation <= MAX_DEVIATION).all(axis=1)
            & ~jumps
            & (motions.max(axis=1, initial=0) > self.min_motion)
        )
        rows = np.zeros((int(kept.sum()), PARTS["mbhy"].stop), np.float32)
        rows[:, 0] = frame
        rows[:, 1:3], rows[:, 3:5] = mean[kept], deviation[kept]
        rows[:, 5], rows[:, 6] = way[kept], self.scale
        rows[:, PARTS["trajectory"]] = (
            motion[kept] / motions[kept].sum(axis=1)[:, None, None]
        ).reshape(-1, 2 * LENGTH)
        rows[:, PARTS["hog"].start :] = self.descriptors[done[kept]] / PER_SPAN
        return rows
