"""zoopraxis data shards LIST OUT: videos in tar files of WebDataset's layout."""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from zoopraxis.cli._shown import counting_bar

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def _bytes(text: str) -> int:
    """Bytes of ``1GB``, ``500 MB`` or ``1000000``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise typer.BadParameter(f"{text!r} is no size: expected 1GB, 500MB or a number of bytes")
    return int(float(match[1]) * UNITS[(match[2] or "B").upper()])


def shards(
    videos: Annotated[
        str | None, typer.Argument(help="A folder of classes, or a list.", metavar="LIST")
    ] = None,
    out: Annotated[
        Path | None, typer.Argument(help="Folder to fill; a run that was stopped resumes.")
    ] = None,
    size: Annotated[str, typer.Option(help="Size at which a shard is full. Default: 1GB.")] = "",
    count: Annotated[int | None, typer.Option(min=1, help="Number of shards, instead.")] = None,
    seed: Annotated[int, typer.Option(help="Of the random order of the videos.")] = 0,
    index: Annotated[
        Path | None,
        typer.Option(help="Write nothing but the index and the list of the shards in this folder."),
    ] = None,
    group: Annotated[
        str, typer.Option(help="Column of a list with the groups of a split; kept as `group`.")
    ] = "group",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. Default: one per core.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write videos into few large tar files, and a list to train from them."""
    if (index is None) == (videos is None or out is None) or (index and (videos or out)):
        raise typer.BadParameter("give LIST and OUT; or --index FOLDER, of shards that are there")
    if size and count:
        raise typer.BadParameter("give one of --size and --count")
    limit = None if count else _bytes(size or "1GB")

    from zoopraxis.data.samples import read_samples
    from zoopraxis.data.shards import index_shards, write_shards

    with counting_bar("shards") as progress:
        if index is not None:
            made = index_shards(index, progress=progress)
        else:
            made = write_shards(
                read_samples(str(videos), group=group),
                Path(str(out)),
                size=limit,
                count=count,
                seed=seed,
                workers=workers,
                progress=progress,
            )
    if as_json:
        facts = {key: getattr(made, key) for key in ("shards", "videos", "samples", "bytes")}
        print(json.dumps({"list": str(made.table), **facts}))
        return
    print(f"{made.videos} videos, {made.samples} samples in {made.shards} shards")
    print(f"{made.bytes / 1e6:.1f} MB")
    print(f"list: {made.table}")
