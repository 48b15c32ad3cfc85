"""zoopraxis flow VIDEO|FOLDER|LIST OUT: optical flow as files to train with, or to look at."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from zoopraxis.cli._extraction import Asked, report
from zoopraxis.cli._shown import counting_bar


def flow(
    videos: Annotated[
        str, typer.Argument(help="A video or folder of frames, a folder of classes, or a list.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder to fill; a run that was stopped resumes.")],
    method: Annotated[
        str,
        typer.Option(
            help="dis, farneback, tvl1, tvl1_torch; warped:METHOD, without the camera's motion; "
            "ptlflow:NETWORK, learned."
        ),
    ] = "dis",
    form: Annotated[
        Literal["jpeg", "npz", "video"],
        typer.Option(
            help="Pairs of 8-bit images clipped at 20 pixels, float16 arrays, or a video "
            "of frames beside their flow in colours."
        ),
    ] = "jpeg",
    full: Annotated[
        float, typer.Option(help="Pixels per frame in full colour, of the form video.")
    ] = 8.0,
    short: Annotated[
        int, typer.Option(min=0, help="Shorter side of the frames in pixels; 0 leaves them.")
    ] = 256,
    group: Annotated[
        str, typer.Option(help="Column of a list with the groups of a split; kept as `group`.")
    ] = "group",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. Default: one per core.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Extract optical flow, and a list to train with that names it beside each video."""
    from zoopraxis.flow import flow_method
    from zoopraxis.flow.extract import extract_flow
    from zoopraxis.video.extraction import places

    chosen = flow_method(method)
    asked = Asked.of(videos, group=group)
    with counting_bar("flow") as progress:
        results = extract_flow(
            asked.paths,
            places(asked.paths, out),
            method=chosen,
            form=form,
            resize=short or None,
            full=full,
            workers=workers,
            progress=progress,
        )
    report(
        results,
        asked if form != "video" else Asked(asked.paths, None),  # nothing to train with
        out,
        column="flow",
        items="fields",
        count="fields",
        facts={"method": json.loads(chosen.key)},
        as_json=as_json,
    )
