"""zoopraxis data frames IN OUT: videos as folders of JPEG files."""

from pathlib import Path
from typing import Annotated

import typer

from zoopraxis.cli._extraction import Asked, report
from zoopraxis.cli._shown import counting_bar


def frames(
    videos: Annotated[
        str, typer.Argument(help="A video, a folder of videos or of classes, or a list.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder to fill; a run that was stopped resumes.")],
    fps: Annotated[
        float | None, typer.Option(help="Frames per second to take. Default: every frame.")
    ] = None,
    short: Annotated[int, typer.Option(min=0, help="Shorter side in pixels; 0 leaves it.")] = 256,
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of JPEG.")] = 95,
    group: Annotated[
        str, typer.Option(help="Column of a list with the groups of a split; kept as `group`.")
    ] = "group",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. Default: one per core.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Decode videos into folders of JPEG files with their times, and a list to train with."""
    from zoopraxis.data.frames import extract_frames
    from zoopraxis.video.extraction import places

    asked = Asked.of_any(videos, group=group)
    with counting_bar("frames") as progress:
        results = extract_frames(
            asked.paths,
            places(asked.paths, out),
            fps=fps,
            short=short or None,
            quality=quality,
            workers=workers,
            progress=progress,
        )
    report(
        results,
        asked,
        out,
        column="path",
        items="frames",
        count="frames",
        facts={"fps": fps, "short": short or None, "quality": quality},
        as_json=as_json,
        lacking="frames",
    )
