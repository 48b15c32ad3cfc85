"""Flow as colours: the hue is the direction, the saturation the length.

Baker et al., A Database and Evaluation Methodology for Optical Flow, ICCV 2007 (the colour code of
the Middlebury benchmark).

The scale is fixed: flow of `FULL_COLOUR` pixels, and longer, is fully saturated; no flow is white.
So a colour means the same in every frame of a video, and in two videos.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["FULL_COLOUR", "flow_picture", "side_by_side", "wheel"]

Picture = NDArray[np.uint8]

FULL_COLOUR = 8.0
"""Pixels per frame that are drawn in full colour."""

HUES = (
    (0, 255, 0, 0),  # to the right
    (15, 255, 255, 0),
    (21, 0, 255, 0),
    (25, 0, 255, 255),
    (36, 0, 0, 255),
    (49, 255, 0, 255),
    (55, 255, 0, 0),
)
"""Colours and their steps on the wheel of 55; more steps where the eye tells more hues apart."""

SHORTEST, LARGEST = 240, 1920  # pixels of a frame's shorter and longer side beside its flow
INK, PAPER = (40, 40, 40), (255, 255, 255)


def flow_picture(flow: NDArray[np.float32], *, full: float = FULL_COLOUR) -> Picture:
    """Colour flow (2, H, W) in pixels.

    Parameters
    ----------
    flow : float32 ndarray of shape (2, H, W)
        x to the right, y downwards.
    full : float, default=8
        Pixels that are drawn in full colour; flow that is longer is drawn as if it were as long.

    Returns
    -------
    uint8 ndarray of shape (H, W, 3)
        RGB.
    """
    x, y = flow
    steps, *colours = np.array(HUES, np.float32).T
    turn = (np.arctan2(-y, -x) / np.float32(np.pi) + 1) / 2 * (steps[-1] - 1)  # (H, W), 0 to 54
    length = np.minimum(np.hypot(x, y) / np.float32(full), 1)
    levels = [255 - length * (255 - np.interp(turn, steps, colour)) for colour in colours]
    return np.stack(levels, axis=-1).astype(np.uint8)  # (H, W, 3)


@lru_cache(maxsize=8)
def wheel(size: int, *, full: float = FULL_COLOUR) -> Picture:
    """Draw the legend: the colour of flow from the centre to each point, and its scale.

    Parameters
    ----------
    size : int
        Side in pixels; below it is a line for the scale.
    full : float, default=8
        Pixels of flow at the rim.

    Returns
    -------
    uint8 ndarray of shape (size + size // 4, size, 3)
        RGB.
    """
    at = np.linspace(-full, full, size, dtype=np.float32)
    x, y = np.meshgrid(at, at)
    disc = flow_picture(np.stack([x, y]), full=full)
    disc[np.hypot(x, y) > full] = PAPER
    foot = np.full((size // 4, size, 3), PAPER, np.uint8)
    text, scale = f"{full:g} px", size / 160
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    place = ((size - width) // 2, (len(foot) + height) // 2)
    cv2.putText(foot, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, INK, 1, cv2.LINE_AA)
    return np.concatenate([disc, foot])


def side_by_side(
    frame: Picture, flow: NDArray[np.float32], *, full: float = FULL_COLOUR
) -> Picture:
    """Draw a frame, and its flow in colours with the legend on it.

    Parameters
    ----------
    frame : uint8 ndarray of shape (H, W, 3)
        RGB.
    flow : float32 ndarray of shape (2, H, W)
        From this frame to the next, in pixels.
    full : float, default=8
        Pixels that are drawn in full colour.

    Returns
    -------
    uint8 ndarray of shape (h, w, 3)
        Small frames are enlarged so that the legend has room, large ones reduced; h and w are even.
    """
    height, width = frame.shape[:2]
    scale = min(max(1.0, SHORTEST / min(height, width)), LARGEST / max(height, width))
    size = (2 * max(20, round(width * scale / 2)), 2 * max(20, round(height * scale / 2)))
    shape = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    colours = flow_picture(flow, full=full)
    panels = [cv2.resize(image, size, interpolation=shape) for image in (frame, colours)]
    legend = wheel(max(32, min(size) // 5), full=full)
    panels[1][-legend.shape[0] :, -legend.shape[1] :] = legend
    return np.concatenate(panels, axis=1)
