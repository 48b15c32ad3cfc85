"""What the readers of annotation tools have in common: segments, options, JSON and XML."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element, TreeBuilder  # builds only; expat below parses
from xml.parsers import expat

from zoopraxis.data.text import read_text
from zoopraxis.errors import DataError

__all__ = [
    "Annotations",
    "LeftOut",
    "Marked",
    "Options",
    "Reader",
    "json_of",
    "local_path",
    "xml_of",
]

_LARGEST_XML = 1 << 28  # bytes: a tree takes several times its text in memory


@dataclass(frozen=True, kw_only=True)
class Marked:
    """A part of a video that somebody labelled, [start, end) in seconds.

    Parameters
    ----------
    path : str
        The video, as the tool names it; "" where the file does not say.
    start, end : float
        Seconds.
    label : str
        Its class.
    """

    path: str
    start: float
    end: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """What a file of an annotation tool holds.

    Parameters
    ----------
    segments : tuple of Marked
        In the order of the file.
    left_out : mapping of str to int
        What was not read, and how many: ``{"segments without a label": 2}``.
    """

    segments: tuple[Marked, ...]
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class LeftOut:
    """Something in a file that is not read.

    Parameters
    ----------
    what : str
        For a message, as there may be several: "boxes in one frame".
    """

    what: str


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user says of a file; see `zoopraxis.data.annotations.read_annotations`."""

    fps: float | None = None
    tier: str = ""
    subset: str = ""
    columns: tuple[str, str, str, str] = ("path", "start", "end", "label")

    def fps_of(self, file: Path) -> float:
        """Frames per second of a file that counts frames; an error where they are not said."""
        if self.fps is None:
            raise DataError(
                f"{file} counts in frames", "say how many there are in a second: --fps 25"
            )
        return self.fps


Reader = Callable[[Path, Options], Iterator[Marked | LeftOut]]


def json_of(file: Path) -> Any:
    """Read JSON; an error of ours where it is none."""
    try:
        return json.loads(read_text(file, expected="expected JSON"))
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{file} is not JSON: {error}", "export it again from the tool") from error


def xml_of(file: Path) -> Element:
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
    except (expat.ExpatError, LookupError) as error:  # LookupError: an encoding of no name
        raise DataError(f"{file} is not XML: {error}", "export it again from the tool") from error
    return tree.close()


def local_path(address: str) -> str:
    """Path of a file address; another address stays.

    ``file:///home/a.mp4`` is ``/home/a.mp4``, ``file:///C:/a.mp4`` is ``C:/a.mp4``, and
    ``file:/./a.mp4``, as older ELANs write paths that are relative, is ``a.mp4``.
    """
    if not address.startswith("file:"):
        return address.removeprefix("./")
    return re.sub(r"^/(?=[A-Za-z]:/|\./|\.\./)(?:\./)?", "", unquote(urlsplit(address).path))
