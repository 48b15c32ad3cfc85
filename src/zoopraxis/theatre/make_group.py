"""Files of films with several performers: MP4, ground truth as NPZ, and who does what and when."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from zoopraxis.errors import DataError
from zoopraxis.files import write_atomically
from zoopraxis.theatre.actions import ACTIONS, FPS, REVERSED
from zoopraxis.theatre.group import GroupClip, Part, film_group
from zoopraxis.theatre.make import check_settings, encode, run_filming
from zoopraxis.theatre.scene import VIEW

__all__ = ["GroupSettings", "cast", "film_numbered", "make_groups"]

COLUMNS = ("path", "start", "end", "x1", "y1", "x2", "y2", "label", "person", "group")
_TWINS = {performed: twin for twin, performed in REVERSED.items()}
_CAN_FILM = tuple(action for action in ACTIONS if action != "swim")
_PERFORMERS_PER_SEED = 1000


@dataclass(frozen=True, kw_only=True)
class GroupSettings:
    """Settings of films with several performers.

    Parameters
    ----------
    performers : int, default=3
        Performers in a film, from 1 to 30.
    acts : int, default=4
        Actions of each performer, one after the other.
    size : (width, height), default=(480, 270)
        Frame size in pixels; even numbers, at least 32.
    seed : int, default=0
        Seed, 0 or more. Films of different seeds share no performers.
    """

    performers: int = 3
    acts: int = 4
    size: tuple[int, int] = (480, 270)
    seed: int = 0

    def __post_init__(self) -> None:
        width, height = self.size
        if width % 2 or height % 2 or min(self.size) < 32:
            raise DataError(
                f"the frame size is {width}x{height}", "pass even numbers of pixels, at least 32"
            )
        if not 1 <= self.performers <= 30 or self.acts < 1 or self.seed < 0:
            raise DataError(
                f"{self.performers} performers with {self.acts} actions and the seed {self.seed} "
                "cannot be filmed",
                "pass 1 to 30 performers, 1 action or more, and a seed of 0 or more",
            )


def make_groups(
    out: str | Path,
    *,
    films: int = 10,
    settings: GroupSettings | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Film groups of performers into a folder.

    Finished films are kept, so an interrupted run resumes. The files do not depend on ``workers``.

    Parameters
    ----------
    out : str or Path
        Folder for ``film_0000.mp4`` and ``.npz`` (joints, person_boxes, object_boxes of
        `GroupClip`), ``film_0000.boxes.csv`` (the performers' boxes, with their numbers as tracks),
        and for the list ``people.csv``: path, start and end in seconds, the box
        around all boxes of the performer meanwhile as fractions of the frame, label, person and
        group (the film).
    films : int, default=10
        Number of films.
    settings : GroupSettings, optional
        The other settings; the default is ``GroupSettings()``.
    workers : int, optional
        Number of processes. The default is the number of cores.
    progress : callable, optional
        Called with the number of films done and their total.

    Returns
    -------
    Path
        The list.

    Raises
    ------
    DataError
        There are no films to make, or the folder holds other ones or something else.
    VideoError
        This PyAV cannot encode H.264.
    """
    out, settings = Path(out), settings or GroupSettings()
    film = partial(_film, settings=settings)
    paths = film_numbered(
        out, films, settings=settings, film=film, workers=workers, progress=progress
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for path in paths:
        writer.writerows(csv.reader(path.with_suffix(".csv").read_text().splitlines()))
    write_atomically(out / "people.csv", text.getvalue().encode())
    return out / "people.csv"


def film_numbered(
    out: Path,
    films: int,
    *,
    settings: Any,
    film: Callable[[Path, int], object],
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> list[Path]:
    """Film ``film_0000.mp4`` and so on, those that are not there yet, and return all of them.

    Parameters
    ----------
    out : Path
        Their folder; it is made, or was made with the same settings.
    films : int
        Number of films.
    settings : dataclass
        What decides what they show.
    film : callable
        Writes the film of a number to a path; it can be pickled.
    workers, progress
        As for `make_groups`.

    Raises
    ------
    DataError
        There are no films to make, or the folder holds other ones or something else.
    """
    if films < 1:
        raise DataError(f"the number of films is {films}", "pass 1 or more")
    check_settings(out, settings)
    paths = [out / f"film_{index:04d}.mp4" for index in range(films)]
    filming = [partial(film, path, index) for index, path in enumerate(paths) if not path.is_file()]
    run_filming(filming, total=films, workers=workers, progress=progress)
    return paths


def _film(path: Path, index: int, settings: GroupSettings) -> None:
    """Film a group and write its files; the video is written last."""
    clip = film_group(cast(index, settings), seed=_seed(index, settings), size=settings.size)
    truth = io.BytesIO()
    np.savez_compressed(
        truth,
        joints=clip.joints,
        person_boxes=clip.person_boxes,
        object_boxes=clip.object_boxes,
    )
    write_atomically(path.with_suffix(".npz"), truth.getvalue())
    _write_boxes(path.with_suffix(".boxes.csv"), clip)
    write_atomically(path.with_suffix(".csv"), _rows(path.name, clip, settings).encode())
    write_atomically(path, encode(clip.frames, fps=FPS))


def _write_boxes(path: Path, clip: GroupClip) -> None:
    """Write the boxes of the performers, from pixel centres to the edges of pixels."""
    from zoopraxis.regions import FrameBoxes, write_boxes  # torch loads here

    corners = clip.person_boxes + 0.5  # (T, P, 4)
    frames, people = np.nonzero(~np.isnan(corners).any(axis=2))
    boxes = FrameBoxes.of(
        frames,
        corners[frames, people],
        labels=("person",) * len(frames),
        tracks=people,
        looked=np.arange(len(corners)),
    )
    write_boxes(path, boxes)


def _seed(index: int, settings: GroupSettings) -> int:
    return int(np.random.SeedSequence([settings.seed, index]).generate_state(1)[0])


def cast(index: int, settings: GroupSettings) -> list[Part]:
    """Draw who does what in a film: performers, actions and places."""
    rng = np.random.default_rng([3, settings.seed, index])
    width = VIEW * settings.size[0] / settings.size[1]
    spacing = width / settings.performers
    names = rng.permutation(_PERFORMERS_PER_SEED)[: settings.performers]
    parts = []
    for number, name in enumerate(names):
        actions: list[str] = []
        while len(actions) < settings.acts:
            last = actions[-1] if actions else ""
            # who sat down gets up
            actions.append(_TWINS.get(last) or str(rng.choice(_CAN_FILM)))
        place = (number + 0.5) * spacing - width / 2 + rng.uniform(-0.15, 0.15) * spacing
        parts.append(
            Part(
                actions=tuple(actions),
                performer=settings.seed * _PERFORMERS_PER_SEED + int(name),
                place=float(place),
            )
        )
    return parts


def _rows(name: str, clip: GroupClip, settings: GroupSettings) -> str:
    """Rows of the list for one film; who is never in the frame has none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for segment in clip.segments:
        frames = slice(round(segment.start * FPS), round(segment.end * FPS))
        boxes = clip.person_boxes[frames, segment.person]  # (T, 4)
        boxes = boxes[~np.isnan(boxes[:, 0])] / np.tile(settings.size, 2)
        if not len(boxes):
            continue
        corners = (*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0))
        writer.writerow(
            (
                name,
                f"{segment.start:.3f}",
                f"{segment.end:.3f}",
                *(f"{corner:.4f}" for corner in corners),
                segment.label,
                segment.person,
                Path(name).stem,
            )
        )
    return text.getvalue()
