"""AVA: people in films, with the actions of each at one moment of every second.

Gu et al., AVA: A Video Dataset of Spatio-temporally Localized Atomic Visual Actions, CVPR 2018,
arXiv:1705.08421. Its files are comma-separated text without a first line of names::

    -5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,80,1

are video, second of the film (902 to 1798, of which the middle frame is labelled), x1, y1, x2, y2
in fractions of the frame's width and height, action and person; a line for each action of a
person. Results and detectors' boxes have a score in place of the person, and boxes alone no action.
"""

import csv
import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoopraxis.data.labels import label_names
from zoopraxis.data.rows import VIDEO_SUFFIXES
from zoopraxis.data.samples import Sample, SampleList
from zoopraxis.data.sets.listed import Listed, VideoSet, find_file, find_files, words_of
from zoopraxis.data.text import read_rows
from zoopraxis.errors import DataError
from zoopraxis.files import write_atomically
from zoopraxis.video import FrameBox, box_problem

__all__ = [
    "ACTION_IDS",
    "AVA",
    "WINDOW",
    "AvaBoxes",
    "AvaPeople",
    "Moment",
    "ava_people",
    "read_ava",
    "read_excluded",
    "write_ava",
]

ACTION_IDS = (
    *(1, *range(3, 16), 17, 20, 22, 24, *range(26, 31), 34, 36, 37, 38, 41, 43, *range(45, 50)),
    *(51, 52, 54, *range(56, 71), 72, 73, 74, *range(76, 81)),
)
"""Ids of the 60 of 80 actions that are evaluated, in the order of the label list ``ava``."""

WINDOW = 2.0
"""Seconds of a clip around a moment."""

Moment = tuple[str, int]
"""A video, and a second of its film."""

_EXPECTED = "expected video,second,x1,y1,x2,y2,action,person, the corners in fractions of the frame"


@dataclass(frozen=True, kw_only=True)
class AvaBoxes:
    """Boxes with an action each, M of them.

    Parameters
    ----------
    moments : tuple of (str, int)
        Video and second of each.
    boxes : float64 ndarray of shape (M, 4)
        x1, y1, x2, y2 in fractions of the frame.
    actions : int64 ndarray of shape (M,)
        Ids of AVA; -1 for a box without an action.
    scores : float64 ndarray of shape (M,)
        1 where the file has people in their place.
    """

    moments: tuple[Moment, ...]
    boxes: NDArray[np.float64]
    actions: NDArray[np.int64]
    scores: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class AvaPeople:
    """A clip of each person at each moment.

    Parameters
    ----------
    samples : SampleList
        N clips, with all actions of the person.
    moments : tuple of (str, int)
        Video and second of each.
    """

    samples: SampleList
    moments: tuple[Moment, ...]


def read_ava(path: str | Path, *, scored: bool = False) -> AvaBoxes:
    """Read a file of AVA.

    Lines whose box is empty, as those of AVA-Kinetics for moments with nobody, hold nothing.

    Parameters
    ----------
    path : path
        The file.
    scored : bool, default=False
        Whether the eighth column is a score, as in results, and not a person.

    Raises
    ------
    DataError
        It cannot be read, or a line is no such box; the message names the line.
    """
    moments: list[Moment] = []
    boxes: list[FrameBox] = []
    actions: list[int] = []
    scores: list[float] = []
    for number, cells in read_rows(Path(path), expected=_EXPECTED):
        if not cells or (len(cells) >= 6 and not any(cells[2:6])):
            continue
        try:
            if len(cells) not in (7, 8):
                raise ValueError(f"there are {len(cells)} columns")
            x1, y1, x2, y2 = map(float, cells[2:6])
            problem = box_problem((x1, y1, x2, y2))
            if problem:
                raise ValueError(f"the box {', '.join(cells[2:6])} {problem}")
            moments.append((cells[0], _second(cells[1])))
            boxes.append((x1, y1, x2, y2))
            actions.append(int(cells[6]) if cells[6] else -1)
            score = float(cells[7]) if scored and len(cells) == 8 else 1.0
            if not np.isfinite(score):
                raise ValueError(f"the score is {cells[7]}")
            scores.append(score)
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}", _EXPECTED) from error
    if not boxes:
        raise DataError(f"{path} holds no boxes", _EXPECTED)
    return AvaBoxes(
        moments=tuple(moments),
        boxes=np.array(boxes, np.float64),
        actions=np.array(actions, np.int64),
        scores=np.array(scores, np.float64),
    )


def _second(cell: str) -> int:
    """Second of a film: 0902, or 902.000."""
    second = float(cell)
    if not second.is_integer() or second < 0:
        raise ValueError(f"the second is {cell}")
    return int(second)


