"""Files that are written whole or not at all."""

import os
from pathlib import Path

__all__ = ["UNFINISHED", "flush", "write_atomically"]

UNFINISHED = ".writing"


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file by new content, so that a reader sees the old or the new, never a part."""
    unfinished = path.with_name(f".{path.name}{UNFINISHED}")
    unfinished.write_bytes(data)
    flush(unfinished)
    unfinished.replace(path)


def flush(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
