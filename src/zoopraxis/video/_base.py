"""What every video offers, wherever its frames come from."""

import abc
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from zoopraxis.errors import VideoError

__all__ = ["Clock", "Size", "Video", "frame_rate"]

Size = tuple[int, int]  # (height, width)


class Clock:
    """A time limit that is looked at between packets.

    Parameters
    ----------
    name : str
        What is being read, for the message.
    seconds : float
        The limit.
    """

    def __init__(self, name: str, seconds: float) -> None:
        self.name = name
        self.seconds = seconds
        self.end = time.monotonic() + seconds

    def check(self) -> None:
        """Raise `VideoError` when the time is over."""
        if time.monotonic() > self.end:
            raise self.error()

    def error(self) -> VideoError:
        """Error that says that the time was over."""
        return VideoError(
            f"{self.name}: not read within {self.seconds:g} s",
            "the source may be stuck; if it is only slow or long, pass a larger timeout",
        )


class Video(abc.ABC):
    """Frames that can be asked for by number, and what is known about them.

    A frame's number is its rank in presentation order, from 0. A video is a context manager;
    leaving it closes the file.

    Attributes
    ----------
    name : str
        File, folder, URL or kind of source, as error messages give it.
    timestamps : float64 ndarray of shape (N,)
        When each frame is shown, in seconds since the first.
    fps : float
        Mean frames per second.
    duration : float
        Seconds from the start of the first frame to the end of the last.
    width, height : int
        As shown, after `rotation`.
    rotation : {0, 90, 180, 270}
        Degrees by which stored frames are turned clockwise to be shown upright.
    codec : str
        Such as ``"h264"``.
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
        timeout: float = 60.0,
    ) -> None:
        self.name = name
        self.timestamps = timestamps
        self.fps = fps
        self.duration = duration
        self.height, self.width = size
        self.codec = codec
        self.rotation = rotation
        self.timeout = timeout

    @property
    def num_frames(self) -> int:
        """N."""
        return len(self.timestamps)

    def frames_at(self, indices: ArrayLike, *, resize: int | Size | None = None) -> Tensor:
        """Decode exactly the asked frames, each once.

        Parameters
        ----------
        indices : array_like of int
            Frame numbers in any order, repeated or not: (N,), (V, T) or a single one.
        resize : int or (int, int), optional
            Shorter side in pixels, or (height, width): frames are scaled as they are decoded,
            bilinearly, so that large ones are never held.

        Returns
        -------
        uint8 tensor of shape (..., 3, H, W)
            With the shape of ``indices`` in front. RGB, upright; its memory runs along the
            channels first, as decoders write it.

        Raises
        ------
        VideoError
            A number is out of range, or a frame that was asked for cannot be decoded.
        """
        asked = np.asarray(indices)
        self._check_numbers(asked)
        target = None if resize is None else self._target(resize)
        height, width = target or (self.height, self.width)
        numbers, where = np.unique(asked.astype(np.int64), return_inverse=True)
        frames = torch.empty((len(numbers), height, width, 3), dtype=torch.uint8)
        clock = Clock(self.name, self.timeout)
        for slot, frame in enumerate(self._decode(numbers, target, clock)):
            frames[slot] = frame
        if not np.array_equal(where.ravel(), np.arange(len(numbers))):
            frames = frames[torch.from_numpy(where.ravel())]
        return frames.reshape(*asked.shape, height, width, 3).movedim(-1, -3)  # (..., 3, H, W)

    @abc.abstractmethod
    def _decode(
        self, numbers: NDArray[np.int64], size: Size | None, clock: Clock
    ) -> Iterable[Tensor]:
        """Yield uint8 (H, W, 3), scaled if a size is given, for ascending numbers, or raise."""

    def _check_numbers(self, asked: NDArray[Any]) -> None:
        if asked.size == 0:
            return
        if not np.issubdtype(asked.dtype, np.integer):
            raise VideoError(
                f"{self.name}: frame numbers must be integers, not {asked.dtype}",
                "round them first, for example with zoopraxis.inputs.sampling",
            )
        wrong = asked[(asked < 0) | (asked >= self.num_frames)]
        if wrong.size:
            raise VideoError(
                f"{self.name}: frame {wrong.flat[0]} was asked for, but there are "
                f"{self.num_frames} frames (0 to {self.num_frames - 1})",
                "sample with this video's num_frames",
            )

    def _target(self, resize: int | Size) -> Size:
        """(height, width) of resized frames."""
        if isinstance(resize, int | np.integer):
            # Truncated, as torchvision's Resize does it: 340x256 to 128 is 170x128.
            short = min(self.height, self.width)
            side = int(resize)
            size = side * self.height // short, side * self.width // short
        else:
            size = resize[0], resize[1]
        if min(size) < 1:
            raise VideoError(
                f"{self.name}: cannot resize to {resize}", "sizes are positive pixels: 128"
            )
        return size

    def close(self) -> None:  # noqa: B027 - most sources hold nothing open
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
        """Yield every frame (3, H, W), one after another, holding none of them."""
        clock = Clock(self.name, self.timeout)
        for frame in self._decode(np.arange(self.num_frames), None, clock):
            clock.end = time.monotonic() + self.timeout  # the limit is for each frame
            yield frame.movedim(-1, 0)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.name}: {self.num_frames} frames, "
            f"{self.width}x{self.height}, {self.fps:.2f} fps, {self.codec}>"
        )


def frame_rate(timestamps: NDArray[np.float64], declared: float | None) -> float:
    """Mean frames per second: the declared rate where the time stamps bear it out.

    Time stamps may be rounded to milliseconds, so that a declared 30000/1001 is better than
    what they measure; but a header can also be plainly wrong (variable frame rate).
    """
    if len(timestamps) < 2 or timestamps[-1] <= 0:
        return declared or 1.0
    measured = float((len(timestamps) - 1) / timestamps[-1])
    if declared and abs(declared - measured) <= 0.01 * measured:
        return declared
    return measured
