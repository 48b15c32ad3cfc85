"""Link the boxes of people over time: the same number for the same person in every frame.

Boxes are linked by ByteTrack (Zhang et al., ECCV 2022, arXiv:2110.06864): a Kalman filter predicts
where each person goes, and boxes are matched by their overlap, those with high scores first. The
code is supervision's, an extra (``tracking``). Its series 0.30 is the last that has ByteTrack; its
successor, the package ``trackers``, installs opencv-python, whose files replace those of the
opencv-contrib-python-headless that computes TV-L1 here.
"""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import ZoopraxisError
from zoopraxis.regions.files import FrameBoxes

__all__ = ["link_boxes", "only_people"]


def only_people(boxes: FrameBoxes) -> FrameBoxes:
    """Keep the boxes that are labelled "person", or not labelled; the frames looked at stay."""
    return boxes.chosen(np.array([label in ("", "person") for label in boxes.labels], bool))


def link_boxes(boxes: FrameBoxes, *, fps: float) -> FrameBoxes:
    """Give boxes that follow one person the same track, from 1 on, by ByteTrack.

    Who is out of sight for longer than a second comes back with a new number.

    Parameters
    ----------
    boxes : FrameBoxes
        What was found; tracks that it has are forgotten.
    fps : float
        Number of frames per second in which boxes were looked for.

    Returns
    -------
    FrameBoxes
        The same boxes; those that belong to no track, of low scores for example, have -1.

    Raises
    ------
    ZoopraxisError
        The extra ``tracking`` is not installed.
    """
    tracks = np.full(len(boxes.boxes), -1)
    tracker, detections = _byte_track(fps)
    for at in boxes.looked.tolist():
        rows = boxes.in_frame(at)  # (n,)
        found = detections(
            xyxy=boxes.boxes[rows].astype(np.float32),
            # OpenCV's scores are distances, where 1 and more is a clear person
            confidence=boxes.scores[rows].clip(0, 1).astype(np.float32),
            data={"row": rows},
        )
        linked = tracker.update_with_detections(found)
        if len(linked):
            numbers: NDArray[np.int64] = linked.tracker_id
            tracks[linked.data["row"]] = numbers
    return replace(boxes, tracks=tracks.astype(np.int64))


def _byte_track(fps: float) -> tuple[Any, Any]:
    """Make a tracker, and say in which form it takes boxes."""
    try:
        from supervision import ByteTrack, Detections
    except ImportError as error:
        raise ZoopraxisError(
            f"linking boxes over time needs supervision 0.30: {error}",
            "pip install 'zoopraxis[tracking]', or give boxes with their column `track`",
        ) from error
    with warnings.catch_warnings():
        # it says that 0.31 has it no more; the extra asks for 0.30
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        # lost tracks are kept for 30 frames of a video of 30 frames per second
        return ByteTrack(frame_rate=fps, lost_track_buffer=30), Detections
