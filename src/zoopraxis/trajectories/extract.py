"""Extract the trajectories of a video: one row of numbers for each.

Every frame is prepared, and every two frames are matched, in threads of their own; only the tracks
follow the order of the frames. So a few frames are in memory at a time, and the rows are the same
with any number of threads.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from zoopraxis.errors import DataError, VideoError
from zoopraxis.flow.base import grey
from zoopraxis.trajectories._farneback import expand, flow_pyramid
from zoopraxis.trajectories.camera import (
    Features,
    background,
    find_features,
    find_homography,
    find_people,
    read_boxes,
    stabilise,
)
from zoopraxis.trajectories.descriptors import PATCH
from zoopraxis.trajectories.sampling import STEP, Scale, candidates, scales_of
from zoopraxis.trajectories.settings import COLUMNS, LENGTH, PARTS, TrajectorySettings
from zoopraxis.trajectories.tracking import MIN_MOTION, Tracks
from zoopraxis.video import Video, open_video
from zoopraxis.workers import num_cores

__all__ = ["COLUMNS", "PARTS", "People", "TrajectorySettings", "extract_trajectories"]

Grey = NDArray[np.uint8]
Plane = NDArray[np.float32]
People = str | Path | Sequence[ArrayLike] | Mapping[int, ArrayLike]

THREADS = 4
"""More would wait for the tracks, which take a sixth of the time."""


@dataclass(frozen=True)
class _Frame:
    """What is computed of one frame; lists are from the finest scale to the coarsest."""

    greys: list[Grey]
    expansions: list[Plane]
    structured: list[NDArray[np.bool_]]
    mask: Grey | None
    features: Features | None


@dataclass(frozen=True)
class _Motion:
    """What moves between two frames: flow (2, H, W) at each scale, with and without the camera."""

    first: list[Grey]
    flow: list[Plane]
    stabilised: list[Plane]
    structured: list[NDArray[np.bool_]]
    """Where tracks may start in the second frame."""


def extract_trajectories(
    video: str | Path | Video,
    *,
    settings: TrajectorySettings | None = None,
    people: People | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Extract the trajectories of a video.

    Parameters
    ----------
    video : str, Path or Video
        What `zoopraxis.video.open_video` takes, or a video, which stays open.
    settings : TrajectorySettings, optional
        The default are improved trajectories with the authors' parameters.
    people : path, sequence or mapping of arrays of shape (N, 4), optional
        With ``people="file"`` in the settings: boxes of people, which do not count for the motion
        of the camera. A file that `zoopraxis.trajectories.camera.read_boxes` reads, or corners x0,
        y0, x1, y1 in pixels for every frame or by the index of the frame.
    threads : int, optional
        Number of threads that compute flow; every one holds a frame. The default is the number of
        cores, at most 4. The result does not depend on it.
    progress : callable, optional
        Called with the number of frames done and their total.

    Returns
    -------
    float32 ndarray of shape (N, 436)
        Columns are `COLUMNS`, their parts `PARTS`; rows are ordered by the frame in which they end,
        then by scale. Empty for a video of fewer than 16 frames, or in which nothing moves.

        - ``info``: index of the frame in which it ends; mean and standard deviation of x and y,
          and length, in pixels; scale; x, y and time relative to the video, in [0, 0.999].
        - ``trajectory``: 15 displacements, x and y, without the motion of the camera, divided by
          the sum of their lengths.
        - ``hog``, ``hof``, ``mbhx``, ``mbhy``: see `zoopraxis.trajectories.descriptors`.

    Raises
    ------
    VideoError
        The video cannot be read, or its frames are smaller than 32 pixels.
    DataError
        Boxes of people are missing, were not asked for or do not fit the video.

    Examples
    --------
    >>> rows = extract_trajectories("clip.mp4")  # doctest: +SKIP
    >>> hog = rows[:, PARTS["hog"]]  # doctest: +SKIP
    """
    if not isinstance(video, Video):
        with open_video(video) as opened:
            return extract_trajectories(
                opened, settings=settings, people=people, threads=threads, progress=progress
            )
    settings = settings or TrajectorySettings()
    scales = scales_of(video.width, video.height, count=settings.scales, smallest=PATCH)
    if not scales:
        raise VideoError(
            f"{video.name}: frames are {video.width}x{video.height}, and a descriptor covers "
            f"{PATCH}x{PATCH} pixels",
            "leave the video out, or resize it",
        )
    boxes = _boxes(people, settings=settings, video=video)
    min_motion = 0.0 if settings.camera == "none" else MIN_MOTION
    tracks = [
        Tracks(scale=scale.factor, stride=settings.stride, min_motion=min_motion)
        for scale in scales
    ]
    rows = [np.empty((0, len(COLUMNS)), np.float32)]

    def follow(number: int, motion: Future[_Motion]) -> None:
        """Move the tracks to a frame, keep those that end there and start new ones."""
        between = motion.result()
        for level, at_scale in enumerate(tracks):
            at_scale.advance(between.first[level], between.flow[level], between.stabilised[level])
            rows.append(at_scale.finish(number))
            at_scale.start(between.structured[level])
        if progress is not None:
            progress(number + 1, video.num_frames)

    # Pairs of frames are queued after the frames, so that no thread waits for one not begun.
    threads = threads or min(num_cores(), THREADS)
    waiting: deque[tuple[int, Future[_Motion]]] = deque()
    previous: Future[_Frame] | None = None
    with ThreadPoolExecutor(threads, thread_name_prefix="trajectories") as pool:
        for number, image in enumerate(video):
            rgb = np.ascontiguousarray(image.permute(1, 2, 0).numpy())  # (H, W, 3)
            frame = pool.submit(_prepare, rgb, scales, settings, boxes.get(number))
            if previous is None:
                for at_scale, structured in zip(tracks, frame.result().structured, strict=True):
                    at_scale.start(structured)
                if progress is not None:
                    progress(1, video.num_frames)
            else:
                waiting.append((number, pool.submit(_motion, previous, frame, scales)))
            previous = frame
            if len(waiting) > threads:
                follow(*waiting.popleft())
        while waiting:
            follow(*waiting.popleft())
    found = np.concatenate(rows)
    size = np.array([video.width, video.height], np.float32)
    found[:, 7:9] = np.clip(found[:, 1:3] / size, 0, 0.999)
    found[:, 9] = np.clip((found[:, 0] - LENGTH / 2) / video.num_frames, 0, 0.999)
    return found


