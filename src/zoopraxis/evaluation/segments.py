"""Metrics of actions in long videos: detected segments, and labels of every frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import DataError
from zoopraxis.prediction.timeline import Segment

__all__ = ["FrameScores", "Truth", "detection_precision", "frame_labels", "frame_scores"]

Truth = tuple[float, float, str]  # start and end in seconds, label
_THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)


def detection_precision(
    truth: Mapping[str, Sequence[Truth]],
    predicted: Mapping[str, Sequence[Segment]],
    *,
    thresholds: Sequence[float] = _THRESHOLDS,
) -> dict[str, NDArray[np.float64]]:
    """Average precision of detected segments for each class, at each temporal overlap.

    The rule of ActivityNet (Caba Heilbron et al., CVPR 2015) and THUMOS14: the predictions of a
    class, over all videos, are taken in descending order of score. Each is right when it overlaps
    a true segment of its class and video by at least the threshold (intersection over union), and
    no earlier one has taken that segment; of several free ones it takes the best overlap.
    Precision is interpolated: at each recall, the highest precision at that recall or beyond.

    Parameters
    ----------
    truth : mapping of str to sequence of (float, float, str)
        Start and end in seconds, and label, of each video.
    predicted : mapping of str to sequence of Segment
        Of each video; a video without predictions may be left out.
    thresholds : sequence of H floats
        Temporal intersections over union, in (0, 1].

    Returns
    -------
    dict of str to ndarray of shape (H,)
        Average precision, 0 to 1, of every class that occurs in the truth; their mean is mAP.

    Raises
    ------
    DataError
        A time or score is not a number, an end is not after its start, or predictions are of a
        video that has no truth.
    """
    unknown = sorted(predicted.keys() - truth.keys())
    if unknown:
        raise DataError(
            f"predictions of {unknown[0]!r}, which is not among the {len(truth)} videos with truth",
            "give an empty list for a video in which nothing happens",
        )
    for video, true in truth.items():
        for start, end, _ in true:
            _check(video, start, end)
    for video, found in predicted.items():
        for one in found:
            _check(video, one.start, one.end)
            if np.isnan(one.score):
                raise DataError(f"{video}: a score is not a number", "check the model's output")
    classes = sorted({label for true in truth.values() for _, _, label in true})
    return {label: _average_precision(label, truth, predicted, thresholds) for label in classes}


def _average_precision(
    label: str,
    truth: Mapping[str, Sequence[Truth]],
    predicted: Mapping[str, Sequence[Segment]],
    thresholds: Sequence[float],
) -> NDArray[np.float64]:
    """Interpolated average precision of one class, (H,)."""
    true = {
        video: np.array([row[:2] for row in rows if row[2] == label], float).reshape(-1, 2)
        for video, rows in truth.items()
    }
    ranked = sorted(
        ((video, one) for video, found in predicted.items() for one in found if one.label == label),
        key=lambda item: -item[1].score,
    )
    taken = {video: np.zeros((len(thresholds), len(rows)), bool) for video, rows in true.items()}
    right = np.zeros((len(thresholds), len(ranked)))  # (H, N)
    for n, (video, one) in enumerate(ranked):
        overlap = _overlaps((one.start, one.end), true[video])  # (M,)
        for best in np.argsort(-overlap, kind="stable"):
            free = (overlap[best] >= thresholds) & ~taken[video][:, best] & (right[:, n] == 0)
            taken[video][free, best] = True
            right[free, n] = 1
    hits = right.cumsum(axis=1)  # (H, N)
    precision = hits / np.arange(1, len(ranked) + 1)  # (H, N)
    highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]  # (H, N)
    # recall grows by one part in as many as there are, at every hit
    result: NDArray[np.float64] = (highest * right).sum(axis=1) / sum(map(len, true.values()))
    return result  # (H,)


def _overlaps(one: tuple[float, float], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Temporal intersection over union of a segment with each of M, (M, 2) -> (M,)."""
    both = (np.minimum(one[1], rows[:, 1]) - np.maximum(one[0], rows[:, 0])).clip(min=0)
    overlap: NDArray[np.float64] = both / (one[1] - one[0] + rows[:, 1] - rows[:, 0] - both)
    return overlap


def _check(video: str, start: float, end: float) -> None:
    if not start < end:  # NaN too
        raise DataError(
            f"{video}: a segment from {start:g} to {end:g} s", "the start must be before the end"
        )


