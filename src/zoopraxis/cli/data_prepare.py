"""zoopraxis data sets and prepare: public data sets as they were downloaded."""

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoopraxis.cli._shown import counting_bar
from zoopraxis.cli._table import print_table
from zoopraxis.cli.data_doctor import Read, Timeout, Workers, print_findings

if TYPE_CHECKING:
    from zoopraxis.data.examine import Level
    from zoopraxis.data.finding import Finding
    from zoopraxis.data.prepare import Prepared

__all__ = ["prepare", "sets"]


def sets(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Name the public data sets that ``data prepare`` knows, and where they are officially had."""
    from zoopraxis.data.sets import VIDEO_SETS

    if as_json:
        facts = {n: {"title": one.title, "home": one.home} for n, one in VIDEO_SETS.items()}
        print(json.dumps(facts))
        return
    print_table(
        ("name", "data set", "home"),
        [(name, found.title, found.home) for name, found in VIDEO_SETS.items()],
    )


def prepare(
    name: Annotated[str, typer.Argument(help="A name of `zoopraxis data sets`.")],
    root: Annotated[Path, typer.Option(help="Folder of its videos and official lists.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder to fill. Default: lists, in ROOT.")
    ] = None,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Write Parquet instead of CSV (extra `parquet`).")
    ] = False,
    index: Annotated[
        Path | None,
        typer.Option(
            help="Examine the videos, too, and keep what is found in this .jsonl or .parquet; a "
            "stopped run resumes."
        ),
    ] = None,
    read: Read = "sampled",
    timeout: Timeout = 300.0,
    workers: Workers = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the lists that training reads, for what is here of a public data set.

    With --index, exit 1 if videos cannot be read.
    """
    from zoopraxis.data.prepare import prepare_videos

    out = out or root / "lists"
    if index is not None:
        _refuse_no_videos(name)
    with counting_bar("looking") as progress:
        done = prepare_videos(
            name,
            root,
            out,
            suffix=".parquet" if parquet else ".csv",
            progress=lambda seen: progress(seen, seen),
        )
    bad = None
    if index is not None:
        bad = _unreadable(done, index, read=read, timeout=timeout, workers=workers)
    facts = {
        "out": str(out),
        "parts": {part: vars(count) for part, count in done.parts.items()},
        "missing": len(done.missing),
    }
    if bad is not None:
        facts |= {"index": str(index), "unreadable": bad.where}
    if as_json:
        print(json.dumps(facts))
    else:
        print_table(
            ("list", "found", "listed", "%"),
            [
                (part, str(n.found), str(n.listed), f"{100 * n.found / n.listed:.1f}")
                for part, n in done.parts.items()
            ],
        )
        print(f"in {out}")
        if done.missing:
            print(
                f"{len(done.missing)} videos are not here: {out / 'missing.csv'}; {done.title} is "
                f"officially at {done.home}",
                file=sys.stderr,
            )
        if bad is not None:
            print(f"index of {len(done.videos)} videos: {index}")
            print_findings([bad] if bad.where else [])
    if bad is not None and bad.where:
        raise typer.Exit(1)


def _refuse_no_videos(name: str) -> None:
    """Refuse to examine what is no video; an unknown name is told later."""
    from zoopraxis.data.rows import VIDEO_SUFFIXES
    from zoopraxis.data.sets import VIDEO_SETS
    from zoopraxis.errors import DataError

    if name in VIDEO_SETS and not VIDEO_SETS[name].suffixes <= VIDEO_SUFFIXES:
        files = ", ".join(sorted(VIDEO_SETS[name].suffixes))
        raise DataError(
            f"{VIDEO_SETS[name].title} is distributed as {files}, which is no video to examine",
            "leave --index out",
        )


def _unreadable(
    done: "Prepared",
    index: Path,
    *,
    read: "Level",
    timeout: float,
    workers: int | None,
) -> "Finding":
    """Examine the videos that are here: which of them cannot be read, and what to do."""
    from zoopraxis.data.doctor import unreadable
    from zoopraxis.data.examine import examine_videos

    with counting_bar("examining") as progress:
        examined = examine_videos(
            done.videos,
            level=read,
            seconds=timeout,
            workers=workers,
            index=index,
            progress=progress,
        )
    leave_out = f"zoopraxis data doctor {shlex.quote(str(index))} --quarantine FILE"
    advice = f"get them again from {done.home}, or leave them out: {leave_out}"
    return replace(unreadable(examined), advice=advice)
