"""Videos that are already pictures: a folder of frames, an array."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import VideoError
from zoopraxis.video._base import Clock, Size, Video

__all__ = ["ArrayVideo", "FolderVideo"]

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}


class FolderVideo(Video):
    """A folder of frames, in natural order: frame2.jpg comes before frame10.jpg.

    Parameters
    ----------
    folder : Path
        Its image files are the frames; other files are none.
    fps : float
        At which they were taken.
    timeout : float
        Seconds for each call of `frames_at`.
    """

    def __init__(self, folder: Path, *, fps: float, timeout: float) -> None:
        self._files = sorted(
            (file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES), key=_natural
        )
        if not self._files:
            raise VideoError(
                f"{folder}: there are no images in this folder",
                f"a folder of frames holds files that end in {', '.join(sorted(SUFFIXES))}",
            )
        height, width = _read_image(self._files[0]).shape[:2]
        super().__init__(
            name=str(folder),
            timestamps=np.arange(len(self._files)) / fps,
            fps=fps,
            duration=len(self._files) / fps,
            size=(height, width),
            codec=self._files[0].suffix.lower().removeprefix("."),
            timeout=timeout,
        )

    def _decode(
        self, numbers: NDArray[np.int64], size: Size | None, clock: Clock
    ) -> Iterator[Tensor]:
        for number in numbers.tolist():
            clock.check()
            image = _read_image(self._files[number])
            if image.shape[:2] != (self.height, self.width):
                raise VideoError(
                    f"{self._files[number]}: {image.shape[1]}x{image.shape[0]}, but the first "
                    f"frame is {self.width}x{self.height}",
                    "frames of one video have one size",
                )
            yield _scaled(torch.from_numpy(image), size)


class ArrayVideo(Video):
    """Frames in memory.

    Parameters
    ----------
    frames : uint8 tensor of shape (T, 3, H, W)
        RGB.
    fps : float
        Frames per second.
    name : str
        What error messages call it.
    timestamps : float64 ndarray of shape (T,), optional
        Seconds since the first frame. The default is even steps at ``fps``.
    """

    def __init__(
        self,
        frames: Tensor,
        *,
        fps: float,
        name: str = "array",
        timestamps: NDArray[np.float64] | None = None,
    ) -> None:
        if frames.dtype != torch.uint8 or frames.ndim != 4 or frames.shape[1] != 3:
            raise VideoError(
                f"{name}: frames must be uint8 (T, 3, H, W), not {frames.dtype} "
                f"{tuple(frames.shape)}",
                "scale to [0, 255], convert to uint8 and move the channels to the second place",
            )
        if 0 in frames.shape:
            raise VideoError(f"{name}: there are no frames: {tuple(frames.shape)}", "give some")
        times = np.arange(len(frames)) / fps if timestamps is None else timestamps
        super().__init__(
            name=name,
            timestamps=times,
            fps=fps,
            duration=float(times[-1]) + 1 / fps,
            size=(frames.shape[2], frames.shape[3]),
            codec="rawvideo",
        )
        self._frames = frames

    def _decode(
        self, numbers: NDArray[np.int64], size: Size | None, clock: Clock
    ) -> Iterator[Tensor]:
        for number in numbers.tolist():
            clock.check()
            yield _scaled(self._frames[number].movedim(0, -1), size)


def _natural(file: Path) -> list[tuple[int, str]]:
    """Key that sorts digits by their value: img_2 before img_10."""
    return [(int(p), "") if p.isdigit() else (-1, p) for p in re.split(r"(\d+)", file.name)]


def _read_image(file: Path) -> NDArray[np.uint8]:
    """Read an image as RGB (H, W, 3)."""
    import cv2

    try:
        data = np.frombuffer(file.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise VideoError(f"{file}: cannot be read: {error.strerror}", "check the file") from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise VideoError(f"{file}: this is not a whole image", "copy or extract it again")
    rgb: NDArray[np.uint8] = np.ascontiguousarray(image[:, :, ::-1])
    return rgb


def _scaled(image: Tensor, size: Size | None) -> Tensor:
    """Scale (H, W, 3) bilinearly, averaging over the area that a pixel covers."""
    if size is None or tuple(image.shape[:2]) == size:
        return image
    batch = image.movedim(-1, 0)[None]  # (1, 3, H, W)
    out = torch.nn.functional.interpolate(batch, size=size, mode="bilinear", antialias=True)
    return out[0].movedim(0, -1)  # (H, W, 3)
