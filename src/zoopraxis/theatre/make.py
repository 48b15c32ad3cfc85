"""The theatre's files: clips as MP4, their ground truth as NPZ, and the list of clips.

Every frame is intra-coded at a constant quantiser, so that compression, too, is the same for a
clip run backwards: the decoded frames of a ``stand_up`` are bit-exact with those of its
``sit_down`` in reverse order. It also makes random access to frames fast.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from numpy.typing import NDArray

from zoopraxis.errors import DataError, VideoError
from zoopraxis.theatre.actions import ACTS, FPS, REVERSED
from zoopraxis.theatre.film import Clip, film
from zoopraxis.workers import num_cores, run_jobs

__all__ = ["Job", "Settings", "check_settings", "encode", "make_theatre", "run_filming"]

CODEC = "libx264"
QUANTISER = 25
LIST, SETTINGS = "clips.csv", "theatre.json"
COLUMNS = ("path", "label", "group", "seed", "reverse_of", "flow", "boxes", "skeleton")
_STYLE = 1  # version, incremented when the same seed gives a different clip
_TWINS = {performed: twin for twin, performed in REVERSED.items()}
_PERFORMERS_PER_SEED = 1000  # theatres of different seeds share no performers


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a theatre, apart from its number of clips.

    Parameters
    ----------
    size : (width, height), default=(160, 120)
        Frame size in pixels; even numbers, at least 32.
    seed : int, default=0
        Seed, 0 or more. Theatres of different seeds share neither clips nor performers.
    performers : int, default=20
        Number of performers, from 1 to 1000. Clip i of each class has performer i modulo this.
    flow : bool, default=False
        Whether to store the optical flow, about 1 MB per clip.
    boxes : bool, default=False
        Whether to write the boxes of performer and object as `zoopraxis.inputs.Regions` reads them,
        and to name them in the list.
    skeletons : bool, default=False
        Whether to store the performer's joints as `zoopraxis.inputs.Skeleton` reads them, in the
        layout ``coco-17``, and to name them in the list. The score of a visible joint is 1, of a
        hidden one 0.5.

    Raises
    ------
    DataError
        A setting is out of range.
    """

    size: tuple[int, int] = (160, 120)
    seed: int = 0
    performers: int = 20
    flow: bool = False
    boxes: bool = False
    skeletons: bool = False

    def __post_init__(self) -> None:
        width, height = self.size
        if width % 2 or height % 2 or min(self.size) < 32:
            raise DataError(
                f"the frame size is {width}x{height}", "pass even numbers of pixels, at least 32"
            )
        if not 1 <= self.performers <= _PERFORMERS_PER_SEED:
            raise DataError(
                f"the number of performers is {self.performers}",
                f"pass a number from 1 to {_PERFORMERS_PER_SEED}",
            )
        if self.seed < 0:
            raise DataError(f"the seed is {self.seed}", "pass 0 or more")


