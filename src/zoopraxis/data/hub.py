"""Data sets of the Hugging Face Hub with a column of videos, as lists.

They are loaded by `datasets`, of the extra ``hf``, which downloads and keeps them. Videos that
lie inside its tables are written as files once, into our cache: a file is what readers seek in.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from zoopraxis.data.table import COLUMNS, column_name
from zoopraxis.data.table_parquet import write_parquet
from zoopraxis.data.text import few
from zoopraxis.errors import DataError
from zoopraxis.files import cache_folder, write_atomically

__all__ = ["hub_list", "is_hub"]

PREFIX = "hf:"
_ADDRESS = re.compile(r"hf:(?P<name>[^@]+?)(?::(?P<config>[^@:/]+))?(?:@(?P<split>[^@]+))?")


def is_hub(path: str | Path) -> bool:
    """Whether a list is given as ``hf:NAME``."""
    return str(path).startswith(PREFIX)


def hub_list(address: str) -> Path:
    """Load a data set, write its videos as files where they are not, and a list that names them.

    Parameters
    ----------
    address : str
        ``hf:NAME``, ``hf:NAME@SPLIT`` or ``hf:NAME:CONFIGURATION@SPLIT``. The name is
        ``owner/name`` of the Hub, or a folder that `datasets` reads: Parquet, videos in folders, or
        what ``save_to_disk`` wrote. The split is ``train`` if none is given.

    Returns
    -------
    Path
        A list in the cache (`zoopraxis.files.cache_folder`). An interrupted run resumes; a data
        set that has changed is written again.

    Raises
    ------
    DataError
        ``datasets`` is not installed; there is no such data set, configuration or split, or it
        cannot be downloaded; it has no column of videos, several, or none of labels; a video or
        a label is missing.
    """
    data = _loaded(address)
    video = _video_column(address, data)
    name = re.sub(r"[^\w.-]+", "_", address)[-100:]
    folder = cache_folder() / "hub" / f"{name}-{_key(data)}"
    table = folder / "list.parquet"
    if not table.exists():
        folder.mkdir(parents=True, exist_ok=True)
        columns = _columns(address, data, video)
        write_parquet(table, {"path": _files(address, data, video, folder), **columns})
    return table


def _loaded(address: str) -> Any:
    """Load one split; nothing is decoded."""
    try:
        datasets = import_module("datasets")
    except ModuleNotFoundError as error:
        raise DataError(
            f"{address} is read with Hugging Face's datasets, which is not installed",
            "pip install 'zoopraxis[hf]'",
        ) from error
    parts = _ADDRESS.fullmatch(address)
    if parts is None:
        raise DataError(f"{address!r} names no data set", "give hf:owner/name@split")
    name, split = os.path.expanduser(parts["name"]), parts["split"] or "train"  # noqa: PTH111
    try:
        if (Path(name) / "dataset_dict.json").is_file() or (Path(name) / "state.json").is_file():
            found = datasets.load_from_disk(name)
            if isinstance(found, dict):
                if split not in found:
                    raise ValueError(f"unknown split {split!r}: it has {', '.join(found)}")
                found = found[split]
        else:
            found = datasets.load_dataset(name, parts["config"], split=split)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise DataError(
            f"{address} cannot be loaded: {str(error).strip().splitlines()[0]:.300}",
            "give hf:owner/name@split, or a folder instead of the name; the Hub must be reachable "
            "the first time",
        ) from error
    for column, feature in found.features.items():
        if isinstance(feature, datasets.Video):
            found = found.cast_column(column, datasets.Video(decode=False))
    return found


def _video_column(address: str, data: Any) -> str:
    """Name of the only column of videos."""
    kind = import_module("datasets").Video
    videos: list[str] = [
        name for name, feature in data.features.items() if isinstance(feature, kind)
    ]
    if len(videos) == 1:
        return videos[0]
    if videos:
        raise DataError(
            f"{address} has several columns of videos: {few(videos)}",
            "keep one: load it with datasets, remove_columns(), and save_to_disk(FOLDER)",
        )
    raise DataError(
        f"{address} has no column of videos; its columns are {few(list(data.features))}",
        'cast_column("name", datasets.Video()) makes one of paths; then save_to_disk(FOLDER)',
    )


def _key(data: Any) -> str:
    """Hash of which files the data set is in, and how they are: other ones are other contents."""
    digest = hashlib.sha256()
    for file in data.cache_files:
        facts = Path(file["filename"]).stat()
        digest.update(f"{file['filename']} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _columns(address: str, data: Any, video: str) -> dict[str, Sequence[Any]]:
    """The other columns as a list has them: labels by name, text and numbers as they are."""
    datasets = import_module("datasets")
    named = {column_name(name): name for name in data.features if name != video}
    label = next((named[name] for name in COLUMNS["label"] if name in named), None)
    if label is None:
        raise DataError(
            f"{address} has no column of labels; its columns are {few(list(data.features))}",
            f"call it 'label' (also read: {few(COLUMNS['label'][1:], 8)})",
        )
    columns: dict[str, Sequence[Any]] = {"label": _labels(address, data, label)}
    for name, given in named.items():
        feature = data.features[given]
        plain = isinstance(feature, datasets.Value) and feature.dtype != "binary"
        if given != label and plain and name not in (*COLUMNS["path"], *COLUMNS["label"]):
            columns[name] = data[given][:]
    return columns


def _labels(address: str, data: Any, column: str) -> Sequence[str | list[str]]:
    """Names of the class of each video, or of its classes."""
    feature = data.features[column]
    names = getattr(getattr(feature, "feature", feature), "names", None)

    def named(cell: Any, row: int) -> str:
        if cell is None or (names is not None and cell == -1):  # as test sets have it
            raise DataError(
                f"{address}, row {row}: the column {column!r} has no label",
                "choose a split with labels, or filter() these rows out and save_to_disk(FOLDER)",
            )
        return str(cell if names is None or isinstance(cell, str) else names[cell])

    cells = data[column][:]
    if any(isinstance(cell, list) for cell in cells):
        return [[named(one, row) for one in cell or [None]] for row, cell in enumerate(cells, 1)]
    single = [named(cell, row) for row, cell in enumerate(cells, 1)]
    # in a cell of text a semicolon would separate two
    return [[name] for name in single] if any(";" in name for name in single) else single


def _files(address: str, data: Any, video: str, folder: Path) -> list[str]:
    """Paths of the videos; those inside the tables are written first."""
    paths: list[str] = []
    progress = import_module("datasets").utils.tqdm
    for row, cell in enumerate(progress(data.select_columns(video), desc="writing videos")):
        place, content = cell[video]["path"] or "", cell[video]["bytes"]
        if content is None and not Path(place).is_file():
            raise DataError(
                f"{address}, row {row + 1}: its video {place!r} is not on this machine",
                "download it, or take a data set that has its videos inside",
            )
        if content is not None:
            file = folder / f"{row:07d}{Path(place).suffix or '.mp4'}"
            if not file.exists():
                write_atomically(file, content)
            place = str(file)
        paths.append(str(Path(place).absolute()))
    return paths
