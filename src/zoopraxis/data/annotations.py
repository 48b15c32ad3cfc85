"""Segments marked in annotation tools, and the list of them that training reads.

Each reader takes a file as its tool exports it, and yields times in seconds.
"""

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element, TreeBuilder  # builds only; expat below parses
from xml.parsers import expat

from zoopraxis.data.samples import SampleList
from zoopraxis.data.text import read_text
from zoopraxis.data.write import write_list
from zoopraxis.errors import DataError, did_you_mean
from zoopraxis.files import write_atomically
from zoopraxis.video import open_video

__all__ = ["ANNOTATION_FORMATS", "Marked", "read_annotations", "write_fiftyone", "write_segments"]

_LARGEST_XML = 1 << 28  # bytes: a tree takes several times its text in memory


@dataclass(frozen=True, kw_only=True)
class Marked:
    """A part of a video that somebody labelled, [start, end) in seconds."""

    path: str
    start: float
    end: float
    label: str


@dataclass(frozen=True, kw_only=True)
class _Options:
    fps: float | None
    tier: str
    columns: tuple[str, str, str, str]


def read_annotations(
    file: Path,
    kind: str,
    *,
    fps: float | None = None,
    tier: str = "",
    columns: tuple[str, str, str, str] = ("path", "start", "end", "label"),
) -> list[Marked]:
    """Read the segments that an annotation tool wrote.

    Parameters
    ----------
    file : Path
        As the tool exports it.
    kind : str
        One of `ANNOTATION_FORMATS`.
    fps : float, optional
        Frames per second of the videos: CVAT and Label Studio count in frames.
    tier : str, default=""
        The tier of an ELAN file; empty takes every tier.
    columns : tuple of 4 str
        Names of the columns of a CSV file: path, start, end (seconds) and label.

    Raises
    ------
    DataError
        The file is not what ``kind`` says, has no segments, or one that ends before it starts or
        has a time that is no number; or frames come without ``fps``.
    """
    if kind not in ANNOTATION_FORMATS:
        raise DataError(f"no format is called {kind!r}", did_you_mean(kind, ANNOTATION_FORMATS))
    if fps is not None and not 0 < fps < math.inf:
        raise DataError(f"{fps:g} frames per second", "give a positive number")
    try:
        marked = list(ANNOTATION_FORMATS[kind](file, _Options(fps=fps, tier=tier, columns=columns)))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{file} is not as expected of {kind}: {error!r}", "export it again from the tool"
        ) from error
    if not marked:
        raise DataError(f"{file} has no segments", f"is it an export of {kind}, with labels?")
    for one in marked:
        if not 0 <= one.start < one.end < math.inf:  # false for NaN too
            raise DataError(
                f"{file}: {one.label!r} of {one.path} is from {one.start:g} to {one.end:g} s",
                "a segment starts at 0 s or later, and ends after its start",
            )
        if not one.path or not one.label:
            raise DataError(
                f"{file}: the segment from {one.start:g} to {one.end:g} s has no "
                f"{'label' if one.path else 'video'}",
                "fill it in with the tool, or remove the segment",
            )
    return marked


def write_segments(table: Path, marked: Sequence[Marked]) -> None:
    """Write segments as a list for training: path, start, end, label; see `write_list`."""
    columns: dict[str, Sequence[Any]] = {
        "path": [one.path for one in marked],
        "start": [_short(one.start) for one in marked],
        "end": [_short(one.end) for one in marked],
        "label": [(one.label,) for one in marked],
    }
    write_list(table, columns)


def _short(seconds: float) -> float:
    """Seconds to six digits: 2, 12.5."""
    rounded = float(f"{seconds:.6g}")
    return int(rounded) if rounded.is_integer() else rounded


def _activitynet(file: Path, _: _Options) -> Iterator[Marked]:
    """ActivityNet's JSON; its names of videos have no suffix."""
    for video, facts in json.loads(read_text(file, expected="expected JSON"))["database"].items():
        for act in facts["annotations"]:
            start, end = map(float, act["segment"])
            yield Marked(path=video, start=start, end=end, label=act["label"])


