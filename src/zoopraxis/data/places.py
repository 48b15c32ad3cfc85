"""Paths of videos in our files: relative to the file's folder, so that both can move together."""

import os
from pathlib import Path

__all__ = ["path_from", "path_in", "place_of"]


def path_from(folder: Path, path: str) -> str:
    """Path of a video as a file in a folder has it; an address stays."""
    return path if "://" in path else os.path.relpath(path, folder)


def path_in(folder: Path, path: str) -> str:
    """Path to open, of one that a file in a folder has: the inverse of `path_from`."""
    return path if "://" in path else os.path.normpath(folder / path)


def place_of(path: str) -> str:
    """Absolute path, by which two are compared; links in it stay, and so does an address."""
    return path if "://" in path else os.path.abspath(path)  # noqa: PTH100 - resolves no links
