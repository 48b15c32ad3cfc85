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
    labels = []
    for i in boxes.in_frame(at):
        key = boxes.tracks[i] if boxes.tracks[i] >= 0 else names.index(boxes.labels[i])
        colour = COLOURS[int(key) % len(COLOURS)]
        # OpenCV's pixels have their centres at whole numbers
        x1, y1, x2, y2 = np.rint(boxes.boxes[i] * scale - 0.5).astype(int).tolist()
        cv2.rectangle(out, (x1, y1), (x2, y2), colour, thick)
        labels.append((f"{boxes.labels[i]} {boxes.scores[i]:.2f}".strip(), (x1, y1), colour))
    for text, corner, colour in labels:  # over all boxes
        _draw_label(out, text, corner, colour, thick=thick)
    return out


def _draw_label(
    picture: Picture,
    text: str,
    corner: tuple[int, int],
    colour: tuple[int, int, int],
    *,
    thick: int,
) -> None:
    """Write a text on its colour, above the corner of a box where the picture has room."""
    font, size, margin = cv2.FONT_HERSHEY_SIMPLEX, 0.4 * thick, 2 * thick
    (width, height), below = cv2.getTextSize(text, font, size, thick)
    wide, high = width + 2 * margin, height + below + 2 * margin
    left = max(min(corner[0], picture.shape[1] - wide), 0)
    top = max(min(corner[1] - high, picture.shape[0] - high), 0)
    cv2.rectangle(picture, (left, top), (left + wide - 1, top + high - 1), colour, cv2.FILLED)
    place = (left + margin, top + margin + height)
    cv2.putText(picture, text, place, font, size, (0, 0, 0), thick, cv2.LINE_AA)


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
