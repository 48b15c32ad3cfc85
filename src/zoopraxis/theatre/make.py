"""The theatre's files: clips as MP4, their ground truth as NPZ, and the list of them.

Every frame is coded on its own at a fixed quantiser, so that compression, too, is the same
when a clip is run backwards: the decoded frames of ``stand_up`` are those of its ``sit_down``
in the opposite order, bit for bit. Any frame can also be decoded at once.
"""

import csv
import io
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.codec.codec import UnknownCodecError
from numpy.typing import NDArray

from zoopraxis.theatre.actions import FPS, REVERSED, SOURCES
from zoopraxis.theatre.film import Clip, film
from zoopraxis.errors import DataError, VideoError

__all__ = ["Job", "Settings", "encode", "make_theatre"]

CODEC = "libx264"
QUANTISER = 25
LIST, SETTINGS = "clips.csv", "theatre.json"
_STYLE = 1  # raised whenever the same seed gives another film
_TWINS = {source: action for action, source in REVERSED.items()}
_PERFORMERS_PER_SEED = 1000  # performers of different seeds are different people


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a theatre is made of.

    Parameters
    ----------
    size : (width, height), default=(160, 120)
        Pixels, even.
    seed : int, default=0
        Theatres of different seeds share neither clips nor performers.
    performers : int, default=20
        How many people play; the i-th clip of a class is played by number i modulo this.
    flow : bool, default=False
        Whether the optical flow is stored, about a megabyte a clip.
    """

    size: tuple[int, int] = (160, 120)
    seed: int = 0
    performers: int = 20
    flow: bool = False

    def __post_init__(self) -> None:
        width, height = self.size
        if width % 2 or height % 2 or min(self.size) < 32:
            raise DataError(
                f"clips cannot be {width}x{height} pixels", "give even numbers, at least 32"
            )
        if not 1 <= self.performers <= _PERFORMERS_PER_SEED:
            raise DataError(
                f"{self.performers} performers cannot play",
                f"give a number from 1 to {_PERFORMERS_PER_SEED}",
            )
        if self.seed < 0:
            raise DataError(f"the seed is {self.seed}", "give 0 or more")


@dataclass(frozen=True)
class Job:
    """One take: a clip and, for the first of a pair, its reversed twin.

    Parameters
    ----------
    source : str
        A key of `SOURCES`.
    number : int
        Of the take in its class.
    settings : Settings
    """

    source: str
    number: int
    settings: Settings

    @property
    def seed(self) -> int:
        """Seed of `film`."""
        entropy = [self.settings.seed, self.number, *self.source.encode()]
        return int(np.random.SeedSequence(entropy).generate_state(1)[0])

    @property
    def performer(self) -> int:
        """Performer of `film`."""
        settings = self.settings
        return settings.seed * _PERFORMERS_PER_SEED + self.number % settings.performers

    @property
    def actions(self) -> tuple[str, ...]:
        """Classes that get a clip."""
        return (self.source, _TWINS[self.source]) if self.source in _TWINS else (self.source,)

    def path(self, action: str) -> str:
        """Clip of an action, relative to the theatre."""
        return f"{action}/p{self.performer:04d}_{self.number:04d}.mp4"

    def rows(self) -> Iterator[tuple[str, str, str, int, str]]:
        """Lines of the list: path, label, group, seed, reverse_of."""
        for action in self.actions:
            of = self.path(self.source) if action in REVERSED else ""
            yield self.path(action), action, f"p{self.performer:04d}", self.seed, of

    def done(self, out: Path) -> bool:
        """Whether all files are there; the video is written last."""
        return all((out / self.path(action)).is_file() for action in self.actions)

    def run(self, out: Path) -> None:
        """Film it and write the files."""
        clip = film(self.source, seed=self.seed, performer=self.performer, size=self.settings.size)
        for action in self.actions:
            clip = clip.reversed() if action in REVERSED else clip
            path = out / self.path(action)
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path.with_suffix(".npz"), _truth(clip, flow=self.settings.flow))
            _write(path, encode(clip.frames, fps=FPS))


def _truth(clip: Clip, *, flow: bool) -> bytes:
    """Ground truth as the bytes of a compressed NPZ."""
    arrays: dict[str, Any] = {
        name: getattr(clip, name) for name in ("joints", "person_box", "object_box")
    }
    if flow:
        arrays["flow"] = clip.flow()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_bytes(data)
    unfinished.replace(path)


def encode(frames: NDArray[np.uint8], *, fps: int) -> bytes:
    """Encode frames as an H.264 MP4 in which each frame stands alone.

    Parameters
    ----------
    frames : ndarray of shape (T, H, W, 3)
        uint8 RGB, H and W even.
    fps : int
        Frames per second.

    Raises
    ------
    VideoError
        PyAV's FFmpeg has no libx264.
    """
    _, height, width, _ = frames.shape
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        try:
            stream: Any = container.add_stream(CODEC, rate=fps)
        except UnknownCodecError as error:
            raise VideoError(
                f"this PyAV {av.__version__} cannot encode H.264: it has no {CODEC}",
                "install PyAV from its wheels: pip install --force-reinstall av",
            ) from error
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.thread_count = 1  # more would cut the picture into slices: other bytes
        stream.options = {"qp": str(QUANTISER), "g": "1", "preset": "veryfast"}
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return buffer.getvalue()


def make_theatre(
    out: str | Path,
    *,
    clips_per_class: int = 40,
    settings: Settings | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Make the theatre in a folder, or go on with it.

    Finished clips are kept, so a run that was stopped goes on, and ``clips_per_class`` can be
    raised later. The files do not depend on ``workers``. With several, a script that calls
    this needs the usual ``if __name__ == "__main__":``.

    Parameters
    ----------
    out : str or Path
        Gets ``<class>/<clip>.mp4`` and ``.npz``, and the list ``clips.csv`` with the columns
        path, label, group (the performer), seed and reverse_of.
    clips_per_class : int, default=40
        Clips of each of the classes.
    settings : Settings, optional
        What else they are made of.
    workers : int, optional
        Processes; as many as there are cores by default.
    progress : callable, optional
        Called with the takes done and their total.

    Returns
    -------
    Path
        The list.

    Raises
    ------
    DataError
        The folder holds a theatre of other settings, or a number is out of range.
    VideoError
        H.264 cannot be encoded here.
    """
    out, settings = Path(out), settings or Settings()
    if clips_per_class < 1:
        raise DataError(f"{clips_per_class} clips per class were asked for", "give 1 or more")
    _claim(out, settings)
    jobs = [Job(source, i, settings) for i in range(clips_per_class) for source in SOURCES]
    waiting = [job for job in jobs if not job.done(out)]
    done = len(jobs) - len(waiting)
    for _ in _run_all(waiting, out, workers or _cores()):
        done += 1
        if progress is not None:
            progress(done, len(jobs))
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("path", "label", "group", "seed", "reverse_of"))
    writer.writerows(sorted(row for job in jobs for row in job.rows()))
    _write(out / LIST, table.getvalue().encode())
    return out / LIST


def _claim(out: Path, settings: Settings) -> None:
    """Write the settings into the folder, or check that it was made with the same."""
    wanted = json.loads(json.dumps({"style": _STYLE, **asdict(settings)}))
    path = out / SETTINGS
    if path.exists():
        try:
            found = json.loads(path.read_text())
        except ValueError as error:
            raise DataError(f"{path} is not JSON: {error}", "remove the folder") from error
        if found != wanted:
            raise DataError(
                f"{out} holds a theatre made with {found}, and {wanted} was asked for",
                "choose another folder, or remove this one",
            )
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} is there and is no theatre", "choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    _write(path, json.dumps(wanted, indent=1).encode())


def _run_all(jobs: list[Job], out: Path, workers: int) -> Iterator[Job]:
    """Run jobs, in this process or in several, yielding each that is done."""
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            job.run(out)
            yield job
        return
    # A fresh interpreter each: forking a process that runs threads can hang.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_start_worker) as pool:
        running = {pool.submit(job.run, out): job for job in jobs}
        try:
            for future in as_completed(running):
                future.result()
                yield running[future]
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """One thread each: the processes share the cores."""
    cv2.setNumThreads(1)


def _cores() -> int:
    """Cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
