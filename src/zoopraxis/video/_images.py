"""Videos that are stored as images: a folder of frames, an array."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zoopraxis.errors import VideoError
from zoopraxis.video._base import Deadline, Size, Video
from zoopraxis.video._input import check_image_size
from zoopraxis.video._resize import resize_image
from zoopraxis.video._sequence import frames_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["TIMES", "ArrayVideo", "FolderVideo"]

TIMES = "frames.json"  # beside the frames: when they are


class FolderVideo(Video):
    """A folder of frames, ordered by the number in their names.

    Parameters
    ----------
    folder : Path
        Folder whose image files are the frames (see `frames_of`); other files, hidden files and
        images of flow beside them are ignored.
    fps : float
        Frames per second, where no `TIMES` beside the frames says when they are.
    timeout : float
        Time limit in seconds for each call of `frames_at`.

    Raises
    ------
    VideoError
        The folder holds no images or those of two videos, one is missing, the first cannot be
        read, the rate is not positive, or `TIMES` does not fit.
    """

    def __init__(self, folder: Path, *, fps: float, timeout: float) -> None:
        if not fps > 0:
            raise VideoError(f"{folder}: fps must be positive, not {fps}", "for example fps=25")
        self._files = frames_of(folder)
        height, width = _read_image(self._files[0]).shape[:2]
        times = _read_times(folder, len(self._files), fps)
        super().__init__(
            name=str(folder),
            timestamps=times.timestamps,
            fps=times.fps,
            duration=times.duration,
            size=(height, width),
            codec=self._files[0].suffix.lower().removeprefix("."),
            timeout=timeout,
        )

    def _decode(
        self, indices: NDArray[np.int64], size: Size | None, deadline: Deadline
    ) -> Iterator[NDArray[np.uint8]]:
        for index in indices.tolist():
            deadline.check()
            image = _read_image(self._files[index])
            if image.shape[:2] != (self.height, self.width):
                raise VideoError(
                    f"{self._files[index]}: {image.shape[1]}x{image.shape[0]}, but the first "
                    f"frame is {self.width}x{self.height}",
                    "give all frames of a video the same size",
                )
            yield resize_image(image, size)


class ArrayVideo(Video):
    """Frames in memory.

    Parameters
    ----------
    frames : uint8 tensor of shape (T, 3, H, W)
        RGB frames.
    fps : float
        Frames per second.
    name : str, default="array"
        Name used in error messages.
    timestamps : float64 ndarray of shape (T,), optional
        Presentation times in seconds since the first frame. The default is evenly spaced at
        ``fps``.
    timeout : float, default=60
        Time limit in seconds for each call of `frames_at`.

    Raises
    ------
    VideoError
        The rate is not positive, or the frames have another shape or dtype or are empty.
    """

    def __init__(
        self,
        frames: Tensor,
        *,
        fps: float,
        name: str = "array",
        timestamps: NDArray[np.float64] | None = None,
        timeout: float = 60.0,
    ) -> None:
        import torch

        if not fps > 0:
            raise VideoError(f"{name}: fps must be positive, not {fps}", "for example fps=25")
        if frames.dtype != torch.uint8 or frames.ndim != 4 or frames.shape[1] != 3:
            raise VideoError(
                f"{name}: frames must be uint8 (T, 3, H, W), not {frames.dtype} "
                f"{tuple(frames.shape)}",
                "scale to [0, 255], convert to uint8 and move the channels to dimension 1",
            )
        if 0 in frames.shape:
            raise VideoError(f"{name}: empty: {tuple(frames.shape)}", "pass at least one frame")
        times = np.arange(len(frames)) / fps if timestamps is None else timestamps
        super().__init__(
            name=name,
            timestamps=times,
            fps=fps,
            duration=float(times[-1]) + 1 / fps,
            size=(frames.shape[2], frames.shape[3]),
            codec="rawvideo",
            timeout=timeout,
        )
        self._frames = frames.numpy().transpose(0, 2, 3, 1)  # (T, H, W, 3), a view

    def _decode(
        self, indices: NDArray[np.int64], size: Size | None, deadline: Deadline
    ) -> Iterator[NDArray[np.uint8]]:
        for index in indices.tolist():
            deadline.check()
            yield resize_image(self._frames[index], size)


class _Times(NamedTuple):
    """When frames are: seconds since the first, frames per second, and seconds in all."""

    timestamps: NDArray[np.float64]
    fps: float
    duration: float


def _read_times(folder: Path, count: int, fps: float) -> _Times:
    """Times of the frames of a folder: those beside them, else evenly spaced."""
    file = folder / TIMES
    if not file.is_file():
        return _Times(np.arange(count) / fps, fps, count / fps)
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        times = np.array(told["timestamps"], dtype=np.float64)
        rate, duration = float(told["fps"]), float(told["duration"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VideoError(
            f"{file} does not say when frames are: {error!r}", "extract the frames again"
        ) from error
    if times.shape != (count,) or not (np.diff(times) > 0).all() or not 0 < rate < np.inf:
        raise VideoError(
            f"{file} has {times.size} times at {rate:g} frames per second, for {count} frames",
            "expected one for each frame, ascending: extract the frames again",
        )
    return _Times(times, rate, duration)


def _read_image(file: Path) -> NDArray[np.uint8]:
    """Read an image as RGB (H, W, 3)."""
    import cv2

    try:
        data = np.frombuffer(file.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise VideoError(f"{file}: cannot be read: {error.strerror}", "check the file") from error
    check_image_size(file, str(file))
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:  # beyond its own limits, which a build may lower
        image = None
    if image is None:
        raise VideoError(f"{file}: not a complete image", "copy or extract it again")
    rgb: NDArray[np.uint8] = np.ascontiguousarray(image[:, :, ::-1])
    return rgb
