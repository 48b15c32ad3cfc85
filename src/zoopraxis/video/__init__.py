"""Video in: a path, bytes, URL, folder of frames, camera or tensor; frames by number out."""

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

__all__ = ["Video", "is_live", "live_frames", "open_video", "torchcodec_problem"]

Decoder = Literal["auto", "pyav", "torchcodec"]

# "auto" is PyAV: the same pictures as torchcodec bit for bit, but it skips pictures that no
# asked frame needs, refuses damaged data instead of painting over it, and numbers the frames
# of AVI and MPEG files rightly.
DECODERS: dict[str, type[PyAVVideo]] = {
    "auto": PyAVVideo,
    "pyav": PyAVVideo,
    "torchcodec": TorchCodecVideo,
}


def open_video(
    source: str | PathLike[str] | bytes | Tensor | np.ndarray[Any, Any],
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
    source : str, path, bytes, uint8 tensor or array of shape (T, 3, H, W)
        A file, the contents of one, a URL, a folder of frames, frames, or a live source:
        ``"camera:0"``, ``"/dev/video0"``, ``"rtsp://..."``.
    decoder : {"auto", "pyav", "torchcodec"}, default="auto"
        Who decodes files, bytes and URLs. Both give the same frames; "auto" is PyAV.
    timeout : float, default=60
        Seconds after which opening, or a call of `Video.frames_at`, gives up.
    stream : int, optional
        Index of the video stream in its container. The default is FFmpeg's best.
    fps : float, default=25
        Rate of a folder of frames or of a tensor, which do not know it.
    seconds : float, default=5
        How long a live source is recorded: it has no end, and a `Video` has a length.
        `live_frames` gives frames as they come.

    Returns
    -------
    Video
        To be used as a context manager, or closed.

    Raises
    ------
    VideoError
        The source is missing, empty, forbidden, no video, truncated, or has no frames; the
        message names it, says what was found and what to do.

    Examples
    --------
    >>> with open_video("clip.mp4") as video:  # doctest: +SKIP
    ...     frames = video.frames_at([0, 8, 16], resize=128)  # (3, 3, 128, W)
    """
    if decoder not in DECODERS:
        raise VideoError(f"there is no decoder called {decoder!r}", f"one of {', '.join(DECODERS)}")
    if isinstance(source, Tensor | np.ndarray):
        return ArrayVideo(torch.as_tensor(source), fps=fps)
    make = DECODERS[decoder]
    if isinstance(source, bytes):
        if not source:
            raise VideoError("bytes: there are none", "give the contents of a video file")
        return make(source, name="bytes", timeout=timeout, stream=stream)
    address = str(source)
    if is_live(address):
        return grab(address, seconds=seconds, timeout=timeout)
    if "://" in address:
        return make(address, name=address, timeout=timeout, stream=stream)
    path = Path(source)
    if _is_folder(path):
        return FolderVideo(path, fps=fps, timeout=timeout)
    return make(str(path), name=str(path), timeout=timeout, stream=stream)


def _is_folder(path: Path) -> bool:
    """Whether a path is a folder; if it is no good file either, say plainly what is wrong."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return True
        if not stat.S_ISREG(status.st_mode):
            raise VideoError(f"{path}: this is not a file", "give a file, folder, URL or bytes")
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise VideoError(f"{path}: there is no such file", _near(path)) from None
    except OSError as error:
        raise VideoError(
            f"{path}: cannot be opened: {error.strerror}", "check its permissions and its disk"
        ) from error
    if status.st_size == 0:
        raise VideoError(f"{path}: the file is empty", "copy or download it again")
    return False


def _near(path: Path) -> str:
    """Where to look for a file that is not there."""
    if not path.parent.is_dir():
        return f"nor is there a folder {path.parent}"
    import difflib

    names = [p.name for p in path.parent.iterdir()]
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean {path.with_name(near[0])}?" if near else "check the path"
