"""Live video, which has no end: cameras and network streams."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import av
import numpy as np

from zoopraxis.errors import VideoError
from zoopraxis.video._address import as_file, is_live, parse_address
from zoopraxis.video._base import Deadline, Size
from zoopraxis.video._convert import Converter
from zoopraxis.video._images import ArrayVideo
from zoopraxis.video._input import OPTIONS, demuxed, reworded_errors
from zoopraxis.video._orientation import orientation_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

__all__ = ["grab", "is_live", "live_frames"]

# platform -> FFmpeg's capture device, and its address of camera n
CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}")}


def live_frames(
    video: str, *, resize: Size | None = None, timeout: float = 60.0
) -> Iterator[tuple[float, Tensor]]:
    """Yield frames as they arrive, until the video ends, if it does.

    Parameters
    ----------
    video : str
        ``"camera:0"``, ``"/dev/video0"``, an RTSP address, or anything else that FFmpeg reads.
    resize : (int, int), optional
        (height, width) in pixels.
    timeout : float, default=60
        Seconds to wait for the video to open, and for each frame.

    Yields
    ------
    float
        Seconds since the first frame.
    uint8 tensor of shape (3, H, W)
        Upright RGB frame.

    Raises
    ------
    VideoError
        The video cannot be opened, or a frame does not arrive in time.
    """
    import torch

    device, address = _address(video)
    first: float | None = None
    converter: Converter | None = None
    with (
        reworded_errors(video, address, timeout),
        av.open(address, "r", format=device, timeout=timeout, options=OPTIONS) as container,
    ):
        if not container.streams.video:
            raise VideoError(f"{video}: no video stream", "check the address")
        for packet in demuxed(container, container.streams.video[0]):
            for frame in packet.decode():
                now = float(frame.time or 0.0)
                first = now if first is None else first
                converter = converter or Converter(orientation_of(frame, video))
                image = torch.from_numpy(converter.image(frame, resize))  # (H, W, 3)
                yield now - first, image.movedim(-1, 0)


def grab(video: str, *, seconds: float, timeout: float) -> ArrayVideo:
    """Record a live video for a number of seconds.

    Raises
    ------
    VideoError
        As `live_frames`; or no frame was received.
    """
    import torch

    deadline = Deadline(video, timeout + seconds)
    times: list[float] = []
    frames: list[Tensor] = []
    for now, frame in live_frames(video, timeout=timeout):
        deadline.check()
        if now >= seconds:
            break
        times.append(now)
        frames.append(frame)
    if not frames:
        raise VideoError(f"{video}: no frames received", "check that no other program is using it")
    fps = (len(times) - 1) / times[-1] if times[-1] > 0 else 1.0
    timestamps = np.array(times, dtype=np.float64)
    return ArrayVideo(torch.stack(frames), fps=fps, name=video, timestamps=timestamps)


def _address(video: str) -> tuple[str | None, str]:
    """FFmpeg's input format (None: detect it) and address of a live video."""
    if video.startswith("/dev/") and is_live(video):
        return "v4l2", video
    if not video.startswith("camera:"):
        address = parse_address(video)
        return None, address if isinstance(address, str) else as_file(address)
    index = video.removeprefix("camera:")
    if sys.platform not in CAMERAS:
        raise VideoError(
            f"{video}: cameras are not supported on {sys.platform}",
            "pass a network address or a file",
        )
    if not index.isdigit():
        raise VideoError(f"{video}: a camera is named by its index", "for example camera:0")
    device, pattern = CAMERAS[sys.platform]
    return device, pattern.format(index)
