"""Label Studio's JSON: tasks with results, whose timelines count frames from 1."""

from collections.abc import Iterator
from pathlib import Path

from zoopraxis.data.annotations.base import Marked, Options, json_of, local_path

__all__ = ["read_label_studio"]


def read_label_studio(file: Path, options: Options) -> Iterator[Marked]:
    """Read the ranges of ``TimelineLabels``, both of whose ends are included."""
    for task in json_of(file):
        names = [
            value
            for key, value in task["data"].items()
            if isinstance(value, str) and (key == "video" or key.startswith("video"))
        ]
        for work in task["annotations"]:
            for result in work["result"]:
                if result["type"] != "timelinelabels":
                    continue
                fps = options.fps_of(file)
                for part in result["value"]["ranges"]:
                    for label in result["value"]["timelinelabels"]:
                        yield Marked(
                            path=local_path(names[0]),
                            start=(part["start"] - 1) / fps,
                            end=part["end"] / fps,
                            label=label,
                        )
