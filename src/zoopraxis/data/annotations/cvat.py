"""CVAT's XML, for video or for images: tracks and tags, which count frames from 0.

::

    <track id="0" label="person" task_id="7">
      <box frame="10" outside="0" keyframe="1" xtl="11.5" ...><attribute name="act">run</attribute>
      <box frame="25" outside="1" keyframe="1" xtl="11.5" ...>

    <image id="10" name="frame_000010" task_id="7"><tag label="run">

"CVAT for video 1.1" has the tracks, and "CVAT for images 1.1" the tags of frames. Exports of a
project have several tasks, each with its ``source``; those of a job name no video.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from zoopraxis.data.annotations.base import LeftOut, Marked, Options, xml_of
from zoopraxis.data.text import few
from zoopraxis.errors import DataError, did_you_mean

__all__ = ["read_cvat"]

_FRAME = re.compile(r"frame_(\d+)")  # names of the frames of a video; other images have suffixes
_Shown = list[tuple[int, str]]  # frames from which on something is shown, and its label or ""


def read_cvat(file: Path, options: Options) -> Iterator[Marked | LeftOut]:
    """Read a segment of each time that a track is not outside the frame, or that a tag stays.

    With a tier, the name of an attribute, a segment is a time in which the attribute of a track
    stays the same, and is labelled with it.
    """
    root = xml_of(file)
    if root.find("image") is not None and root.find("image/tag") is None:
        raise DataError(
            f"{file} is an export of CVAT for images, and has no tags of frames",
            "export it as 'CVAT for video 1.1', which has the tracks",
        )
    attributes = {one.get("name", "") for one in root.iterfind("track/*/attribute")}
    if options.tier and options.tier not in attributes:
        raise DataError(
            f"{file} has no attribute {options.tier!r}; it has {few(sorted(attributes)) or 'none'}",
            did_you_mean(options.tier, attributes),
        )
    tasks = {task.findtext("id"): task for task in root.iterfind("meta/project/tasks/task")}
    single = next((one for one in root.iterfind("meta/*") if one.tag in ("task", "job")), root)
    steps = {
        name: int((task.findtext("frame_filter") or "1").removeprefix("step="))
        for name, task in {**tasks, None: single}.items()
    }
    for image in root.iterfind("image"):
        if _FRAME.fullmatch(image.attrib["name"]):
            yield from (LeftOut("shapes in one frame") for one in image if one.tag != "tag")
        else:
            yield LeftOut("images that are not frames of a video")
    for name, shown in [*_tracks(root, options, steps), *_tags(root, steps)]:
        fps, task = options.fps_of(file), tasks.get(name, single)
        video = task.findtext("source") or root.findtext("meta/source") or ""
        begun: tuple[int, str] | None = None
        for frame, label in shown:
            if begun and begun[1] != label:
                yield Marked(path=video, start=begun[0] / fps, end=frame / fps, label=begun[1])
                begun = None
            if label and not begun:
                begun = frame, label
        if options.tier and not any(label for _, label in shown):
            yield LeftOut(f"tracks without {options.tier!r}")


def _tracks(
    root: Element, options: Options, steps: dict[str | None, int]
) -> Iterator[tuple[str | None, _Shown]]:
    """Yield the task of each track, and what it shows, to the frame after its last."""
    for track in root.iterfind("track"):
        shown = [
            (int(shape.attrib["frame"]), _label(track, shape, options))
            for shape in track
            if shape.tag != "track"  # the points of a skeleton, each a track in this one
        ]
        if shown:
            task = track.get("task_id")
            yield task, [*shown, (shown[-1][0] + steps.get(task, steps[None]), "")]


def _label(track: Element, shape: Element, options: Options) -> str:
    """What a track shows in a frame; "" where it is outside."""
    if shape.get("outside") == "1":
        return ""
    if not options.tier:
        return track.attrib["label"]
    values = (one.text for one in shape if one.get("name") == options.tier)
    return (next(values, None) or "").strip()


def _tags(root: Element, steps: dict[str | None, int]) -> Iterator[tuple[str | None, _Shown]]:
    """Yield the task and the frames of each tag; it ends where the next frame does not have it."""
    frames: dict[tuple[str | None, str], list[int]] = defaultdict(list)
    for image in root.iterfind("image"):
        number = _FRAME.fullmatch(image.attrib["name"])
        if number:
            for tag in image.iterfind("tag"):
                frames[image.get("task_id"), tag.attrib["label"]].append(int(number[1]))
    for (task, label), tagged in frames.items():
        step = steps.get(task, steps[None])
        ends = dict.fromkeys((frame + step for frame in tagged), "")
        yield task, sorted({**ends, **dict.fromkeys(tagged, label)}.items())
