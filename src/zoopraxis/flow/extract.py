"""Extract the flow of many videos into files: parallel, and resumable.

- ``jpeg``: a folder of pairs ``flow_x_00001.jpg``, ``flow_y_00001.jpg``, 8-bit codes of flow in
  [-20, 20] pixels (`zoopraxis.flow.codes`), as the papers store it.
- ``npz``: one file with ``flow`` of shape (N, 2, H, W), float16, in pixels.
- ``video``: an ``.flow.mp4`` for people: each frame beside its flow in colours
  (`zoopraxis.flow.picture`).

Training reads the first two.
"""

import io
import json
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice, tee
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import av
import cv2
import numpy as np
import torch
from torch import Tensor

from zoopraxis.errors import DataError, VideoError, ZoopraxisError
from zoopraxis.files import UNFINISHED, write_atomically
from zoopraxis.flow.base import FlowMethod, flow_fields
from zoopraxis.flow.codes import BOUND, to_codes
from zoopraxis.flow.picture import FULL_COLOUR, side_by_side
from zoopraxis.video import Video, open_video, write_video
from zoopraxis.video.extraction import Extracted, extract_all, frames_in_order

__all__ = ["Form", "extract_flow"]

Form = Literal["jpeg", "npz", "video"]

MANIFEST = "flow.json"
QUALITY = 95  # of JPEG files, OpenCV's default, as TSN's tools write them
SUFFIXES: dict[Form, str] = {"jpeg": "", "npz": ".npz", "video": ".flow.mp4"}


def extract_flow(
    videos: Sequence[str],
    places: Sequence[Path],
    *,
    method: FlowMethod,
    form: Form = "jpeg",
    resize: int | None = 256,
    full: float = FULL_COLOUR,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Extracted]:
    """Extract the flow of videos, or resume it: finished videos are kept.

    Parameters
    ----------
    videos : sequence of str
        What `zoopraxis.video.open_video` takes.
    places : sequence of Path
        Folder, or else file without its suffix, of each video's flow.
    method : FlowMethod
        How it is computed.
    form : {"jpeg", "npz", "video"}, default="jpeg"
        How it is stored.
    resize : int or None, default=256
        Shorter side in pixels to which frames are resized first, or None.
    full : float, default=8
        Of the form ``video``: pixels per frame that are drawn in full colour.
    workers, progress
        As for `zoopraxis.video.extraction.extract_all`.

    Returns
    -------
    list of Extracted
        In the order of the videos; a video that cannot be read has an error, and stops no other.

    Raises
    ------
    DataError
        Two videos have one place.
    ZoopraxisError
        The method needs what is not there, as `FlowMethod.check` says; or ``full`` is not above 0.
    """
    if not 0 < full < math.inf:
        raise ZoopraxisError(
            f"flow of {full} pixels cannot be full colour", "give a number above 0"
        )
    method.check()
    extract = partial(_extract, method=method, form=form, resize=resize, full=full)
    return extract_all(videos, places, extract, workers=workers, progress=progress)


def _extract(
    name: str, place: Path, *, method: FlowMethod, form: Form, resize: int | None, full: float
) -> tuple[Path, int]:
    """Extract the flow of one video: where it is, and the number of fields."""
    target = place.with_name(place.name + SUFFIXES[form])
    with open_video(name) as video:
        if video.num_frames < 2:
            raise VideoError(f"{name}: one frame, and flow lies between two", "leave it out")
        asked = {
            "flow": json.loads(method.key),
            "resize": resize,
            "num_fields": video.num_frames - 1,
            "bound": {"jpeg": BOUND, "npz": None, "video": full}[form],
        }
        if not _is_finished(target, asked):
            target.parent.mkdir(parents=True, exist_ok=True)
            frames: Iterator[Tensor] = (
                torch.from_numpy(frame).movedim(-1, 0)  # (3, H, W)
                for frame in frames_in_order(video, resize=resize)
            )
            if form == "jpeg":
                _write_images(target, flow_fields(frames, method), asked)
            elif form == "npz":
                _write_array(target, flow_fields(frames, method), asked)
            else:
                frames, again = tee(frames)  # a method's pairs ahead, no more
                shown = islice(again, video.num_frames - 1)  # the last frame has no flow
                pairs = zip(shown, flow_fields(frames, method), strict=True)
                _write_video(target, pairs, asked, video=video)
        return target, video.num_frames - 1


def _is_finished(target: Path, asked: dict[str, Any]) -> bool:
    """Whether the flow is there already, computed as is asked for.

    Raises
    ------
    DataError
        It was computed in another way, or something else lies there.
    """
    if not target.exists():
        return False
    try:
        if target.is_dir():
            found = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
        elif target.suffix == ".mp4":
            with target.open("rb") as file, av.open(file) as container:
                found = json.loads(container.metadata["comment"])
        else:
            with target.open("rb") as file, np.load(file) as content:
                found = json.loads(str(content["manifest"]))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, av.FFmpegError) as error:
        raise DataError(
            f"{target} holds no flow that was extracted here: {error}",
            "choose another OUT, or remove it",
        ) from error
    if found != asked:
        raise DataError(
            f"{target} holds flow that was extracted with {found}, and {asked} is asked for",
            "choose another OUT, or remove it",
        )
    return True


def _write_images(target: Path, fields: Iterator[Tensor], manifest: dict[str, Any]) -> None:
    """Write pairs of JPEG files and the manifest; the folder has its name when it is whole."""
    unfinished = target.with_name(f".{target.name}{UNFINISHED}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        for number, field in enumerate(fields, start=1):
            for axis, codes in zip("xy", to_codes(field), strict=True):
                _, image = cv2.imencode(".jpg", codes.numpy(), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
                (unfinished / f"flow_{axis}_{number:05d}.jpg").write_bytes(image.tobytes())
        (unfinished / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        unfinished.replace(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write_array(target: Path, fields: Iterator[Tensor], manifest: dict[str, Any]) -> None:
    """Write a compressed array of float16 with the manifest."""
    flow = torch.stack([field.half() for field in fields]).numpy()
    data = io.BytesIO()
    np.savez_compressed(data, flow=flow, manifest=np.array(json.dumps(manifest)))
    write_atomically(target, data.getvalue())


def _write_video(
    target: Path, pairs: Iterable[tuple[Tensor, Tensor]], manifest: dict[str, Any], *, video: Video
) -> None:
    """Write frames (3, H, W) beside their flow (2, H, W) as a video that has the manifest."""
    pictures = (
        side_by_side(frame.permute(1, 2, 0).numpy(), flow.numpy(), full=manifest["bound"])
        for frame, flow in pairs
    )
    times = video.timestamps[:-1].tolist()
    comment = {"comment": json.dumps(manifest)}
    write_video(target, zip(times, pictures, strict=True), fps=video.fps, metadata=comment)