@dataclass(frozen=True)
class Job:
    """One take: a clip and, for the first action of a pair, its reversed twin.

    Parameters
    ----------
    action : str
        Performed action, a key of `ACTS`.
    index : int
        Index of the take in its class, from 0.
    settings : Settings
    """

    action: str
    index: int
    settings: Settings

    @property
    def seed(self) -> int:
        """Argument of `film`."""
        entropy = [self.settings.seed, self.index, *self.action.encode()]
        return int(np.random.SeedSequence(entropy).generate_state(1)[0])

    @property
    def performer(self) -> int:
        """Argument of `film`."""
        settings = self.settings
        return settings.seed * _PERFORMERS_PER_SEED + self.index % settings.performers

    @property
    def actions(self) -> tuple[str, ...]:
        """Classes that the take gives a clip of."""
        return (self.action, _TWINS[self.action]) if self.action in _TWINS else (self.action,)

    def path(self, action: str) -> str:
        """Path of the clip of a class, relative to the theatre."""
        return f"{action}/p{self.performer:04d}_{self.index:04d}.mp4"

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield the rows of the list, whose columns are `COLUMNS`."""
        for action in self.actions:
            of = self.path(self.action) if action in REVERSED else ""
            truth = self.path(action).replace(".mp4", ".npz")
            flow = truth if self.settings.flow else ""
            boxes = self.path(action).replace(".mp4", ".boxes.csv") if self.settings.boxes else ""
            skeleton = truth if self.settings.skeletons else ""
            group = f"p{self.performer:04d}"
            yield self.path(action), action, group, str(self.seed), of, flow, boxes, skeleton

    def done(self, out: Path) -> bool:
        """Whether all files exist; the video of a clip is written last."""
        return all((out / self.path(action)).is_file() for action in self.actions)

    def run(self, out: Path) -> None:
        """Film the take and write its files."""
        clip = film(self.action, seed=self.seed, performer=self.performer, size=self.settings.size)
        for action in self.actions:
            clip = clip.reversed() if action in REVERSED else clip
            path = out / self.path(action)
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path.with_suffix(".npz"), _ground_truth(clip, self.settings))
            if self.settings.boxes:
                _write_boxes(path.with_suffix(".boxes.csv"), clip)
            _write(path, encode(clip.frames, fps=FPS))


def _write_boxes(path: Path, clip: Clip) -> None:
    """Write the boxes of performer and object, from pixel centres to the edges of pixels."""
    from zoopraxis.regions import FrameBoxes, write_boxes  # torch loads here

    both = np.stack([clip.person_box, clip.object_box], axis=1) + 0.5  # (T, 2, 4)
    frames, things = np.nonzero(~np.isnan(both).any(axis=2))
    boxes = FrameBoxes.of(
        frames,
        both[frames, things],
        labels=tuple(("person", "object")[i] for i in things),
        tracks=things,
        looked=np.arange(len(both)),
    )
    write_boxes(path, boxes)


def _ground_truth(clip: Clip, settings: Settings) -> bytes:
    """Encode the ground truth as a compressed NPZ."""
    arrays: dict[str, Any] = {
        name: getattr(clip, name) for name in ("joints", "person_box", "object_box")
    }
    if settings.flow:
        arrays["flow"] = clip.flow()
    if settings.skeletons:
        # As in Kinetics-skeleton, x and y in [-0.5, 0.5] of the frame. A hidden joint is known too.
        height, width = clip.frames.shape[1:3]
        points = clip.joints[..., :2] / np.array([width, height], np.float32) - 0.5
        scores = (1 + clip.joints[..., 2:]) / 2
        arrays["skeleton"] = np.concatenate([points, scores], axis=-1).astype(np.float32)
        arrays["fps"] = np.float64(FPS)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _write(path: Path, data: bytes) -> None:
    """Write a file completely or not at all."""
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_bytes(data)
    unfinished.replace(path)


def encode(frames: NDArray[np.uint8], *, fps: int) -> bytes:
    """Encode frames as an H.264 MP4 of key frames only.

    Parameters
    ----------
    frames : uint8 ndarray of shape (T, H, W, 3)
        RGB frames; H and W are even.
    fps : int
        Frames per second.

    Returns
    -------
    bytes
        Contents of the file.

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
                "install PyAV from a wheel: pip install --force-reinstall av",
            ) from error
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.thread_count = 1  # more would split frames into slices: other bytes
        stream.options = {"qp": str(QUANTISER), "g": "1", "preset": "veryfast"}
        for frame in frames:
            image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(image))
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
    """Make the theatre in a folder, or resume it.

    Finished clips are kept, so an interrupted run resumes, and ``clips_per_class`` can be
    increased later. The files do not depend on ``workers``. With several workers, a script that
    calls this needs the usual ``if __name__ == "__main__":``.

    Parameters
    ----------
    out : str or Path
        Folder for ``<class>/<clip>.mp4`` and ``.npz``, and for the list ``clips.csv`` with the
        columns path, label, group (the performer), seed, reverse_of and, where they are stored,
        flow, boxes and skeleton.
    clips_per_class : int, default=40
        Number of clips of each class.
    settings : Settings, optional
        The other settings; the default is ``Settings()``.
    workers : int, optional
        Number of processes. The default is the number of cores.
    progress : callable, optional
        Called with the number of takes done and their total.

    Returns
    -------
    Path
        The list.

    Raises
    ------
    DataError
        The folder holds a theatre with other settings or something else, or ``clips_per_class``
        is less than 1.
    VideoError
        This PyAV cannot encode H.264.
    """
    out, settings = Path(out), settings or Settings()
    if clips_per_class < 1:
        raise DataError(f"clips_per_class is {clips_per_class}", "pass 1 or more")
    check_settings(out, settings)
    jobs = [Job(action, i, settings) for i in range(clips_per_class) for action in ACTS]
    filming = [partial(job.run, out) for job in jobs if not job.done(out)]
    run_filming(filming, total=len(jobs), workers=workers, progress=progress)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(sorted(row for job in jobs for row in job.rows()))
    _write(out / LIST, table.getvalue().encode())
    return out / LIST


def run_filming(
    filming: Sequence[Callable[[], object]],
    *,
    total: int,
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Film what is left of a total, in processes."""
    done = total - len(filming)
    for _ in run_jobs(filming, workers=workers or num_cores()):
        done += 1
        if progress is not None:
            progress(done, total)


def check_settings(out: Path, settings: Any) -> None:
    """Write the settings, a dataclass, to a new folder, or check that it was made with the same."""
    defaults, requested = (
        json.loads(json.dumps({"style": _STYLE, **asdict(some)}))
        for some in (type(settings)(), settings)
    )
    path = out / SETTINGS
    if path.exists():
        try:
            found = json.loads(path.read_text())
        except ValueError as error:
            raise DataError(f"{path} is not JSON: {error}", "remove the folder") from error
        if defaults | found != requested:  # an older theatre does not say what came later
            raise DataError(
                f"{out} holds a theatre made with {found}, but {requested} was requested",
                "choose another folder, or remove this one",
            )
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} exists and is not a theatre", "choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    _write(path, json.dumps(requested, indent=1).encode())
