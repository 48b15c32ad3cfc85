"""Write a list of videos that `zoopraxis.data.samples.read_samples` reads."""

import csv
import io
import os
from pathlib import Path

from zoopraxis.data.samples import Sample, SampleList
from zoopraxis.errors import DataError
from zoopraxis.files import write_atomically

__all__ = ["write_samples"]

_BESIDE = ("flow", "skeleton", "boxes", "trajectories")


def write_samples(table: Path, samples: SampleList) -> None:
    """Write samples as comma-separated text: labels, groups, files, times and boxes.

    Parameters
    ----------
    table : Path
        The file; paths in it are relative to its folder, addresses stay.
    samples : SampleList
        What to write.

    Raises
    ------
    DataError
        The samples have several labels each, and the name of one has a semicolon in it.
    """
    if samples.multi_label and any(";" in label for label in samples.labels):
        raise DataError(
            f"{samples.root} has several labels a video, and semicolons in their names",
            "rename these classes: semicolons separate labels",
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
                ";".join(samples.labels[index] for index in _indices(sample)),
                sample.group,
                *(_from(table, getattr(sample, kind)) for kind in beside),
                *("" if time is None else time for time in times),
                *(sample.box or [""] * len(corners)),
            )
        )
    write_atomically(table, text.getvalue().encode())


def _indices(sample: Sample) -> tuple[int, ...]:
    return sample.label if isinstance(sample.label, tuple) else (sample.label,)


def _from(table: Path, file: str) -> str:
    """Path of a file as a list has it; an address stays, and so does what is not there."""
    return os.path.relpath(file, table.parent) if file and "://" not in file else file
