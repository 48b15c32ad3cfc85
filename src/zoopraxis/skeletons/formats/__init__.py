"""Readers of skeletons, one file for each format."""

from collections.abc import Callable, Mapping
from pathlib import Path

from zoopraxis.errors import VideoError
from zoopraxis.skeletons.formats.arrays import read_array
from zoopraxis.skeletons.formats.kinetics import read_kinetics
from zoopraxis.skeletons.formats.matlab import read_utd
from zoopraxis.skeletons.formats.msr import read_msr
from zoopraxis.skeletons.formats.ntu import read_ntu
from zoopraxis.skeletons.formats.openpose import is_openpose_folder, read_openpose
from zoopraxis.skeletons.recording import Recording

__all__ = ["SUFFIXES", "holds_skeletons", "read_recording"]

_READERS: Mapping[str, Callable[[Path], Recording]] = {
    ".json": read_kinetics,
    ".mat": read_utd,
    ".npy": read_array,
    ".npz": read_array,
    ".skeleton": read_ntu,
    ".txt": read_msr,
}

SUFFIXES = tuple(_READERS)
"""Endings of the files that hold the skeletons of one recording."""


def holds_skeletons(place: Path) -> bool:
    """Whether a path is that of skeletons, by its ending or by what the folder holds."""
    return place.suffix in SUFFIXES or is_openpose_folder(place)


def read_recording(place: Path) -> Recording:
    """Read the skeletons of one recording, whatever wrote them.

    Parameters
    ----------
    place : Path
        ``.npy``, or ``.npz`` with ``skeleton`` and perhaps ``fps``; ``.json`` of
        Kinetics-skeleton; a folder of OpenPose with a ``.json`` for each frame; ``.skeleton`` of
        NTU RGB+D; ``.txt`` of MSR Action3D; ``.mat`` of UTD-MHAD.

    Raises
    ------
    VideoError
        There are no skeletons, or the file is damaged.
    """
    if is_openpose_folder(place):
        return read_openpose(place)
    if place.suffix not in SUFFIXES or not place.is_file():
        raise VideoError(
            f"{place}: there are no skeletons here",
            f"give a file that ends with {', '.join(SUFFIXES)}, or a folder of OpenPose",
        )
    return _READERS[place.suffix](place)
