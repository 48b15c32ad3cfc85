"""Files of extracted trajectories, one of each video: parallel, and resumable.

A file is a safetensors file: ``info`` float32 (N, 10), ``descriptors`` float16 (N, 426) and
``times`` float64 (F,), the seconds at which the F frames of the video are shown; its header holds
the `TrajectorySettings`, and the size of the video's file.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from zoopraxis.checkpoints.read import read_safetensors
from zoopraxis.errors import CheckpointError, DataError
from zoopraxis.files import write_atomically
from zoopraxis.records import build
from zoopraxis.trajectories.extract import extract_trajectories
from zoopraxis.trajectories.settings import LENGTH, PARTS, TrajectorySettings
from zoopraxis.video import open_video
from zoopraxis.video.extraction import Extracted, extract_all
from zoopraxis.workers import num_cores

__all__ = [
    "StoredTrajectories",
    "Summary",
    "extract_files",
    "read_trajectories",
    "save_trajectories",
    "summarise",
]

SUFFIX = ".safetensors"
HEADER = "zoopraxis.trajectories"  # key of the settings in the header
SIZE = "zoopraxis.video_bytes"
REMEDY = "choose another OUT, or remove it"
_INFO = PARTS["info"].stop
_WIDTH = max(part.stop for part in PARTS.values())


@dataclass(frozen=True, kw_only=True)
class StoredTrajectories:
    """The trajectories of a video.

    Parameters
    ----------
    values : Tensor of shape (N, 436)
        float32; the descriptors are rounded to float16.
    times : ndarray of shape (F,)
        Seconds at which the frames are shown.
    settings : TrajectorySettings
        How they were extracted.
    """

    values: Tensor
    times: NDArray[np.float64]
    settings: TrajectorySettings

    def within(self, start: float | None, end: float | None) -> Tensor:
        """Rows (M, 436) of the trajectories all of whose frames are shown in [start, end)."""
        if start is None and end is None:
            return self.values
        last = self.values[:, 0].numpy().round().astype(np.int64)  # (N,), frame of the last point
        last = last.clip(0, len(self.times) - 1)
        inside = self.times[(last - LENGTH).clip(0)] >= (start or 0.0)
        if end is not None:
            inside &= self.times[last] < end
        return self.values[torch.from_numpy(inside)]


def save_trajectories(
    path: Path,
    values: NDArray[np.float32],
    *,
    times: NDArray[np.float64],
    settings: TrajectorySettings,
    size: int = 0,
) -> None:
    """Write the trajectories of a video, atomically.

    Parameters
    ----------
    path : Path
        Ends in ``.safetensors``.
    values : ndarray of shape (N, 436)
        What `zoopraxis.trajectories.extract.extract_trajectories` gives.
    times : ndarray of shape (F,)
        Seconds at which the frames are shown.
    settings : TrajectorySettings
        How they were extracted.
    size : int, default=0
        Bytes of the video's file; 0 if it is none.
    """
    rows = torch.from_numpy(np.ascontiguousarray(values, np.float32))
    tensors = {
        "info": rows[:, :_INFO].contiguous(),
        "descriptors": rows[:, _INFO:].half().contiguous(),
        "times": torch.from_numpy(np.ascontiguousarray(times, np.float64)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, save(tensors, metadata={HEADER: settings.key, SIZE: str(size)}))


def read_trajectories(path: str | Path) -> StoredTrajectories:
    """Read what `save_trajectories` wrote.

    Raises
    ------
    DataError
        The file is missing, damaged or of another kind.
    """
    try:
        tensors, header = read_safetensors(Path(path))
        settings = _settings_of(header, path)
        values = torch.cat([tensors["info"].float(), tensors["descriptors"].float()], dim=1)
        times = tensors["times"].double().numpy()
        if values.shape[1] != _WIDTH or not torch.isfinite(values).all() or times.ndim != 1:
            raise ValueError(f"values of shape {tuple(values.shape)}")
    except (CheckpointError, OSError, KeyError, ValueError, RuntimeError, IndexError) as error:
        raise _not_ours(path, error) from error
    return StoredTrajectories(values=values, times=times, settings=settings)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a file of trajectories is of.

    Parameters
    ----------
    count : int
        Number of trajectories.
    num_frames, size : int
        Frames of the video, and bytes of its file; 0 if it is none.
    settings : TrajectorySettings
        How they were extracted.
    """

    count: int
    num_frames: int
    size: int
    settings: TrajectorySettings


def summarise(path: str | Path) -> Summary:
    """Read what a file of trajectories is of, without reading them.

    Raises
    ------
    DataError
        The file is missing, damaged or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            count, width = file.get_slice("descriptors").get_shape()
            (num_frames,) = file.get_slice("times").get_shape()
            header = file.metadata() or {}
        settings, size = _settings_of(header, path), int(header[SIZE])
        if width != _WIDTH - _INFO:
            raise ValueError(f"descriptors of {width} values")
    except Exception as error:  # the library answers headers that lie with errors of all types
        raise _not_ours(path, error) from error
    return Summary(count=count, num_frames=num_frames, size=size, settings=settings)


def _settings_of(header: dict[str, str], path: str | Path) -> TrajectorySettings:
    return build(
        TrajectorySettings, json.loads(header[HEADER]), where=str(path), error=CheckpointError
    )


def _not_ours(path: str | Path, error: Exception) -> DataError:
    if not Path(path).is_file():
        return DataError(f"no file {path}", "extract the trajectories again")
    reason = error.problem if isinstance(error, CheckpointError) else str(error)
    return DataError(f"{path} holds no trajectories that were extracted here: {reason}", REMEDY)


def extract_files(
    videos: Sequence[str],
    places: Sequence[Path],
    *,
    settings: TrajectorySettings,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Extracted]:
    """Extract the trajectories of videos, or resume it: finished videos are kept.

    Parameters
    ----------
    videos : sequence of str
        What `zoopraxis.video.open_video` takes.
    places : sequence of Path
        File, without its suffix, of each video's trajectories.
    settings : TrajectorySettings
        How they are extracted.
    workers, progress
        As for `zoopraxis.video.extraction.extract_all`.

    Returns
    -------
    list of Extracted
        In the order of the videos, with the number of trajectories; a video that cannot be read
        has an error, and stops no other.

    Raises
    ------
    DataError
        Two videos have one place.
    """
    workers = workers or num_cores()
    extract = partial(_extract, settings=settings, threads=max(1, num_cores() // workers))
    return extract_all(videos, places, extract, workers=workers, progress=progress)


def _extract(
    name: str, place: Path, *, settings: TrajectorySettings, threads: int
) -> tuple[Path, int]:
    """Extract the trajectories of one video: their file and number."""
    target = place.with_name(place.name + SUFFIX)
    with open_video(name) as video:
        size = Path(name).stat().st_size if Path(name).is_file() else 0
        if target.exists():
            found = summarise(target)
            if found.settings != settings:
                raise DataError(
                    f"{target} holds trajectories that were extracted with {found.settings}, "
                    f"asked for is {settings}",
                    REMEDY,
                )
            if (found.num_frames, found.size) != (video.num_frames, size):
                raise DataError(
                    f"{target} holds trajectories of another video: of {found.num_frames} frames "
                    f"and {found.size} bytes; {name} has {video.num_frames} and {size}",
                    REMEDY,
                )
            return target, found.count
        values = extract_trajectories(video, settings=settings, threads=threads)
        save_trajectories(target, values, times=video.timestamps, settings=settings, size=size)
    return target, len(values)
