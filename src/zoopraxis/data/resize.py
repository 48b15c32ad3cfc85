"""Re-encode videos for training: small, upright, and quick to reach a frame of."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import av

from zoopraxis.data.examine import hash_of_video, time_clip
from zoopraxis.errors import DataError
from zoopraxis.video import Encoding, open_video, reencode
from zoopraxis.video.extraction import Extracted, extract_all

__all__ = ["Gain", "gain", "resize_videos"]

TIMEOUT = 600.0  # seconds in which a video is opened: some are indexed by decoding them
TIMED = 8  # videos of which a clip is timed


def resize_videos(
    videos: Sequence[str],
    places: Sequence[Path],
    *,
    encoding: Encoding,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Extracted]:
    """Re-encode videos, or resume it: what was made the same way of the same content is kept.

    Parameters
    ----------
    videos : sequence of str
        Files, or folders of frames.
    places : sequence of Path
        File of each result, without its suffix: ``.mp4`` comes after it.
    encoding : Encoding
        How.
    workers, progress
        As for `zoopraxis.video.extraction.extract_all`.

    Returns
    -------
    list of Extracted
        In the order of the videos, with the number of frames, and a note where they were
        interlaced; a video that cannot be read has an error, and stops no other.

    Raises
    ------
    DataError
        Two videos have one place.
    """
    resize = partial(_resize, encoding=encoding)
    return extract_all(videos, places, resize, workers=workers, progress=progress)


def _resize(name: str, place: Path, *, encoding: Encoding) -> tuple[Path, int, str]:
    """Re-encode one video, or find it done: its file, number of frames, and a note."""
    target = place.with_name(place.name + ".mp4")
    asked = asdict(encoding)
    sha256 = hash_of_video(name)
    if target.exists():
        made = _manifest(target)
        if made["encoding"] != asked:
            raise DataError(
                f"{target} was made with {made['encoding']}, and {asked} is asked for",
                "choose another OUT, or remove it",
            )
        if made["sha256"] == sha256:
            return target, made["frames"], made["note"]
    with open_video(name, timeout=TIMEOUT) as video:
        note = "interlaced, and was not deinterlaced" if video.interlaced else ""
        made = {"encoding": asked, "sha256": sha256, "frames": video.num_frames, "note": note}
        target.parent.mkdir(parents=True, exist_ok=True)
        reencode(video, target, encoding, comment=json.dumps(made))
    return target, video.num_frames, note


def _manifest(target: Path) -> dict[str, Any]:
    """How a file was made, and of what.

    Raises
    ------
    DataError
        It was not made here.
    """
    try:
        with target.open("rb") as file, av.open(file) as container:
            made: dict[str, Any] = json.loads(container.metadata["comment"])
        return {key: made[key] for key in ("encoding", "sha256", "frames", "note")}
    except (OSError, ValueError, KeyError, TypeError, av.FFmpegError) as error:
        raise DataError(
            f"{target} is there, and is no video that was resized",
            "choose another OUT, or remove it",
        ) from error


class Gain(NamedTuple):
    """Before and after: bytes of all files, and mean processor seconds of reading a clip."""

    bytes_before: int
    bytes_after: int
    seconds_before: float
    seconds_after: float


def gain(results: Sequence[Extracted]) -> Gain:
    """Measure what re-encoding has gained: sizes, and the time of a clip of a few random videos.

    A clip is 16 frames, every second one, from the middle, as training reads it.
    """
    done = [r for r in results if r.file]
    timed = random.Random(0).sample(done, min(TIMED, len(done)))
    clips = max(len(timed), 1)
    return Gain(
        sum(_bytes(r.video) for r in done),
        sum(_bytes(r.file) for r in done),
        sum(time_clip(r.video).clip_seconds for r in timed) / clips,
        sum(time_clip(r.file).clip_seconds for r in timed) / clips,
    )


def _bytes(path: str) -> int:
    """Size of a file, or of the images of a folder."""
    place = Path(path)
    return sum(f.stat().st_size for f in (place.iterdir() if place.is_dir() else [place]))
