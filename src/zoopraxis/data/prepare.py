"""Lists of a public data set as it was downloaded: which of its videos are here, which are not."""

import csv
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from zoopraxis.data.labels import label_names
from zoopraxis.data.pairs import VideoPair, write_pairs
from zoopraxis.data.rows import IMAGE_SUFFIXES
from zoopraxis.data.sets import VIDEO_SETS
from zoopraxis.data.sets.listed import Listed
from zoopraxis.data.write import write_list
from zoopraxis.errors import DataError, did_you_mean
from zoopraxis.files import write_atomically

__all__ = ["Count", "Prepared", "prepare_videos"]

COLUMNS = ("path", "start", "end", "x1", "y1", "x2", "y2", "label", "group")
MISSING = "missing.csv"
LABELS = "labels.txt"


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many videos or segments of a part are listed, and how many of them are here."""

    listed: int
    found: int


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What `prepare_videos` has found and written.

    Parameters
    ----------
    title, home : str
        The data set, and where it is officially had.
    parts : mapping of str to Count
        By the list that was written, such as ``split1_train.csv``, and by that of pairs of videos.
        A part without labels, kept secret, has no list; its name has no suffix.
    videos : tuple of str
        Files and folders of frames that are listed and here, once each, in the order of the lists.
    missing : tuple of str
        Names of videos that are listed and not here, in the order of the lists.
    """

    title: str
    home: str
    parts: Mapping[str, Count]
    videos: tuple[str, ...]
    missing: tuple[str, ...]


def prepare_videos(
    name: str,
    root: str | Path,
    out: str | Path,
    *,
    suffix: Literal[".csv", ".parquet"] = ".csv",
    progress: Callable[[int], None] | None = None,
) -> Prepared:
    """Write the lists that training reads, one for each part of each official protocol.

    Nothing in the folder is changed, moved or opened but its lists. A video is found by its name
    wherever it lies below the folder, with any suffix; a folder of frames likewise.

    Parameters
    ----------
    name : str
        A key of `zoopraxis.data.sets.VIDEO_SETS`.
    root : str or Path
        Folder with the videos and the official lists of the data set.
    out : str or Path
        Folder to fill: the lists, of pairs too; ``labels.txt`` with the classes; ``missing.csv``
        with what is listed and not here.
    suffix : {".csv", ".parquet"}
        Form of the lists of videos.
    progress : callable, optional
        Called with the number of files and folders seen.

    Raises
    ------
    DataError
        An unknown name; an official list is missing or is not what it should be; none of its
        videos is here; pyarrow is not installed, for Parquet.
    """
    if name not in VIDEO_SETS:
        raise DataError(f"unknown data set {name!r:.40}", did_you_mean(name, VIDEO_SETS))
    root, out, chosen = Path(root), Path(out), VIDEO_SETS[name]
    if not root.is_dir():
        raise DataError(f"{root} is no folder", f"download {chosen.title} from {chosen.home}")
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file", "choose a folder to fill")
    try:
        entries = list(chosen.entries(root))
    except DataError as error:
        raise DataError(
            error.problem, f"{error.hint}; {chosen.title} is officially at {chosen.home}"
        ) from error
    media = _Media(root, suffixes=chosen.suffixes, progress=progress)
    places = [media.place(entry) for entry in entries]
    if not any(places):
        raise DataError(
            f"none of the {len(entries)} videos of {chosen.title} is in {root}, the first is "
            f"{entries[0].file or entries[0].whole!r}"
            if entries
            else f"the lists of {chosen.title} in {root} are empty",
            f"put the videos there, or in a folder of it; they are officially at {chosen.home}",
        )
    out.mkdir(parents=True, exist_ok=True)
    labels = _labels(chosen.labels, chosen.classes, root, entries)
    write_atomically(out / LABELS, "".join(f"{label}\n" for label in labels).encode())
    missing = _write_missing(out, entries, places)
    parts = _write_lists(out, entries, places, suffix=suffix)
    if chosen.pairs is not None:
        here = {
            entry.file: os.path.relpath(place[0], out)
            for entry, place in zip(entries, places, strict=True)
            if place is not None
        }
        parts |= _write_pairs(out, chosen.pairs(root), here)
    found = tuple(dict.fromkeys(str(place[0]) for place in places if place is not None))
    return Prepared(
        title=chosen.title, home=chosen.home, parts=parts, videos=found, missing=missing
    )


