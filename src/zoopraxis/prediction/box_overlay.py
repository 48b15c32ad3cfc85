"""A video with boxes drawn onto it, coloured by what they follow or show."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from zoopraxis.prediction.overlay import COLOURS, Picture, enlarged
from zoopraxis.regions import FrameBoxes
from zoopraxis.video import open_video, write_video

__all__ = ["draw_boxes", "write_box_overlay"]


def draw_boxes(picture: Picture, boxes: FrameBoxes, at: float, *, scale: float = 1.0) -> Picture:
    """Draw the boxes of one of the frames that were looked at, with labels and scores.

    Parameters
    ----------
    picture : uint8 ndarray of shape (H, W, 3)
        RGB; it is not changed.
    boxes : FrameBoxes
        Those of the video.
    at : float
        One of ``boxes.looked``.
    scale : float, default=1
        Pixels of the picture per pixel of the video.

    Returns
    -------
    uint8 ndarray of shape (H, W, 3)
    """
    out = picture.copy()
    thick = max(1, round(min(picture.shape[:2]) / 160))
    names = list(dict.fromkeys(boxes.labels))
    for i in boxes.in_frame(at):
        key = boxes.tracks[i] if boxes.tracks[i] >= 0 else names.index(boxes.labels[i])
        colour = COLOURS[int(key) % len(COLOURS)]
        # OpenCV's pixels have their centres at whole numbers
        x1, y1, x2, y2 = np.rint(boxes.boxes[i] * scale - 0.5).astype(int).tolist()
        cv2.rectangle(out, (x1, y1), (x2, y2), colour, thick)
        text = f"{boxes.labels[i]} {boxes.scores[i]:.2f}".strip()
        place = (x1 + 2 * thick, max(y1, 0) + 14 * thick)
        for ink, width in (((0, 0, 0), 3 * thick), (colour, thick)):
            cv2.putText(
                out, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4 * thick, ink, width, cv2.LINE_AA
            )
    return out


def write_box_overlay(
    video: Any,
    out: str | Path,
    boxes: FrameBoxes,
    *,
    width: int = 480,
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Write an H.264 video with boxes; between the frames looked at, those of the nearest.

    Parameters
    ----------
    boxes : FrameBoxes
        Those of the video.
    video, out, width, progress
        As for `zoopraxis.prediction.overlay.write_overlay`, as is what is returned and raised.
    """
    with open_video(video) as opened:
        rows, _ = boxes.nearest(opened.timestamps, name=opened.name)  # (F,)
        pictures = enlarged(opened, width=width, progress=progress)
        if len(boxes.looked):
            pictures = (
                (time, draw_boxes(picture, boxes, at, scale=picture.shape[1] / opened.width))
                for at, (time, picture) in zip(boxes.looked[rows].tolist(), pictures, strict=True)
            )
        return write_video(Path(out), pictures, fps=opened.fps)
