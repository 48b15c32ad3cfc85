"""Long films of one performer: several actions one after another, and stillness between them."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from zoopraxis.errors import DataError
from zoopraxis.files import write_atomically
from zoopraxis.theatre.actions import FPS, FRAMES
from zoopraxis.theatre.group import Part, film_group
from zoopraxis.theatre.make import encode
from zoopraxis.theatre.make_group import GroupSettings, cast, film_numbered

__all__ = ["IDLE", "StrungSettings", "make_strung"]

IDLE = "idle"
COLUMNS = ("path", "start", "end", "label", "group")


@dataclass(frozen=True, kw_only=True)
class StrungSettings:
    """Settings of films of actions with stillness between them.

    Parameters
    ----------
    acts : int, default=6
        Actions in a film.
    pause : float, default=1.5
        Mean seconds of stillness before each action and after the last, drawn from half of it to
        one and a half times.
    size : (width, height), default=(256, 144)
        Frame size in pixels; even numbers, at least 32.
    seed : int, default=0
        Seed, 0 or more. Films of different seeds share no performers.

    Raises
    ------
    DataError
        A setting is out of range.
    """

    acts: int = 6
    pause: float = 1.5
    size: tuple[int, int] = (256, 144)
    seed: int = 0

    def __post_init__(self) -> None:
        GroupSettings(performers=1, acts=self.acts, size=self.size, seed=self.seed)
        if not 1 / FPS <= self.pause <= 3600:
            raise DataError(
                f"the mean pause is {self.pause:g} s", f"pass {1 / FPS:.2f} to 3600 seconds"
            )


def make_strung(
    out: str | Path,
    *,
    films: int = 10,
    settings: StrungSettings | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Film strings of actions into a folder.

    Finished films are kept, so an interrupted run resumes. The files do not depend on ``workers``.

    Parameters
    ----------
    out : str or Path
        Folder for ``film_0000.mp4`` and for the list ``segments.csv``: path, start and end in
        seconds, label (an action, or ``idle``) and group (the performer). Its segments fill every
        film from its start to its end.
    films : int, default=10
        Number of films.
    settings : StrungSettings, optional
        The other settings; the default is ``StrungSettings()``.
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
    out, settings = Path(out), settings or StrungSettings()
    film = partial(_film, settings=settings)
    paths = film_numbered(
        out, films, settings=settings, film=film, workers=workers, progress=progress
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for index, path in enumerate(paths):
        part = _part(index, settings)
        for start, end, label in _segments(part):
            times = (f"{frame / FPS:.3f}" for frame in (start, end))
            writer.writerow((path.name, *times, label, f"p{part.performer:04d}"))
    write_atomically(out / "segments.csv", text.getvalue().encode())
    return out / "segments.csv"


def _film(path: Path, index: int, settings: StrungSettings) -> None:
    seed = int(np.random.SeedSequence([4, settings.seed, index]).generate_state(1)[0])
    clip = film_group([_part(index, settings)], seed=seed, size=settings.size)
    write_atomically(path, encode(clip.frames, fps=FPS))


def _part(index: int, settings: StrungSettings) -> Part:
    """Draw what the performer of a film does, and how long it stands still between."""
    group = GroupSettings(performers=1, acts=settings.acts, size=settings.size, seed=settings.seed)
    (part,) = cast(index, group)
    rng = np.random.default_rng([4, settings.seed, index])
    seconds = settings.pause * rng.uniform(0.5, 1.5, size=settings.acts + 1)
    return replace(part, pauses=tuple(max(1, round(s * FPS)) for s in seconds.tolist()))


def _segments(part: Part) -> list[tuple[int, int, str]]:
    """First frame, frame after the last, and label of every action and pause, in order.

    # one action, pauses (15, 30): (0, 15, idle) (15, 48, wave) (48, 78, idle)
    """
    acts = [
        (start, start + FRAMES, label)
        for start, label in zip(part.starts, part.actions, strict=True)
    ]
    edges = [0, *(edge for start, end, _ in acts for edge in (start, end)), part.num_frames]
    pauses = [(start, end, IDLE) for start, end in list(pairwise(edges))[::2]]
    return sorted(acts + pauses)
