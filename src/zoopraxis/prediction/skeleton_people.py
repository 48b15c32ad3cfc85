"""What every person in a video does, by a network that sees the person's joints alone.

As `zoopraxis.prediction.people`, whose results these are; a window of a person is not a crop of
frames, but the person's skeleton, in coordinates of the whole frame.
"""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zoopraxis.errors import VideoError
from zoopraxis.inputs import Media
from zoopraxis.prediction.aggregate import aggregate
from zoopraxis.prediction.people import (
    People,
    PersonSegment,
    check_smooth,
    person_path,
    smoothed,
)
from zoopraxis.prediction.pipeline import Model, Precision, opened, run
from zoopraxis.prediction.skeletons import VideoSkeletons, write_skeletons
from zoopraxis.prediction.timeline import merge
from zoopraxis.prediction.windows import lay_windows
from zoopraxis.video import open_video

__all__ = ["predict_skeleton_people"]


def predict_skeleton_people(
    video: Any,
    model: Model,
    skeletons: VideoSkeletons,
    *,
    window: float | None = None,
    step: float | None = None,
    smooth: int = 3,
    mode: str = "mean_probability",
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
    batch_size: int = 8,
    progress: Callable[[float], None] | None = None,
) -> People:
    """Predict what every person in a video does, and when, from the person's joints.

    Parameters
    ----------
    video : path, bytes, URL, folder of frames or tensor
        What `zoopraxis.video.open_video` takes.
    model : str, path or OpenModel
        What `zoopraxis.checkpoints.saved.open_model` takes; for skeletons of the layout coco-17.
    skeletons : VideoSkeletons
        Those of the video.
    window, step, smooth, mode, device, precision, batch_size, progress
        As for `zoopraxis.prediction.people.predict_people`.

    Returns
    -------
    People
        Numbered from 1, as in `VideoSkeletons.frame_boxes`.

    Raises
    ------
    VideoError
        The video cannot be read, the skeletons are not its, or the model reads no skeletons, those
        of another layout, or whole recordings only.
    ZoopraxisError
        ``smooth`` is not odd.
    """
    check_smooth(smooth)
    net = opened(model)
    kind = net.clip.input
    if not kind.reads_skeletons:
        raise VideoError(
            f"{net.name} expects {kind.kind!r} input, and skeletons are given",
            "choose a model for skeletons, or give boxes",
        )
    boxes = skeletons.frame_boxes
    segments = []
    with open_video(video) as frames, tempfile.TemporaryDirectory() as folder:
        boxes.nearest(frames.timestamps, name=frames.name)  # raises where they are another's
        people = np.unique(boxes.tracks).tolist()
        for done, person in enumerate(people, start=1):
            file = Path(folder) / f"{person}.npz"
            own = [person - 1]
            write_skeletons(
                file,
                replace(skeletons, joints=skeletons.joints[own], boxes=skeletons.boxes[own]),
            )
            (seen,) = skeletons.boxes[own[0]].any(axis=1).nonzero()
            path = person_path(boxes, person, frames)
            # with an end: kinds that change the times of a recording refuse it
            end = skeletons.joints.shape[1] / skeletons.fps
            with kind.open(Media(path=file, start=0.0, end=end)) as track:
                within = range(int(seen[0]), int(seen[-1]) + 1)
                draws = kind.crops(track, 1)
                for stretch in lay_windows(
                    track, within, net.clip.sampling, window=window, step=step
                ):
                    logits = [
                        run(
                            net.model,
                            kind.prepare_crops(
                                kind.read(track, stretch.indices[i : i + batch_size], draws[0]),
                                draws,
                            ),
                            device=device,
                            precision=precision,
                            batch_size=batch_size,
                            video=frames.name,
                        )
                        for i in range(0, len(stretch.indices), batch_size)
                    ]  # each (b, K)
                    scores = smoothed(
                        aggregate(torch.cat(logits)[:, None], mode=mode), smooth
                    )  # (W, K)
                    for s in merge(
                        scores,
                        stretch.centres,
                        start=stretch.start,
                        end=stretch.end,
                        labels=net.labels,
                    ):
                        edges = [s.start - 1e-6, s.end - 1e-6]
                        first, last = np.searchsorted(frames.timestamps, edges)
                        box = path.around(int(first), int(last))
                        segments.append(PersonSegment(person=person, box=box, **vars(s)))
            if progress:
                progress(done / len(people))
        return People(
            video=frames.name,
            model=net.name,
            segments=tuple(segments),
            boxes=boxes,
            timestamps=frames.timestamps,
            trained=net.trained,
        )
