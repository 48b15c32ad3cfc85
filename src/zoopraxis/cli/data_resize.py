"""zoopraxis data resize IN OUT: videos that training reads quickly."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from zoopraxis.cli._extraction import Asked, report
from zoopraxis.cli._shown import counting_bar


def resize(
    videos: Annotated[
        str, typer.Argument(help="A video, a folder of videos or of classes, or a list.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder to fill; a run that was stopped resumes.")],
    short: Annotated[
        int, typer.Option(min=2, help="Shorter side in pixels; smaller videos stay as they are.")
    ] = 256,
    gop: Annotated[int, typer.Option(min=1, help="Frames from a key frame to the next.")] = 12,
    quality: Annotated[
        int | None,
        typer.Option(
            help="Constant rate factor, less is better. Default: 20 of libx264, 22 of libx265, "
            "quantiser 3 of mpeg4."
        ),
    ] = None,
    codec: Annotated[
        Literal["libx264", "libx265", "mpeg4"],
        typer.Option(help="mpeg4 is what networks for compressed video were trained on."),
    ] = "libx264",
    group: Annotated[
        str, typer.Option(help="Column of a list with the groups of a split; kept as `group`.")
    ] = "group",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. Default: one per core.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Re-encode videos: small, upright, without sound, every frame at its time; and a list."""
    from zoopraxis.data.resize import gain, resize_videos
    from zoopraxis.video import Encoding
    from zoopraxis.video.extraction import places

    encoding = Encoding(short=short, gop=gop, quality=quality, codec=codec)
    asked = Asked.of_any(videos, group=group)
    with counting_bar("resizing") as progress:
        results = resize_videos(
            asked.paths,
            places(asked.paths, out),
            encoding=encoding,
            workers=workers,
            progress=progress,
        )
    gained = gain(results)
    report(
        results,
        asked,
        out,
        column="path",
        items="frames",
        count="frames",
        facts={"encoding": asdict(encoding), **gained._asdict()},
        as_json=as_json,
        lacking="smaller copy",
        lines=[
            f"{gained.bytes_before / 1e6:.1f} MB before, {gained.bytes_after / 1e6:.1f} MB after",
            f"a clip of 16 frames is read in {1000 * gained.seconds_before:.0f} ms before, "
            f"{1000 * gained.seconds_after:.0f} ms after",
        ],
    )
