"""zoopraxis boxes VIDEO|FOLDER|LIST OUT: boxes of people and things, for training to read."""

from pathlib import Path
from typing import Annotated

import typer

from zoopraxis.cli._extraction import Asked, report
from zoopraxis.cli._shown import counting_bar, progress_bar
from zoopraxis.errors import ZoopraxisError


def boxes(
    videos: Annotated[
        str, typer.Argument(help="A video or folder of frames, a folder of classes, or a list.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder to fill; a run that was stopped resumes.")],
    detector: Annotated[
        str,
        typer.Option(
            help="torchvision (Faster R-CNN), or a file with one of your own training; without "
            "weights: opencv (people), motion (before a still camera), or selective_search "
            "(regions of any kind)."
        ),
    ] = "torchvision",
    every: Annotated[
        int, typer.Option(min=1, help="Frames from one that is looked at to the next.")
    ] = 4,
    min_score: Annotated[
        float | None, typer.Option(help="Lowest score. Default: the detector's.")
    ] = None,
    overlay: Annotated[
        Path | None, typer.Option(help="Of one video: write it with the boxes drawn, as this MP4.")
    ] = None,
    group: Annotated[
        str, typer.Option(help="Column of a list with the groups of a split; kept as `group`.")
    ] = "group",
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes. Default: one per core; 1 for Faster R-CNN."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find people and things, and write a list that names their boxes beside each video."""
    from zoopraxis.prediction.box_overlay import write_box_overlay
    from zoopraxis.prediction.detectors import FasterRCNN, find_detector
    from zoopraxis.regions import read_boxes
    from zoopraxis.regions.extract import extract_boxes
    from zoopraxis.video.extraction import places

    chosen = find_detector(detector, min_score=min_score)
    asked = Asked.of(videos, group=group)
    if overlay is not None and asked.samples is not None:
        raise ZoopraxisError(f"{videos} is a list, and --overlay draws one video", "name a video")
    with counting_bar("boxes") as progress:
        results = extract_boxes(
            asked.paths,
            places(asked.paths, out),
            detector=chosen,
            every=every,
            # torch takes all cores for one video
            workers=workers or (1 if isinstance(chosen, FasterRCNN) else None),
            progress=progress,
        )
    if overlay is not None and results[0].file:
        with progress_bar("drawing") as drawn:
            write_box_overlay(asked.paths[0], overlay, read_boxes(results[0].file), progress=drawn)
    report(
        results,
        asked,
        out,
        column="boxes",
        items="boxes",
        count="found",
        facts={"detector": chosen.name, "every": every},
        as_json=as_json,
    )