def _csv(file: Path, options: _Options) -> Iterator[Marked]:
    """Comma-separated text with a header."""
    rows = csv.DictReader(
        io.StringIO(read_text(file, expected="expected a header and lines"), newline=""),
        strict=True,
    )
    names = list(rows.fieldnames or ())
    for column in options.columns:
        if column not in names:
            raise DataError(f"{file} has no column {column!r}", did_you_mean(column, names))
    path, start, end, label = options.columns
    for row in rows:
        try:
            times = float(row[start]), float(row[end])
        except (TypeError, ValueError):
            raise DataError(
                f"{file}, line {rows.line_num}: times {row[start]!r} and {row[end]!r}",
                "expected seconds, such as 12.5",
            ) from None
        yield Marked(path=row[path], start=times[0], end=times[1], label=row[label])


def _cvat(file: Path, options: _Options) -> Iterator[Marked]:
    """CVAT for video 1.1: a track is a segment while it is not outside the frame."""
    root = _xml(file)
    video = root.findtext("meta/source") or root.findtext("meta/*/source") or ""
    fps = _fps(file, options)
    for track in root.iter("track"):
        label, begun, last = track.attrib["label"], -1, -1
        for shape in track:
            frame, outside = int(shape.attrib["frame"]), shape.attrib["outside"] == "1"
            if outside and begun >= 0:
                yield Marked(path=video, start=begun / fps, end=frame / fps, label=label)
                begun = -1
            elif not outside and begun < 0:
                begun = frame
            last = frame
        if begun >= 0:
            yield Marked(path=video, start=begun / fps, end=(last + 1) / fps, label=label)


def _elan(file: Path, options: _Options) -> Iterator[Marked]:
    """ELAN's EAF: time slots in milliseconds, and the annotations of tiers between them."""
    root = _xml(file)
    media = root.find("HEADER/MEDIA_DESCRIPTOR")
    if media is None:
        raise DataError(f"{file} names no video", "link the video in ELAN, and save the file")
    video = _local(media.get("RELATIVE_MEDIA_URL") or media.attrib["MEDIA_URL"])
    tiers = {tier.attrib["TIER_ID"]: tier for tier in root.iter("TIER")}
    if options.tier and options.tier not in tiers:
        raise DataError(f"{file} has no tier {options.tier!r}", did_you_mean(options.tier, tiers))
    slots = {slot.attrib["TIME_SLOT_ID"]: slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    for name in [options.tier] if options.tier else tiers:
        for note in tiers[name].iter("ALIGNABLE_ANNOTATION"):
            edges = [slots[note.attrib[f"TIME_SLOT_REF{k}"]] for k in (1, 2)]
            label = (note.findtext("ANNOTATION_VALUE") or "").strip()
            if edges[0] is None or edges[1] is None:
                raise DataError(
                    f"{file}, tier {name}: {label!r} is not aligned in time",
                    "choose another tier, or align it in ELAN",
                )
            start, end = (int(edge) / 1000 for edge in edges if edge is not None)
            yield Marked(path=video, start=start, end=end, label=label)


def _labelstudio(file: Path, options: _Options) -> Iterator[Marked]:
    """Label Studio's JSON: timelines count frames from 1, both ends included."""
    for task in json.loads(read_text(file, expected="expected JSON")):
        names = [
            value
            for key, value in task["data"].items()
            if isinstance(value, str) and (key == "video" or key.startswith("video"))
        ]
        for work in task["annotations"]:
            for result in work["result"]:
                if result["type"] != "timelinelabels":
                    continue
                fps = _fps(file, options)
                for part in result["value"]["ranges"]:
                    for label in result["value"]["timelinelabels"]:
                        yield Marked(
                            path=_local(names[0]),
                            start=(part["start"] - 1) / fps,
                            end=part["end"] / fps,
                            label=label,
                        )


def _via(file: Path, _: _Options) -> Iterator[Marked]:
    """VGG Image Annotator 3, video: an attribute's value is text, or the key of an option."""
    project = json.loads(read_text(file, expected="expected JSON"))
    for note in project["metadata"].values():
        if len(note["z"]) != 2:  # a still, or a region in one frame
            continue
        source = project["file"][str(project["view"][str(note["vid"])]["fid_list"][0])]
        for attribute, value in note["av"].items():
            options = project["attribute"][attribute].get("options") or {}
            for key in str(value).split(","):  # several boxes may be ticked
                yield Marked(
                    path=_local(source["fname"]),
                    start=float(note["z"][0]),
                    end=float(note["z"][1]),
                    label=options.get(key, key),
                )


ANNOTATION_FORMATS: dict[str, Callable[[Path, _Options], Iterator[Marked]]] = {
    "activitynet": _activitynet,
    "csv": _csv,
    "cvat": _cvat,
    "elan": _elan,
    "labelstudio": _labelstudio,
    "via": _via,
}


def _fps(file: Path, options: _Options) -> float:
    if options.fps is None:
        raise DataError(f"{file} counts in frames", "say how many there are in a second: --fps 25")
    return options.fps


def _local(address: str) -> str:
    """Path of a file address; another address stays."""
    if address.startswith("file:"):
        return unquote(urlsplit(address).path)
    return address.removeprefix("./")


def _xml(file: Path) -> Element:
    """Parse XML that others wrote: no document type, hence no entities that grow or fetch."""
    try:
        with file.open("rb") as stream:
            data = stream.read(_LARGEST_XML + 1)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}", "expected XML") from error
    if len(data) > _LARGEST_XML:
        raise DataError(f"{file} has more than {_LARGEST_XML >> 20} MiB", "export it in parts")
    tree, parser = TreeBuilder(), expat.ParserCreate()

    def refuse(*_: Any) -> None:
        raise DataError(f"{file} declares a document type", "remove the <!DOCTYPE ...> line")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.data
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise DataError(f"{file} is not XML: {error}", "export it again from the tool") from error
    return tree.close()


