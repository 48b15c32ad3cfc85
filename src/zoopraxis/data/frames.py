"""Decode videos into folders of JPEG files, which are the quickest to read and the largest."""

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from zoopraxis.data.examine import hash_of_video
from zoopraxis.errors import DataError
from zoopraxis.files import UNFINISHED
from zoopraxis.video import TIMES, Video, open_video
from zoopraxis.video.extraction import Extracted, extract_all, frames_in_order

__all__ = ["extract_frames"]

TIMEOUT = 600.0  # seconds in which a video is opened: some are indexed by decoding them
SAME_TIME = 1e-6  # seconds: 3 / 30 is not before the time stamp 0.1


def extract_frames(
    videos: Sequence[str],
    places: Sequence[Path],
    *,
    fps: float | None = None,
    short: int | None = None,
    quality: int = 95,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Extracted]:
    """Decode videos into folders of JPEG files, or resume it: what is made already is kept.

    Frames are named as in Something-Something, ``00001.jpg``. ``frames.json`` beside them has
    their times, so that `zoopraxis.video.open_video` knows them: segments in seconds stay valid.

    Parameters
    ----------
    videos : sequence of str
        What `zoopraxis.video.open_video` takes and is on this machine.
    places : sequence of Path
        Folder of each video's frames.
    fps : float, optional
        Frames per second to take: at each time the frame that is shown then. The default takes
        every frame, at its own time.
    short : int, optional
        Shorter side in pixels; smaller videos are not enlarged.
    quality : int, default=95
        Of JPEG, from 1 to 100.
    workers, progress
        As for `zoopraxis.video.extraction.extract_all`.

    Returns
    -------
    list of Extracted
        In the order of the videos; a video that cannot be read has an error, and stops no other.

    Raises
    ------
    DataError
        Two videos have one place, or a value is out of its range.
    """
    for name, value, most in (
        ("fps", fps, 1000),
        ("short", short, 2**14),
        ("quality", quality, 100),
    ):
        if value is not None and not 0 < value <= most:
            raise DataError(f"{name} is {value}", f"give a number above 0, up to {most}")
    settings = {"fps": fps, "short": short, "quality": quality}
    extract = partial(_extract, settings=settings)
    return extract_all(videos, places, extract, workers=workers, progress=progress)


def _extract(name: str, target: Path, *, settings: dict[str, Any]) -> tuple[Path, int]:
    """Decode one video, or find it done: its folder and number of frames."""
    sha256 = hash_of_video(name)
    if target.exists():
        made = _manifest(target)
        if made["settings"] != settings:
            raise DataError(
                f"{target} was made with {made['settings']}, and {settings} is asked for",
                "choose another OUT, or remove it",
            )
        if made["sha256"] == sha256:
            return target, len(made["timestamps"])
    with open_video(name, timeout=TIMEOUT) as video:
        indices, times = _chosen(video, settings["fps"])
        manifest = {
            "timestamps": times.tolist(),
            "fps": settings["fps"] or video.fps,
            "duration": video.duration,
            "settings": settings,
            "sha256": sha256,
        }
        short = settings["short"]
        resize = None if short is None else min(short, video.height, video.width)
        frames = frames_in_order(video, indices.tolist(), resize=resize)
        _write(target, frames, manifest)
    return target, len(indices)


def _chosen(video: Video, fps: float | None) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Indices of the frames to write, and their times in seconds."""
    if fps is None:
        return np.arange(video.num_frames), video.timestamps
    times = np.arange(max(round(video.duration * fps), 1)) / fps
    # the last frame that has begun
    return np.searchsorted(video.timestamps, times + SAME_TIME, side="right") - 1, times


def _write(target: Path, frames: Iterable[NDArray[np.uint8]], manifest: dict[str, Any]) -> None:
    """Write images (H, W, 3) and their times; the folder has its name when it is whole."""
    unfinished, old = (target.with_name(f".{target.name}{end}") for end in (UNFINISHED, ".old"))
    for left in (unfinished, old):
        shutil.rmtree(left, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        options = [cv2.IMWRITE_JPEG_QUALITY, manifest["settings"]["quality"]]
        for number, frame in enumerate(frames, start=1):
            _, image = cv2.imencode(".jpg", np.ascontiguousarray(frame[:, :, ::-1]), options)
            (unfinished / f"{number:05d}.jpg").write_bytes(image.tobytes())
        (unfinished / TIMES).write_text(json.dumps(manifest), encoding="utf-8")
        if target.exists():  # of a video that has changed since
            target.replace(old)
        unfinished.replace(target)
    finally:
        for left in (unfinished, old):
            shutil.rmtree(left, ignore_errors=True)


def _manifest(target: Path) -> dict[str, Any]:
    """How the frames of a folder were made, and of what.

    Raises
    ------
    DataError
        They were not made here.
    """
    try:
        made: dict[str, Any] = json.loads((target / TIMES).read_text(encoding="utf-8"))
        return {key: made[key] for key in ("settings", "sha256", "timestamps")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{target} is there, and holds no frames that were extracted",
            "choose another OUT, or remove it",
        ) from error
