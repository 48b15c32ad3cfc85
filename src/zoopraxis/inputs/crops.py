"""Where frames are cropped: sizes and boxes in pixels, plain numbers.

Official codes round differently; the functions say whose rounding they have.
"""

import math
from typing import Literal

from zoopraxis.errors import ShapeError, ZoopraxisError

__all__ = ["Box", "Size", "corner_positions", "crop_boxes", "crop_room", "scaled_size"]

Size = tuple[int, int]  # (height, width)
Box = tuple[int, int, int, int]  # (top, left, height, width)


def scaled_size(size: Size, resize: int | Size) -> Size:
    """Height and width after resizing.

    Parameters
    ----------
    size : (int, int)
        Before.
    resize : int or (int, int)
        The shorter side, the longer being rounded down (PySlowFast, torchvision); or both.

    # 240x320 to 128: 128x170       1080x1920 to 256: 256x455
    """
    if not isinstance(resize, int):
        return resize
    shorter = min(size)
    return (size[0] * resize // shorter, size[1] * resize // shorter)


def crop_boxes(size: Size, crop: int, crops: int) -> list[tuple[Box, bool]]:
    """List the crops of testing as (box, flipped).

    Parameters
    ----------
    size : (int, int)
        Height and width of the resized frames.
    crop : int
        S.
    crops : {1, 3, 5, 10}
        1: the centre, rounded as torchvision's CenterCrop. 3: along the longer side, from the
        start to the end, the centre rounded up (PySlowFast's ``uniform_crop``). 5: corners and
        centre (torchvision's FiveCrop). 10: those, then flipped (Krizhevsky et al., 2012).

    Raises
    ------
    ShapeError
        The frames are smaller than the crop.
    ZoopraxisError
        No test has this number of crops.
    """
    down, right = crop_room(size, crop)
    centre = (round(down / 2), round(right / 2))
    # (H - S) / 2 is rounded to the nearest even number by torchvision, and up by PySlowFast.
    up = (math.ceil(down / 2), math.ceil(right / 2))
    along = [(0, up[1]), up, (down, up[1])] if down > right else [(up[0], 0), up, (up[0], right)]
    five = [(0, 0), (0, right), (down, 0), (down, right), centre]
    table = {1: [centre], 3: along, 5: five, 10: five * 2}
    if crops not in table:
        raise ZoopraxisError(f"crops must be 1, 3, 5 or 10, not {crops}", "choose one of these")
    return [((*place, crop, crop), i >= 5) for i, place in enumerate(table[crops])]


def corner_positions(size: Size, box: Size, positions: Literal[13, 5]) -> list[Size]:
    """List the (top, left) of TSN's fixed crops: corners, centre, and the points between.

    In steps of a quarter of the room, rounded down: the last corner can miss the edge by three
    pixels, as in the official ``fill_fix_offset``.
    """
    down, right = (size[0] - box[0]) // 4, (size[1] - box[1]) // 4
    steps = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)]
    between = [(2, 0), (2, 4), (4, 2), (0, 2), (1, 1), (1, 3), (3, 1), (3, 3)]
    chosen = steps + between if positions == 13 else steps
    return [(down * y, right * x) for y, x in chosen]


def crop_room(size: Size, crop: int) -> Size:
    """Pixels by which the frame is taller and wider than the crop."""
    if min(size) < crop:
        raise ShapeError(
            f"frames of {size[0]}x{size[1]} pixels are smaller than the crop of {crop}",
            "set resize to at least the size of the crop",
        )
    return (size[0] - crop, size[1] - crop)
