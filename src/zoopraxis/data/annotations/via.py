"""VGG Image Annotator 3, video: JSON of a project, or the CSV that it exports; times in seconds.

::

    {"metadata": {"1_BXLfdQfa": {"vid": "1", "z": [354.05, 359.17], "xy": [], "av": {"1": "0"}}},
     "attribute": {"1": {"aname": "act", "type": 4, "options": {"0": "run", "1": "jump"}}},
     "view": {"1": {"fid_list": ["1"]}}, "file": {"1": {"fname": "a.mp4"}}}

The CSV has the attributes in a comment, and a line for each of the metadata. A value is text, or
the key of an option, or the keys of several; ``_DEFAULT`` where no text was written.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoopraxis.data.annotations.base import LeftOut, Marked, Options, json_of, local_path
from zoopraxis.data.text import few, read_text
from zoopraxis.errors import DataError, did_you_mean

__all__ = ["read_via"]

_COMMENT, _ATTRIBUTES, _HEADER = "# ", "# ATTRIBUTE = ", "# CSV_HEADER = "


@dataclass(frozen=True, kw_only=True)
class _Note:
    """One of the metadata: the file it is of, its times, and values of attributes by their id."""

    path: str
    times: list[float]
    values: Mapping[str, Any]


def read_via(file: Path, options: Options) -> Iterator[Marked | LeftOut]:
    """Read the temporal segments, labelled with an attribute, or with all that have a value."""
    attributes, notes = _table(file) if _is_table(file) else _project(file)
    names = {one["aname"]: key for key, one in attributes.items()}
    if options.tier and options.tier not in names:
        raise DataError(
            f"{file} has no attribute {options.tier!r}; it has {few(list(names)) or 'none'}",
            did_you_mean(options.tier, names),
        )
    wanted = [names[options.tier]] if options.tier else list(attributes)
    for note in notes:
        if len(note.times) != 2:
            yield LeftOut("stills, and regions in one frame")
            continue
        labels = [
            label for key in wanted for label in _labels(note.values.get(key, ""), attributes[key])
        ]
        for label in labels or [""]:
            start, end = map(float, note.times)
            yield Marked(path=note.path, start=start, end=end, label=label)


def _labels(value: Any, attribute: Mapping[str, Any]) -> list[str]:
    """Names of the options that are ticked, or the text."""
    names, text = attribute.get("options") or {}, str(value).strip()
    keys = text.split(",")
    if all(key in names for key in keys):
        return [names[key] for key in keys]
    return [] if text in ("", "_DEFAULT") else [text]


def _project(file: Path) -> tuple[Mapping[str, Any], Iterator[_Note]]:
    project = json_of(file)
    images = project.get("_via_img_metadata", project)
    if any(isinstance(one, dict) and "regions" in one for one in images.values()):
        raise DataError(
            f"{file} is of VIA 2, which marks images",
            "segments of videos are made with VIA 3, the video annotator; save its project",
        )
    files, views = project["file"], project["view"]
    notes = (
        _Note(
            path=local_path(files[str(views[str(one["vid"])]["fid_list"][0])]["fname"]),
            times=one["z"],
            values=one["av"],
        )
        for one in project["metadata"].values()
    )
    return project["attribute"], notes


def _is_table(file: Path) -> bool:
    return read_text(file, expected="expected JSON or CSV").startswith(_COMMENT)


def _table(file: Path) -> tuple[Mapping[str, Any], Iterator[_Note]]:
    lines = read_text(file, expected="expected JSON or CSV").splitlines()
    told = {
        key: next((line.removeprefix(key) for line in lines if line.startswith(key)), "")
        for key in (_ATTRIBUTES, _HEADER)
    }
    rows = csv.DictReader(
        (line for line in lines if line and not line.startswith(_COMMENT)),
        fieldnames=told[_HEADER].split(","),
    )
    notes = (
        _Note(
            path=local_path(json.loads(row["file_list"])[0]),
            times=json.loads(row["temporal_coordinates"]),
            values=json.loads(row["metadata"]),
        )
        for row in rows
    )
    return json.loads(told[_ATTRIBUTES]), notes
