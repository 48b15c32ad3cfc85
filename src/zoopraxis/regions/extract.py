"""Find the boxes of many videos and write them into files: parallel, and resumable."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from zoopraxis.errors import DataError
from zoopraxis.regions.detect import Detector
from zoopraxis.regions.files import FrameBoxes, comment_of, read_boxes, write_boxes
from zoopraxis.video import Video, open_video
from zoopraxis.video.extraction import Extracted, extract_all

__all__ = ["extract_boxes", "find_boxes"]


def find_boxes(video: Video, detector: Detector, *, every: int = 4) -> FrameBoxes:
    """Find the boxes of every ``every``-th frame of a video, from the first on."""
    looked = np.arange(0, video.num_frames, every)
    look = detector.of(video)
    found = [look(video.frames_at([frame])[0]) for frame in looked]
    return FrameBoxes.of(
        np.repeat(looked, [len(some.boxes) for some in found]),
        np.concatenate([some.boxes for some in found]),
        scores=np.concatenate([some.scores for some in found]),
        labels=tuple(label for some in found for label in some.labels),
        looked=looked,
    )


def extract_boxes(
    videos: Sequence[str],
    places: Sequence[Path],
    *,
    detector: Detector,
    every: int = 4,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Extracted]:
    """Find the boxes of videos, or resume it: finished videos are kept.

    Parameters
    ----------
    videos : sequence of str
        What `zoopraxis.video.open_video` takes.
    places : sequence of Path
        File of each video's boxes, without its suffix ``.csv``.
    detector : Detector
        Finds them.
    every : int, default=4
        Frames from one in which it looks to the next.
    workers, progress
        As for `zoopraxis.video.extraction.extract_all`.

    Returns
    -------
    list of Extracted
        In the order of the videos; a video that cannot be read has an error, and stops no other.
    """
    extract = partial(_extract, detector=detector, every=every)
    return extract_all(videos, places, extract, workers=workers, progress=progress)


def _extract(name: str, place: Path, *, detector: Detector, every: int) -> tuple[Path, int]:
    """Find the boxes of one video, or find them finished."""
    target = place.with_name(place.name + ".csv")
    asked = f"{detector.name}, every {every} frames"
    if target.exists():
        comment = comment_of(target)
        if comment != asked:
            raise DataError(
                f"{target} holds boxes by {comment or 'other means'}, and {asked} is asked for",
                "choose another OUT, or remove it",
            )
        return target, len(read_boxes(target).boxes)
    with open_video(name) as video:
        boxes = find_boxes(video, detector, every=every)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_boxes(target, boxes, comment=asked)
    return target, len(boxes.boxes)
