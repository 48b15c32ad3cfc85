"""Segments as FiftyOne imports them."""

import json
from pathlib import Path
from typing import Any

from zoopraxis.data.samples import SampleList
from zoopraxis.errors import DataError
from zoopraxis.files import write_atomically
from zoopraxis.video import open_video

__all__ = ["write_fiftyone"]


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
