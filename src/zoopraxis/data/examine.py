"""Examination of one video after the other: whether it can be read, what it is, how it looks.

Every file is opened by the reader that training uses, in a process of its own workers: a decoder
that crashes or hangs is a finding, not the end of the examination.
"""

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from zoopraxis.data.places import path_from, path_in, place_of
from zoopraxis.data.rows import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from zoopraxis.data.table_parquet import (
    is_parquet,
    parquet_columns,
    parquet_names,
    write_parquet,
)
from zoopraxis.errors import DataError, VideoError, ZoopraxisError
from zoopraxis.files import write_atomically
from zoopraxis.records import build
from zoopraxis.video import Video, find_member, open_video
from zoopraxis.workers import Lost, num_cores, run_isolated

__all__ = [
    "CLIP",
    "LEVELS",
    "SHORT",
    "SIDE",
    "STILLS",
    "STRIDE",
    "ClipTime",
    "Examined",
    "Level",
    "Looks",
    "content_hash",
    "examine_videos",
    "find_videos",
    "hash_of_video",
    "is_index",
    "read_index",
    "time_clip",
    "write_index",
]

Level = Literal["headers", "sampled", "all"]
LEVELS: tuple[Level, ...] = ("headers", "sampled", "all")
STILLS = 8  # frames by which two videos are compared
SIDE = 12  # pixels of the small pictures of them
CLIP, STRIDE, SHORT = 16, 2, 256  # a clip as many recipes read it, to time
TIMED = 32  # videos of which a clip is timed
SECONDS = 300.0  # time limit of a video
# The index is written every so many seconds, or in a twentieth of the time where that is longer: of
# a hundred thousand videos it takes seconds.
SAVE_EVERY, SAVING = 10.0, 1 / 20
KEYS = frozenset({"path", "sha256", "level"})  # which every line or row of an index has
ALMOST_FLAT = 4.0  # standard deviation in grey levels: nothing to see


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What was found of one video.

    Attributes
    ----------
    path : str
        The file, or folder of frames.
    sha256 : str
        Of its content; empty where it could not be read, or is an address.
    level : {"headers", "sampled", "all"}
        What was decoded.
    problem, hint : str
        Why it cannot be used, and what to do; empty where it can.
    frames, width, height : int
        Number of frames, and their size in pixels; 0 where unreadable.
    fps, duration : float
        Mean frames per second; seconds.
    codec : str
        Name of the codec.
    uneven : float
        Fraction of the times between frames that differ from their median by more than a quarter;
        0 of a constant rate.
    bytes : int
        Size of the file.
    clip_seconds : float
        Processor time of reading a clip of 16 frames, every second one, at 256 pixels; 0 where it
        was not measured.
    open_seconds : float
        Part of it in which the file was opened.
    clip_frames : int
        Frames from the key frame before that clip to its end, which had to be decoded or skipped.
    hashes : str
        Base64 of `STILLS` perceptual hashes of 8 bytes; empty where nothing was decoded, or
        nothing is to be seen.
    stills : str
        Base64 of the same frames as grey pictures of `SIDE` x `SIDE`.
    """

    path: str
    sha256: str
    level: Level
    problem: str = ""
    hint: str = ""
    frames: int = 0
    width: int = 0
    height: int = 0
    fps: float = 0.0
    duration: float = 0.0
    codec: str = ""
    uneven: float = 0.0
    bytes: int = 0
    clip_seconds: float = 0.0
    open_seconds: float = 0.0
    clip_frames: int = 0
    hashes: str = ""
    stills: str = ""

    def looks(self) -> "Looks | None":
        """How it looks; None where that is not known."""
        if not self.hashes:
            return None
        hashes = np.frombuffer(base64.b64decode(self.hashes), np.uint64)  # (STILLS,)
        stills = np.frombuffer(base64.b64decode(self.stills), np.uint8)
        return Looks(hashes, stills.reshape(STILLS, SIDE, SIDE))


class Looks(NamedTuple):
    """Perceptual hashes (8,) of 64 bits, and small grey pictures (8, 12, 12)."""

    hashes: NDArray[np.uint64]
    stills: NDArray[np.uint8]


def examine_videos(
    paths: Sequence[str],
    *,
    level: Level = "sampled",
    seconds: float = SECONDS,
    workers: int | None = None,
    index: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Examined]:
    """Examine videos in several processes.

    Parameters
    ----------
    paths : sequence of str
        Files, folders of frames, or addresses; each once.
    level : {"headers", "sampled", "all"}
        Open each video; decode 8 frames spread over it, too; or decode every frame.
    seconds : float
        Time limit of a video.
    workers : int, optional
        Number of processes; one per core by default.
    index : Path, optional
        File in which findings are kept as the work proceeds, and when it is interrupted. Those that
        are there are not found again, as long as the content of the file is the same.
    progress : callable, optional
        Called with the number of videos done, and of all.

    Returns
    -------
    list of Examined
        In the order of the paths.

    Raises
    ------
    DataError
        The index is not one, or cannot be written.
    """
    kept = {place_of(one.path): one for one in _kept(index)}
    places = [place_of(path) for path in paths]
    every = max(len(paths) // TIMED, 1)
    jobs = [
        partial(_examine, path, level, seconds=seconds, timed=k % every == 0, known=kept.get(place))
        for k, (path, place) in enumerate(zip(paths, places, strict=True))
    ]
    found: dict[int, Examined] = {}

    def save() -> float:
        began = time.monotonic()
        if index:
            write_index(index, (kept | {places[k]: found[k] for k in sorted(found)}).values())
        ended = time.monotonic()
        return ended + max(SAVE_EVERY, (ended - began) / SAVING)

    due = save()  # what cannot be written is known before the work
    try:
        for number, one in run_isolated(jobs, workers=workers or num_cores(), seconds=seconds + 30):
            found[number] = _lost(paths[number], level, one) if isinstance(one, Lost) else one
            due = save() if time.monotonic() >= due else due
            if progress is not None:
                progress(len(found), len(paths))
    finally:
        save()
    return [found[number] for number in range(len(paths))]


def _kept(index: Path | None) -> list[Examined]:
    return read_index(index) if index and index.exists() else []


def find_videos(root: Path) -> list[str]:
    """Video files anywhere below a folder, sorted.

    Raises
    ------
    DataError
        There are none.
    """
    found = (f for f in root.rglob("*") if f.suffix.lower() in VIDEO_SUFFIXES and f.is_file())
    paths = sorted(map(str, found))
    if not paths:
        raise DataError(f"there are no videos in {root}", "give a folder of video files")
    return paths


def write_index(index: Path, examined: Iterable[Examined]) -> None:
    """Write findings: a row of Parquet each, by the name of the file, or a line of JSON.

    Paths are relative to the folder of the index, as in a list; addresses stay.

    Raises
    ------
    DataError
        It cannot be written there, or pyarrow is not installed, for Parquet.
    """
    tables = [vars(one) | {"path": path_from(index.parent, one.path)} for one in examined]
    try:
        index.parent.mkdir(parents=True, exist_ok=True)
        if is_parquet(index):
            names = [field.name for field in fields(Examined)]
            write_parquet(index, {name: [table[name] for table in tables] for name in names})
        else:
            write_atomically(index, "".join(json.dumps(table) + "\n" for table in tables).encode())
    except OSError as error:
        raise DataError(
            f"{index} cannot be written: {error.strerror}", "choose another place for the index"
        ) from error


def is_index(path: Path) -> bool:
    """Whether a file begins as `write_index` writes it.

    Raises
    ------
    DataError
        It is called Parquet and is none, or pyarrow is not installed.
    """
    if is_parquet(path):
        return {*parquet_names(path)} >= KEYS
    try:
        with path.open(encoding="utf-8") as file:
            first = json.loads(file.readline())
    except (OSError, ValueError):
        return False
    return isinstance(first, dict) and {*first} >= KEYS


def read_index(index: Path) -> list[Examined]:
    """Read findings that `write_index` wrote, with paths as this process opens them.

    Raises
    ------
    DataError
        It cannot be read, or is something else.
    """
    unit = "row" if is_parquet(index) else "line"
    tables = _rows(index) if is_parquet(index) else _lines(index)
    found = [
        build(Examined, table, where=f"{index}, {unit} {number}", error=DataError)
        for number, table in enumerate(tables, start=1)
    ]
    return [replace(one, path=path_in(index.parent, one.path)) for one in found]


def _rows(index: Path) -> list[dict[str, Any]]:
    columns = parquet_columns(index)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _lines(index: Path) -> list[dict[str, Any]]:
    try:
        lines = index.read_text(encoding="utf-8").splitlines()
        tables = [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise DataError(f"{index} is no index of videos: {error}", "remove it") from error
    for table in tables:
        if not isinstance(table, dict):
            raise DataError(f"{index} is no index of videos: it has {table!r:.40}", "remove it")
    return tables


def content_hash(path: str | Path) -> str:
    """SHA-256 of a file; of a folder of frames, of the names and contents of its images.

    Raises
    ------
    OSError
        It cannot be read.
    VideoError
        It is inside a tar file that has no such member.
    """
    member = find_member(str(path))
    if member is not None:
        with member.file.open("rb") as file:
            file.seek(member.offset)
            return hashlib.sha256(file.read(member.size)).hexdigest()
    path = Path(path)
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    total = hashlib.sha256()
    for image in sorted(path.iterdir()):
        if image.suffix.lower() in IMAGE_SUFFIXES and not image.name.startswith("."):
            total.update(f"{image.name}\n{content_hash(image)}\n".encode())
    return total.hexdigest()


def hash_of_video(name: str) -> str:
    """Content hash of a video that is to be read.

    Raises
    ------
    VideoError
        It is not on this machine, or cannot be read.
    """
    try:
        return content_hash(name)
    except OSError as error:
        raise VideoError(
            f"{name}: cannot be read: {error.strerror}", "give a file, or folder, of this machine"
        ) from error


def _examine(
    path: str, level: Level, *, seconds: float, timed: bool, known: Examined | None
) -> Examined:
    """Examine a video, or find that it is known; what is wrong with it is a result."""
    sha256, size = "", 0
    if "://" not in path:
        with suppress(OSError, VideoError):  # opening it will say what is wrong
            sha256, member = content_hash(path), find_member(path)
            size = member.size if member else Path(path).stat().st_size
    if known and known.sha256 == sha256 != "" and LEVELS.index(known.level) >= LEVELS.index(level):
        return replace(known, path=path)
    found = Examined(path=path, sha256=sha256, level=level, bytes=size)
    try:
        with open_video(path, timeout=seconds) as video:
            found = replace(found, **_facts(video), **_decoded(video, level))
        return replace(found, **time_clip(path)._asdict()) if timed else found
    except ZoopraxisError as error:
        return replace(found, problem=error.problem, hint=error.hint)
    except OSError as error:
        problem = f"{path}: cannot be read: {error.strerror or error}"
        return replace(found, problem=problem, hint="check its permissions and its disk")
    except MemoryError:
        hint = "make it smaller, or examine it on a machine with more memory"
        return replace(found, problem=f"{path}: does not fit into memory", hint=hint)


def _lost(path: str, level: Level, lost: Lost) -> Examined:
    """What is known of a video whose examination did not come back."""
    try:
        sha256 = content_hash(path)
    except (OSError, VideoError):
        sha256 = ""
    return Examined(
        path=path,
        sha256=sha256,
        level=level,
        problem=f"{path}: its examination {lost.reason}",
        hint="leave it out, or re-encode it; of a long video, give a longer --timeout",
    )


def _facts(video: Video) -> dict[str, Any]:
    steps = np.diff(video.timestamps)
    middle = float(np.median(steps)) if len(steps) else 0.0
    return {
        "frames": video.num_frames,
        "width": video.width,
        "height": video.height,
        "fps": float(video.fps),
        "duration": float(video.duration),
        "codec": video.codec,
        "uneven": float((abs(steps - middle) > middle / 4).mean()) if len(steps) else 0.0,
    }


def _decoded(video: Video, level: Level) -> dict[str, Any]:
    """Decode what is asked for, and describe how it looks."""
    if level == "headers":
        return {}
    places = np.linspace(0, video.num_frames - 1, STILLS).round().astype(np.int64)
    if level == "sampled":
        frames = video.frames_at(places, resize=_small(video))  # (8, 3, h, w)
        return _looks(frames.permute(0, 2, 3, 1).numpy())
    stills = {}
    for k, frame in enumerate(video):
        if k in places:
            stills[k] = frame.permute(1, 2, 0).numpy()  # (H, W, 3)
    return _looks([stills[k] for k in places.tolist()])


def _small(video: Video) -> tuple[int, int]:
    """Size at which frames are compared: larger ones need not be held in memory."""
    scale = min(1.0, 288 / min(video.height, video.width))
    return max(1, round(video.height * scale)), max(1, round(video.width * scale))


def _looks(frames: Iterable[NDArray[np.uint8]]) -> dict[str, str]:
    """Hashes and small pictures of frames (H, W, 3)."""
    grey = [cv2.cvtColor(np.ascontiguousarray(f), cv2.COLOR_RGB2GRAY) for f in frames]
    if max(cv2.meanStdDev(image)[1].item() for image in grey) < ALMOST_FLAT:
        return {}
    hashes = [cv2.img_hash.pHash(image)[0] for image in grey]  # (8,) bytes each
    stills = [cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for image in grey]
    return {
        "hashes": base64.b64encode(np.stack(hashes).tobytes()).decode(),
        "stills": base64.b64encode(np.stack(stills).tobytes()).decode(),
    }


class ClipTime(NamedTuple):
    """Processor seconds of reading a clip, those of opening the file, and frames on the way."""

    clip_seconds: float
    open_seconds: float
    clip_frames: int


def time_clip(path: str) -> ClipTime:
    """Read a clip from the middle, as training would."""
    began = time.process_time()
    with open_video(path) as video:
        opened = time.process_time()
        first = max((video.num_frames - CLIP * STRIDE) // 2, 0)
        places = np.minimum(first + STRIDE * np.arange(CLIP), video.num_frames - 1)
        video.frames_at(places, resize=SHORT)
        done = time.process_time()
        before = int(np.searchsorted(video.keys, first, side="right")) - 1
        frames = int(places[-1]) + 1 - (int(video.keys[before]) if before >= 0 else 0)
    return ClipTime(done - began, opened - began, frames)
