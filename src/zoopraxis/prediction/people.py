"""What every person in a video does: boxes, tracks, a clip of each person, and its label.

A person's track is covered by windows, as a long video is (`zoopraxis.prediction.timeline`). In
each window the network sees the square around all places where the person is meanwhile, which is
what it reads in training for a line of a list with a box.
"""

import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import VideoError, ZoopraxisError
from zoopraxis.files import write_atomically
from zoopraxis.inputs import Inputs, Media
from zoopraxis.inputs.base import concatenate
from zoopraxis.prediction.aggregate import aggregate
from zoopraxis.prediction.pipeline import Model, Precision, opened, run
from zoopraxis.prediction.timeline import merge
from zoopraxis.prediction.windows import lay_windows
from zoopraxis.regions import FrameBoxes
from zoopraxis.regions.track import link_boxes, only_people
from zoopraxis.video import FrameBox, RecentVideo, Video, open_video

__all__ = [
    "People",
    "PersonPath",
    "PersonSegment",
    "check_smooth",
    "person_path",
    "predict_people",
    "smoothed",
]

COLUMNS = ("path", "start", "end", "x1", "y1", "x2", "y2", "label", "person", "score")


@dataclass(frozen=True, kw_only=True)
class PersonSegment:
    """A part of a person's track, [start, end) in seconds, in which one class is predicted.

    ``box`` is around all places where the person is meanwhile: x1, y1, x2, y2 in fractions of the
    frame's width and height.
    """

    person: int
    start: float
    end: float
    label: str
    score: float
    box: FrameBox


@dataclass(frozen=True, kw_only=True)
class People:
    """What every person in a video does.

    Parameters
    ----------
    video, model : str
        The video and the model.
    segments : tuple of PersonSegment
        Those of the first person in order of time, then of the second; empty where nobody is.
    boxes : FrameBoxes
        Boxes of the people in pixels, with their tracks.
    timestamps : float64 ndarray of shape (F,)
        Seconds at which the video's frames are shown.
    trained : bool, default=True
        False for random weights, whose predictions mean nothing.
    """

    video: str
    model: str
    segments: tuple[PersonSegment, ...]
    boxes: FrameBoxes = field(repr=False, compare=False)
    timestamps: NDArray[np.float64] = field(repr=False, compare=False)
    trained: bool = True

    @property
    def persons(self) -> tuple[int, ...]:
        """Numbers of the people."""
        return tuple(dict.fromkeys(segment.person for segment in self.segments))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "video": self.video,
            "model": self.model,
            "trained": self.trained,
            "frames_looked_at": len(self.boxes.looked),
            "people": [
                {
                    "person": person,
                    "segments": [
                        {key: value for key, value in vars(s).items() if key != "person"}
                        for s in self.segments
                        if s.person == person
                    ],
                }
                for person in self.persons
            ],
        }

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(self.to_dict())

    def write_csv(self, path: str | Path) -> None:
        """Write a list that `zoopraxis.data.samples.read_samples` reads, a line for each segment.

        Its columns are path, relative to the list, start, end, x1, y1, x2, y2, label, person and
        score.
        """
        path = Path(path)
        is_file = Path(self.video).exists()
        name = os.path.relpath(self.video, path.parent) if is_file else self.video
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for s in self.segments:
            corners = (f"{corner:.4f}" for corner in s.box)
            times = (f"{s.start:.3f}", f"{s.end:.3f}")
            writer.writerow((name, *times, *corners, s.label, s.person, f"{s.score:.4f}"))
        write_atomically(path, text.getvalue().encode())

    def labelled(self) -> FrameBoxes:
        """Boxes with what each person does then as labels: "2 wave", its score beside it."""
        times = _seconds(self.boxes, self.timestamps)  # (M,)
        labels, scores = [], []
        for person, time in zip(self.boxes.tracks.tolist(), times.tolist(), strict=True):
            now = next(
                (s for s in self.segments if s.person == person and s.start <= time < s.end), None
            )
            labels.append(f"{person} {now.label}" if now else str(person))
            scores.append(now.score if now else 0.0)
        return replace(self.boxes, labels=tuple(labels), scores=np.array(scores, np.float64))


