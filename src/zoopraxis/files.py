"""Atomic writes (a file is complete or not there), and the cache folder."""

import os
from pathlib import Path

__all__ = ["UNFINISHED", "cache_folder", "flush", "write_atomically"]

UNFINISHED = ".writing"


def cache_folder() -> Path:
    """Folder of what is downloaded or computed once: ``$ZOOPRAXIS_HOME``, or the user's cache."""
    home = os.environ.get("ZOOPRAXIS_HOME")
    if home:
        return Path(home).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "zoopraxis"


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file atomically: a reader sees the old content or the new, never a part."""
    unfinished = path.with_name(f".{path.name}{UNFINISHED}")
    unfinished.write_bytes(data)
    flush(unfinished)
    unfinished.replace(path)


def flush(path: Path) -> None:
    """Wait until the data of a file, or the entries of a folder, are on disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
