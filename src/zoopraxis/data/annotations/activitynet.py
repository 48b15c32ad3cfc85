"""ActivityNet's JSON, which other data sets of untrimmed videos share: times in seconds."""

from collections.abc import Iterator
from pathlib import Path

from zoopraxis.data.annotations.base import Marked, Options, json_of

__all__ = ["read_activitynet"]


def read_activitynet(file: Path, _: Options) -> Iterator[Marked]:
    """Read the segments of a ``database``; its names of videos have no suffix."""
    for video, facts in json_of(file)["database"].items():
        for act in facts["annotations"]:
            start, end = map(float, act["segment"])
            yield Marked(path=video, start=start, end=end, label=act["label"])
