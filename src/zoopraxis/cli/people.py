"""zoopraxis people VIDEO --model M: what every person in a video does, and when."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
        typer.Option(
            help="Without boxes, what finds them: torchvision, opencv, motion, or a file with "
            "Faster R-CNN of your own training. Default: torchvision."
        ),
    ] = None,
    skeletons: Annotated[
        Path | None,
        typer.Option(
            help="File of the video's skeletons, as `zoopraxis skeletons extract` writes it, for "
            "networks that expect them."
        ),
    ] = None,
    pose: Annotated[
        str | None,
        typer.Option(
            help="Without skeletons, what finds them: torchvision, rtmlib, or a file with weights "
            "of Keypoint R-CNN. Default: torchvision."
        ),
    ] = None,
    every: Annotated[
        int | None,
        typer.Option(
            min=1, help="Frames from one that is looked at to the next. Default: 2; 1 for joints."
        ),
    ] = None,
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
    from zoopraxis.prediction.detectors import find_detector
    from zoopraxis.prediction.people import predict_people
    from zoopraxis.prediction.poses import find_estimator
    from zoopraxis.prediction.skeleton_people import predict_skeleton_people
    from zoopraxis.prediction.skeletons import find_skeletons, read_skeletons
    from zoopraxis.regions import read_boxes
    from zoopraxis.regions.extract import find_boxes
    from zoopraxis.video import open_video

    for given, finder in ((boxes, detector), (skeletons, pose)):
        if given is not None and finder is not None:
            raise ZoopraxisError(f"{given} is given, and {finder} would find others", "give one")
    if save is not None and Path(video).exists() and save.exists() and save.samefile(video):
        raise ZoopraxisError(f"{save} is the video itself", "save to another file")
    with download_bar(model) as downloaded:
        net = open_model(model, accept_licence=accept_licence, progress=downloaded)
    warn_untrained(net)
    if net.clip.input.reads_skeletons:
        other, hint = boxes or detector, "it reads skeletons: give --skeletons or --pose"
    else:
        other, hint = skeletons or pose, "it reads frames: give --boxes or --detector"
    if other is not None:
        raise ZoopraxisError(f"{other} is given, and {net.name} does not read it", hint)
    options: dict[str, Any] = {"window": window, "step": step, "smooth": smooth, "device": device}
    if net.clip.input.reads_skeletons:
        if skeletons is not None:
            joints = read_skeletons(skeletons)
        else:
            estimator = find_estimator(pose or "torchvision")
            with open_video(video) as frames:
                joints = find_skeletons(frames, estimator, every=every or 1)
        with progress_bar(video) as progress:
            result = predict_skeleton_people(video, net, joints, **options, progress=progress)
    else:
        if boxes is not None:
            found = read_boxes(boxes)
        else:
            looks = find_detector(detector or "torchvision")
            with open_video(video) as frames:
                found = find_boxes(frames, looks, every=every or 2)
        with progress_bar(video) as progress:
            result = predict_people(video, net, found, **options, progress=progress)
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
