"""zoopraxis predict VIDEO... --model M: which action a video shows, and when."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoopraxis.cli._shown import progress_bar, show_error
from zoopraxis.errors import ZoopraxisError

if TYPE_CHECKING:
    from zoopraxis.prediction.aggregate import Prediction
    from zoopraxis.checkpoints.hub import OpenModel
    from zoopraxis.prediction.timeline import Timeline

LONG = 30.0  # seconds from which on a video becomes a timeline, unless told otherwise


def predict(
    videos: Annotated[
        list[str], typer.Argument(help="Files, URLs, folders of frames, or camera:0.")
    ],
    model: Annotated[str, typer.Option(help="A name, name.tag, or .safetensors file.")],
    views: Annotated[int, typer.Option(min=1, help="Clips spread over a video.")] = 1,
    crops: Annotated[int, typer.Option(help="Crops of a clip: 1, 3, 5 or 10.")] = 1,
    mode: Annotated[str, typer.Option(help="How views become one.")] = "mean_probability",
    top: Annotated[int, typer.Option(min=1, help="Labels to print.")] = 5,
    timeline: Annotated[
        bool | None,
        typer.Option(
            "--timeline/--whole",
            help=f"One action after another, or one for all. Default: by length ({LONG:.0f} s).",
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Write a video with the labels on it; a folder for several.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON a video.")] = False,
) -> None:
    """Name the actions in videos.

    A video that cannot be read is reported, the others are done, and the exit status is 1.
    """
    from zoopraxis.checkpoints.hub import open_model
    from zoopraxis.video import is_live

    if save and len(videos) > 1 and save.suffix == ".mp4":
        raise ZoopraxisError(f"{save} is one file for {len(videos)} videos", "name a folder")
    net = open_model(model)
    failed = False
    for video in videos:
        if is_live(video):
            _watch(video, net, mode=mode, top=top, device=device, as_json=as_json)
            continue
        try:
            result = _look(
                video,
                net,
                views=views,
                crops=crops,
                mode=mode,
                top=top,
                timeline=timeline,
                device=device,
            )
            print(result.to_json() if as_json else _text(result))
            if save:
                _save(video, result, save)
        except ZoopraxisError as error:
            failed = True
            show_error(error)
    if failed:
        raise typer.Exit(1)


def _look(
    video: str,
    net: "OpenModel",
    *,
    views: int,
    crops: int,
    mode: str,
    top: int,
    timeline: bool | None,
    device: str,
) -> "Prediction | Timeline":
    """Predict one label for a video, or a timeline."""
    from zoopraxis.prediction.pipeline import predict as predict_whole
    from zoopraxis.prediction.timeline import predict_timeline
    from zoopraxis.video import open_video

    if timeline is None:
        with open_video(video) as opened:
            timeline = opened.duration > LONG
    if not timeline:
        return predict_whole(
            video, net, views=views, crops=crops, mode=mode, top=top, device=device
        )
    with progress_bar(video) as progress:
        return predict_timeline(
            video, net, crops=crops, mode=mode, device=device, progress=progress
        )


def _save(video: str, result: "Prediction | Timeline", save: Path) -> None:
    """Write the video with its labels to ``save``, or into it when it is a folder."""
    from zoopraxis.prediction.overlay import write_overlay

    if save.suffix != ".mp4":
        save.mkdir(parents=True, exist_ok=True)
        save = save / f"{Path(video).stem}.overlay.mp4"
    with progress_bar(str(save)) as progress:
        write_overlay(video, save, result, progress=progress)


def _watch(
    source: str, net: "OpenModel", *, mode: str, top: int, device: str, as_json: bool
) -> None:
    """Print what a camera sees until the user interrupts."""
    from zoopraxis.prediction.timeline import predict_live

    try:
        for seen in predict_live(source, net, mode=mode, top=top, device=device):
            line = "   ".join(_row(pair) for pair in zip(seen.labels, seen.scores, strict=True))
            now = seen.times[-1][1]
            print(seen.to_json() if as_json else f"{now:8.1f} s   {line}", flush=True)
    except KeyboardInterrupt:
        return


def _text(result: "Prediction | Timeline") -> str:
    """Table of a result."""
    from zoopraxis.prediction.timeline import Timeline

    if isinstance(result, Timeline):
        rows = [
            f"  {s.start:8.2f} - {s.end:8.2f} s   {_row((s.label, s.score))}"
            for s in result.segments
        ]
        return "\n".join([f"{result.source}: timeline", *rows])
    seen = ", ".join(f"{start:.2f}-{end:.2f} s" for start, end in dict.fromkeys(result.times))
    pairs = zip(result.labels, result.scores, strict=True)
    return "\n".join([f"{result.source}: seen {seen}", *(f"  {_row(pair)}" for pair in pairs)])


def _row(pair: tuple[str, float]) -> str:
    """Score and label."""
    label, score = pair
    figure = f"{score:6.1%}" if 0 <= score <= 1 else f"{score:6.2f}"
    return f"{figure}  {label}"
