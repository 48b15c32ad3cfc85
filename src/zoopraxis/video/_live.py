"""Sources without an end: cameras and network streams."""

import sys
from collections.abc import Iterator

import av
import numpy as np
import torch
from torch import Tensor

from zoopraxis.errors import VideoError
from zoopraxis.video._base import Clock, Size
from zoopraxis.video._images import ArrayVideo
from zoopraxis.video._input import explained
from zoopraxis.video._pyav import _Converter

__all__ = ["grab", "is_live", "live_frames"]

LIVE_SCHEMES = ("rtsp://", "rtmp://", "rtp://", "udp://", "srt://")
# FFmpeg's capture device, and how it calls camera n
CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}")}


def is_live(source: str) -> bool:
    """Whether a source is a camera or a network stream."""
    return source.startswith(("camera:", "/dev/video", *LIVE_SCHEMES))


def live_frames(
    source: str, *, resize: Size | None = None, timeout: float = 60.0
) -> Iterator[tuple[float, Tensor]]:
    """Yield frames as they come, without an end.

    Parameters
    ----------
    source : str
        ``"camera:0"``, ``"/dev/video0"``, an rtsp address, or anything else that FFmpeg reads.
    resize : (int, int), optional
        (height, width).
    timeout : float, default=60
        Seconds to wait for the source to open, and for each frame.

    Yields
    ------
    float
        Seconds since the first frame.
    uint8 tensor of shape (3, H, W)
        RGB, upright.

    Raises
    ------
    VideoError
        The source cannot be opened, or a frame does not come in time.
    """
    device, address = _address(source)
    first: float | None = None
    converter: _Converter | None = None
    with (
        explained(source, address, timeout),
        av.open(address, "r", format=device, timeout=timeout) as container,
    ):
        if not container.streams.video:
            raise VideoError(f"{source}: there is no video stream", "check the address")
        for frame in container.decode(container.streams.video[0]):
            now = float(frame.time or 0.0)
            first = now if first is None else first
            converter = converter or _Converter(-frame.rotation % 360)
            yield now - first, converter.image(frame, resize).movedim(-1, 0)


def grab(source: str, *, seconds: float, timeout: float) -> ArrayVideo:
    """Record a live source for some seconds.

    Raises
    ------
    VideoError
        As `live_frames`; or the source gave no frame.
    """
    clock = Clock(source, timeout + seconds)
    times: list[float] = []
    frames: list[Tensor] = []
    for now, frame in live_frames(source, timeout=timeout):
        clock.check()
        if now >= seconds:
            break
        times.append(now)
        frames.append(frame)
    if not frames:
        raise VideoError(f"{source}: it gave no frames", "check that nothing else uses it")
    rate = (len(times) - 1) / times[-1] if times[-1] > 0 else 1.0
    stamps = np.array(times, dtype=np.float64)
    return ArrayVideo(torch.stack(frames), fps=rate, name=source, timestamps=stamps)


def _address(source: str) -> tuple[str | None, str]:
    """FFmpeg's input format and address of a live source."""
    if source.startswith("/dev/video"):
        return "v4l2", source
    if not source.startswith("camera:"):
        return None, source
    number = source.removeprefix("camera:")
    if sys.platform not in CAMERAS or not number.isdigit():
        raise VideoError(f"{source}: there is no such camera here", "name one as camera:0")
    device, pattern = CAMERAS[sys.platform]
    return device, pattern.format(number)