def _boxes(
    people: People | None, *, settings: TrajectorySettings, video: Video
) -> dict[int, NDArray[np.float64]]:
    """Boxes (N, 4) of people by the index of the frame."""
    if (people is not None) != (settings.people == "file"):
        raise DataError(
            f"{video.name}: people of the settings is {settings.people!r}, and boxes are "
            f"{'given' if people is not None else 'missing'}",
            'pass people=... together with TrajectorySettings(people="file")',
        )
    if people is None:
        return {}
    if isinstance(people, str | Path):
        people = read_boxes(people)
    if not isinstance(people, Mapping):
        if len(people) != video.num_frames:
            raise DataError(
                f"{video.name} has {video.num_frames} frames, and there are boxes of {len(people)}",
                "give the boxes of every frame, none for a frame without people",
            )
        people = dict(enumerate(people))
    boxes = {number: np.asarray(values, np.float64) for number, values in people.items()}
    for number, values in boxes.items():
        fits = values.size == 0 or (values.ndim == 2 and values.shape[1] == 4)
        if not (fits and np.isfinite(values).all()):
            raise DataError(
                f"{video.name}: the boxes of frame {number} are {values.tolist()}",
                "give finite numbers x0, y0, x1, y1 for each box, (N, 4)",
            )
    return boxes


def _prepare(
    rgb: NDArray[np.uint8],
    scales: Sequence[Scale],
    settings: TrajectorySettings,
    boxes: NDArray[np.floating] | None,
) -> _Frame:
    """Compute what needs one frame (H, W, 3) only."""
    greys = [grey(rgb)]
    for scale in scales[1:]:
        greys.append(np.asarray(cv2.resize(greys[-1], (scale.width, scale.height)), np.uint8))
    if settings.people == "opencv":
        boxes = find_people(rgb)
    mask = None if boxes is None else background(greys[0].shape, boxes)
    return _Frame(
        greys=greys,
        expansions=_expansions(greys[0], scales),
        structured=[candidates(level, settings.stride) for level in greys],
        mask=mask,
        features=find_features(greys[0], mask) if settings.camera == "homography" else None,
    )


def _expansions(frame: Grey, scales: Sequence[Scale]) -> list[Plane]:
    """Polynomial expansions (H, W, 5) of a grey frame at every scale."""
    image = frame.astype(np.float32)
    expansions = []
    for scale in scales:
        sigma = (scale.factor - 1) / 2
        side = max(round(5 * sigma) | 1, 3)
        blurred = cv2.GaussianBlur(image, (side, side), sigma)
        resized = cv2.resize(blurred, (scale.width, scale.height))
        expansions.append(expand(np.asarray(resized, np.float32)))
    return expansions


def _motion(
    previous: Future[_Frame], following: Future[_Frame], scales: Sequence[Scale]
) -> _Motion:
    """Compute what needs two frames."""
    first, second = previous.result(), following.result()
    flow = stabilised = flow_pyramid(first.expansions, second.expansions, STEP)
    if first.features is not None and second.features is not None:
        # The authors, too, leave out of the first frame where people are in the second.
        homography = find_homography(
            first.greys[0], second.mask, flow=flow[0], first=first.features, second=second.features
        )
        warped = stabilise(first.greys[0], second.greys[0], homography)
        stabilised = flow_pyramid(first.expansions, _expansions(warped, scales), STEP)
    return _Motion(first.greys, flow, stabilised, second.structured)
