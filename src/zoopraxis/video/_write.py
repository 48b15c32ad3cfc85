"""Write pictures as a video."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from numpy.typing import NDArray

from zoopraxis.errors import VideoError

__all__ = ["write_video"]

TICKS = 90_000  # of a second: MPEG's clock


def write_video(
    out: Path,
    pictures: Iterable[tuple[float, NDArray[np.uint8]]],
    *,
    fps: float,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Encode pictures as they come as an H.264 video.

    Parameters
    ----------
    out : Path
        The ``.mp4`` to write, and folders for it; it appears when it is complete.
    pictures : iterable of (float, uint8 ndarray of shape (H, W, 3))
        At least one: its time in seconds, and RGB; H and W are even and the same for all.
    fps : float
        Pictures per second, a hint for players.
    metadata : mapping of str to str, optional
        Metadata of the container, such as ``comment``.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    VideoError
        ``out`` cannot be written.
    """
    part = out.with_name(f".{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # a file and no name: FFmpeg would read 10:30.mp4 as the protocol "10"
        with part.open("wb") as file, av.open(file, "w", format="mp4") as container:
            container.metadata.update(metadata or {})
            stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = Fraction(1, TICKS)
            stream.options = {"crf": "20", "preset": "veryfast"}
            rest = iter(pictures)
            first = next(rest)
            stream.height, stream.width = first[1].shape[:2]
            for time, picture in chain([first], rest):
                image = av.VideoFrame.from_ndarray(picture, format="rgb24")
                image.pts, image.time_base = round(time * TICKS), Fraction(1, TICKS)
                container.mux(stream.encode(image))
            container.mux(stream.encode(None))
        part.replace(out)
    except (OSError, av.FFmpegError, UnknownCodecError) as error:
        raise VideoError(
            f"{out} cannot be written: {error}",
            "choose another place with room; H.264 needs PyAV from a wheel",
        ) from error
    finally:
        if part.is_file():
            part.unlink()
    return out
