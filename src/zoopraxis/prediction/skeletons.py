"""Find the skeletons of many videos and write them into files: parallel, and resumable.

A file is an ``.npz`` that `zoopraxis.inputs.Skeleton` and `zoopraxis.inputs.Heatmap` read, with

- ``skeleton``, float32 (P, T, 17, 3): x and y in fractions of the frame from its middle, -0.5 to
  0.5, and a score; all 0 where a person is not seen. Those who are seen longest come first.
- ``boxes``, float32 (P, T, 4): x1, y1, x2, y2 in pixels, 0 where a person is not seen.
- ``fps``: frames per second, of those looked at; ``every``: one of how many frames that is.
- ``size``: width and height of the video in pixels; ``estimator``: what found them.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import DataError, VideoError
from zoopraxis.files import write_atomically
from zoopraxis.prediction.poses import PoseEstimator
from zoopraxis.regions import FrameBoxes
from zoopraxis.regions.track import link_boxes
from zoopraxis.video import Video, open_video
from zoopraxis.video.extraction import Extracted, extract_all

__all__ = [
    "VideoSkeletons",
    "extract_skeletons",
    "find_skeletons",
    "read_skeletons",
    "write_skeletons",
]


@dataclass(frozen=True, kw_only=True, eq=False)
class VideoSkeletons:
    """The skeletons of P people in T frames of a video, in pixels.

    Parameters
    ----------
    joints : float32 ndarray of shape (P, T, 17, 3)
        x, y and score of COCO's key points; 0 where a person is not seen.
    boxes : float32 ndarray of shape (P, T, 4)
        x1, y1, x2, y2; 0 where a person is not seen.
    fps : float
        Of the frames looked at, per second.
    every : int
        One of how many frames of the video was looked at.
    size : (int, int)
        Width and height of the video.
    estimator : str
        What found them.
    """

    joints: NDArray[np.float32]
    boxes: NDArray[np.float32]
    fps: float
    every: int
    size: tuple[int, int]
    estimator: str

    @property
    def frame_boxes(self) -> FrameBoxes:
        """The boxes, with the people's numbers, from 1 on, as tracks."""
        people, looked = np.nonzero((self.boxes[..., 2:] > self.boxes[..., :2]).all(axis=-1))
        return FrameBoxes.of(
            looked * self.every,
            self.boxes[people, looked],
            scores=self.joints[people, looked, :, 2].mean(axis=-1),
            labels=("person",) * len(people),
            tracks=people + 1,
            looked=np.arange(self.joints.shape[1]) * self.every,
        )


def find_skeletons(video: Video, estimator: PoseEstimator, *, every: int = 1) -> VideoSkeletons:
    """Find the skeletons of every ``every``-th frame of a video, and link them over time.

    Where no frame shows two people, all skeletons are one person's; else their boxes are linked by
    ByteTrack (`zoopraxis.regions.track.link_boxes`), and what belongs to no track is left out.

    Raises
    ------
    ZoopraxisError
        A frame shows several people, and the extra ``tracking`` is not installed.
    """
    looked = np.arange(0, video.num_frames, every)
    found = [estimator(video.frames_at([frame])[0]) for frame in looked]
    counts = [len(some.boxes) for some in found]
    boxes = FrameBoxes.of(
        looked.repeat(counts),
        np.concatenate([some.boxes for some in found]),
        scores=np.concatenate([some.scores for some in found]),
        looked=looked,
    )
    if max(counts) > 1:
        tracks = link_boxes(boxes, fps=video.fps / every).tracks  # (M,)
    else:
        tracks = np.zeros(len(boxes.boxes), np.int64)
    numbers, seen = np.unique(tracks[tracks >= 0], return_counts=True)
    rows = np.concatenate([some.joints for some in found])  # (M, 17, 3)
    frame = (boxes.at / every).astype(np.int64)  # (M,)
    joints = np.zeros((len(numbers), len(looked), *rows.shape[1:]), np.float32)
    corners = np.zeros((len(numbers), len(looked), 4), np.float32)
    for person, number in enumerate(numbers[np.argsort(-seen, kind="stable")]):
        (own,) = (tracks == number).nonzero()
        joints[person, frame[own]] = rows[own]
        corners[person, frame[own]] = boxes.boxes[own]
    return VideoSkeletons(
        joints=joints,
        boxes=corners,
        fps=video.fps / every,
        every=every,
        size=(video.width, video.height),
        estimator=estimator.name,
    )


