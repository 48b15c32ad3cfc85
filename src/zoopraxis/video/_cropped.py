"""A square part of a video's frames, and a video that keeps the frames it decoded last."""

import math
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import VideoError
from zoopraxis.video._base import Deadline, Size, Video
from zoopraxis.video._resize import resize_image

__all__ = ["CONTEXT", "CroppedVideo", "FrameBox", "RecentVideo", "box_problem"]

FrameBox = tuple[float, float, float, float]  # x1, y1, x2, y2 in fractions of width and height
CONTEXT = 1.25  # side of the square around a box, in units of the box's longer side


def box_problem(box: FrameBox) -> str:
    """Say why a box in fractions of the frame cannot be cropped; empty where it can."""
    x1, y1, x2, y2 = box
    if not all(map(math.isfinite, box)):
        return "is not finite"
    if x1 >= x2 or y1 >= y2:
        return "is empty, or its corners are in another order"
    if x2 <= 0 or y2 <= 0 or x1 >= 1 or y1 >= 1:
        return "lies outside the frame"
    return ""


class CroppedVideo(Video):
    """The square around a box, with some context, of every frame.

    Its side is `CONTEXT` times the longer side of the box, whose centre is the square's. Where it
    reaches beyond the frame, the frame's edge is repeated.

    Parameters
    ----------
    video : Video
        The whole frames; closed with this one.
    box : (float, float, float, float)
        x1, y1, x2, y2 in fractions of the frame's width and height.

    Raises
    ------
    VideoError
        The box is not finite, empty, or outside the frame.

    # frames of 100 x 50 pixels, the box (0.2, 0.2, 0.4, 1.0), 20 x 40 pixels around (30, 30):
    # 50 x 50 pixels, columns 5 to 54 and rows 5 to 54, of which rows 50 to 54 repeat row 49
    """

    def __init__(self, video: Video, box: FrameBox) -> None:
        problem = box_problem(box)
        if problem:
            raise VideoError(
                f"{video.name}: the box {', '.join(f'{v:g}' for v in box)} {problem}",
                "expected x1 < x2 and y1 < y2 in fractions of the frame's width and height",
            )
        x1, x2 = (x * video.width for x in box[::2])
        y1, y2 = (y * video.height for y in box[1::2])
        side = max(1, round(CONTEXT * max(x2 - x1, y2 - y1)))
        super().__init__(
            name=video.name,
            timestamps=video.timestamps,
            fps=video.fps,
            duration=video.duration,
            size=(side, side),
            codec=video.codec,
            rotation=video.rotation,
            mirrored=video.mirrored,
            sample_aspect_ratio=video.sample_aspect_ratio,
            transfer=video.transfer,
            timeout=video.timeout,
        )
        self.video = video
        top, left = ((low + high - side) / 2 for low, high in ((y1, y2), (x1, x2)))
        square = np.arange(side)
        self._rows = (round(top) + square).clip(0, video.height - 1)  # (side,)
        self._columns = (round(left) + square).clip(0, video.width - 1)  # (side,)

    def _decode(
        self, indices: NDArray[np.int64], size: Size | None, deadline: Deadline
    ) -> Iterator[NDArray[np.uint8]]:
        for frame in self.video._decode(indices, None, deadline):
            yield resize_image(frame[self._rows][:, self._columns], size)

    def close(self) -> None:
        """Close the whole video."""
        self.video.close()


class RecentVideo(Video):
    """A video that keeps the frames it decoded last, for others who ask for them soon.

    A frame is kept at each size at which it was asked for.

    Parameters
    ----------
    video : Video
        Where frames come from; closed with this one.
    room : int, default=256 MiB
        Bytes of frames that are kept, at least one frame.
    """

    def __init__(self, video: Video, *, room: int = 1 << 28) -> None:
        super().__init__(
            name=video.name,
            timestamps=video.timestamps,
            fps=video.fps,
            duration=video.duration,
            size=(video.height, video.width),
            codec=video.codec,
            rotation=video.rotation,
            mirrored=video.mirrored,
            sample_aspect_ratio=video.sample_aspect_ratio,
            transfer=video.transfer,
            timeout=video.timeout,
        )
        self.video = video
        self._room = room
        # the last is last
        self._kept: OrderedDict[tuple[int, Size | None], NDArray[np.uint8]] = OrderedDict()

    def _decode(
        self, indices: NDArray[np.int64], size: Size | None, deadline: Deadline
    ) -> Iterator[NDArray[np.uint8]]:
        # held apart: what is decoded for this request may drive them out
        held = {i: self._kept[i, size] for i in indices.tolist() if (i, size) in self._kept}
        missing = np.array([i for i in indices.tolist() if i not in held], np.int64)
        decoded = iter(self.video._decode(missing, size, deadline))
        for index in indices.tolist():
            # decoders reuse memory
            frame = held.pop(index) if index in held else next(decoded).copy()
            if self._kept.pop((index, size), None) is None:
                self._room -= frame.nbytes
            self._kept[index, size] = frame
            while self._room < 0 and len(self._kept) > 1:
                self._room += self._kept.popitem(last=False)[1].nbytes
            yield frame

    def close(self) -> None:
        """Close the video."""
        self.video.close()
