"""What the commands share that compute files of many videos: their list, results and errors."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoopraxis.cli._shown import show_error
from zoopraxis.errors import DataError

if TYPE_CHECKING:
    from zoopraxis.data.samples import SampleList
    from zoopraxis.video.extraction import Extracted

__all__ = ["Asked", "report"]

LIST = "clips.csv"


@dataclass(frozen=True)
class Asked:
    """The videos of a command: one, or those of a list.

    Parameters
    ----------
    paths : list of str
        Each once.
    samples : SampleList or None
        The list; None for one video.
    """

    paths: list[str]
    samples: "SampleList | None"

    @classmethod
    def of(cls, videos: str, *, group: str) -> "Asked":
        """Read a video, a folder of classes, or a list, to which a column will be added.

        Parameters
        ----------
        videos : str
            What the command was given.
        group : str
            Column of a list that holds the groups.

        Raises
        ------
        DataError
            No such list.
        """
        from zoopraxis.data.rows import IMAGE_SUFFIXES, VIDEO_SUFFIXES
        from zoopraxis.data.samples import read_samples

        path = Path(videos)
        if path.is_dir():
            is_video = any(file.suffix.lower() in IMAGE_SUFFIXES for file in path.iterdir())
        else:
            is_video = path.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES or "://" in videos
        if is_video:
            return cls([videos], None)
        samples = read_samples(videos, group=group)
        return cls(list(dict.fromkeys(sample.path for sample in samples)), samples)

    @classmethod
    def of_any(cls, videos: str, *, group: str) -> "Asked":
        """As `of`; a folder whose folders are no classes gives its videos, and no list.

        Raises
        ------
        DataError
            As of `of`; or the folder holds no videos.
        """
        from zoopraxis.data.examine import find_videos
        from zoopraxis.data.samples import is_list

        try:
            return cls.of(videos, group=group)
        except DataError as error:
            if is_list(Path(videos)):
                raise
            found = cls(find_videos(Path(videos)), None)
            print(f"no list is written, for want of classes: {error.problem}", file=sys.stderr)
            return found


def report(
    results: "list[Extracted]",
    asked: Asked,
    out: Path,
    *,
    column: str,
    items: str,
    count: str,
    facts: Mapping[str, Any],
    as_json: bool,
    lacking: str = "",
    lines: Sequence[str] = (),
) -> None:
    """Write the list beside the results, print what was done, and exit 1 if a video failed.

    Parameters
    ----------
    results : list of Extracted
        In the order of the paths asked for.
    asked : Asked
        The videos.
    out : Path
        Folder of the results, and of ``clips.csv``.
    column : str
        Column of that list, and what a video has: ``flow``.
    items : str
        What was counted: ``fields``.
    count : str
        Key of their number in the JSON, which also has ``column`` as a key.
    facts : mapping
        Further values of the JSON.
    as_json : bool
        Print JSON.
    lacking : str, optional
        What a video that failed has none of. The default is ``column``.
    lines : sequence of str
        Further lines, where no JSON is printed.
    """
    from zoopraxis.data.text import few
    from zoopraxis.data.write import write_samples

    failed = [(r, r.error) for r in results if r.error is not None]
    for _, error in failed:
        show_error(error)
    noted = [r for r in results if r.note]
    for note in dict.fromkeys(r.note for r in noted):
        of = [r.video for r in noted if r.note == note]
        print(f"{len(of)} of {len(results)} videos: {note}: {few(of)}", file=sys.stderr)
    table = None
    if asked.samples is not None:
        table = out / LIST
        table.parent.mkdir(parents=True, exist_ok=True)
        file_of: dict[str, Any] = {r.video: r.file for r in results if r.file}
        found = (
            replace(sample, **{column: file_of[sample.path]})
            for sample in asked.samples
            if sample.path in file_of
        )
        write_samples(table, replace(asked.samples, samples=tuple(found)))
    if as_json:
        values = {
            **facts,
            "list": str(table) if table else None,
            "videos": [
                {"video": r.video, column: r.file, count: r.count, **_noted(r)}
                for r in results
                if r.file
            ],
            "failed": [{"video": r.video, "error": error.problem} for r, error in failed],
        }
        print(json.dumps(values))
    else:
        print(f"{sum(r.count for r in results)} {items} of {len(results) - len(failed)} videos")
        file = (results[0].file or "none") if len(results) == 1 else out
        print(f"list: {table}" if table else f"{column}: {file}")
        print("".join(f"{line}\n" for line in lines), end="")
    if failed:
        print(
            f"{len(failed)} of {len(results)} videos have no {lacking or column}", file=sys.stderr
        )
        raise SystemExit(1)


def _noted(result: "Extracted") -> dict[str, str]:
    return {"note": result.note} if result.note else {}
