"""Motion since a reference, by the vectors of a codec: accumulated vectors and residuals.

`accumulate` traces the vectors of frames back to the last I-frame, so that a frame is described by
the motion since a frame that stands for itself, and by the residual that this motion leaves (Wu et
al., Compressed Video Action Recognition, CVPR 2018, arXiv:1712.00636, section 3.1; code:
https://github.com/chaoyuaw/pytorch-coviar). DMC-Net (arXiv:1901.03460) takes the vectors since the
frame before, `from_previous`.

As in their reader, vectors are whole pixels; blocks that were not moved have the vector 0, and so
have pixels that come from outside the earlier frame.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import VideoError
from zoopraxis.video._remedies import ONE_REFERENCE, command

__all__ = [
    "REMEDY",
    "Motion",
    "MotionFrame",
    "Picture",
    "Vectors",
    "accumulate",
    "compensated_residual",
    "from_previous",
    "paint",
    "trace_back",
]

Vectors = NDArray[np.int32]
Picture = Literal["I", "P", "B"]

REMEDY = f"re-encode it: {command(ONE_REFERENCE, out='REENCODED.avi')}"


@dataclass(frozen=True)
class MotionFrame:
    """A decoded frame and the motion vectors from which it was predicted.

    Parameters
    ----------
    name : str
        Name of its video, for error messages.
    index : int
        Its rank in presentation order, from 0.
    time : float
        Seconds since the first frame.
    picture : {"I", "P", "B"}
        How it was coded: by itself, from earlier frames, or from earlier and later ones.
    vectors : int32 ndarray of shape (2, H, W), or None
        Motion of each pixel since the earlier frame, in pixels, x (to the right) then y
        (downwards): pixel (x, y) was predicted from (x - dx, y - dy). Vectors from later frames
        are left out. None for the last frame of MPEG-4 with B-frames, of which FFmpeg exports
        none.
    references : int
        Most frames from which the codec may predict one. Above 1, the earlier frame of a vector
        need not be the one before; which it is, FFmpeg does not say.
    image : uint8 ndarray of shape (H, W, 3)
        The frame in RGB.
    """

    name: str
    index: int
    time: float
    picture: Picture
    vectors: Vectors | None
    references: int
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class Motion:
    """The motion of a frame since a reference, and what it leaves unexplained.

    Parameters
    ----------
    index, time, picture, image
        As of `MotionFrame`.
    vectors : int32 ndarray of shape (2, H, W)
        Motion of each pixel since the reference, in pixels, x then y.
    reference : uint8 ndarray of shape (H, W, 3)
        The reference in RGB: the last I-frame, or the frame before.
    """

    index: int
    time: float
    picture: Picture
    image: NDArray[np.uint8]
    vectors: Vectors
    reference: NDArray[np.uint8]

    @cached_property
    def residual(self) -> NDArray[np.int16]:
        """RGB (3, H, W) of the frame less that of the pixels that moved there, -255 to 255.

        CoViAR's reader has the channels in the order BGR.
        """
        return compensated_residual(self.image, self.reference, self.vectors)


def paint(field: Vectors, blocks: NDArray[Any]) -> Vectors:
    """Write the vectors of blocks into a field (2, H, W), and return it.

    Parameters
    ----------
    field : int32 ndarray of shape (2, H, W)
        Zeros.
    blocks : structured ndarray of shape (N,)
        FFmpeg's ``AVMotionVector``: `dst_x` and `dst_y` is the centre of a block of `w` x `h`
        pixels, `src_x` and `src_y` where it came from, `source` negative for an earlier frame.
    """
    height, width = field.shape[1:]
    flat = field.reshape(2, -1)
    blocks = blocks[blocks["source"] < 0]
    vectors = np.stack([blocks[f"dst_{c}"].astype(np.int32) - blocks[f"src_{c}"] for c in "xy"])
    moved = vectors.any(axis=0)
    blocks, vectors = blocks[moved], vectors[:, moved]  # others are 0, as the field is
    for w, h in np.unique(blocks[["w", "h"]]).tolist():  # 16x16, and its halves and quarters
        same = (blocks["w"] == w) & (blocks["h"] == h)
        dx, dy = both = vectors[:, same, None, None]  # (N', 1, 1) each
        y = blocks["dst_y"][same, None, None] + (np.arange(h) - h // 2)[:, None]  # (N', h, 1)
        x = blocks["dst_x"][same, None, None] + (np.arange(w) - w // 2)  # (N', 1, w)
        inside = (_within(y, height) & _within(y - dy, height)) & (
            _within(x, width) & _within(x - dx, width)
        )  # (N', h, w)
        flat[:, (y * width + x)[inside]] = np.broadcast_to(both, (2, *inside.shape))[:, inside]
    return field


def _within(places: NDArray[Any], size: int) -> NDArray[np.bool_]:
    return (places >= 0) & (places < size)


def _grid(height: int, width: int) -> Vectors:
    """Place of each pixel, x then y: (2, H, W)."""
    y, x = np.mgrid[:height, :width].astype(np.int32)
    return np.stack((x, y))


def _places(vectors: Vectors) -> Vectors:
    """Number, row by row, of the pixel of the earlier frame that moved to each: (H, W).

    Several times faster to look up than a pair of coordinates.
    """
    x, y = _grid(*vectors.shape[1:]) - vectors
    places: Vectors = y * vectors.shape[2] + x
    return places


def trace_back(origins: Vectors, vectors: Vectors) -> Vectors:
    """Follow the vectors of a frame to the frame before, and from there to its origins.

    Parameters
    ----------
    origins : int32 ndarray of shape (2, H, W)
        Of each pixel of the frame before, the place in the I-frame from which it came, x then y.
    vectors : int32 ndarray of shape (2, H, W)
        Motion from the frame before to this one, in pixels, x then y.

    Returns
    -------
    int32 ndarray of shape (2, H, W)
        The same of this frame: its pixel (x, y) was at (x - dx, y - dy) in the frame before.
    """
    return origins.reshape(2, -1).take(_places(vectors), axis=1)


def compensated_residual(
    image: NDArray[np.uint8], reference: NDArray[np.uint8], vectors: Vectors
) -> NDArray[np.int16]:
    """Difference of a frame and a reference whose pixels are moved by vectors.

    Parameters
    ----------
    image, reference : uint8 ndarray of shape (H, W, 3)
        The frame, and the one from which it is predicted.
    vectors : int32 ndarray of shape (2, H, W)
        Motion from the reference to the frame, in pixels, x then y.

    Returns
    -------
    int16 ndarray of shape (3, H, W)
        From -255 to 255.
    """
    moved = reference.reshape(-1, 3).take(_places(vectors), axis=0)  # (H, W, 3)
    difference = image.astype(np.int16) - moved
    return np.ascontiguousarray(difference.transpose(2, 0, 1))


def accumulate(frames: Iterable[MotionFrame]) -> Iterator[Motion]:
    """Trace the motion of frames back to the last I-frame.

    An I-frame has the vectors 0 and the residual 0. A data set should not sample it: CoViAR and
    DMC-Net take the frame before it.

    Parameters
    ----------
    frames : iterable of MotionFrame
        Frames in order, none left out, as of `read_motion`; the first an I-frame.

    Yields
    ------
    Motion
        One for each frame.

    Raises
    ------
    VideoError
        The first is no I-frame, a frame was predicted from later ones or may have been from
        others than the one before, its vectors are unknown, the frame size changes, or frames are
        left out.
    """
    origins = np.zeros((2, 0, 0), np.int32)
    for frame, start, _ in _checked(frames):
        grid = _grid(*frame.image.shape[:2])
        origins = trace_back(grid if frame.picture == "I" else origins, _known(frame))
        yield Motion(
            frame.index, frame.time, frame.picture, frame.image, grid - origins, start.image
        )


def from_previous(frames: Iterable[MotionFrame]) -> Iterator[Motion]:
    """Take the motion of frames since the frame before, as the codec has it.

    An I-frame has the vectors 0 and the residual 0.

    Parameters
    ----------
    frames : iterable of MotionFrame
        As of `accumulate`.

    Yields
    ------
    Motion
        One for each frame.

    Raises
    ------
    VideoError
        As of `accumulate`.
    """
    for frame, _, before in _checked(frames):
        yield Motion(
            frame.index, frame.time, frame.picture, frame.image, _known(frame), before.image
        )


def _checked(
    frames: Iterable[MotionFrame],
) -> Iterator[tuple[MotionFrame, MotionFrame, MotionFrame]]:
    """Yield each frame with its I-frame and the frame before; an I-frame stands for all three.

    Raise if motion cannot be traced from a frame to these.
    """
    start: MotionFrame | None = None
    before: MotionFrame | None = None
    for frame in frames:
        if before is not None and frame.picture != "I" and frame.index != before.index + 1:
            raise VideoError(
                f"{frame.name}: frame {frame.index} came where {before.index + 1} follows",
                "pass every frame, in order",
            )
        if frame.picture == "I":
            start = before = frame
        start = _traceable(frame, start)
        yield frame, start, before or start
        before = frame


def _traceable(frame: MotionFrame, start: MotionFrame | None) -> MotionFrame:
    """Return the I-frame to which a frame is traced back, or raise if it cannot be."""
    where = f"{frame.name}: frame {frame.index}"
    if start is None:
        raise VideoError(f"{where} is a {frame.picture}-frame with no I-frame before it", REMEDY)
    if frame.picture == "B":
        raise VideoError(
            f"{where} is a B-frame, predicted from later frames, and cannot be traced back", REMEDY
        )
    if frame.references > 1:
        raise VideoError(
            f"{where} may be predicted from {frame.references} frames, and FFmpeg does not say "
            "from which: vectors can be traced back only from each frame to the one before",
            REMEDY,
        )
    (height, width), (before, across) = frame.image.shape[:2], start.image.shape[:2]
    if (height, width) != (before, across):
        raise VideoError(
            f"{where} is {width}x{height}, the I-frame before it {across}x{before}", REMEDY
        )
    return start


def _known(frame: MotionFrame) -> Vectors:
    if frame.vectors is None:
        raise VideoError(
            f"{frame.name}: FFmpeg exports no motion vectors of frame {frame.index}, the last",
            REMEDY,
        )
    return frame.vectors
