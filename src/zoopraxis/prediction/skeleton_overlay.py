"""A video with skeletons and boxes drawn onto it, a colour for each person."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import VideoError
from zoopraxis.prediction.overlay import COLOURS, Picture, enlarged
from zoopraxis.prediction.poses import LAYOUT
from zoopraxis.prediction.skeletons import VideoSkeletons
from zoopraxis.skeletons import skeleton_layout
from zoopraxis.video import open_video, write_video

__all__ = ["draw_skeletons", "write_skeleton_overlay"]

CLEAR = 0.3  # joints with lower scores are not drawn
_FINE = 4  # binary digits after the point in coordinates of OpenCV's drawing


def draw_skeletons(
    picture: Picture,
    joints: NDArray[np.floating],
    boxes: NDArray[np.floating],
    *,
    scale: float = 1.0,
) -> Picture:
    """Draw the skeletons and boxes of one frame.

    Parameters
    ----------
    picture : uint8 ndarray of shape (H, W, 3)
        RGB; it is not changed.
    joints : ndarray of shape (P, 17, 3)
        x, y and score; with a score below 0.3 a joint, and the lines to it, are not drawn.
    boxes : ndarray of shape (P, 4)
        x1, y1, x2, y2; without area it is not drawn.
    scale : float, default=1
        Pixels of the picture per pixel of the video.

    Returns
    -------
    uint8 ndarray of shape (H, W, 3)
    """
    out = picture.copy()
    thick = max(1, round(min(picture.shape[:2]) / 160))
    edges = skeleton_layout(LAYOUT).edges
    for person, (points, box) in enumerate(zip(joints, boxes, strict=True)):
        colour = COLOURS[person % len(COLOURS)]
        clear = points[:, 2] >= CLEAR  # (17,)
        # OpenCV's pixels have their centres at whole numbers
        places = np.rint((points[:, :2] * scale - 0.5) * 2**_FINE).astype(int).tolist()
        for v, w in edges:
            if clear[v] and clear[w]:
                cv2.line(out, places[v], places[w], colour, thick, cv2.LINE_AA, _FINE)
        for joint in np.flatnonzero(clear):
            radius = (thick + 1) << _FINE
            cv2.circle(out, places[joint], radius, colour, cv2.FILLED, cv2.LINE_AA, _FINE)
        x1, y1, x2, y2 = np.rint(box * scale - 0.5).astype(int).tolist()
        if x1 < x2 and y1 < y2:
            cv2.rectangle(out, (x1, y1), (x2, y2), colour, thick)
    return out


def write_skeleton_overlay(
    video: Any,
    out: str | Path,
    skeletons: VideoSkeletons,
    *,
    width: int = 480,
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Write an H.264 video with skeletons and boxes; those of the last frame looked at.

    Parameters
    ----------
    skeletons : VideoSkeletons
        Those of the video.
    video, out, width, progress
        As for `zoopraxis.prediction.overlay.write_overlay`, as is what is returned.

    Raises
    ------
    VideoError
        The video cannot be read, the skeletons are not its, or ``out`` cannot be written.
    """
    with open_video(video) as opened:
        looked, every = skeletons.joints.shape[1], skeletons.every
        if looked != len(range(0, opened.num_frames, every)) or skeletons.size != (
            opened.width,
            opened.height,
        ):
            raise VideoError(
                f"there are skeletons of {looked} frames, every {every} frames, of "
                f"{skeletons.size[0]}x{skeletons.size[1]} pixels, and {opened.name} has "
                f"{opened.num_frames} frames of {opened.width}x{opened.height}",
                "check that these are the skeletons of this video",
            )
        pictures = (
            (
                time,
                draw_skeletons(
                    picture,
                    skeletons.joints[:, number // every],
                    skeletons.boxes[:, number // every],
                    scale=picture.shape[1] / opened.width,
                ),
            )
            for number, (time, picture) in enumerate(
                enlarged(opened, width=width, progress=progress)
            )
        )
        return write_video(Path(out), pictures, fps=opened.fps)
