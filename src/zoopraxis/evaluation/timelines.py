"""Evaluate a model on long videos by their timelines, against segments that somebody marked."""

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zoopraxis.checkpoints.saved import OpenModel
from zoopraxis.data.samples import Sample, SampleList
from zoopraxis.errors import DataError, VideoError
from zoopraxis.evaluation.identity import file_stamp
from zoopraxis.evaluation.segments import (
    FrameScores,
    Truth,
    detection_precision,
    frame_labels,
    frame_scores,
)
from zoopraxis.files import write_atomically
from zoopraxis.inputs import Media
from zoopraxis.prediction.pipeline import Precision
from zoopraxis.prediction.timeline import (
    Hysteresis,
    Segment,
    WindowScores,
    check_none,
    score_windows,
)

__all__ = ["OVERLAPS", "TimelineEvaluation", "evaluate_timelines"]

OVERLAPS = (0.3, 0.4, 0.5, 0.6, 0.7)  # of mAP: those of THUMOS14
# what reading a file that is none of ours may raise: no archive, no such part
_NOT_OURS = (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile)


@dataclass(frozen=True, kw_only=True)
class TimelineEvaluation:
    """True and predicted segments of whole videos, and the metrics computed from them.

    Parameters
    ----------
    model : str
        Name or file of the model.
    trained : bool
        False for random weights, whose accuracy means nothing.
    truth : mapping of str to tuple of (float, float, str)
        True segments of every video, without those of the class ``none``.
    found : mapping of str to tuple of Segment
        Predicted ones; none of a video that could not be read.
    times : mapping of str to float64 ndarray of shape (N,)
        Seconds at which the frames of the videos that could be read are shown.
    unread : mapping of str to str
        Videos that could not be read, and why. Their segments count as missed in the precision of
        segments; the measures of frames leave them out, since their frames are not known.
    none : str, default=""
        The class that means nothing happens.
    """

    model: str
    trained: bool
    truth: Mapping[str, tuple[Truth, ...]]
    found: Mapping[str, tuple[Segment, ...]]
    times: Mapping[str, NDArray[np.float64]]
    unread: Mapping[str, str]
    none: str = ""

    def precision(self) -> dict[str, NDArray[np.float64]]:
        """Average precision (5,) of every class, at each overlap of `OVERLAPS`."""
        return detection_precision(self.truth, self.found, thresholds=OVERLAPS)

    def frames(self) -> FrameScores:
        """Agreement of the labels of all frames.

        Of true segments that overlap the one listed later counts, of predicted ones that with the
        higher score.
        """
        background = self.none  # or empty, which no class is called
        labels = partial(frame_labels, background=background)
        true, found = [], []
        for name, times in self.times.items():
            by_score = sorted(self.found[name], key=lambda one: one.score)
            true.append(labels(self.truth[name], times=times.tolist()))
            found.append(labels(by_score, times=times.tolist()))
        return frame_scores(true, found, background=background)

    def summary(self) -> dict[str, Any]:
        """Compute the metrics of the report: fractions of 1, NaN where there is no true segment."""
        precision = list(self.precision().values())
        means = np.mean(precision, axis=0) if precision else np.full(len(OVERLAPS), math.nan)
        frames = self.frames()
        return {
            "videos": len(self.truth),
            "unread": len(self.unread),
            "segments": sum(map(len, self.truth.values())),
            "predicted": sum(map(len, self.found.values())),
            "map": float(means.mean()),
            **{
                f"map@{overlap:g}": value
                for overlap, value in zip(OVERLAPS, means.tolist(), strict=True)
            },
            "frame_accuracy": frames.accuracy,
            "edit": frames.edit,
            **{f"f1@{overlap:g}": value for overlap, value in frames.f1.items()},
        }


