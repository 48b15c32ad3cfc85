"""Videos in tar files of WebDataset's layout: few large files instead of many small ones.

A shard holds for each video ``KEY.mp4`` (the file as it is), ``KEY.json`` (what the list says of
it) and, where it has one label, ``KEY.cls`` (its index). Beside the shards stand ``shards.json``,
which says where in them each file begins, and ``clips.csv``, a list as any other whose paths are
``shard-000000.tar::KEY.mp4``. Order, epochs, ranks, workers and resuming are then those of every
list: a sample is read from its bytes of the shard.
"""

import io
import json
import os
import re
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from zoopraxis.data.examine import content_hash
from zoopraxis.data.rows import VIDEO_SUFFIXES
from zoopraxis.data.samples import FOLDER_LIST, Label, Sample, SampleList
from zoopraxis.data.table import COLUMNS
from zoopraxis.data.text import few
from zoopraxis.data.write import write_samples
from zoopraxis.errors import DataError
from zoopraxis.files import UNFINISHED, flush, write_atomically
from zoopraxis.video import INDEX, tar_members
from zoopraxis.workers import num_cores, run_jobs

__all__ = ["Shards", "index_shards", "write_shards"]

BESIDE = (".json", ".cls")  # suffixes of what is stored beside a video
_KEPT = ("start", "end", "box")  # of a sample, in the JSON of its video
_EXTENSION = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]*)")  # a.b.mp4 is b.mp4 of the key a


@dataclass(frozen=True)
class Shards:
    """What stands in a folder of shards.

    Parameters
    ----------
    table : Path
        The list of its samples, to train with.
    shards, videos, samples : int
        Numbers of them.
    bytes : int
        Of all shards.
    """

    table: Path
    shards: int
    videos: int
    samples: int
    bytes: int


class _Planned(NamedTuple):
    """A video and what is stored beside it."""

    path: str
    key: str
    facts: Mapping[str, Any]
    label: int | None  # None where it, or its segments, have several

    @property
    def member(self) -> str:
        return self.key + Path(self.path).suffix.lower()


