"""A data set of skeletons as a folder of arrays with the lists that training reads."""

import csv
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from zoopraxis.data.sets import SKELETON_SETS
from zoopraxis.data.sets.base import Entry
from zoopraxis.errors import DataError, VideoError, did_you_mean
from zoopraxis.files import write_atomically
from zoopraxis.skeletons import skeleton_layout
from zoopraxis.workers import num_cores, run_jobs

__all__ = ["Converted", "convert_skeletons"]

FOLDER, LIST = "skeletons", "clips.csv"
COLUMNS = ("path", "label", "group", "setting")


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What `convert_skeletons` has written.

    Parameters
    ----------
    lists : mapping of str to int
        Recordings in each list, by its path: ``clips.csv`` with all of them, and
        ``<protocol>_<part>.csv`` for each part of each published protocol.
    layouts : tuple of str
        Layouts of the joints.
    left_out : mapping of str to str
        Recordings that hold no skeletons, and why.
    """

    lists: Mapping[str, int]
    layouts: tuple[str, ...]
    left_out: Mapping[str, str]


def convert_skeletons(
    name: str,
    root: str | Path,
    out: str | Path,
    *,
    without: Collection[str] = (),
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Converted:
    """Convert a data set of skeletons to arrays (P, T, J, C) and lists.

    Recordings that are in the folder already are kept, so that a run that was stopped resumes.

    Parameters
    ----------
    name : str
        A key of `zoopraxis.data.sets.SKELETON_SETS`.
    root : str or Path
        Folder of the data set, or a file of pyskl.
    out : str or Path
        Folder to fill.
    without : collection of str, default=()
        Names of recordings to leave out, such as NTU RGB+D's official list of those whose
        skeletons are missing.
    workers : int, optional
        Processes. The default is the number of cores.
    progress : callable, optional
        Called with the number of recordings done, and of all.

    Raises
    ------
    DataError
        An unknown name; a folder without the files of the data set; none of the names in
        ``without`` is that of a recording.
    """
    if name not in SKELETON_SETS:
        raise DataError(f"unknown data set {name!r:.40}", did_you_mean(name, SKELETON_SETS))
    root, out = Path(root), Path(out)
    chosen = SKELETON_SETS[name]
    entries = chosen.entries(root) if root.exists() else []
    if not entries:
        raise DataError(
            f"{root} holds no recordings of {chosen.title}",
            f"expected files such as {chosen.files} in the folder or below it",
        )
    foreign = sorted(set(without) - {entry.name for entry in entries})
    if len(foreign) == len(set(without)) and foreign:
        raise DataError(
            f"none of the {len(foreign)} recordings to leave out is in {root}, the first "
            f"{foreign[0]!r}",
            f"write names such as {entries[0].name}, one a line",
        )
    entries = [entry for entry in entries if entry.name not in set(without)]
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file", "choose a folder to fill")
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    left_out = {}
    pending = [entry for entry in entries if not _place(out, entry).is_file()]
    done = len(entries) - len(pending)
    jobs = [partial(_convert, entry, _place(out, entry)) for entry in pending]
    for number, problem in run_jobs(jobs, workers=workers or num_cores()):
        if problem:
            left_out[pending[number].name] = problem
        done += 1
        if progress is not None:
            progress(done, len(entries))
    kept = [entry for entry in entries if entry.name not in left_out]
    if not kept:
        raise DataError(f"{root}: {next(iter(left_out.values()))}", "no recording can be read")
    return Converted(
        lists=_write_lists(kept, out),
        layouts=tuple(sorted({entry.layout for entry in kept})),
        left_out=dict(sorted(left_out.items())),
    )


def _place(out: Path, entry: Entry) -> Path:
    return out / FOLDER / f"{entry.name}.npz"


def _convert(entry: Entry, place: Path) -> str:
    """Write one recording; return why there is nothing to write."""
    try:
        recording = entry.read()
        recording.checked(skeleton_layout(entry.layout), name=entry.name)
    except VideoError as error:
        return error.problem
    data = io.BytesIO()
    joints = recording.joints.astype(np.float32)
    np.savez_compressed(data, skeleton=joints, fps=np.float64(recording.fps))
    write_atomically(place, data.getvalue())
    return ""


def _write_lists(entries: Sequence[Entry], out: Path) -> dict[str, int]:
    """Write the list of all recordings, and one for each part of each protocol."""
    lists = {LIST: list(entries)}
    for entry in entries:
        for protocol, part in entry.parts.items():
            lists.setdefault(f"{protocol}_{part}.csv", []).append(entry)
    for file, members in lists.items():
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for entry in members:
            path = f"{FOLDER}/{entry.name}.npz"
            writer.writerow((path, entry.label, entry.group, entry.setting))
        write_atomically(out / file, text.getvalue().encode())
    return {str(out / file): len(members) for file, members in lists.items()}
