"""VGG Image Annotator 3, video: JSON of a project, times in seconds."""

from collections.abc import Iterator
from pathlib import Path

from zoopraxis.data.annotations.base import Marked, Options, json_of, local_path

__all__ = ["read_via"]


def read_via(file: Path, _: Options) -> Iterator[Marked]:
    """Read the temporal segments; an attribute's value is text, or the key of an option."""
    project = json_of(file)
    for note in project["metadata"].values():
        if len(note["z"]) != 2:  # a still, or a region in one frame
            continue
        source = project["file"][str(project["view"][str(note["vid"])]["fid_list"][0])]
        for attribute, value in note["av"].items():
            options = project["attribute"][attribute].get("options") or {}
            for key in str(value).split(","):  # several boxes may be ticked
                yield Marked(
                    path=local_path(source["fname"]),
                    start=float(note["z"][0]),
                    end=float(note["z"][1]),
                    label=options.get(key, key),
                )
