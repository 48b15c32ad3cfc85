"""Write a list of videos that `zoopraxis.data.samples.read_samples` reads."""

import csv
import io
import os
from pathlib import Path

from zoopraxis.data.samples import SampleList
from zoopraxis.errors import DataError
from zoopraxis.files import write_atomically

__all__ = ["write_samples"]

_BESIDE = ("flow", "skeleton", "boxes", "trajectories")


def write_samples(table: Path, samples: SampleList) -> None:
    """Write samples with one label each as comma-separated text: groups, files, times and boxes.

    Parameters
    ----------
    table : Path
        The file; paths in it are relative to its folder, addresses stay.
    samples : SampleList
        What to write.

    Raises
    ------
    DataError
        The samples have several labels each.
    """
    if samples.multi_label:
        raise DataError(
            f"{samples.root} has several labels a video, and no such list is written",
            "add the column of the new files to your list by hand",
        )
    edges = [
        edge for edge in ("start", "end") if any(getattr(s, edge) is not None for s in samples)
    ]
    beside = [kind for kind in _BESIDE if any(getattr(s, kind) for s in samples)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    corners = ("x1", "y1", "x2", "y2") if any(s.box for s in samples) else ()
    writer.writerow(("path", "label", "group", *beside, *edges, *corners))
    for sample in samples:
        times = [getattr(sample, edge) for edge in edges]
        writer.writerow(
            (
                _from(table, sample.path),
                samples.labels[int(str(sample.label))],
                sample.group,
                *(_from(table, getattr(sample, kind)) for kind in beside),
                *("" if time is None else time for time in times),
                *(sample.box or [""] * len(corners)),
            )
        )
    write_atomically(table, text.getvalue().encode())


def _from(table: Path, file: str) -> str:
    """Path of a file as a list has it; an address stays, and so does what is not there."""
    return os.path.relpath(file, table.parent) if file and "://" not in file else file
