"""zoopraxis skeletons: data sets of skeletons."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from zoopraxis.cli._shown import counting_bar
from zoopraxis.errors import DataError

skeletons = typer.Typer(help="Make data sets of skeletons.", no_args_is_help=True)


@skeletons.callback()
def _skeletons() -> None:
    """Keep ``convert`` a subcommand while it is the only one."""


@skeletons.command()
def convert(
    name: Annotated[
        str, typer.Argument(help="msr_action3d, utd_mhad, ntu60, ntu120, jhmdb_pose or pyskl.")
    ],
    root: Annotated[Path, typer.Argument(help="Folder of the data set; a pickle of pyskl.")],
    out: Annotated[Path, typer.Argument(help="Folder to fill; a run that was stopped resumes.")],
    without: Annotated[
        Path | None,
        typer.Option(help="Text file with names of recordings to leave out, one a line."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. [default: one per core]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Convert a data set to arrays, and a list for each part of its published protocols."""
    from zoopraxis.data.sets.convert import convert_skeletons

    with counting_bar("converting") as progress:
        done = convert_skeletons(
            name,
            root,
            out,
            without=_names(without) if without else (),
            workers=workers,
            progress=progress,
        )
    for recording, problem in done.left_out.items():
        print(f"left out {recording}: {problem}", file=sys.stderr)
    if as_json:
        facts = {"lists": dict(done.lists), "layouts": done.layouts, "left_out": done.left_out}
        print(json.dumps(facts))
        return
    print(f"layout: {', '.join(done.layouts)}")
    for file, count in done.lists.items():
        print(f"list: {file}\t{count}")


def _names(file: Path) -> list[str]:
    """Names of recordings, one a line; a suffix may follow them."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(
            f"{file} cannot be read: {error}", "give a text of one name a line"
        ) from error
    return [Path(line.strip()).stem for line in lines if line.strip()]
