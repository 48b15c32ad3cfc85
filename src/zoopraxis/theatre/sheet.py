"""A contact sheet: one film strip per class."""

import csv
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from zoopraxis.theatre.actions import ACTIONS
from zoopraxis.errors import DataError

__all__ = ["contact_sheet"]

_INK, _PAPER, _TITLE = (225, 225, 220), 24, 26  # grey levels, pixels


def contact_sheet(theatre: str | Path, picture: str | Path, *, number: int = 0) -> Path:
    """Save a picture with a film strip of one clip of each class.

    Parameters
    ----------
    theatre : str or Path
        Folder that `make_theatre` filled.
    picture : str or Path
        PNG to write.
    number : int, default=0
        Of the clip of the first class in the list.

    Raises
    ------
    DataError
        No theatre there, or the picture cannot be written.
    """
    theatre, picture = Path(theatre), Path(picture)
    table = theatre / "clips.csv"
    if not table.is_file():
        raise DataError(f"{table} does not exist", f"run `zoopraxis data theatre {theatre}`")
    clips: dict[str, list[str]] = {}
    with table.open(newline="") as lines:
        for row in csv.DictReader(lines):
            clips.setdefault(row["label"], []).append(row["path"])
    strips = [
        # Pairs stand together and show one film; each other class shows another performer.
        _strip(theatre / clips[label][(number + place // 2) % len(clips[label])], label)
        for place, label in enumerate(action for action in ACTIONS if action in clips)
    ]
    half = (len(strips) + 1) // 2
    strips += [np.full_like(strips[0], _PAPER)] * (2 * half - len(strips))
    sheet = np.hstack([np.vstack(strips[:half]), np.vstack(strips[half:])])
    done, data = cv2.imencode(".png", sheet[..., ::-1])
    if not done or not picture.parent.is_dir():
        raise DataError(f"{picture} cannot be written", "give a file in a folder that exists")
    picture.write_bytes(data.tobytes())
    return picture


def _strip(path: Path, label: str, shown: int = 7) -> NDArray[np.uint8]:
    """Title and ``shown`` frames of a clip, evenly over its time, between perforations."""
    with av.open(str(path), "r") as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    gap = np.full((frames[0].shape[0], 3, 3), _PAPER, np.uint8)
    chosen = np.linspace(1, len(frames) - 2, shown).round().astype(int)
    row = np.hstack([*(part for i in chosen for part in (gap, frames[i])), gap])
    title = np.full((_TITLE, row.shape[1], 3), _PAPER, np.uint8)
    name = label.replace("_", " ")
    cv2.putText(title, name, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)
    return np.vstack([title, _perforation(row.shape[1]), row, _perforation(row.shape[1])])


def _perforation(width: int) -> NDArray[np.uint8]:
    """Edge of a film with its holes."""
    edge = np.full((8, width, 3), _PAPER, np.uint8)
    for x in range(6, width - 6, 14):
        edge[2:6, x : x + 7] = 205
    return edge
