"""Flow that is computed from a video as it is asked for, and kept in the cache.

Frames are resized to the size at which testing reads them before flow is computed, as the papers
extract it; so flow is in pixels of the resized frames. A field becomes 8-bit codes as stored flow
is, whether it comes from the cache or not: the answers are the same.
"""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import VideoError
from zoopraxis.files import cache_folder
from zoopraxis.flow import FlowMethod, compute_flow
from zoopraxis.flow.codes import to_codes
from zoopraxis.inputs.crops import Size
from zoopraxis.inputs.images import resize_frames
from zoopraxis.inputs.sampling import Indices
from zoopraxis.video import Video

__all__ = ["ComputedFlow"]

AT_ONCE = 64  # fields, which bounds memory


class ComputedFlow:
    """Flow from each frame of a video to the next, computed where it is read.

    Parameters
    ----------
    video : Video
        N + 1 frames, N at least 1. It is closed with the flow.
    path : Any
        What the video was opened from; the flow of a file is kept in the cache, by the file's
        content. ``ZOOPRAXIS_FLOW_CACHE=off`` keeps none.
    method : FlowMethod
        How flow is computed.
    size : (int, int)
        Height and width to which frames are resized first.
    bound : float
        Pixels per frame at which flow is clipped.

    Raises
    ------
    VideoError
        The video has one frame.
    """

    def __init__(
        self, video: Video, path: Any, *, method: FlowMethod, size: Size, bound: float
    ) -> None:
        if video.num_frames < 2:
            video.close()
            raise VideoError(
                f"{video.name}: one frame, and flow lies between two", "give a longer video"
            )
        self.name, self.fps, self.duration = video.name, video.fps, video.duration
        self.timestamps: NDArray[np.float64] = video.timestamps[:-1]
        self.height, self.width = size
        self._video, self._method, self._bound = video, method, bound
        self._kept = self._folder(path)

    @property
    def num_frames(self) -> int:
        """Number of flow fields."""
        return len(self.timestamps)

    def fields_at(self, indices: Indices, *, resize: Size) -> Tensor:
        """Codes (*indices.shape, 2, h, w), uint8; resizing leaves their values as they are."""
        unique, where = np.unique(indices, return_inverse=True)
        parts = [
            resize_frames(self._codes(unique[first : first + AT_ONCE]), resize)
            for first in range(0, len(unique), AT_ONCE)
        ]
        fields = torch.cat(parts)[torch.from_numpy(where.ravel())]  # (n, 2, h, w)
        return fields.reshape(*indices.shape, *fields.shape[1:])

    def _codes(self, indices: NDArray[np.int64]) -> Tensor:
        """Codes (n, 2, H, W) of fields in ascending order: from the cache, else computed."""
        codes = {int(i): self._from_cache(int(i)) for i in indices}
        for run in _runs([i for i, field in codes.items() if field is None]):
            frames = self._video.frames_at(
                np.arange(run[0], run[-1] + 2), resize=(self.height, self.width)
            )
            fields = to_codes(compute_flow(frames, self._method), bound=self._bound)
            for index, field in zip(run, fields, strict=True):
                codes[index] = field
                self._into_cache(index, field)
        return torch.stack([field for field in codes.values() if field is not None])

    def _folder(self, path: Any) -> Path | None:
        """Folder of the cache: named by the file's content and how its flow is computed."""
        if os.environ.get("ZOOPRAXIS_FLOW_CACHE", "").lower() in ("off", "0", "no"):
            return None
        if not isinstance(path, str | Path) or not Path(path).is_file():
            return None
        with Path(path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
        digest.update(f"{self._method.key} {self.height}x{self.width} {self._bound:g}".encode())
        return cache_folder() / "flow" / digest.hexdigest()[:32]

    def _from_cache(self, index: int) -> Tensor | None:
        file = self._kept / f"{index:06d}.png" if self._kept else None
        if file is None or not file.is_file():
            return None
        both = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
        if both is None or both.shape != (2 * self.height, self.width):
            return None  # not whole: a machine that lost its power
        return torch.from_numpy(np.asarray(both, np.uint8).reshape(2, self.height, self.width))

    def _into_cache(self, index: int, field: Tensor) -> None:
        """Write a field (2, H, W) as one grey image, x above y; several processes may at once."""
        if self._kept is None:
            return
        _, image = cv2.imencode(".png", field.numpy().reshape(2 * self.height, self.width))
        self._kept.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._kept, suffix=".writing", delete=False) as file:
            file.write(image.tobytes())
        Path(file.name).replace(self._kept / f"{index:06d}.png")

    def __enter__(self) -> "ComputedFlow":
        return self

    def __exit__(self, *_: object) -> None:
        self._video.close()


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """Split ascending numbers into runs of neighbours: 1 2 3 7 8 -> [1 2 3] [7 8]."""
    runs = [[numbers[0]]] if numbers else []
    for before, number in pairwise(numbers):
        if number == before + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs
