"""CVAT for video 1.1: XML with tracks, whose shapes count frames from 0."""

from collections.abc import Iterator
from pathlib import Path

from zoopraxis.data.annotations.base import Marked, Options, xml_of

__all__ = ["read_cvat"]


def read_cvat(file: Path, options: Options) -> Iterator[Marked]:
    """Read a segment of each time that a track is not outside the frame."""
    root = xml_of(file)
    video = root.findtext("meta/source") or root.findtext("meta/*/source") or ""
    fps = options.fps_of(file)
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
