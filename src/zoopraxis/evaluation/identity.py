"""Which evaluation this is: everything that decides its logits, as one hash."""

import hashlib
import json
from pathlib import Path
from typing import Any

from zoopraxis.checkpoints.saved import OpenModel
from zoopraxis.data.samples import Sample, SampleList
from zoopraxis.inputs.playback import Playback
from zoopraxis.prediction.pipeline import Precision
from zoopraxis.video import file_of

__all__ = ["evaluation_key", "file_stamp", "sample_identity"]


def evaluation_key(
    net: OpenModel,
    samples: SampleList,
    *,
    views: int,
    crops: int,
    precision: Precision,
    play: Playback,
) -> str:
    """Hash of all that decides the logits of an evaluation.

    The model's identity with the hash of its weights, the engine, the windows of its crops, views,
    crops, precision and how clips are played, and of every sample its name, label, segment and
    files, with the size and modification time of files on this machine.
    """
    values = {
        **net.identity,
        "views": views,
        "crops": crops,
        "precision": precision,
        "play": play.name,
        "labels": samples.labels,
        "samples": [sample_identity(sample) for sample in samples],
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def sample_identity(sample: Sample) -> list[Any]:
    """What makes a sample this one and no other."""
    label = list(sample.label) if isinstance(sample.label, tuple) else sample.label
    files = (sample.path, *sample.beside)
    return [sample.name, label, sample.start, sample.end, *map(file_stamp, files)]


def file_stamp(path: str) -> list[Any]:
    """Path of a file, and its size and modification time where it is on this machine.

    Of a video inside a tar file they are those of the tar file.
    """
    try:
        status = Path(file_of(path)).stat() if path and "://" not in path else None
    except OSError:  # reading it will say what is wrong
        status = None
    return [path, status and status.st_size, status and status.st_mtime_ns]
