"""Videos that are stored as images: a folder of frames, an array."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import VideoError
from zoopraxis.video._base import Deadline, Size, Video

__all__ = ["ArrayVideo", "FolderVideo"]

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}


class FolderVideo(Video):
    """A folder of frames, in natural order: frame2.jpg comes before frame10.jpg.

    Parameters
    ----------
    folder : Path
        Folder whose image files are the frames; other files are ignored.
    fps : float
        Frames per second.
    timeout : float
        Time limit in seconds for each call of `frames_at`.

    Raises
    ------
    VideoError
        The folder holds no images, or the first one cannot be read.
    """

    def __init__(self, folder: Path, *, fps: float, timeout: float) -> None:
        self._files = sorted(
            (file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES), key=_natural
        )
        if not self._files:
            raise VideoError(
                f"{folder}: no images in this folder",
                f"frames are files ending in {', '.join(sorted(SUFFIXES))}",
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
        self, indices: NDArray[np.int64], size: Size | None, deadline: Deadline
    ) -> Iterator[Tensor]:
        for index in indices.tolist():
            deadline.check()
            image = _read_image(self._files[index])
            if image.shape[:2] != (self.height, self.width):
                raise VideoError(
                    f"{self._files[index]}: {image.shape[1]}x{image.shape[0]}, but the first "
                    f"frame is {self.width}x{self.height}",
                    "give all frames of a video the same size",
                )
            yield _resize(torch.from_numpy(image), size)


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

    Raises
    ------
    VideoError
        The frames have another shape or dtype, or are empty.
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
        )
        self._frames = frames

    def _decode(
        self, indices: NDArray[np.int64], size: Size | None, deadline: Deadline
    ) -> Iterator[Tensor]:
        for index in indices.tolist():
            deadline.check()
            yield _resize(self._frames[index].movedim(0, -1), size)


def _natural(file: Path) -> list[tuple[int, str]]:
    """Sort key that compares runs of digits by value: img_2 before img_10."""
    # img_10.jpg -> [(-1, "img_"), (10, ""), (-1, ".jpg")]
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
        raise VideoError(f"{file}: not a complete image", "copy or extract it again")
    rgb: NDArray[np.uint8] = np.ascontiguousarray(image[:, :, ::-1])
    return rgb


def _resize(image: Tensor, size: Size | None) -> Tensor:
    """Resize (H, W, 3) bilinearly with antialiasing."""
    if size is None or tuple(image.shape[:2]) == size:
        return image
    batch = image.movedim(-1, 0)[None]  # (1, 3, H, W)
    out = torch.nn.functional.interpolate(batch, size=size, mode="bilinear", antialias=True)
    return out[0].movedim(0, -1)  # (H, W, 3)
