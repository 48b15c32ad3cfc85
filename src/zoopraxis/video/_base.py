"""The interface of every video, wherever its frames come from.

Frames are decoded into arrays. torch is imported where tensors are asked for, and not before: it
takes seconds, which a program that runs another engine need not spend.
"""

from __future__ import annotations

import abc
import time
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from zoopraxis.errors import VideoError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

__all__ = ["Deadline", "Size", "Video", "frame_rate"]

Size = tuple[int, int]  # (height, width)
MAX_RESIZED = 2**14  # larger is a mistake, and would fill the memory first


class Deadline:
    """A time limit that is checked between packets.

    Parameters
    ----------
    name : str
        What is being read, for the error message.
    seconds : float
        Seconds from now.
    """

    def __init__(self, name: str, seconds: float) -> None:
        self.name = name
        self.seconds = seconds
        self.restart()

    def restart(self) -> None:
        """Start the time limit again from now."""
        self.end = time.monotonic() + self.seconds

    def check(self) -> None:
        """Raise `VideoError` once the time limit is exceeded."""
        if time.monotonic() > self.end:
            raise VideoError(
                f"{self.name}: not read within {self.seconds:g} s",
                "it may be stalled; if it is only slow or long, pass a larger timeout",
            )


class Video(abc.ABC):
    """Frames that can be read by index, and their metadata.

    A frame's index is its rank in presentation order, from 0. A video is a context manager that
    closes the file on exit.

    Attributes
    ----------
    name : str
        File, folder, URL or kind of input, as named in error messages.
    timestamps : float64 ndarray of shape (N,)
        Presentation time of each frame, in seconds since the first frame.
    fps : float
        Mean frames per second.
    duration : float
        Seconds from the start of the first frame to the end of the last.
    width, height : int
        Frame width and height in pixels, after `rotation`.
    rotation : {0, 90, 180, 270}
        Degrees by which stored frames are rotated clockwise to be upright.
    mirrored : bool
        Whether they are then mirrored left to right, as front cameras ask for.
    sample_aspect_ratio : Fraction
        Width of a pixel divided by its height, after `rotation`; 1 where unknown. Frames are
        not stretched by it: data sets were prepared, and networks trained, without.
    transfer : str
        FFmpeg's name of the transfer characteristics, such as ``"bt709"``, ``"smpte2084"`` (PQ)
        or ``"arib-std-b67"`` (HLG); ``"unspecified"`` where unknown. Frames are not tone-mapped:
        HDR video keeps its code values and looks pale.
    codec : str
        Codec name, such as ``"h264"``.
    interlaced : bool
        Whether the first frame is marked as two fields of half the lines. Frames are not
        deinterlaced.
    """

    def __init__(
        self,
        *,
        name: str,
        timestamps: NDArray[np.float64],
        fps: float,
        duration: float,
        size: Size,
        codec: str,
        rotation: int = 0,
        mirrored: bool = False,
        sample_aspect_ratio: Fraction = Fraction(1),
        transfer: str = "unspecified",
        interlaced: bool = False,
        timeout: float = 60.0,
    ) -> None:
        self.name = name
        self.timestamps = timestamps
        self.fps = fps
        self.duration = duration
        self.height, self.width = size
        self.codec = codec
        self.rotation = rotation
        self.mirrored = mirrored
        self.sample_aspect_ratio = sample_aspect_ratio
        self.transfer = transfer
        self.interlaced = interlaced
        self.timeout = timeout

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return len(self.timestamps)

    @property
    def keys(self) -> NDArray[np.int64]:
        """Indices of the key frames, ascending, from which others can be decoded.

        All frames are, where each is kept by itself.
        """
        return np.arange(self.num_frames)

    def frames_at(self, indices: ArrayLike, *, resize: int | Size | None = None) -> Tensor:
        """Decode exactly the requested frames, each once.

        Parameters
        ----------
        indices : array_like of int
            Frame indices in any order, repeated or not: a scalar or any shape, such as (T,) or
            (V, T).
        resize : int or (int, int), optional
            Shorter side, or (height, width), in pixels. Frames are scaled bilinearly, with
            antialiasing, as they are decoded: one full-size frame is held in memory at a time.

        Returns
        -------
        uint8 tensor of shape (..., 3, H, W)
            Upright RGB frames; the leading dimensions are the shape of ``indices``. A
            channels-last view: decoders write (H, W, 3).

        Raises
        ------
        VideoError
            An index is out of range, or a requested frame cannot be decoded.
        """
        import torch

        return torch.from_numpy(self.arrays_at(indices, resize=resize)).movedim(-1, -3)

    def arrays_at(
        self, indices: ArrayLike, *, resize: int | Size | None = None
    ) -> NDArray[np.uint8]:
        """Decode frames as `frames_at`, into an array of shape (..., H, W, 3), without torch."""
        requested = self._as_array(indices)
        self._check_indices(requested)
        size = None if resize is None else self._resized(resize)
        height, width = size or (self.height, self.width)
        # [[30, 2, 2]] decodes frames 2 and 30, in order, and gathers them as [[1, 0, 0]].
        unique, inverse = np.unique(requested.astype(np.int64), return_inverse=True)
        frames = np.empty((len(unique), height, width, 3), dtype=np.uint8)
        deadline = Deadline(self.name, self.timeout)
        for i, frame in enumerate(self._decode(unique, size, deadline)):
            frames[i] = frame
        if not np.array_equal(inverse.ravel(), np.arange(len(unique))):
            frames = frames[inverse.ravel()]
        return frames.reshape(*requested.shape, height, width, 3)  # (..., H, W, 3)

    @abc.abstractmethod
    def _decode(
        self, indices: NDArray[np.int64], size: Size | None, deadline: Deadline
    ) -> Iterable[NDArray[np.uint8]]:
        """Yield uint8 (H, W, 3) for ascending indices, scaled to ``size`` if given, or raise."""

    def _as_array(self, indices: ArrayLike) -> NDArray[Any]:
        try:
            return np.asarray(indices)
        except (TypeError, ValueError) as error:  # rows of different lengths
            raise VideoError(
                f"{self.name}: frame indices must form an array: {error}",
                "give every row the same number of indices",
            ) from error

    def _check_indices(self, requested: NDArray[Any]) -> None:
        if requested.size == 0:
            return
        if not np.issubdtype(requested.dtype, np.integer):
            raise VideoError(
                f"{self.name}: frame indices must be integers, not {requested.dtype}",
                "round them first, for example with zoopraxis.inputs.sampling",
            )
        invalid = requested[(requested < 0) | (requested >= self.num_frames)]
        if invalid.size:
            raise VideoError(
                f"{self.name}: frame {invalid.flat[0]} was requested, but there are "
                f"{self.num_frames} frames (0 to {self.num_frames - 1})",
                "sample with this video's num_frames",
            )

    def _resized(self, resize: int | Size) -> Size:
        """Convert the ``resize`` argument to (height, width)."""
        values = np.asarray(resize)
        if not np.issubdtype(values.dtype, np.integer) or values.shape not in ((), (2,)):
            raise VideoError(
                f"{self.name}: cannot resize to {resize!r}",
                "pass the shorter side, or (height, width), as whole numbers of pixels",
            )
        if values.ndim == 0:
            # Truncated, as torchvision's Resize does: 340x256 to 128 is 170x128.
            short = min(self.height, self.width)
            side = int(values)
            size = side * self.height // short, side * self.width // short
        else:
            size = int(values[0]), int(values[1])
        if min(size) < 1 or max(size) > MAX_RESIZED:
            raise VideoError(
                f"{self.name}: cannot resize to {resize}",
                f"sizes are numbers of pixels from 1 to {MAX_RESIZED}, such as 128",
            )
        return size

    def close(self) -> None:  # noqa: B027 - most kinds of video hold nothing open
        """Close the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self.num_frames

    def __iter__(self) -> Iterator[Tensor]:
        """Yield every frame (3, H, W) in order, holding one at a time."""
        import torch

        deadline = Deadline(self.name, self.timeout)
        for frame in self._decode(np.arange(self.num_frames), None, deadline):
            yield torch.from_numpy(frame).movedim(-1, 0)
            deadline.restart()  # the time limit is per frame; what is done with it does not count

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.name}: {self.num_frames} frames, "
            f"{self.width}x{self.height}, {self.fps:.2f} fps, {self.codec}>"
        )


def frame_rate(timestamps: NDArray[np.float64], declared: float | None) -> float:
    """Mean frames per second: the declared rate where the timestamps confirm it to 1 %.

    Timestamps may be rounded to milliseconds, so a declared 30000/1001 is more exact than the
    measured rate; but with a variable frame rate the declared one can be plainly wrong.
    """
    if len(timestamps) < 2 or timestamps[-1] <= 0:
        return declared or 1.0
    measured = float((len(timestamps) - 1) / timestamps[-1])
    if declared and abs(declared - measured) <= 0.01 * measured:
        return declared
    return measured