def predict_people(
    video: Any,
    model: Model,
    boxes: FrameBoxes,
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
    """Predict what every person in a video does, and when.

    Clips are read in the order of time and run some at a time, and frames that were decoded are
    kept up to 256 MiB: memory does not grow with the number of people.

    Parameters
    ----------
    video : path, bytes, URL, folder of frames or tensor
        What `zoopraxis.video.open_video` takes.
    model : str, path or OpenModel
        What `zoopraxis.checkpoints.saved.open_model` takes; of a kind made of frames.
    boxes : FrameBoxes
        Boxes of the video. Those with another label than "person" are left out, as are those
        outside the frame. Without tracks they are linked (`zoopraxis.regions.track.link_boxes`).
        Between the frames in which a person was found, the box moves evenly.
    window, step : float, optional
        Seconds of each window, and from the start of one to that of the next, as for
        `zoopraxis.prediction.timeline.predict_timeline`.
    smooth : int, default=3
        Number of neighbouring windows of one person whose scores are averaged; odd, 1 for none.
    mode, device, precision, batch_size
        As for `zoopraxis.prediction.pipeline.predict`.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    People

    Raises
    ------
    VideoError
        The video cannot be read, the boxes are not its, or the model reads no single person.
    ZoopraxisError
        ``smooth`` is not odd, or the boxes have no tracks and the extra ``tracking`` is missing.
    """
    check_smooth(smooth)
    net = opened(model)
    kind = net.clip.input
    if kind.reads_skeletons:
        raise VideoError(
            f"{net.name} expects skeletons, and boxes are given",
            "find the people's joints: `zoopraxis people --pose torchvision`, or "
            "`zoopraxis.prediction.skeleton_people`",
        )
    with RecentVideo(open_video(video)) as frames:
        boxes.nearest(frames.timestamps, name=frames.name)  # raises where they are another's
        boxes = _tracked(_within(only_people(boxes), frames), frames)
        whole = kind.open(Media(path=frames, box=(0.0, 0.0, 1.0, 1.0)))
        paths = {person: person_path(boxes, person, frames) for person in np.unique(boxes.tracks)}
        stretches = [
            (person, stretch)
            for person, path in paths.items()
            for stretch in lay_windows(
                whole, path.within(whole.num_frames), net.clip.sampling, window=window, step=step
            )
        ]
        jobs = sorted(
            (int(clip.min()), number, row)
            for number, (_, stretch) in enumerate(stretches)
            for row, clip in enumerate(stretch.indices)
        )
        logits: dict[tuple[int, int], Tensor] = {}

        def clips() -> Iterator[Inputs]:
            for _, number, row in jobs:
                person, stretch = stretches[number]
                clip = stretch.indices[row]  # (T,)
                box = paths[person].around(int(clip.min()), int(clip.max()) + 1)
                track = kind.open(Media(path=frames, box=box))
                draws = kind.crops(track, 1)
                yield kind.prepare_crops(kind.read(track, clip[None], draws[0]), draws)

        reading = clips()
        for first in range(0, len(jobs), batch_size):
            some = jobs[first : first + batch_size]
            out = run(
                net.model,
                concatenate([next(reading) for _ in some]),
                device=device,
                precision=precision,
                batch_size=batch_size,
                video=frames.name,
            )  # (b, K)
            logits.update({job[1:]: row for job, row in zip(some, out, strict=True)})
            if progress:
                progress((first + len(some)) / len(jobs))
        segments = []
        for number, (person, stretch) in enumerate(stretches):
            rows = torch.stack([logits[number, row] for row in range(len(stretch.indices))])
            scores = smoothed(aggregate(rows[:, None], mode=mode), smooth)  # (W, K)
            for s in merge(
                scores, stretch.centres, start=stretch.start, end=stretch.end, labels=net.labels
            ):
                first, last = np.searchsorted(frames.timestamps, [s.start - 1e-6, s.end - 1e-6])
                box = paths[person].around(int(first), int(last))
                segments.append(PersonSegment(person=int(person), box=box, **vars(s)))
        return People(
            video=frames.name,
            model=net.name,
            segments=tuple(segments),
            boxes=boxes,
            timestamps=frames.timestamps,
            trained=net.trained,
        )


@dataclass(frozen=True)
class PersonPath:
    """Boxes (F, 4) of a person in fractions of the frame, from frame ``first`` on."""

    first: int
    boxes: NDArray[np.float64]

    def within(self, num_items: int) -> range:
        """Indices of a track of ``num_items`` items, which may be one less than the frames."""
        first = min(self.first, num_items - 1)
        return range(first, max(min(self.first + len(self.boxes), num_items), first + 1))

    def around(self, first: int, last: int) -> FrameBox:
        """Box around those of frames [first, last)."""
        start = min(max(first - self.first, 0), len(self.boxes) - 1)
        some = self.boxes[start : max(last - self.first, start + 1)]
        x1, y1 = some[:, :2].min(axis=0).tolist()
        x2, y2 = some[:, 2:].max(axis=0).tolist()
        return x1, y1, x2, y2


def _within(boxes: FrameBoxes, video: Video) -> FrameBoxes:
    """Clip boxes to the frame, and leave out those of which nothing is left."""
    size = np.tile([video.width, video.height], 2).astype(np.float64)
    clipped = boxes.boxes.clip(0, size)  # (M, 4)
    width, height = (clipped[:, 2:] - clipped[:, :2]).T
    return replace(boxes, boxes=clipped).chosen((width > 0) & (height > 0))


def _tracked(boxes: FrameBoxes, video: Video) -> FrameBoxes:
    """Keep the boxes of tracks; make tracks where there are none."""
    if len(boxes.boxes) and (boxes.tracks < 0).all():
        looked = _seconds(replace(boxes, at=boxes.looked), video.timestamps)  # (L,)
        wait = float(np.median(np.diff(looked))) if len(looked) > 1 else 1.0
        boxes = link_boxes(boxes, fps=1 / wait)
    return boxes.chosen(boxes.tracks >= 0)


def _seconds(boxes: FrameBoxes, timestamps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds of each box."""
    return boxes.at if boxes.unit == "time" else timestamps[boxes.at.astype(np.int64)]


def person_path(boxes: FrameBoxes, person: int, video: Video) -> PersonPath:
    """Box of a person in every frame from the first to the last in which it was found."""
    rows = np.flatnonzero(boxes.tracks == person)
    # of several in one frame, the one with the highest score
    rows = rows[np.lexsort((-boxes.scores[rows], boxes.at[rows]))]
    rows = rows[np.unique(boxes.at[rows], return_index=True)[1]]
    times = _seconds(boxes, video.timestamps)[rows]  # (n,)
    # the frames shown at the times in the file, which are rounded
    first = min(int(np.searchsorted(video.timestamps, times[0] - 1e-3)), video.num_frames - 1)
    last = max(int(np.searchsorted(video.timestamps, times[-1] + 1e-3)), first + 1)
    shown = video.timestamps[first:last]  # (F,)
    scaled = boxes.boxes[rows] / np.tile([video.width, video.height], 2)
    corners = [np.interp(shown, times, corner) for corner in scaled.T]  # each (F,)
    return PersonPath(first, np.stack(corners, axis=1))


def check_smooth(windows: int) -> None:
    """Refuse a number of windows that cannot be averaged around one.

    Raises
    ------
    ZoopraxisError
        It is not odd.
    """
    if windows < 1 or windows % 2 == 0:
        raise ZoopraxisError(f"smooth is {windows}", "pass an odd number of windows: 1, 3, 5")


def smoothed(scores: Tensor, windows: int) -> Tensor:
    """Average scores (W, K) over neighbouring windows; fewer at the ends."""
    mean = F.avg_pool1d(
        scores.T[None], windows, stride=1, padding=windows // 2, count_include_pad=False
    )
    return mean[0].T  # (W, K)