def read_excluded(path: str | Path) -> frozenset[Moment]:
    """Read AVA's list of moments that are not evaluated, ``video,second`` on each line.

    Raises
    ------
    DataError
        It cannot be read, or a line is no such moment.
    """
    expected = "expected video,second"
    moments = set()
    for number, cells in read_rows(Path(path), expected=expected):
        try:
            if cells:
                video, second = cells
                moments.add((video, _second(second)))
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}", expected) from error
    return frozenset(moments)


def write_ava(path: str | Path, found: AvaBoxes) -> None:
    """Write results as AVA's evaluation reads them, with a score for each box and action."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for (video, second), box, action, score in zip(
        found.moments,
        found.boxes.tolist(),
        found.actions.tolist(),
        found.scores.tolist(),
        strict=True,
    ):
        corners = (f"{corner:.4f}" for corner in box)
        writer.writerow((video, f"{second:04d}", *corners, action, f"{score:.6g}"))
    write_atomically(Path(path), text.getvalue().encode())


def ava_people(
    boxes: AvaBoxes,
    videos: str | Path,
    *,
    seconds: float = WINDOW,
    offset: float = 0.0,
    excluded: Collection[Moment] = (),
) -> AvaPeople:
    """Make a clip of every person at every moment, with all of the person's actions.

    Actions that are not among the 60 are left out, and who then has none; boxes of files that name
    no actions at all, such as a detector's, are kept.

    Parameters
    ----------
    boxes : AvaBoxes
        Of `read_ava`. Lines of one moment with the same box are one person's.
    videos : path
        Folder of the videos, named after their ids.
    seconds : float, default=2
        Length of each clip, around the moment.
    offset : float, default=0
        Second of the film at which the videos begin; 900 where they were cut.
    excluded : collection of (str, int)
        Moments to leave out.

    Raises
    ------
    DataError
        A video is not there, begins after a moment, or nothing is left.
    """
    folder = Path(videos)
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder", "name the folder of AVA's videos")
    files = {
        file.stem: str(file) for file in folder.iterdir() if file.suffix.lower() in VIDEO_SUFFIXES
    }
    people = _actions_of_people(boxes, excluded)
    samples = []
    for ((video, second), box), actions in people.items():
        if video not in files:
            raise DataError(
                f"{folder} has no video {video}",
                f"expected a file such as {video}.mp4",
            )
        start = second - offset - seconds / 2
        if start < 0:
            raise DataError(
                f"{video}: the moment {second} would begin at {start:g} s of the video",
                "give --offset the second of the film at which the videos begin; 0 for whole films",
            )
        samples.append(
            Sample(
                path=files[video],
                start=start,
                end=start + seconds,
                box=box,
                label=tuple(sorted(actions)),
                group=video,
                name=f"{video} {second} ({', '.join(f'{corner:g}' for corner in box)})",
            )
        )
    return AvaPeople(
        samples=SampleList(samples=tuple(samples), labels=label_names("ava"), root=str(folder)),
        moments=tuple(moment for moment, _ in people),
    )


def _actions_of_people(
    boxes: AvaBoxes, excluded: Collection[Moment]
) -> dict[tuple[Moment, FrameBox], set[int]]:
    """Indices of the actions of each person, whom a moment and a box name."""
    index_of = {action: index for index, action in enumerate(ACTION_IDS)}
    labelled = bool((boxes.actions >= 0).any())
    people: dict[tuple[Moment, FrameBox], set[int]] = {}
    for moment, (x1, y1, x2, y2), action in zip(
        boxes.moments, boxes.boxes.tolist(), boxes.actions.tolist(), strict=True
    ):
        if moment in excluded or (labelled and action not in index_of):
            continue
        actions = people.setdefault((moment, (x1, y1, x2, y2)), set())
        if labelled:
            actions.add(index_of[action])
    if not people:
        raise DataError("none of AVA's 60 evaluated actions is left", "check the excluded moments")
    return people


def _listed(root: Path) -> Iterator[Listed]:
    """Yield a clip of every person at every moment, of whole films, and the films of the test."""
    names = label_names("ava")
    for part in ("train", "val"):
        file = find_file(root, f"ava_{part}_v*.csv")
        version = file.name.removeprefix(f"ava_{part}_")
        lists = find_files(root, f"ava_{part}_excluded_timestamps_{version}")
        excluded = frozenset[Moment]().union(*map(read_excluded, lists))
        for ((video, second), box), actions in _actions_of_people(read_ava(file), excluded).items():
            yield Listed(
                file="",
                labels=tuple(names[index] for index in sorted(actions)),
                parts={"": part},
                whole=video,
                start=second - WINDOW / 2,
                end=second + WINDOW / 2,
                box=box,
                group=video,
            )
    for file in find_files(root, "ava_test_v*.txt"):
        for (video,) in words_of(file):
            yield Listed(file="", labels=(), parts={"": "test"}, whole=video)


AVA = VideoSet(
    title="AVA (Gu et al. 2018)",
    home="https://research.google.com/ava",
    labels="ava",
    entries=_listed,
)
