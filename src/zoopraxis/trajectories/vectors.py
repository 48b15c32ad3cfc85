"""Fisher vectors of the videos of a list: trajectories extracted where missing, encoded once."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from zoopraxis.data.samples import Sample, SampleList
from zoopraxis.errors import DataError, ZoopraxisError
from zoopraxis.files import write_atomically
from zoopraxis.trajectories.fisher import TrajectoryEncoder
from zoopraxis.trajectories.settings import TrajectorySettings
from zoopraxis.trajectories.store import extract_files, read_trajectories, summarise

__all__ = ["Part", "encode_parts", "parts_of", "read_vectors", "sample_rows"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, the number done, and the total."""


@dataclass(frozen=True)
class Part:
    """The trajectories of a video, or of a segment of one.

    Parameters
    ----------
    name : str
        Name in messages.
    file : str
        Of the trajectories.
    start, end : float, optional
        Seconds [start, end) of the segment.
    """

    name: str
    file: str
    start: float | None = None
    end: float | None = None

    def read(self) -> Tensor:
        """Trajectories (N, 436)."""
        return read_trajectories(self.file).within(self.start, self.end)

    def identity(self) -> list[Any]:
        """What makes these trajectories these and no others."""
        return [*stamp(self.file), self.start, self.end]

    def count(self) -> int:
        """N, without reading whole videos."""
        if self.start is None and self.end is None:
            return summarise(self.file).count
        return len(self.read())


def parts_of(
    samples: SampleList,
    folder: Path,
    *,
    settings: TrajectorySettings | None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> tuple[list[Part | ZoopraxisError], TrajectorySettings]:
    """Trajectories of the videos of a list; those that it does not name are extracted.

    Parameters
    ----------
    samples : SampleList
        With the column ``trajectories`` of an extraction, or without.
    folder : Path
        Where those go that are extracted; what is there is kept. The names of the files have
        hashes of the settings and the video, so that no other's are ever found there.
    settings : TrajectorySettings or None
        How they must have been extracted; None for as they were, or as is the default.
    workers, progress
        Of the extraction.

    Returns
    -------
    list of Part or ZoopraxisError, TrajectorySettings
        In the order of the samples: why a video cannot be read is its result.

    Raises
    ------
    DataError
        A file is damaged, or was extracted with other settings.
    """
    for sample in samples:
        if not sample.trajectories:
            continue
        found = summarise(sample.trajectories).settings
        settings = settings or found
        if found != settings:
            raise DataError(
                f"{sample.trajectories} was extracted with {found}, expected {settings}",
                "extract all videos of a list, and of the training, with the same settings",
            )
    settings = settings or TrajectorySettings()
    left = list(dict.fromkeys(s.path for s in samples if not s.trajectories))
    of_path: dict[str, str | ZoopraxisError] = {}
    if left:
        results = extract_files(
            left,
            [folder / f"{Path(path).stem}-{_hash(settings.key, stamp(path))}" for path in left],
            settings=settings,
            workers=workers,
            progress=progress and (lambda done, total: progress("extracting", done, total)),
        )
        of_path = {result.video: result.error or result.file for result in results}
    return [_part(sample, of_path) for sample in samples], settings


def _part(sample: Sample, of_path: Mapping[str, str | ZoopraxisError]) -> Part | ZoopraxisError:
    file = sample.trajectories or of_path[sample.path]
    if isinstance(file, ZoopraxisError):
        return file
    return Part(sample.name, file, sample.start, sample.end)


def sample_rows(parts: Sequence[Part], *, size: int, seed: int = 0) -> Tensor:
    """Draw trajectories at random from all of many videos, each as likely as any other.

    Every one gets a random key, and those with the smallest keys are drawn: neither the
    trajectories nor their keys are ever all in memory.

    Parameters
    ----------
    parts : sequence of Part
        The videos.
    size : int
        Number of trajectories; all, where there are fewer.
    seed : int, default=0
        Of the draw.

    Returns
    -------
    Tensor of shape (at most ``size``, 436)
        In the order of the videos.
    """
    rng = np.random.default_rng(seed)
    keys = np.empty(0)
    chosen = np.empty((0, 2), dtype=np.int64)  # video and row
    limit = 1.0
    for number, part in enumerate(parts):
        drawn = rng.random(part.count())
        rows = np.flatnonzero(drawn < limit)
        keys = np.concatenate([keys, drawn[rows]])
        chosen = np.concatenate([chosen, np.stack([np.full_like(rows, number), rows], axis=1)])
        if len(keys) > 2 * size or (number == len(parts) - 1 and len(keys) > size):
            smallest = np.argpartition(keys, size - 1)[:size]
            keys, chosen = keys[smallest], chosen[smallest]
            limit = float(keys.max())
    drawn_rows = [
        parts[number].read()[np.sort(chosen[chosen[:, 0] == number, 1])]
        for number in np.unique(chosen[:, 0])
    ]
    return torch.cat(drawn_rows) if drawn_rows else torch.zeros(0, 436)


def encode_parts(
    encoder: TrajectoryEncoder,
    parts: Sequence[Part],
    folder: Path,
    *,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> list[Path]:
    """Compute the Fisher vectors of videos into files, or resume it: what is there is kept.

    Parameters
    ----------
    encoder : TrajectoryEncoder
        How.
    parts : sequence of Part
        The videos.
    folder : Path
        Where the files go: their names are hashes of all that decides what is in them, so that
        nothing else is ever found there.
    progress : callable, optional
        Called with "encoding", the number of videos done, and their total.
    say : callable, optional
        Called with a line for each video without trajectories, whose vectors are all zero.

    Returns
    -------
    list of Path
        In the order of the videos.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key = encoder.key
    files = []
    for part in parts:
        name = _hash(key, *part.identity())
        files.append(folder / f"{Path(part.file).stem}-{name}.safetensors")
        if not files[-1].exists():
            write_atomically(files[-1], save(encoder.encode(part.read())))
        if say is not None and part.count() == 0:
            say(f"{part.name} has no trajectories: its Fisher vectors are all zero")
        if progress is not None:
            progress("encoding", len(files), len(parts))
    return files


def stamp(file: str) -> list[Any]:
    """Path of a file, and its size and modification time where it is on this machine."""
    path = Path(file)
    if "://" in file or not path.exists():
        return [file, None, None]
    status = path.stat()
    return [str(path.resolve()), status.st_size, status.st_mtime_ns]


def _hash(*values: Any) -> str:
    """Hash of plain JSON, 16 digits of it."""
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]


def read_vectors(files: Sequence[Path], name: str) -> NDArray[np.float32]:
    """Read the Fisher vectors (N, 2 K D) of one kind of descriptor from N files.

    Raises
    ------
    DataError
        A file is damaged.
    """
    vectors = np.empty((0, 0), np.float32)
    for number, file in enumerate(files):
        try:
            with safe_open(file, framework="np") as opened:
                vector = opened.get_tensor(name)
        except Exception as error:  # the library answers damage with errors of all types
            raise DataError(
                f"{file} holds no Fisher vectors: {error}", "remove it: it is computed again"
            ) from error
        if number == 0:
            vectors = np.empty((len(files), len(vector)), np.float32)
        vectors[number] = vector
    return vectors
