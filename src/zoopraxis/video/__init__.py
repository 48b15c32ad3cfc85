"""Open a path, bytes, URL, folder of frames, camera or tensor; read its frames by index."""

from __future__ import annotations

import math
import stat
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zoopraxis.errors import VideoError, did_you_mean
from zoopraxis.video._address import is_live, parse_address
from zoopraxis.video._archive import (
    INDEX,
    address_of,
    file_of,
    find_member,
    has_member,
    tar_members,
)
from zoopraxis.video._base import Video
from zoopraxis.video._cropped import CroppedVideo, FrameBox, RecentVideo, box_problem
from zoopraxis.video._images import TIMES, ArrayVideo, FolderVideo
from zoopraxis.video._live import grab, live_frames
from zoopraxis.video._motion_vectors import MotionVideo
from zoopraxis.video._pyav import PyAVVideo
from zoopraxis.video._reencode import CODECS, Encoding, reencode
from zoopraxis.video._torchcodec import CudaVideo, TorchCodecVideo, torchcodec_problem
from zoopraxis.video._write import write_video

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "CODECS",
    "INDEX",
    "TIMES",
    "ArrayVideo",
    "CroppedVideo",
    "Encoding",
    "FrameBox",
    "MotionVideo",
    "RecentVideo",
    "Video",
    "box_problem",
    "file_of",
    "find_member",
    "has_member",
    "is_live",
    "live_frames",
    "open_motion",
    "open_video",
    "reencode",
    "tar_members",
    "torchcodec_problem",
    "write_video",
]

Decoder = Literal["auto", "pyav", "torchcodec", "cuda"]