class _Media:
    """The videos and folders of frames below a folder, by name."""

    def __init__(
        self, root: Path, *, suffixes: frozenset[str], progress: Callable[[int], None] | None
    ) -> None:
        self.suffixes = suffixes
        self.places: dict[str, list[Path]] = {}
        seen = 0
        for path in _media(root, suffixes):
            name = path.stem if path.suffix.lower() in suffixes else path.name
            self.places.setdefault(name, []).append(path)
            seen += 1
            if progress is not None and seen % 1000 == 0:
                progress(seen)
        if progress is not None:
            progress(seen)

    def place(self, entry: Listed) -> tuple[Path, bool] | None:
        """Where a video is, and whether it is a longer one that the segment is of."""
        for name, whole in ((entry.file, False), (entry.whole, True)):
            found = self._find(name) if name else None
            if found is not None:
                return found, whole
        return None

    def _find(self, name: str) -> Path | None:
        *folders, last = name.split("/")
        stem, dot, suffix = last.rpartition(".")
        if f"{dot}{suffix}".lower() in self.suffixes:
            last = stem
        found = self.places.get(last, [])
        if len(found) > 1 and folders:
            found = [path for path in found if path.parent.name == folders[-1]] or found
        if len(found) > 1:
            raise DataError(
                f"{name} is here {len(found)} times: {found[0]} and {found[1]}",
                "keep one copy in the folder",
            )
        return found[0] if found else None


def _media(root: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    """Yield videos, and folders with images in them, in a folder and below it."""
    for folder, below, files in os.walk(root, followlinks=True):
        below.sort()
        here = Path(folder)
        videos = [file for file in sorted(files) if _suffix(file) in suffixes]
        yield from (here / file for file in videos)
        if not videos and any(_suffix(file) in IMAGE_SUFFIXES for file in files):
            yield here


def _suffix(file: str) -> str:
    return os.path.splitext(file)[1].lower()  # noqa: PTH122 - a Path for each of a million files


def _labels(
    known: str,
    classes: Callable[[Path], tuple[str, ...]] | None,
    root: Path,
    entries: Sequence[Listed],
) -> tuple[str, ...]:
    """Names of the classes by index; each label of the lists is one of them."""
    used = {label for entry in entries for label in entry.labels}
    if classes is None and not known:
        return tuple(sorted(used))
    names = classes(root) if classes else label_names(known)
    foreign = sorted(used - set(names))
    if foreign:
        raise DataError(
            f"the lists in {root} have a class {foreign[0]!r} that is none of the {len(names)}",
            did_you_mean(foreign[0], names, otherwise="are they lists of this data set?"),
        )
    return names


def _write_missing(
    out: Path, entries: Sequence[Listed], places: Sequence[tuple[Path, bool] | None]
) -> tuple[str, ...]:
    """Write the names of what is not here, once each."""
    rows: dict[str, str] = {}
    for entry, place in zip(entries, places, strict=True):
        if place is None:
            parts = " ".join(f"{k}_{part}" if k else part for k, part in entry.parts.items())
            rows.setdefault(entry.file or entry.whole, parts)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([("name", "parts"), *rows.items()])
    write_atomically(out / MISSING, text.getvalue().encode())
    return tuple(rows)


def _write_lists(
    out: Path,
    entries: Sequence[Listed],
    places: Sequence[tuple[Path, bool] | None],
    *,
    suffix: str,
) -> dict[str, Count]:
    """Write a list of what is here for each part of each protocol; count what should be."""
    listed: dict[str, int] = {}
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for entry, place in zip(entries, places, strict=True):
        for protocol, part in entry.parts.items():
            key = f"{protocol}_{part}" if protocol else part
            key += suffix if entry.labels else " (no labels)"
            listed[key] = listed.get(key, 0) + 1
            found = rows.setdefault(key, [])
            if place is not None:
                path, whole = place
                times = (entry.start, entry.end) if whole else (None, None)
                box = entry.box or (None,) * 4
                row = (os.path.relpath(path, out), *times, *box, entry.labels, entry.group)
                found.append(row)
    for key, found in rows.items():
        if key.endswith(suffix):
            columns = {name: [row[n] for row in found] for n, name in enumerate(COLUMNS)}
            used = {
                name: cells
                for name, cells in columns.items()
                if name in ("path", "label") or any(cell not in ("", None) for cell in cells)
            }
            write_list(out / key, used)
    return {key: Count(listed=listed[key], found=len(rows[key])) for key in sorted(rows)}


def _write_pairs(
    out: Path, lists: Mapping[str, Sequence[VideoPair]], here: Mapping[str, str]
) -> dict[str, Count]:
    """Write the pairs of which both videos are here, named as in the list of videos."""
    counts = {}
    for name, pairs in lists.items():
        found = [
            replace(pair, first=here[pair.first], second=here[pair.second])
            for pair in pairs
            if pair.first in here and pair.second in here
        ]
        write_pairs(out / name, found)
        counts[name] = Count(listed=len(pairs), found=len(found))
    return counts
