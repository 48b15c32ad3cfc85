"""How stored frames are turned and mirrored to be upright, from FFmpeg's display matrix."""

import math
import re
from fractions import Fraction
from typing import NamedTuple, cast

import numpy as np
from av.buffer import Buffer
from av.filter import Graph
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from zoopraxis.errors import VideoError
from zoopraxis.video._remedies import UPRIGHT, command

__all__ = ["Orientation", "orientation_of"]

# Degrees. Cameras write matrices that are off by rounding: 1/65536 is 0.003 degrees. The `ffmpeg`
# program rounds to whole degrees; a tilt of less than one is not worth a refusal.
TOLERANCE = 1.0
MAX_UNKNOWN = 16  # kinds of side data that PyAV may not know; FFmpeg has about 35 in all

# clockwise rotation -> FFmpeg filters that apply it
_TURNS = {0: (), 90: ("transpose=clock",), 180: ("hflip", "vflip"), 270: ("transpose=cclock",)}


class Orientation(NamedTuple):
    """A clockwise rotation, and whether the result is then mirrored left to right."""

    rotation: int = 0
    mirrored: bool = False

    @property
    def filters(self) -> tuple[str, ...]:
        """FFmpeg filters that make stored frames upright."""
        return (*_TURNS[self.rotation], *(("hflip",) if self.mirrored else ()))


def orientation_of(frame: VideoFrame, name: str) -> Orientation:
    """Orientation of a decoded frame.

    Parameters
    ----------
    frame : VideoFrame
        A frame, which carries the display matrix of its file or of its own metadata (the EXIF
        orientation of a photograph, an SEI message).
    name : str
        Name used in error messages.

    Raises
    ------
    VideoError
        The matrix is neither a quarter turn, to a degree, nor a mirrored one.
    """
    matrix = _display_matrix(frame)
    if matrix is None:
        return Orientation()
    # A pixel at (x, y), y downwards, is shown at (a x + c y, b x + d y). The other five numbers
    # shift and project; players ignore them, and scale by the sample aspect ratio instead.
    a, b, c, d = (float(matrix[i]) for i in (0, 1, 3, 4))
    mirrored = a * d - b * c < 0
    if mirrored:  # undo the mirroring, which comes last: (x', y') is shown at (-x', y')
        a, c = -a, -c
    # Of a rotation clockwise by t, a = d = cos t and b = -c = sin t. Both axes must agree: a
    # sheared or degenerate matrix is no rotation.
    angles = [math.degrees(math.atan2(b, a)), math.degrees(math.atan2(-c, d))]
    quarter = round(angles[0] / 90) * 90
    if a * d - b * c == 0 or any(abs((t - quarter + 180) % 360 - 180) > TOLERANCE for t in angles):
        shown = " ".join(f"{v / 65536:.5g}" for v in matrix[[0, 1, 3, 4]].tolist())
        raise VideoError(
            f"{name}: its display matrix [{shown}] is not a turn by 0, 90, 180 or 270 degrees, "
            "mirrored or not",
            f"to drop the matrix and keep the frames as stored: {command(UPRIGHT)}",
        )
    return Orientation(quarter % 360, mirrored)


def _display_matrix(frame: VideoFrame) -> NDArray[np.int32] | None:
    """Display matrix of a frame, nine numbers in rows; None if it has none."""
    for _ in range(MAX_UNKNOWN):
        try:
            data = frame.side_data.get("DISPLAYMATRIX")
        except ValueError as error:
            # "31 is not a valid Type": PyAV lists all side data of a frame or none, and does not
            # know those that FFmpeg added last (31: EXIF; 29: the eye of stereo video).
            unknown = re.match(r"\d+", str(error))
            if unknown is None:
                raise
            frame = _without_side_data(frame, unknown[0])
        else:
            return None if data is None else np.frombuffer(bytes(cast("Buffer", data)), np.int32)
    return None


def _without_side_data(frame: VideoFrame, kind: str) -> VideoFrame:
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base or Fraction(1, 25),
        ),
        graph.add("sidedata", f"mode=delete:type={kind}"),
        graph.add("buffersink"),
    ).configure()
    graph.vpush(frame)
    return graph.vpull()
