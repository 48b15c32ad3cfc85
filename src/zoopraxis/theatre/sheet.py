"""A contact sheet: one film strip per action."""

import csv
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import DataError
from zoopraxis.theatre.actions import ACTIONS

__all__ = ["contact_sheet"]

_INK, _PAPER, _TITLE = (225, 225, 220), 24, 26  # RGB, grey level, height in pixels


def contact_sheet(theatre: str | Path, image: str | Path, *, index: int = 0) -> Path:
    """Save an image with a film strip of one clip of each class.

    Parameters
    ----------
    theatre : str or Path
        Folder that `make_theatre` filled.
    image : str or Path
        PNG file to write.
    index : int, default=0
        Index of the clip of the first class in the list; the following pairs and classes use the
        next ones.

    Returns
    -------
    Path
        The image.

    Raises
    ------
    DataError
        The folder is not a theatre, or the image cannot be written.
    """
    theatre, image = Path(theatre), Path(image)
    table = theatre / "clips.csv"
    if not table.is_file():
        raise DataError(f"{table} does not exist", f"run `zoopraxis data theatre {theatre}`")
    clips: dict[str, list[str]] = {}
    with table.open(newline="") as lines:
        for row in csv.DictReader(lines):
            clips.setdefault(row["label"], []).append(row["path"])
    strips = [
        # Two adjacent classes share an index, so a pair shows one film in both directions; the
        # next two show the next clip, by another performer.
        _strip(theatre / clips[label][(index + i // 2) % len(clips[label])], label)
        for i, label in enumerate(action for action in ACTIONS if action in clips)
    ]
    half = (len(strips) + 1) // 2
    strips += [np.full_like(strips[0], _PAPER)] * (2 * half - len(strips))
    sheet = np.hstack([np.vstack(strips[:half]), np.vstack(strips[half:])])
    done, data = cv2.imencode(".png", sheet[..., ::-1])
    if not done or not image.parent.is_dir():
        raise DataError(f"{image} cannot be written", "pass a file in an existing folder")
    image.write_bytes(data.tobytes())
    return image


def _strip(path: Path, label: str, shown: int = 7) -> NDArray[np.uint8]:
    """Film strip of a clip: a title, and ``shown`` evenly spaced frames between perforations."""
    with path.open("rb") as file, av.open(file, "r") as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    gap = np.full((frames[0].shape[0], 3, 3), _PAPER, np.uint8)
    chosen = np.linspace(1, len(frames) - 2, shown).round().astype(int)
    row = np.hstack([*(part for i in chosen for part in (gap, frames[i])), gap])
    title = np.full((_TITLE, row.shape[1], 3), _PAPER, np.uint8)
    name = label.replace("_", " ")
    cv2.putText(title, name, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)
    return np.vstack([title, _perforation(row.shape[1]), row, _perforation(row.shape[1])])


def _perforation(width: int) -> NDArray[np.uint8]:
    """Perforated edge of a film."""
    edge = np.full((8, width, 3), _PAPER, np.uint8)
    for x in range(6, width - 6, 14):
        edge[2:6, x : x + 7] = 205
    return edge
