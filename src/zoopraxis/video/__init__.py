"""Open a path, bytes, URL, folder of frames, camera or tensor; read its frames by index."""

import stat
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from zoopraxis.errors import VideoError
from zoopraxis.video._base import Video
from zoopraxis.video._images import ArrayVideo, FolderVideo
from zoopraxis.video._live import grab, is_live, live_frames
from zoopraxis.video._pyav import PyAVVideo
from zoopraxis.video._torchcodec import TorchCodecVideo, torchcodec_problem

__all__ = ["ArrayVideo", "Video", "is_live", "live_frames", "open_video", "torchcodec_problem"]

Decoder = Literal["auto", "pyav", "torchcodec"]

# "auto" is PyAV: its frames are bit-exact with torchcodec's, but it skips frames that no
# requested frame depends on, raises on damaged data instead of concealing it, and indexes the
# frames of AVI and MPEG files correctly.
DECODERS: dict[str, type[PyAVVideo]] = {
    "auto": PyAVVideo,
    "pyav": PyAVVideo,
    "torchcodec": TorchCodecVideo,
}


def open_video(
    video: str | PathLike[str] | bytes | Tensor | np.ndarray[Any, Any],
    *,
    decoder: Decoder = "auto",
    timeout: float = 60.0,
    stream: int | None = None,
    fps: float = 25.0,
    seconds: float = 5.0,
) -> Video:
    """Open a video.

    Parameters
    ----------
    video : str, path, bytes, uint8 tensor or ndarray of shape (T, 3, H, W)
        A file, the contents of a file, a URL, a folder of frames, frames in memory, or a live
        video: ``"camera:0"``, ``"/dev/video0"``, ``"rtsp://..."``.
    decoder : {"auto", "pyav", "torchcodec"}, default="auto"
        Backend that decodes files, bytes and URLs. Both give the same frames; "auto" is PyAV.
    timeout : float, default=60
        Time limit in seconds for opening, and for each call of `Video.frames_at`.
    stream : int, optional
        Index of the video stream in its container. The default is FFmpeg's best stream.
    fps : float, default=25
        Frame rate of a folder of frames or of a tensor, which carry none.
    seconds : float, default=5
        Duration to record of a live video, which has no end while a `Video` has a length.
        `live_frames` yields frames as they arrive instead.

    Returns
    -------
    Video
        Use it as a context manager, or close it.

    Raises
    ------
    VideoError
        The input is missing, empty, unreadable, not a video, truncated or without frames. The
        message names it, what was found and what to do.

    Examples
    --------
    >>> with open_video("clip.mp4") as video:  # doctest: +SKIP
    ...     frames = video.frames_at([0, 8, 16], resize=128)  # (3, 3, 128, W)
    """
    if decoder not in DECODERS:
        raise VideoError(f"unknown decoder {decoder!r}", f"choose one of {', '.join(DECODERS)}")
    if isinstance(video, Tensor | np.ndarray):
        return ArrayVideo(torch.as_tensor(video), fps=fps)
    backend = DECODERS[decoder]
    if isinstance(video, bytes):
        if not video:
            raise VideoError("bytes: empty", "pass the contents of a video file")
        return backend(video, name="bytes", timeout=timeout, stream=stream)
    address = str(video)
    if is_live(address):
        return grab(address, seconds=seconds, timeout=timeout)
    if "://" in address:
        return backend(address, name=address, timeout=timeout, stream=stream)
    path = Path(video)
    if _is_folder(path):
        return FolderVideo(path, fps=fps, timeout=timeout)
    return backend(str(path), name=str(path), timeout=timeout, stream=stream)


def _is_folder(path: Path) -> bool:
    """Whether a path is a folder; raise if it is not a readable, non-empty file either.

    FFmpeg's own errors for these cases are cryptic, and it would wait on a pipe.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return True
        if not stat.S_ISREG(status.st_mode):
            raise VideoError(f"{path}: not a regular file", "pass a file, folder, URL or bytes")
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise VideoError(f"{path}: no such file or folder", _suggestion(path)) from None
    except OSError as error:
        raise VideoError(
            f"{path}: cannot be opened: {error.strerror}", "check its permissions and its disk"
        ) from error
    if status.st_size == 0:
        raise VideoError(f"{path}: the file is empty", "copy or download it again")
    return False


def _suggestion(path: Path) -> str:
    """Hint for a missing file: its missing folder, or the nearest name in the folder."""
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist either"
    import difflib

    names = [p.name for p in path.parent.iterdir()]
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean {path.with_name(near[0])}?" if near else "check the path"
