"""CVAT for video 1.1: XML with tracks, whose shapes count frames from 0.

::

    <track id="0" label="person" task_id="7">
      <box frame="10" outside="0" keyframe="1" xtl="11.5" ...><attribute name="act">run</attribute>
      <box frame="25" outside="1" keyframe="1" xtl="11.5" ...>

Exports of a project have several tasks, each with its ``source``; those of a job name no video.
Labels without a track are in "CVAT for images" only, which is not read.
"""

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from zoopraxis.data.annotations.base import LeftOut, Marked, Options, xml_of
from zoopraxis.data.text import few
from zoopraxis.errors import DataError, did_you_mean

__all__ = ["read_cvat"]


def read_cvat(file: Path, options: Options) -> Iterator[Marked | LeftOut]:
    """Read a segment of each time that a track is not outside the frame.

    With a tier, the name of an attribute, a segment is a time in which the attribute of a track
    stays the same, and is labelled with it.
    """
    root = xml_of(file)
    if root.find("image") is not None:
        raise DataError(
            f"{file} is an export of CVAT for images, which has no times",
            "export it as 'CVAT for video 1.1'; tags of frames are not in it, tracks are",
        )
    tasks = {task.findtext("id"): task for task in root.iterfind("meta/project/tasks/task")}
    single = next((one for one in root.iterfind("meta/*") if one.tag in ("task", "job")), root)
    attributes = {one.get("name", "") for one in root.iterfind("track/*/attribute")}
    if options.tier and options.tier not in attributes:
        raise DataError(
            f"{file} has no attribute {options.tier!r}; it has {few(sorted(attributes)) or 'none'}",
            did_you_mean(options.tier, attributes),
        )
    for track in root.iterfind("track"):
        task = tasks.get(track.get("task_id"), single)
        fps = options.fps_of(file)
        video = task.findtext("source") or root.findtext("meta/source") or ""
        step = int((task.findtext("frame_filter") or "1").removeprefix("step="))
        labels = [
            (int(shape.attrib["frame"]), _label(track, shape, options))
            for shape in track
            if shape.tag != "track"  # the points of a skeleton, each a track in this one
        ]
        begun: tuple[int, str] | None = None
        for frame, label in [*labels, (labels[-1][0] + step, "")] if labels else []:
            if begun and begun[1] != label:
                yield Marked(path=video, start=begun[0] / fps, end=frame / fps, label=begun[1])
                begun = None
            if label and not begun:
                begun = frame, label
        if options.tier and not any(label for _, label in labels):
            yield LeftOut(f"tracks {track.attrib['label']!r} without {options.tier!r}")


def _label(track: Element, shape: Element, options: Options) -> str:
    """What a track shows in a frame; "" where it is outside."""
    if shape.get("outside") == "1":
        return ""
    if not options.tier:
        return track.attrib["label"]
    values = (one.text for one in shape if one.get("name") == options.tier)
    return (next(values, None) or "").strip()