# "auto" is PyAV: its frames are bit-exact with torchcodec's, but it skips frames that no
# requested frame depends on, raises on damaged data instead of concealing it, and indexes the
# frames of AVI and MPEG files correctly.
DECODERS: dict[str, type[PyAVVideo]] = {
    "auto": PyAVVideo,
    "pyav": PyAVVideo,
    "torchcodec": TorchCodecVideo,
    "cuda": CudaVideo,
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
        video: ``"camera:0"``, ``"/dev/video0"``, ``"rtsp://..."``. Only a string with ``://`` is
        a URL; ``concat:a.mp4|b.mp4`` is a file of that name. ``"shard.tar::a.mp4"`` is a file
        inside a tar file.
    decoder : {"auto", "pyav", "torchcodec", "cuda"}, default="auto"
        Backend that decodes files, bytes and URLs. PyAV and torchcodec give the same frames; "auto"
        is PyAV. "cuda" is an NVIDIA GPU's decoder, through torchcodec, whose pixels differ by some
        grey levels.
    timeout : float, default=60
        Time limit in seconds for opening, and for each call of `Video.frames_at`.
    stream : int, optional
        Index of the video stream in its container. The default is FFmpeg's best stream.
    fps : float, default=25
        Frame rate of a tensor, which carries none, and of a folder of frames without the
        ``frames.json`` that `zoopraxis data frames` writes.
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
    if not isinstance(decoder, str) or decoder not in DECODERS:
        raise VideoError(f"unknown decoder {decoder!r}", f"choose one of {', '.join(DECODERS)}")
    for name, value in (("timeout", timeout), ("fps", fps), ("seconds", seconds)):
        _check_positive(name, value)
    if not isinstance(video, str | PathLike | bytes):
        import torch

        if isinstance(video, torch.Tensor | np.ndarray):
            return ArrayVideo(_as_tensor(video), fps=fps, timeout=timeout)
    backend = DECODERS[decoder]
    if isinstance(video, bytes):
        if not video:
            raise VideoError("bytes: empty", "pass the contents of a video file")
        return backend(video, name="bytes", timeout=timeout, stream=stream)
    if isinstance(video, str) and is_live(video):
        return grab(video, seconds=seconds, timeout=timeout)
    address = parse_address(video)
    if isinstance(address, str):
        return backend(address, name=address, timeout=timeout, stream=stream)
    if address.is_absolute() and is_live(str(address)):  # Path("/dev/video0")
        return grab(str(address), seconds=seconds, timeout=timeout)
    if _is_folder(address):
        return FolderVideo(address, fps=fps, timeout=timeout)
    return backend(address_of(address), name=str(address), timeout=timeout, stream=stream)


def open_motion(
    video: str | PathLike[str] | bytes, *, timeout: float = 60.0, stream: int | None = None
) -> MotionVideo:
    """Open a video whose frames are decoded with the motion vectors of its codec.

    Parameters
    ----------
    video : str, path or bytes
        A file, the contents of a file, or a URL.
    timeout, stream
        As for `open_video`; the time limit holds for opening, and for each frame.

    Raises
    ------
    VideoError
        It cannot be opened, FFmpeg exports no motion vectors of its codec, or it is what has none:
        a folder of frames, frames in memory, a live video.
    """
    hint = "pass the file of a video: only there a codec has left its motion vectors"
    if isinstance(video, bytes):
        return MotionVideo(video, timeout=timeout, stream=stream)
    if not isinstance(video, str | PathLike):
        raise VideoError(f"{type(video).__name__}: frames in memory have no motion vectors", hint)
    address = parse_address(video)
    if is_live(str(video)):
        raise VideoError(f"{video}: the motion vectors of a live video are not read", hint)
    if isinstance(address, Path) and _is_folder(address):
        raise VideoError(f"{video}: a folder of frames has no motion vectors", hint)
    return MotionVideo(video, timeout=timeout, stream=stream)


def _check_positive(name: str, value: object) -> None:
    if not (isinstance(value, int | float | np.number) and value > 0):
        raise VideoError(f"{name} must be a positive number, not {value!r}", f"such as {name}=30")
    if not math.isfinite(float(value) + 1 / float(value)):
        raise VideoError(f"{name} must be a finite number, not {value!r}", f"such as {name}=30")


def _as_tensor(video: Tensor | np.ndarray[Any, Any]) -> Tensor:
    """Frames as a tensor, which may share memory."""
    import torch

    if isinstance(video, torch.Tensor):
        return video
    if video.dtype != np.uint8:  # torch has no name for some of the others
        raise VideoError(
            f"array: frames must be uint8 (T, 3, H, W), not {video.dtype} {video.shape}",
            "scale to [0, 255] and convert to uint8",
        )
    # A copy where torch cannot share: reversed channels (BGR to RGB) have a negative stride.
    return torch.from_numpy(video if min(video.strides, default=0) >= 0 else video.copy())


def _is_folder(path: Path) -> bool:
    """Whether a path is a folder; raise if it is not a readable, non-empty file either.

    FFmpeg's own errors for these cases are cryptic, and it would wait on a pipe.
    """
    if find_member(str(path)) is not None:
        return False
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return True
        if not stat.S_ISREG(status.st_mode):
            raise VideoError(f"{path}: not a regular file", "pass a file, folder, URL or bytes")
        with path.open("rb"):
            pass
    except (FileNotFoundError, NotADirectoryError):
        raise VideoError(f"{path}: no such file or folder", _suggestion(path)) from None
    except ValueError as error:  # a NUL character
        raise VideoError(f"{str(path)!r}: not a path: {error}", "check the path") from None
    except OSError as error:
        raise VideoError(
            f"{path}: cannot be opened: {error.strerror}", "check its permissions and its disk"
        ) from error
    if status.st_size == 0:
        raise VideoError(f"{path}: the file is empty", "copy or download it again")
    return False


def _suggestion(path: Path) -> str:
    """Hint for a missing file: its missing folder, or near names in the folder."""
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist either"
    try:
        names = [p.name for p in path.parent.iterdir()]
    except OSError:
        return "check the path; its folder cannot be listed"
    return did_you_mean(path.name, names, otherwise="check the path")
