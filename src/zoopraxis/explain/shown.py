"""The frames that a network saw of a video, heat over them, and films and sheets of pictures."""

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from zoopraxis.errors import ZoopraxisError
from zoopraxis.files import write_atomically
from zoopraxis.inputs import ClipSpec, Media
from zoopraxis.inputs.augment import Draw
from zoopraxis.inputs.base import view_indices
from zoopraxis.inputs.images import apply_draw
from zoopraxis.video import open_video, write_video

__all__ = ["SUFFIXES", "check_place", "heated", "save_pictures", "seen_frames"]

SUFFIXES = (".mp4", ".gif", ".png")
"""What pictures are written as: a film, a film, or a sheet of all of them."""

Pictures = NDArray[np.uint8]

COLUMNS = 8  # of a sheet
SLOWEST, FASTEST = 2.0, 25.0  # pictures per second
OPACITY = 0.75  # of the greatest heat


def seen_frames(media: Media, clip: ClipSpec, *, views: int = 1) -> tuple[Pictures, float]:
    """Read the RGB frames at the times and in the crop that a network sees of a video.

    Whatever the network's input is made of, flow for example: of each item, the frame at its time.

    Parameters
    ----------
    media : Media
        The video.
    clip : ClipSpec
        The clip that the network expects, of a kind of input that is cropped from images.
    views : int, default=1
        V, the clips spread over the video, as for `zoopraxis.prediction.pipeline.predict`.

    Returns
    -------
    uint8 ndarray of shape (V, T, S, S, 3)
        RGB.
    float
        Mean number of these frames per second of the video.

    Raises
    ------
    VideoError
        The video cannot be read.
    ZoopraxisError
        The input is not cropped from images.
    """
    kind = clip.input
    with kind.open(media) as track:
        indices = view_indices(track, media, clip.sampling, views=views)  # (V, T)
        draw = kind.crops(track, 1)[0]
        times = np.asarray(track.timestamps)[indices]  # (V, T)
    size = getattr(kind, "size", None)
    if not isinstance(draw, Draw) or not isinstance(size, int):
        raise ZoopraxisError(
            f"input of kind {kind.kind!r} is not cropped from the frames of a video",
            "choose a network for frames, flow or a compressed video",
        )
    with open_video(media.path) as video:
        gaps = abs(video.timestamps[:, None] - times.reshape(1, -1))  # (N, V * T)
        frames = video.frames_at(gaps.argmin(axis=0).reshape(times.shape))  # (V, T, 3, H, W)
    pixels = torch.stack([apply_draw(view, draw, size=size) for view in frames])
    pixels = (pixels * 255).round().to(torch.uint8).movedim(2, -1)  # (V, T, S, S, 3)
    steps = np.diff(times, axis=1)
    step = float(steps.mean()) if steps.size else 0.0
    return pixels.numpy(), 1 / step if step > 0 else SLOWEST


def heated(pictures: Pictures, heat: Tensor) -> Pictures:
    """Lay heat over pictures: the hotter, the more opaque and the brighter.

    Parameters
    ----------
    pictures : uint8 ndarray of shape (..., H, W, 3)
        RGB.
    heat : Tensor of shape (..., H, W)
        In [0, 1]; where it is 0 the picture is unchanged.

    Returns
    -------
    uint8 ndarray of shape (..., H, W, 3)
    """
    values = heat.clamp(0, 1).cpu().numpy()  # (..., H, W)
    colours = 255 * matplotlib.colormaps["inferno"](values)[..., :3]  # (..., H, W, 3)
    opacity = OPACITY * values[..., None]
    return np.asarray(np.rint(pictures * (1 - opacity) + colours * opacity), np.uint8)


def check_place(out: Path) -> None:
    """Refuse a place for pictures whose name does not say how to write them."""
    if out.suffix.lower() not in SUFFIXES:
        raise ZoopraxisError(
            f"{out} does not end in {', '.join(SUFFIXES)}",
            ".mp4 and .gif are films, .png is a sheet of all pictures",
        )


def save_pictures(out: Path, pictures: Sequence[Pictures], *, fps: float) -> Path:
    """Write pictures as a film (``.mp4``, ``.gif``) or a sheet (``.png``), by the name of the file.

    Parameters
    ----------
    out : Path
        The file; it appears when it is complete.
    pictures : sequence of uint8 ndarray of shape (H, W, 3)
        RGB, one or more, all of one size.
    fps : float
        Pictures per second of a film; kept between 2 and 25.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    ZoopraxisError
        The name has another ending.
    VideoError
        The film cannot be written.
    """
    check_place(out)
    suffix, fps = out.suffix.lower(), min(max(fps, SLOWEST), FASTEST)
    if suffix == ".mp4":
        height, width = (n + n % 2 for n in pictures[0].shape[:2])  # even, as the codec needs them
        even = (cv2.resize(picture, (width, height)) for picture in pictures)
        timed = ((i / fps, np.asarray(x, np.uint8)) for i, x in enumerate(even))
        return write_video(out, timed, fps=fps)
    data = io.BytesIO()
    if suffix == ".gif":
        first, *rest = (Image.fromarray(picture) for picture in pictures)
        first.save(
            data, "GIF", save_all=True, append_images=rest, duration=round(1000 / fps), loop=0
        )
    else:
        Image.fromarray(_sheet(pictures)).save(data, "PNG")
    write_atomically(out, data.getvalue())
    return out


def _sheet(pictures: Sequence[Pictures]) -> Pictures:
    """Lay pictures out in rows of at most `COLUMNS`, the last one filled up with white."""
    columns = min(len(pictures), COLUMNS)
    missing = -len(pictures) % columns
    cells = [*pictures, *[np.full_like(pictures[0], 255)] * missing]
    rows = [np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)]
    return np.vstack(rows)
