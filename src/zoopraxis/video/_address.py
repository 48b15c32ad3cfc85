"""Tell network addresses from local paths, and keep FFmpeg from guessing."""

import re
from os import PathLike, fspath
from pathlib import Path
from urllib.parse import unquote, urlsplit

from zoopraxis.errors import VideoError

__all__ = ["LIVE_SCHEMES", "as_file", "is_live", "parse_address"]

# Sources without an end, and those that are files on a server.
LIVE_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "rtp", "srt", "udp")
STORED_SCHEMES = ("ftp", "http", "https")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CAMERA = re.compile(r"camera:|/dev/video\d+$")


def is_live(video: str) -> bool:
    """Whether an address is a camera or a network stream."""
    return bool(_CAMERA.match(video)) or _scheme(video) in LIVE_SCHEMES


def parse_address(video: str | PathLike[str]) -> str | Path:
    """Network address, as a string, or local file or folder, as a path.

    Only strings that start with ``scheme://`` are addresses. Everything else is a path, whatever
    FFmpeg would make of it: ``10:30:00.mp4`` is a file and not the protocol ``10``, and
    ``concat:a.mp4|b.mp4`` is a file that probably does not exist.

    Raises
    ------
    VideoError
        It is neither text nor a path, is empty, or its scheme is unknown.
    """
    try:
        text = fspath(video)
    except TypeError:
        text = None
    if not isinstance(text, str):
        raise VideoError(
            f"a video is a path, address, bytes, tensor or array, not {type(video).__name__}",
            "pass one of these; the contents of a file are bytes",
        )
    scheme = _scheme(text) if isinstance(video, str) else ""
    if scheme == "file":
        return Path(unquote(urlsplit(text).path))
    if scheme and scheme not in LIVE_SCHEMES + STORED_SCHEMES:
        raise VideoError(
            f"{text}: unknown scheme {scheme}://",
            f"known are {', '.join(sorted(LIVE_SCHEMES + STORED_SCHEMES))}; download it and "
            "pass the file, or its bytes",
        )
    if not text:
        raise VideoError("an empty name", "pass a path or an address")
    # FFmpeg knows its protocols in lower case only.
    return scheme + text[len(scheme) :] if scheme else Path(text)


def as_file(path: str | PathLike[str]) -> str:
    """FFmpeg's address of a local file: with its protocol spelt out, no name is misread."""
    return f"file:{fspath(path)}"


def _scheme(address: str) -> str:
    match = _SCHEME.match(address)
    return match[1].lower() if match else ""