def frame_labels(
    segments: Sequence[Segment | Truth], *, times: Sequence[float], background: str
) -> list[str]:
    """Label of every frame by the segment that covers its time; the later one where two do.

    # [0, 2) a, [3, 4) b at times 0 1 2 3:  a a background b

    Parameters
    ----------
    segments : sequence of Segment, or of (start, end, label)
        Of one video; start and end in seconds.
    times : sequence of N float
        Of the frames, in seconds, ascending.
    background : str
        The label of frames in no segment.

    Returns
    -------
    list of N str
    """
    labels = [background] * len(times)
    for one in segments:
        start, end, label = (one.start, one.end, one.label) if isinstance(one, Segment) else one
        for i in range(np.searchsorted(times, start), np.searchsorted(times, end)):
            labels[i] = label
    return labels


@dataclass(frozen=True, kw_only=True)
class FrameScores:
    """Agreement of the labels of all frames, each 0 to 1.

    Parameters
    ----------
    accuracy : float
        Fraction of the frames of all videos with the right label, background included.
    edit : float
        Mean over videos of 1 minus the edit distance between the sequences of actions, divided by
        the length of the longer.
    f1 : dict of float to float
        F1 of segments over all videos, by the least intersection over union.
    """

    accuracy: float
    edit: float
    f1: dict[float, float]


def frame_scores(
    truth: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    *,
    background: str = "background",
    overlaps: Sequence[float] = (0.1, 0.25, 0.5),
) -> FrameScores:
    """Frame-wise accuracy, edit score and segmental F1.

    Lea et al., Temporal Convolutional Networks for Action Segmentation and Detection, CVPR 2017,
    section 4.1; details (which segment a prediction is compared with, counts pooled over videos)
    as in MS-TCN, Farha and Gall, CVPR 2019. Segments are runs of equal labels; those of the
    background count for the accuracy alone.

    Parameters
    ----------
    truth, predicted : sequence of V sequences of str
        Label of every frame, one sequence for each video.
    background : str
        The label of frames in which nothing happens.
    overlaps : sequence of float
        Least intersections over union.

    Raises
    ------
    DataError
        There is no video, or truth and prediction differ in length.
    """
    lengths = [list(map(len, truth)), list(map(len, predicted))]
    if lengths[0] != lengths[1] or not sum(lengths[0]):
        raise DataError(
            f"truth has {lengths[0]} frames and prediction {lengths[1]}",
            "give one label for each frame, of at least one video",
        )
    equal = sum(
        a == b for t, p in zip(truth, predicted, strict=True) for a, b in zip(t, p, strict=True)
    )
    edits = []
    counts = np.zeros((len(overlaps), 2))  # (H, 2): hits, and true and predicted segments
    for t, p in zip(truth, predicted, strict=True):
        true, found = _segments(t, background), _segments(p, background)
        longest = max(len(true), len(found))
        distance = _edit_distance([s[2] for s in true], [s[2] for s in found])
        edits.append(1 - distance / longest if longest else 1.0)
        counts += [(_hits(true, found, least), len(true) + len(found)) for least in overlaps]
    return FrameScores(
        accuracy=equal / sum(lengths[0]),
        edit=float(np.mean(edits)),
        f1={
            least: float(2 * hits / total) if total else 1.0
            for least, (hits, total) in zip(overlaps, counts, strict=True)
        },
    )


def _segments(labels: Sequence[str], background: str) -> list[tuple[int, int, str]]:
    """Runs of equal labels, [start, end) in frames, without the background."""
    runs, start = [], 0
    for label, group in groupby(labels):
        end = start + len(list(group))
        if label != background:
            runs.append((start, end, label))
        start = end
    return runs


def _hits(
    true: Sequence[tuple[int, int, str]], found: Sequence[tuple[int, int, str]], least: float
) -> int:
    """Count predictions whose best true segment overlaps enough and is not taken yet."""
    if not true:
        return 0
    edges = np.array([s[:2] for s in true], float)  # (M, 2)
    taken = set()
    for start, end, label in found:
        overlap = _overlaps((start, end), edges) * [s[2] == label for s in true]  # (M,)
        best = int(overlap.argmax())
        if overlap[best] >= least:
            taken.add(best)
    return len(taken)


def _edit_distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Levenshtein distance: insertions, deletions and replacements that make one the other."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        corner, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (x != y))
    return row[-1]