def write_shards(
    samples: SampleList,
    out: Path,
    *,
    size: int | None = None,
    count: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Shards:
    """Write the videos of a list into shards, in random order; or resume it.

    A video of which the list has several segments is stored once. Files beside videos (``flow``,
    ``boxes``) stay where they are. The shards depend on the list, its files and the arguments
    alone; one that is there already is compared, and kept.

    Parameters
    ----------
    samples : SampleList
        Video files of this machine.
    out : Path
        Folder to fill.
    size : int, optional
        Bytes at which a shard is full.
    count : int, optional
        Number of shards, instead of their size.
    seed : int, default=0
        Of the order.
    workers : int, optional
        Number of processes. The default is the number of cores.
    progress : callable, optional
        Called with the number of shards done and their total.

    Raises
    ------
    DataError
        Videos are missing, or no files; there are fewer than shards; or a shard of another list
        is there.
    """
    planned = _planned(samples)
    order = np.random.default_rng(seed).permutation(len(planned))
    groups = _groups([planned[i] for i in order], size=size, count=count)
    out.mkdir(parents=True, exist_ok=True)
    jobs = [
        partial(_write_shard, out / f"shard-{number:06d}.tar", group)
        for number, group in enumerate(groups)
    ]
    entries: dict[int, dict[str, Any]] = {}
    for number, entry in run_jobs(jobs, workers=workers or num_cores()):
        entries[number] = entry
        if progress is not None:
            progress(len(entries), len(jobs))
    place_of = {
        one.path: f"{out / entries[number]['file']}::{one.member}"
        for number, group in enumerate(groups)
        for one in group
    }
    # in the order of the list: a run draws the same clips from the shards as from the files
    placed = tuple(replace(sample, path=place_of[sample.path]) for sample in samples)
    return _finish(
        out, [entries[number] for number in range(len(groups))], replace(samples, samples=placed)
    )


def index_shards(folder: Path, *, progress: Callable[[int, int], None] | None = None) -> Shards:
    """Index shards that are there, of whatever writer, and write their list.

    Of a sample the first file with a suffix of videos is its video. Its label is in its ``.json``,
    under any name by which lists have one, or in its ``.cls``.

    Parameters
    ----------
    folder : Path
        Of the ``.tar`` files, in which the index and the list are written.
    progress : callable, optional
        Called with the number of shards done and their total.

    Raises
    ------
    DataError
        There are no shards, one is damaged, or a sample has no video or no label.
    """
    files = sorted(folder.glob("*.tar"))
    if not files:
        raise DataError(f"there are no .tar files in {folder}", "name the folder of the shards")
    entries, found = [], list[tuple[str, str, dict[str, Any]]]()
    for done, file in enumerate(files, start=1):
        entries.append(_entry(file))
        found += _samples_of(file)
        if progress is not None:
            progress(done, len(files))
    found.sort(key=itemgetter(1))  # by key: as the files would lie in folders, and not at random
    several = any(isinstance(facts["label"], list) for _, _, facts in found)
    named = [
        facts["label"] if isinstance(facts["label"], list) else [facts["label"]]
        for _, _, facts in found
    ]
    labels = tuple(sorted({name for names in named for name in names}))
    index_of = {label: index for index, label in enumerate(labels)}
    samples = tuple(
        Sample(
            path=path,
            label=tuple(index_of[n] for n in names) if several else index_of[names[0]],
            group=str(facts.get("group") or key),
            name=key,
            start=facts.get("start"),
            end=facts.get("end"),
            box=tuple(facts["box"]) if facts.get("box") else None,
        )
        for (path, key, facts), names in zip(found, named, strict=True)
    )
    return _finish(folder, entries, SampleList(samples=samples, labels=labels, root=str(folder)))


def _planned(samples: SampleList) -> list[_Planned]:
    """Videos of a list, each once, with keys that differ."""
    of_path: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        of_path[sample.path].append(sample)
    wrong = [path for path in of_path if not (Path(path).is_file() and Path(path).suffix)]
    if wrong:
        raise DataError(
            f"{len(wrong)} of {len(of_path)} videos of {samples.root} are not there, or are no "
            f"files with a suffix: {few(wrong)}",
            "mend the list; make files of folders of frames with `zoopraxis data resize`",
        )
    root = os.path.commonpath([Path(path).absolute().parent for path in of_path])
    planned, taken = [], set[str]()
    for path, of_video in of_path.items():
        place = Path(path).absolute().relative_to(root).with_suffix("")
        # a key ends at the first dot of the name
        plain = place.with_name(place.name.replace(".", "_")).as_posix()
        number = 1
        while (key := plain if number == 1 else f"{plain}_{number}") in taken:
            number += 1
        taken.add(key)
        lines = [
            {
                "label": _names(one.label, samples.labels),
                "group": one.group,
                **{kind: getattr(one, kind) for kind in _KEPT if getattr(one, kind) is not None},
            }
            for one in of_video
        ]
        labels = {one.label for one in of_video}
        label = labels.pop() if len(labels) == 1 else ()
        one_label = label if isinstance(label, int) else None
        planned.append(_Planned(path, key, {"samples": lines}, one_label))
    return planned


def _names(label: Label, labels: Sequence[str]) -> str | list[str]:
    """Name of a label, or names of several."""
    return [labels[k] for k in label] if isinstance(label, tuple) else labels[label]


def _groups(
    planned: Sequence[_Planned], *, size: int | None, count: int | None
) -> list[Sequence[_Planned]]:
    """Cut videos into shards: of about the same number, or each of a size in bytes."""
    asked = [value for value in (size, count) if value is not None]
    if len(asked) != 1 or asked[0] < 1:
        raise DataError(
            f"shards of {size} bytes, and {count} of them", "give one of size and count, above 0"
        )
    if count is not None:
        if count > len(planned):
            raise DataError(
                f"{count} shards for {len(planned)} videos", f"ask for {len(planned)} or fewer"
            )
        edges = np.linspace(0, len(planned), count + 1).round().astype(int).tolist()
        return [planned[a:b] for a, b in pairwise(edges)]
    groups: list[list[_Planned]] = []
    filled = 0
    for one in planned:
        length = Path(one.path).stat().st_size
        if not groups or filled + length > (size or 0):
            groups.append([])
            filled = 0
        groups[-1].append(one)
        filled += length
    return list(groups)


def _write_shard(file: Path, group: Sequence[_Planned]) -> dict[str, Any]:
    """Write one shard, or find it written, and describe it for the index."""
    small = {
        name: content for one in group for name, content in _beside(one, content_hash(one.path))
    }
    sizes = {one.member: Path(one.path).stat().st_size for one in group}
    if file.exists():
        if not _holds(file, small, sizes):
            raise DataError(
                f"{file} holds other videos than are asked for", "choose another OUT, or remove it"
            )
        return _entry(file)
    part = file.with_name(f".{file.name}{UNFINISHED}")
    try:
        with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
            for one in group:
                with Path(one.path).open("rb") as content:
                    tar.addfile(_header(one.member, sizes[one.member]), content)
                for name in (f"{one.key}{suffix}" for suffix in BESIDE):
                    if name in small:
                        tar.addfile(_header(name, len(small[name])), io.BytesIO(small[name]))
        flush(part)
        part.replace(file)
    except OSError as error:
        raise DataError(
            f"{file} cannot be written: {error}", "choose another OUT with room"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return _entry(file)


def _beside(one: _Planned, sha256: str) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the small files of a video."""
    facts = {"file": Path(one.path).name, "sha256": sha256, **one.facts}
    yield f"{one.key}.json", json.dumps(facts, ensure_ascii=False).encode()
    if one.label is not None:
        yield f"{one.key}.cls", str(one.label).encode()


def _header(name: str, size: int) -> tarfile.TarInfo:
    """Header without owner and time: the same videos make the same shard."""
    header = tarfile.TarInfo(name)
    header.size = size
    return header


def _holds(file: Path, small: Mapping[str, bytes], sizes: Mapping[str, int]) -> bool:
    """Whether a shard has just these files; videos are compared by their hashes in the JSON."""
    try:
        members = tar_members(file)
        with file.open("rb") as content:
            return {*members} == {*small, *sizes} and all(
                members[name][1] == sizes[name]
                if name in sizes
                else _read(content, *members[name]) == small[name]
                for name in members
            )
    except (OSError, tarfile.TarError):
        return False


def _read(content: io.BufferedReader, offset: int, size: int) -> bytes:
    content.seek(offset)
    return content.read(size)


def _entry(file: Path) -> dict[str, Any]:
    """Describe a shard for the index."""
    try:
        return {
            "file": file.name,
            "bytes": file.stat().st_size,
            "sha256": content_hash(file),
            "videos": {
                name: place
                for name, place in tar_members(file).items()
                if PurePosixPath(name).suffix not in BESIDE
            },
        }
    except (OSError, tarfile.TarError) as error:
        raise DataError(
            f"{file} cannot be read: {error}", "shards are tar files without compression"
        ) from error


def _samples_of(file: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, key and facts of every sample of a shard."""
    of_key: dict[str, dict[str, tuple[str, int, int]]] = defaultdict(dict)
    for name, (offset, size) in tar_members(file).items():
        match = _EXTENSION.fullmatch(name)
        if match:
            of_key[match[1]][match[2].lower()] = (name, offset, size)
    with file.open("rb") as content:
        for key, parts in of_key.items():
            video = next((p for p in parts if PurePosixPath(f"x.{p}").suffix in VIDEO_SUFFIXES), "")
            if not video:
                raise DataError(f"{file}: {key} has {few([*parts])}, and no video", _expected(key))
            small: dict[str, str] = {
                p: _read(content, *parts[p][1:]).decode(errors="replace")
                for p in ("json", "cls")
                if p in parts
            }
            for facts in _facts(small, where=f"{file}: {key}"):
                yield f"{file}::{parts[video][0]}", key, facts


def _facts(small: Mapping[str, str], *, where: str) -> list[dict[str, Any]]:
    """What the small files of a sample say of it: of ours, once for each of its segments."""
    try:
        told = json.loads(small.get("json", "{}"))
    except ValueError as error:
        raise DataError(f"{where}.json is not JSON: {error}", "write the shards again") from error
    told = told if isinstance(told, dict) else {}
    if isinstance(told.get("samples"), list):
        return [dict(line) for line in told["samples"]]
    label = next((told[name] for name in COLUMNS["label"] if name in told), small.get("cls"))
    names = [str(name).strip() for name in (label if isinstance(label, list) else [label])]
    if label is None or not all(names) or not names:
        raise DataError(f"{where} has no label", _expected(where.rpartition(": ")[2]))
    return [{"label": names if isinstance(label, list) else names[0], "group": told.get("group")}]


def _expected(key: str) -> str:
    return f'expected {key}.mp4, and {key}.cls or {key}.json with {{"label": ...}}'


def _finish(out: Path, entries: Sequence[Mapping[str, Any]], samples: SampleList) -> Shards:
    """Write the index and the list."""
    videos = len({sample.path for sample in samples})
    index = {
        "videos": videos,
        "samples": len(samples),
        "labels": samples.labels,
        "shards": entries,
    }
    write_atomically(out / INDEX, json.dumps(index, ensure_ascii=False).encode())
    write_samples(out / FOLDER_LIST, samples)
    size = sum(int(entry["bytes"]) for entry in entries)
    return Shards(out / FOLDER_LIST, len(entries), videos, len(samples), size)