def write_fiftyone(folder: Path, samples: SampleList) -> None:
    """Write the segments of a list as FiftyOne imports them.

    The format is FiftyOne's ``FiftyOneTemporalDetectionDataset``: ``labels.json`` has the segments
    of each video in seconds, and ``data.json`` says where the videos are, which stay in place.

    Parameters
    ----------
    folder : Path
        Where both files go.
    samples : SampleList
        Whole videos or segments; where a start or an end is not given, it is that of the video.

    Raises
    ------
    DataError
        A segment has a box, which this format does not hold.
    VideoError
        A video without an end in the list cannot be read.
    """
    labels: dict[str, list[dict[str, Any]]] = {}
    places: dict[str, str] = {}
    names: dict[str, str] = {}  # by path
    ends: dict[str, float] = {}
    for sample in samples:
        if sample.box is not None:
            raise DataError(
                f"{sample.where}: a segment with a box, which FiftyOne's temporal detections have "
                "not",
                "leave the columns x1, y1, x2 and y2 out",
            )
        path, end = sample.path, sample.end
        if path not in names:
            stem = Path(path).stem
            names[path] = stem if stem not in places else f"{stem}_{len(places)}"
            places[names[path]] = path if "://" in path else str(Path(path).absolute())
        if end is None and path not in ends:
            with open_video(path) as video:
                ends[path] = video.duration
        times = [sample.start or 0.0, ends[path] if end is None else end]
        of_video = labels.setdefault(names[path], [])
        for label in sample.label if isinstance(sample.label, tuple) else (sample.label,):
            of_video.append({"label": label, "timestamps": times})
    folder.mkdir(parents=True, exist_ok=True)
    content = {"classes": list(samples.labels), "labels": labels}
    write_atomically(folder / "labels.json", json.dumps(content, indent=1).encode())
    write_atomically(folder / "data.json", json.dumps(places, indent=1).encode())
