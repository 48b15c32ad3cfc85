"""zoopraxis people VIDEO --model M: what every person in a video does, and when."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoopraxis.cli._shown import (
    ACCEPT_LICENCE,
    download_bar,
    progress_bar,
    warn_untrained,
)
from zoopraxis.errors import ZoopraxisError

if TYPE_CHECKING:
    from zoopraxis.prediction.people import People


def people(
    video: Annotated[str, typer.Argument(help="A file, a URL, or a folder of frames.")],
    model: Annotated[
        str, typer.Option(help="A name, name.tag, .safetensors file, or a run's folder.")
    ],
    boxes: Annotated[
        Path | None, typer.Option(help="File of the video's boxes, as `zoopraxis boxes` writes it.")
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(help="Without boxes: torchvision or opencv. [default: torchvision]"),
    ] = None,
    every: Annotated[
        int, typer.Option(min=1, help="Frames from one the detector looks at to the next.")
    ] = 2,
    window: Annotated[float | None, typer.Option(help="Seconds of a clip.")] = None,
    step: Annotated[float | None, typer.Option(help="Seconds from clip to clip.")] = None,
    smooth: Annotated[
        int, typer.Option(help="Neighbouring clips of a person that are averaged; odd.")
    ] = 3,
    save: Annotated[
        Path | None, typer.Option(help="Write the video with boxes and labels as this MP4.")
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--csv", help="Write a line for each action of each person.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps.")] = "cpu",
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help=ACCEPT_LICENCE)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Name the actions of every person in a video."""
    from zoopraxis.checkpoints.saved import open_model
    from zoopraxis.prediction.box_overlay import write_box_overlay
    from zoopraxis.prediction.people import predict_people
    from zoopraxis.regions import read_boxes
    from zoopraxis.regions.detect import find_detector
    from zoopraxis.regions.extract import find_boxes
    from zoopraxis.video import open_video

    if boxes is not None and detector is not None:
        raise ZoopraxisError(f"{boxes} has boxes, and {detector} would find others", "give one")
    if save is not None and Path(video).exists() and save.exists() and save.samefile(video):
        raise ZoopraxisError(f"{save} is the video itself", "save to another file")
    with download_bar(model) as downloaded:
        net = open_model(model, accept_licence=accept_licence, progress=downloaded)
    warn_untrained(net)
    if boxes is not None:
        found = read_boxes(boxes)
    else:
        looks = find_detector(detector or "torchvision")
        with open_video(video) as frames:
            found = find_boxes(frames, looks, every=every)
    with progress_bar(video) as progress:
        result = predict_people(
            video,
            net,
            found,
            window=window,
            step=step,
            smooth=smooth,
            device=device,
            progress=progress,
        )
    if table is not None:
        result.write_csv(table)
    if save is not None:
        with progress_bar(str(save)) as progress:
            write_box_overlay(video, save, result.labelled(), progress=progress)
    print(result.to_json() if as_json else _text(result))


def _text(result: "People") -> str:
    """Table of a result."""
    if not result.segments:
        return f"{result.video}: no people in {len(result.boxes.looked)} frames looked at"
    lines = [f"{result.video}: {len(result.persons)} people"]
    lines += [
        f"  {s.person:4d}   {s.start:8.2f} - {s.end:8.2f} s   {s.score:6.1%}  {s.label}"
        for s in result.segments
    ]
    return "\n".join(lines)
