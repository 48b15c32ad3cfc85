"""Flow that is computed from a video as it is asked for, and kept in the cache.

Frames are resized to the size at which testing reads them before flow is computed, as the papers
extract it; so flow is in pixels of the resized frames. A field becomes 8-bit codes as stored flow
is, whether it comes from the cache or not: the answers are the same.

The cache is a folder for each video, method and size. Whoever computes flow removes the folders
that were used longest ago, by the time of change of a folder, which each use sets, until the rest
fits in `LIMIT`. Another process that loses a folder computes its fields again.
"""

import contextlib
import hashlib
import math
import os
import shutil
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import VideoError, ZoopraxisError
from zoopraxis.files import UNFINISHED, cache_folder
from zoopraxis.flow import FlowMethod, compute_flow
from zoopraxis.flow.codes import to_codes
from zoopraxis.inputs.crops import Size
from zoopraxis.inputs.images import resize_frames
from zoopraxis.inputs.sampling import Indices
from zoopraxis.video import Video

__all__ = ["ComputedFlow"]

AT_ONCE = 64  # fields, which bounds memory
LIMIT = 10.0
"""GB that the cache keeps where ``ZOOPRAXIS_FLOW_CACHE`` says nothing."""
LEAVING = ".leaving"  # ends the name of a folder that is being removed


class ComputedFlow:
    """Flow from each frame of a video to the next, computed where it is read.

    Parameters
    ----------
    video : Video
        N + 1 frames, N at least 1. It is closed with the flow.
    path : Any
        What the video was opened from; the flow of a file is kept in the cache, by the file's
        content. ``ZOOPRAXIS_FLOW_CACHE`` says how many GB it keeps; ``off`` or 0 is none.
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

    _unchecked: ClassVar[float] = math.inf  # bytes that this process wrote since it made room

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
        self._limit = _limit()
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
        if not self._limit or not isinstance(path, str | Path) or not Path(path).is_file():
            return None
        with Path(path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
        digest.update(f"{self._method.key} {self.height}x{self.width} {self._bound:g}".encode())
        folder = cache_folder() / "flow" / digest.hexdigest()[:32]
        if folder.is_dir():
            with contextlib.suppress(FileNotFoundError):  # another process made room
                os.utime(folder)
        return folder

    def _from_cache(self, index: int) -> Tensor | None:
        file = self._kept / f"{index:06d}.png" if self._kept else None
        try:
            data = file.read_bytes() if file else b""
        except FileNotFoundError:
            return None
        both = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
        if both is None or both.shape != (2 * self.height, self.width):
            return None  # not whole: a machine that lost its power
        return torch.from_numpy(np.asarray(both, np.uint8).reshape(2, self.height, self.width))

    def _into_cache(self, index: int, field: Tensor) -> None:
        """Write a field (2, H, W) as one grey image, x above y; several processes may at once."""
        if self._kept is None:
            return
        _, image = cv2.imencode(".png", field.numpy().reshape(2 * self.height, self.width))
        # another process made room: it is not kept
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            self._kept.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                dir=self._kept, suffix=UNFINISHED, delete=False
            ) as file:
                file.write(image.tobytes())
            Path(file.name).replace(self._kept / f"{index:06d}.png")
            ComputedFlow._unchecked += len(image)

    def __enter__(self) -> "ComputedFlow":
        return self

    def __exit__(self, *_: object) -> None:
        self._video.close()
        # looking at every file takes a second or so: once a process, and for each 1 % it writes
        limit = self._limit * 1e9
        if self._kept is not None and self._kept.is_dir() and self._unchecked > limit / 100:
            ComputedFlow._unchecked = 0
            _make_room(self._kept.parent, limit, but=self._kept)


def _limit() -> float:
    """GB that the cache may keep.

    Raises
    ------
    ZoopraxisError
        ``ZOOPRAXIS_FLOW_CACHE`` is neither a number nor ``off``.
    """
    said = os.environ.get("ZOOPRAXIS_FLOW_CACHE", "").strip().lower() or str(LIMIT)
    if said in ("off", "no"):
        return 0.0
    try:
        limit = float(said)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < math.inf:
        raise ZoopraxisError(
            f"ZOOPRAXIS_FLOW_CACHE is {said!r}",
            "give the GB that the cache of flow may keep, or off",
        )
    return limit


def _make_room(cache: Path, limit: float, *, but: Path) -> None:
    """Remove the folders of a cache that were used longest ago until it has ``limit`` bytes.

    Several processes may at once: what has vanished counts as removed. A folder is renamed first,
    so that nobody finds a part of it.
    """
    used: list[tuple[float, int, Path]] = []
    for folder in cache.iterdir():
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            with os.scandir(folder) as files:
                size = sum(file.stat().st_size for file in files)
            used.append((folder.stat().st_mtime, size, folder))
    total = sum(size for _, size, _ in used)
    for _, size, folder in sorted(used):
        if total <= limit:
            return
        if folder == but:
            continue
        leaving = folder.with_name(f"{folder.name.removesuffix(LEAVING)}{LEAVING}")
        with contextlib.suppress(OSError):  # another process removes it
            folder.replace(leaving)
            shutil.rmtree(leaving, ignore_errors=True)
        total -= size


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """Split ascending numbers into runs of neighbours: 1 2 3 7 8 -> [1 2 3] [7 8]."""
    runs = [[numbers[0]]] if numbers else []
    for before, number in pairwise(numbers):
        if number == before + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs
