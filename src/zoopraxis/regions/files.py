"""Files of boxes: text with a line for each box of a video.

::

    frame,x1,y1,x2,y2,score,label,track
    0,12.5,3.0,80.0,118.0,0.98,person,1
    0,70.0,60.0,95.0,88.5,0.71,box,2
    1,13.0,3.0,81.5,118.0,0.97,person,1
    2,,,,,,,

``frame`` is an index from 0; ``time``, in seconds from the first frame, may stand in its place.
Boxes are in pixels of the video's frames (`zoopraxis.regions.boxes`). The last three columns may be
left out: a score is then 1, a label empty, and a track -1. A line without a box says that the frame
was looked at and nothing was found, which is not the same as a frame without a line. A first line
that begins with ``#`` is a comment: how the boxes were found.
"""

import csv
import io
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import DataError, VideoError
from zoopraxis.files import write_atomically

__all__ = ["FrameBoxes", "comment_of", "read_boxes", "write_boxes"]

CORNERS = ("x1", "y1", "x2", "y2")
COLUMNS = ("frame", *CORNERS, "score", "label", "track")


@dataclass(frozen=True, kw_only=True)
class FrameBoxes:
    """The boxes of a video, M of them, ordered by frame.

    Parameters
    ----------
    unit : {"frame", "time"}
        Whether ``at`` and ``looked`` are indices of frames, or seconds.
    at : float64 ndarray of shape (M,)
        The frame of each box.
    boxes : float64 ndarray of shape (M, 4)
        x1, y1, x2, y2 in pixels.
    scores : float64 ndarray of shape (M,)
        Confidence of each.
    labels : tuple of str
        What each shows; "" where that is not known.
    tracks : int64 ndarray of shape (M,)
        The same number for the same thing in different frames; -1 where that is not known.
    looked : float64 ndarray of shape (L,)
        The frames in which boxes were looked for, in order.
    """

    unit: Literal["frame", "time"]
    at: NDArray[np.float64]
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: tuple[str, ...]
    tracks: NDArray[np.int64]
    looked: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        frames: NDArray[np.integer],
        boxes: NDArray[np.floating],
        *,
        scores: NDArray[np.floating] | None = None,
        labels: tuple[str, ...] = (),
        tracks: NDArray[np.integer] | None = None,
        looked: NDArray[np.integer] | None = None,
    ) -> Self:
        """Make the boxes (M, 4) of frames (M,); what is not given is not known.

        Frames that have boxes were looked at, whether ``looked`` (L,) names them or not.
        """
        order = np.argsort(frames, kind="stable")
        count = len(frames)
        scores = np.ones(count) if scores is None else scores
        tracks = np.full(count, -1) if tracks is None else tracks
        labels = labels or ("",) * count
        at = frames[order].astype(np.float64)
        return cls(
            unit="frame",
            at=at,
            boxes=boxes[order].astype(np.float64),
            scores=scores[order].astype(np.float64),
            labels=tuple(labels[i] for i in order),
            tracks=tracks[order].astype(np.int64),
            looked=np.union1d(at, () if looked is None else looked).astype(np.float64),
        )

    def in_frame(self, at: float) -> NDArray[np.intp]:
        """Indices of the boxes of one of the ``looked`` frames, the highest score first."""
        first, last = np.searchsorted(self.at, [at, np.nextafter(at, np.inf)])
        indices: NDArray[np.intp] = first + np.argsort(-self.scores[first:last], kind="stable")
        return indices

    def chosen(self, kept: NDArray[np.bool_]) -> Self:
        """Keep some of the boxes by a mask (M,); the frames that were looked at stay."""
        return replace(
            self,
            at=self.at[kept],
            boxes=self.boxes[kept],
            scores=self.scores[kept],
            labels=tuple(label for label, keep in zip(self.labels, kept, strict=True) if keep),
            tracks=self.tracks[kept],
        )

    def nearest(
        self, timestamps: NDArray[np.float64], *, name: str = "the video"
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """For each frame of a video, the nearest of the ``looked`` ones.

        Parameters
        ----------
        timestamps : float64 ndarray of shape (F,)
            Seconds at which the frames of the video are shown.
        name : str, default="the video"
            The video, for messages.

        Returns
        -------
        rows : int64 ndarray of shape (F,)
            Indices into ``looked``.
        seconds : float64 ndarray of shape (F,)
            How far away it is; infinite where no frame was looked at.

        Raises
        ------
        VideoError
            The boxes go on after the video's end.
        """
        if not len(self.looked):
            return np.zeros(len(timestamps), np.int64), np.full(len(timestamps), np.inf)
        by_frame = self.unit == "frame"
        last = len(timestamps) - 1 if by_frame else timestamps[-1] + 1
        if self.looked[-1] > last:
            raise VideoError(
                f"there are boxes of {self.unit} {self.looked[-1]:g}, and {name} ends with frame "
                f"{len(timestamps) - 1}, at {timestamps[-1]:.3f} s",
                "check that these are the boxes of this video; frames are counted from 0",
            )
        at = timestamps[self.looked.astype(np.int64)] if by_frame else self.looked  # (L,)
        after = np.searchsorted(at, timestamps).clip(0, len(at) - 1)  # (F,)
        before = (after - 1).clip(0)
        rows = np.where(timestamps - at[before] <= at[after] - timestamps, before, after)
        return rows, np.abs(at[rows] - timestamps)


def read_boxes(path: str | Path) -> FrameBoxes:
    """Read a file of boxes.

    Raises
    ------
    VideoError
        It cannot be read, has no such columns, or a line is not a box: NaN, infinite, or with its
        corners in another order. The message names file and line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise VideoError(
            f"{path}: the boxes cannot be read: {error}",
            "expected a text file; `zoopraxis boxes` writes them",
        ) from error
    comments = 1 if text.startswith("#") else 0
    reader = csv.DictReader(io.StringIO(text.split("\n", comments)[-1], newline=""))
    names = reader.fieldnames or ()
    unit: Literal["frame", "time"] = "time" if "time" in names else "frame"
    if not {unit, *CORNERS} <= set(names):
        raise VideoError(
            f"{path}: columns {', '.join(names) or 'none'} are not those of boxes",
            f"expected a first line {','.join(COLUMNS)}; the last three may be missing",
        )
    rows: list[tuple[float, list[float], float, str, int]] = []
    looked: list[float] = []
    try:
        for row in reader:
            at, box = _parse(row, unit)
            looked.append(at)
            if box is not None:
                score, track = row.get("score") or 1, row.get("track") or -1
                rows.append((at, box, float(score), row.get("label") or "", int(track)))
    except (ValueError, TypeError, csv.Error) as error:
        raise VideoError(
            f"{path}, line {comments + reader.line_num}: {error}",
            "expected an index or seconds, then x1 < x2 and y1 < y2 in pixels, all finite",
        ) from error
    rows.sort(key=lambda row: row[0])
    return FrameBoxes(
        unit=unit,
        at=np.array([row[0] for row in rows], np.float64),
        boxes=np.array([row[1] for row in rows], np.float64).reshape(-1, 4),
        scores=np.array([row[2] for row in rows], np.float64),
        labels=tuple(row[3] for row in rows),
        tracks=np.array([row[4] for row in rows], np.int64),
        looked=np.unique(np.array(looked, np.float64)),
    )


def _parse(row: dict[str, str], unit: str) -> tuple[float, list[float] | None]:
    """Frame and box of a line; None for a line without a box."""
    at = float(row[unit])
    if not 0 <= at < math.inf or (unit == "frame" and at != int(at)):
        raise ValueError(f"the {unit} is {row[unit]}")
    cells = [row[name] for name in CORNERS]
    if not any(cells):
        return at, None
    box = [float(cell) for cell in cells]
    if not all(map(math.isfinite, box)):
        raise ValueError(f"the box is {', '.join(cells)}, which is not finite")
    if box[0] > box[2] or box[1] > box[3]:
        raise ValueError(f"the corners of the box {', '.join(cells)} are in another order")
    if not math.isfinite(float(row.get("score") or 1)):
        raise ValueError(f"the score is {row['score']}")
    return at, box


def comment_of(path: str | Path) -> str:
    """Comment of a file of boxes, without its ``# ``; empty where there is none."""
    with Path(path).open(encoding="utf-8-sig", errors="replace") as file:
        first = file.readline()
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def write_boxes(path: str | Path, boxes: FrameBoxes, *, comment: str = "") -> None:
    """Write a file of boxes, with a line for every frame that was looked at.

    Parameters
    ----------
    path : path
        The file.
    boxes : FrameBoxes
        What to write, rounded to hundredths of a pixel.
    comment : str, default=""
        One line that says how they were found.

    Raises
    ------
    DataError
        A box is not finite.
    """
    if not np.isfinite(boxes.boxes).all():
        raise DataError(f"{path}: a box is not finite", "leave out what was not found")
    text = io.StringIO()
    text.write(f"# {comment}\n" if comment else "")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((boxes.unit, *COLUMNS[1:]))
    for at in boxes.looked.tolist():
        shown = int(at) if boxes.unit == "frame" else at
        found = boxes.in_frame(at)
        for i in found:
            corners = (f"{value:.2f}" for value in boxes.boxes[i])
            track = "" if boxes.tracks[i] < 0 else boxes.tracks[i]
            writer.writerow((shown, *corners, f"{boxes.scores[i]:.4g}", boxes.labels[i], track))
        if not len(found):
            writer.writerow((shown, *[""] * (len(COLUMNS) - 1)))
    write_atomically(Path(path), text.getvalue().encode())