def write_skeletons(path: str | Path, skeletons: VideoSkeletons) -> None:
    """Write a file of skeletons; of nobody, one person who is never seen."""
    joints, boxes = skeletons.joints.copy(), skeletons.boxes
    if not len(joints):
        joints = np.zeros((1, *joints.shape[1:]), np.float32)
        boxes = np.zeros((1, *boxes.shape[1:]), np.float32)
    seen = joints[..., 2:] > 0  # (P, T, 17, 1)
    joints[..., :2] = (joints[..., :2] / np.array(skeletons.size, np.float32) - 0.5) * seen
    data = io.BytesIO()
    np.savez_compressed(
        data,
        skeleton=joints,
        boxes=boxes,
        fps=np.float64(skeletons.fps),
        every=np.int64(skeletons.every),
        size=np.array(skeletons.size, np.int64),
        estimator=np.array(skeletons.estimator),
    )
    write_atomically(Path(path), data.getvalue())


def read_skeletons(path: str | Path) -> VideoSkeletons:
    """Read a file that `write_skeletons` wrote.

    Raises
    ------
    VideoError
        It cannot be read, or was not written by `write_skeletons`.
    """
    try:
        with np.load(path) as file:
            width, height = map(int, file["size"])
            joints = np.asarray(file["skeleton"], np.float32)
            seen = joints[..., 2:] > 0
            joints[..., :2] = (joints[..., :2] + 0.5) * np.array((width, height)) * seen
            return VideoSkeletons(
                joints=joints,
                boxes=np.asarray(file["boxes"], np.float32),
                fps=float(file["fps"]),
                every=int(file["every"]),
                size=(width, height),
                estimator=str(file["estimator"]),
            )
    except Exception as error:  # numpy and zipfile raise anything on a damaged file
        raise VideoError(
            f"{path}: holds no extracted skeletons: {error!r:.200}",
            "expected a file of `zoopraxis skeletons extract`; remove it to extract it again",
        ) from error


def extract_skeletons(
    videos: Sequence[str],
    places: Sequence[Path],
    *,
    estimator: PoseEstimator,
    every: int = 1,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Extracted]:
    """Find the skeletons of videos, or resume it: finished videos are kept.

    Parameters
    ----------
    videos : sequence of str
        What `zoopraxis.video.open_video` takes.
    places : sequence of Path
        File of each video's skeletons, without its suffix ``.npz``.
    estimator : PoseEstimator
        Finds them.
    every : int, default=1
        Frames from one in which it looks to the next.
    workers, progress
        As for `zoopraxis.video.extraction.extract_all`.

    Returns
    -------
    list of Extracted
        In the order of the videos, with the number of people. A video that cannot be read, or in
        which nobody is found, has an error, and stops no other.
    """
    extract = partial(_extract, estimator=estimator, every=every)
    return extract_all(videos, places, extract, workers=workers, progress=progress)


def _extract(name: str, place: Path, *, estimator: PoseEstimator, every: int) -> tuple[Path, int]:
    """Find the skeletons of one video, or find them finished."""
    target = place.with_name(place.name + ".npz")
    if target.exists():
        skeletons = read_skeletons(target)
        if (skeletons.estimator, skeletons.every) != (estimator.name, every):
            raise DataError(
                f"{target} holds skeletons by {skeletons.estimator}, every {skeletons.every} "
                f"frames, and {estimator.name}, every {every} frames is asked for",
                "choose another OUT, or remove it",
            )
    else:
        with open_video(name) as video:
            skeletons = find_skeletons(video, estimator, every=every)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_skeletons(target, skeletons)
    if not skeletons.joints.any():
        raise VideoError(
            f"{name}: nobody in any of the {skeletons.joints.shape[1]} frames looked at",
            "leave it out, or give a lower --min-score and another OUT",
        )
    return target, len(skeletons.joints)
