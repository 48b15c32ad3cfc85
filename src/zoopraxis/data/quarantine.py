"""The list of videos to leave out: by path and content, so that a mended file is noticed."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zoopraxis.data.examine import Examined, content_hash
from zoopraxis.data.places import path_from, path_in, place_of
from zoopraxis.data.samples import SampleList
from zoopraxis.data.text import read_rows
from zoopraxis.errors import DataError, VideoError
from zoopraxis.files import write_atomically

__all__ = ["LeftOut", "without_quarantined", "write_quarantine"]

HEADER = ["path", "sha256", "problem"]


def write_quarantine(file: Path, examined: Sequence[Examined]) -> int:
    """Write the videos that cannot be read, and return their number.

    Paths are relative to the file, as in a list; addresses stay.
    """
    bad = [one for one in examined if one.problem]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for one in bad:
        writer.writerow((path_from(file.parent, one.path), one.sha256, one.problem))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, text.getvalue().encode())
    return len(bad)


@dataclass(frozen=True)
class LeftOut:
    """What a quarantine has left out of a list.

    Parameters
    ----------
    file : Path
        The quarantine.
    listed : int
        Number of samples of the list.
    problems : mapping of str to str
        Names of the samples that are left out, and why.
    changed : tuple of str
        Videos that are in quarantine and have changed since; they are kept.
    """

    file: Path
    listed: int
    problems: Mapping[str, str]
    changed: tuple[str, ...]

    def lines(self) -> list[str]:
        """Say what is left out, and what is kept although it is listed; empty if nothing is."""
        if not self.problems and not self.changed:
            return []
        count = f"{len(self.problems)} of {self.listed} videos are left out"
        return [
            f"{count}: in quarantine ({self.file})",
            *(f"left out: {name}" for name in self.problems),
            *(
                f"kept: {place} has changed since it was put in quarantine"
                for place in self.changed
            ),
        ]


def without_quarantined(samples: SampleList, file: Path) -> tuple[SampleList, LeftOut]:
    """Leave out the samples whose video is in quarantine.

    Parameters
    ----------
    samples : SampleList
        The list.
    file : Path
        Of `write_quarantine`.

    Returns
    -------
    SampleList, LeftOut
        The other samples, and what was left out.

    Raises
    ------
    DataError
        The file is none of ours, or leaves nothing.
    """
    hint = "write one with `zoopraxis data doctor DATA --quarantine FILE`"
    rows = [cells for _, cells in read_rows(file, expected=hint)]
    if rows[:1] != [HEADER] or any(len(row) != len(HEADER) for row in rows):
        raise DataError(f"{file} is no list of quarantined videos", hint)
    listed = {place_of(path_in(file.parent, path)): (sha256, why) for path, sha256, why in rows[1:]}
    places = [place_of(sample.path) for sample in samples]
    changed = {
        place
        for place in {*places} & {*listed}
        if "://" not in place and _content(place) != listed[place][0]
    }
    out = [place in listed and place not in changed for place in places]
    kept = tuple(s for s, left in zip(samples, out, strict=True) if not left)
    if not kept:
        raise DataError(f"{file} leaves no video of {samples.root}", "examine the videos again")
    problems = {
        s.name: listed[place][1]
        for s, place, left in zip(samples, places, out, strict=True)
        if left
    }
    left_out = LeftOut(file, len(samples), problems, tuple(sorted(changed)))
    return replace(samples, samples=kept), left_out


def _content(path: str) -> str:
    try:
        return content_hash(path)
    except (OSError, VideoError):
        return ""