def evaluate_timelines(
    net: OpenModel,
    samples: SampleList,
    *,
    rule: Hysteresis | None = None,
    none: str = "",
    window: float | None = None,
    step: float | None = None,
    crops: int = 1,
    mode: str = "mean_probability",
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
    batch_size: int = 8,
    keep: Path | None = None,
    progress: Callable[[float], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> TimelineEvaluation:
    """Predict the timeline of every video of a list of segments, and compare it with them.

    Parameters
    ----------
    net : OpenModel
        Of `zoopraxis.checkpoints.saved.open_model`.
    samples : SampleList
        Segments, several of a video: all that happens in it.
    rule : Hysteresis, optional
        When an action counts; without it the best class of every window does.
    none : str, default=""
        The class of the model that means nothing happens: neither true nor predicted segments of
        it are detections, and it is the background of the frames. It must be that of ``rule``.
    window, step, crops, mode, device, precision, batch_size
        As for `zoopraxis.prediction.timeline.predict_timeline`.
    keep : Path, optional
        Folder of the scores of all windows, ``windows-<key>.npz`` for each video: an evaluation
        that was stopped resumes, and another ``rule`` costs nothing. The key is a hash of the
        model with its weights, the settings of the windows, and the file.
    progress : callable, optional
        Called with the fraction done.
    say : callable, optional
        Called with a line when kept scores are used.

    Raises
    ------
    DataError
        The list has labels that the model does not know, a segment with a box, or one outside its
        video; a video is listed with different files beside it; or none can be read.
    ZoopraxisError
        The model has no class ``none``, or its output is not finite.
    """
    check_none(net, none)
    if rule and rule.none != none:
        raise DataError(f"the rule's none is {rule.none!r}, and none is {none!r}", "give one name")
    videos = _by_video(net, samples)
    truth: dict[str, tuple[Truth, ...]] = {}
    found: dict[str, tuple[Segment, ...]] = {}
    times: dict[str, NDArray[np.float64]] = {}
    unread: dict[str, str] = {}
    reused = 0
    for number, (name, rows) in enumerate(videos.items()):
        first = rows[0]
        media = Media(**{f.name: getattr(first, f.name) for f in fields(Media)} | _WHOLE)
        key = _key(net, media, window=window, step=step, crops=crops, mode=mode, how=precision)
        kept = keep / f"windows-{key[:16]}.npz" if keep else None
        truth[name] = _truth(rows, samples.labels, none)
        try:
            if kept and kept.exists():
                scores, reused = _read(kept), reused + 1
            else:
                scores = score_windows(
                    media,
                    net,
                    window=window,
                    step=step,
                    crops=crops,
                    mode=mode,
                    device=device,
                    precision=precision,
                    batch_size=batch_size,
                    progress=_part_of(progress, number, len(videos)),
                )
                if kept:
                    _save(kept, scores)
        except VideoError as error:
            unread[name], found[name] = error.problem, ()
            continue
        finally:
            if progress:
                progress((number + 1) / len(videos))
        _refuse_outside(rows, scores)
        last = float(scores.bounds[-1, 1])
        truth[name] = tuple((start, min(end, last), label) for start, end, label in truth[name])
        times[name] = scores.times
        found[name] = tuple(s for s in scores.segments(net.labels, rule) if s.label != none)
    if reused and say:
        say(f"the scores of {reused} of {len(videos)} videos were kept in {keep}")
    if not times:
        name, problem = next(iter(unread.items()))
        raise DataError(
            f"none of the {len(videos)} videos of {samples.root} can be read; the first, {name}: "
            f"{problem}",
            "check the paths in the list, and that these are videos",
        )
    return TimelineEvaluation(
        model=net.name,
        trained=net.trained,
        truth=truth,
        found=found,
        times=times,
        unread=unread,
        none=none,
    )


_WHOLE = {"start": None, "end": None}


def _by_video(net: OpenModel, samples: SampleList) -> dict[str, list[Sample]]:
    """Segments of each video, by its path."""
    foreign = [label for label in samples.labels if label not in net.labels]
    if foreign:
        raise DataError(
            f"{samples.root} has {len(foreign)} labels that {net.name} does not know, "
            f"the first {foreign[0]!r}",
            f"the model knows: {', '.join(net.labels[:8])}...",
        )
    if not len(samples):
        raise DataError(f"{samples.root} lists no videos", "choose other groups, or another list")
    videos: dict[str, list[Sample]] = {}
    for sample in samples:
        rows = videos.setdefault(sample.path, [])
        if sample.box is not None:
            raise DataError(
                f"{sample.where}: a segment with a box, and a timeline is of whole frames",
                "leave the columns x1, y1, x2 and y2 out",
            )
        if rows and rows[0].beside != sample.beside:
            raise DataError(
                f"{sample.where}: {sample.path} has other files beside it than in {rows[0].where}",
                "name the same flow, skeleton, boxes and trajectories in every line of a video",
            )
        rows.append(sample)
    return videos


def _times(row: Sample) -> tuple[float, float]:
    """Start and end in seconds; infinite where the segment ends with its video."""
    return row.start or 0.0, math.inf if row.end is None else row.end


def _truth(rows: list[Sample], labels: tuple[str, ...], none: str) -> tuple[Truth, ...]:
    """True segments of a video."""
    return tuple(
        (*_times(row), labels[k])
        for row in rows
        for k in (row.label if isinstance(row.label, tuple) else (row.label,))
        if labels[k] != none
    )


def _refuse_outside(rows: list[Sample], scores: WindowScores) -> None:
    """Refuse segments in which their video shows no frame."""
    for row in rows:
        start, end = _times(row)
        first, last = np.searchsorted(scores.times, [start - 1e-6, end - 1e-6])
        if first >= last:
            raise DataError(
                f"{row.where}: the segment [{start:g}, {end:g}) s lies outside {row.path}, which "
                f"lasts {scores.bounds[-1, 1]:.3f} s",
                "check start and end of this line; both are seconds",
            )


def _part_of(
    progress: Callable[[float], None] | None, number: int, total: int
) -> Callable[[float], None] | None:
    """Turn the fraction done of one video into that of all."""
    if progress is None:
        return None
    return lambda done: progress((number + done) / total)


def _key(net: OpenModel, media: Media, **settings: Any) -> str:
    """Hash of all that decides the scores of a video's windows."""
    files = [file_stamp(path) for path in (media.path, *media.beside)]
    values = {**net.identity, "files": files, **settings}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _save(path: Path, scores: WindowScores) -> None:
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in vars(scores).items()}
    np.savez_compressed(buffer, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, buffer.getvalue())


def _read(path: Path) -> WindowScores:
    try:
        with path.open("rb") as opened, np.load(opened) as file:
            return WindowScores(
                video=str(file["video"]),
                times=file["times"],
                bounds=file["bounds"],
                counts=file["counts"],
                centres=file["centres"],
                scores=torch.from_numpy(file["scores"]),
            )
    except _NOT_OURS as error:
        raise DataError(
            f"{path} does not hold the scores of windows: {error}", "remove it, and evaluate again"
        ) from error
