"""Label Studio's JSON: tasks with results, whose timelines and boxes count frames from 1.

::

    [{"data": {"video": "/data/upload/1/3d3ad63e-a.mp4"}, "annotations": [{"result": [
        {"type": "timelinelabels", "value": {"ranges": [{"start": 11, "end": 25}],
                                             "timelinelabels": ["run"]}}, ...]}]}, ...]

In JSON-MIN the values stand in the task, under the names of the controls; target storages get a
file for each annotation, ``{"result": [...], "task": {"data": ...}}``. Videos that are labelled
on the timeline of their sound have ``start`` and ``end`` in seconds. The frames are those of the
``framerate`` of the ``Video`` tag, 24 in a second unless it says otherwise, and not of the file.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from zoopraxis.data.annotations.base import LeftOut, Marked, Options, json_of, local_path
from zoopraxis.data.rows import VIDEO_SUFFIXES

__all__ = ["read_label_studio"]


def read_label_studio(file: Path, options: Options) -> Iterator[Marked | LeftOut]:
    """Read ranges of ``TimelineLabels``, times of ``VideoRectangle`` and of ``Labels``."""
    for task in _tasks(json_of(file)):
        video = _video(task.get("data", task))
        for value in _values(task):
            if isinstance(value, LeftOut):
                yield value
                continue
            times = _times(file, value, options)
            if not times:
                yield LeftOut("results without times")
                continue
            for start, end in times:
                for label in value.get("timelinelabels") or value.get("labels") or [""]:
                    yield Marked(path=video, start=start, end=end, label=label)


def _tasks(content: Any) -> list[Mapping[str, Any]]:
    """Tasks of an export; or that of the one annotation that a file in a target storage holds."""
    if isinstance(content, list):
        return content
    return [{"data": content["task"]["data"], "annotations": [content.get("annotation", content)]}]


def _video(data: Mapping[str, Any]) -> str:
    """Video of a task: ``/data/local-files/?d=a.mp4``, where files are served, is ``a.mp4``."""
    paths = {
        key: parse_qs(urlsplit(value).query).get("d", [value])[0]
        for key, value in data.items()
        if isinstance(value, str)
    }
    videos = [path for path in paths.values() if Path(path).suffix.lower() in VIDEO_SUFFIXES]
    videos += [path for key, path in paths.items() if key.startswith("video")]
    videos += [path for path in paths.values() if "/" in path]  # such as the sound of a video
    return local_path(videos[0]) if videos else ""


def _values(task: Mapping[str, Any]) -> Iterator[Mapping[str, Any] | LeftOut]:
    """Yield what a task's results hold."""
    if "annotations" not in task:  # JSON-MIN
        for values in task.values():
            if isinstance(values, list):
                yield from (value for value in values if isinstance(value, dict))
        return
    for work in task["annotations"]:
        if work.get("was_cancelled"):
            yield LeftOut("tasks that the annotator skipped")
        else:
            yield from (result.get("value", {}) for result in work["result"])


def _times(file: Path, value: Mapping[str, Any], options: Options) -> list[tuple[float, float]]:
    """Seconds of the segments of a result; none where it has no times, or is never shown."""
    if "ranges" in value:
        frames = [(part["start"], part["end"]) for part in value["ranges"]]
    elif "sequence" in value and "timelinelabels" not in value:
        frames = _shown(value)
        last = max(value["sequence"], key=lambda one: one["frame"])
        if options.fps is None and last.get("time"):
            fps = last["frame"] / last["time"]
            return [((first - 1) / fps, last / fps) for first, last in frames]
    elif isinstance(value.get("start"), int | float):
        return [(value["start"], value["end"])]
    else:  # such as a copy of a box, which Label Studio writes for a timeline of the same video
        return []
    fps = options.fps_of(file)
    return [((first - 1) / fps, last / fps) for first, last in frames]


def _shown(value: Mapping[str, Any]) -> list[tuple[int, int]]:
    """First and last frames of each time a box is shown: to a key frame that disables it."""
    shown, first = [], 0
    for key in sorted(value["sequence"], key=lambda one: one["frame"]):
        if key["enabled"] and not first:
            first = key["frame"]
        elif first and not key["enabled"]:
            shown.append((first, key["frame"]))
            first = 0
    return [*shown, (first, value["framesCount"])] if first else shown
