"""zoopraxis predict VIDEO... --model M: which action a video shows, and when."""

import sys
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zoopraxis.cli._shown import (
    ACCEPT_LICENCE,
    CONVENTION,
    ENGINE,
    FULLY_CONVOLUTIONAL,
    NUM_FRAMES,
    PRECISION,
    RESIZE,
    SIZE,
    THREADS,
    as_tested,
    compile_for_engine,
    open_for_engine,
    progress_bar,
    show_bug,
    show_error,
    warn_untrained,
)
from zoopraxis.errors import ZoopraxisError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoopraxis.checkpoints.saved import OpenModel
    from zoopraxis.inputs.base import Media
    from zoopraxis.prediction.aggregate import Prediction
    from zoopraxis.prediction.pipeline import Precision
    from zoopraxis.prediction.timeline import Hysteresis, Timeline

LONG = 30.0  # seconds beyond which a video gets a timeline, unless told otherwise


def predict(
    videos: Annotated[
        list[str], typer.Argument(help="Files, URLs, folders of frames, or camera:0.")
    ],
    model: Annotated[
        str, typer.Option(help="A name, name.tag, run's folder, .safetensors, .onnx or .xml.")
    ],
    views: Annotated[
        int | None,
        typer.Option(min=1, help="Clips spread over a video. Default: 1, or the convention's."),
    ] = None,
    crops: Annotated[int, typer.Option(help="Crops of a clip: 1, 3, 5 or 10.")] = 1,
    convention: Annotated[str | None, typer.Option(help=CONVENTION)] = None,
    num_frames: Annotated[int | None, typer.Option(min=1, help=NUM_FRAMES)] = None,
    size: Annotated[int | None, typer.Option(min=1, help=SIZE)] = None,
    resize: Annotated[int | None, typer.Option(min=1, help=RESIZE)] = None,
    fully_convolutional: Annotated[
        int | None, typer.Option(min=1, metavar="PIXELS", help=FULLY_CONVOLUTIONAL)
    ] = None,
    mode: Annotated[str, typer.Option(help="How views are aggregated.")] = "mean_probability",
    top: Annotated[int, typer.Option(min=1, help="Labels to print.")] = 5,
    start: Annotated[float | None, typer.Option(help="Start of a segment, in seconds.")] = None,
    end: Annotated[float | None, typer.Option(help="End of a segment, in seconds.")] = None,
    flow: Annotated[str, typer.Option(help="Folder or file of the video's optical flow.")] = "",
    timeline: Annotated[
        bool | None,
        typer.Option(
            "--timeline/--whole",
            help=f"One action after another, or one in all. Default: by length ({LONG:.0f} s).",
        ),
    ] = None,
    high: Annotated[
        float | None,
        typer.Option(help="In a timeline: an action counts where a window scores this."),
    ] = None,
    low: Annotated[
        float | None, typer.Option(help="It lasts while windows score this. Default: --high.")
    ] = None,
    shortest: Annotated[
        float, typer.Option(help="With --high: seconds that an action must last.")
    ] = 0.0,
    none: Annotated[str, typer.Option(help="With --high: the class for nothing happens.")] = "",
    save: Annotated[
        Path | None, typer.Option(help="Write a video with the labels on it; a folder for several.")
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Follow a file or a camera: each frame computed once.")
    ] = False,
    every: Annotated[
        float | None, typer.Option(help="Of --stream: seconds between predictions.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps.")] = "cpu",
    engine: Annotated[
        Literal["auto", "torch", "openvino", "onnx"] | None, typer.Option(help=ENGINE)
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help=THREADS)] = 0,
    precision: Annotated[
        Literal["float32", "bfloat16", "float16"], typer.Option(help=PRECISION)
    ] = "float32",
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help=ACCEPT_LICENCE)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON a video.")] = False,
) -> None:
    """Name the actions in videos.

    A video that cannot be read is reported, the others are predicted, and the exit status is 1.
    """
    from zoopraxis.engine.compiled import is_exported
    from zoopraxis.inputs.base import Media
    from zoopraxis.inputs.conventions import usual_views
    from zoopraxis.prediction.exported import frame_network, predict_exported
    from zoopraxis.video import is_live

    if save:
        _check_places(videos, save)
    if high is None and (low is not None or shortest or none):
        raise ZoopraxisError("--low, --shortest and --none go with --high", "add --high 0.5")
    rule = None
    if high is not None:
        if timeline is False:
            raise ZoopraxisError("--high is for timelines", "leave --whole out")
        timeline = True
        low = high if low is None else low
        from zoopraxis.prediction.timeline import Hysteresis

        rule = Hysteresis(high=high, low=low, shortest=shortest, none=none)
    if stream and engine is not None:
        raise ZoopraxisError(f"--stream has no engine {engine!r}", "leave --engine out")
    unused = _unused_live(views, crops, convention, start, end, flow, timeline, save)
    quick = None  # an exported network that needs no torch
    options: dict[str, Any] = {
        "convention": convention,
        "num_frames": num_frames,
        "size": size,
        "resize": resize,
        "fully_convolutional": fully_convolutional,
    }
    changed = any(value is not None for value in options.values())
    if is_exported(model) and not (stream or timeline or save or changed):
        quick = frame_network(
            compile_for_engine(
                model, engine=engine, threads=threads, device=device, precision=precision
            ),
            model,
        )

    @cache
    def opened() -> "OpenModel":
        net = open_for_engine(
            model,
            # what follows a video reads the layers of the network itself
            engine="eager" if stream else engine,
            threads=threads,
            device=device,
            precision=precision,
            accept_licence=accept_licence,
            changed=partial(as_tested, **options, mode=mode),
        )
        warn_untrained(net)
        return net

    if quick is None:
        opened()
    failed = False
    for video in videos:
        try:
            if is_live(video) or stream:
                if unused:
                    raise ZoopraxisError(
                        f"{video} is live: it cannot be predicted with {', '.join(unused)}"
                        if is_live(video)
                        else f"--stream does not go with {', '.join(unused)}",
                        "leave these options out, or record a file first",
                    )
                if stream and precision != "float32":
                    raise ZoopraxisError(
                        f"--stream computes float32, not {precision}", "leave --precision out"
                    )
                seen = _seen(
                    video,
                    opened(),
                    mode=mode,
                    top=top,
                    device=device,
                    precision=precision,
                    stream=stream,
                    every=every,
                )
                _watch(seen, as_json=as_json)
                continue
            media = Media(path=video, start=start, end=end, flow=flow)
            result: Prediction | Timeline | None = None
            if quick:
                result = predict_exported(
                    media,
                    quick,
                    longest=LONG if timeline is None else float("inf"),
                    views=views or usual_views(quick.sampling.convention, otherwise=1),
                    crops=crops,
                    mode=mode,
                    top=top,
                )
            result = result or _look(
                media,
                opened(),
                views=views,
                crops=crops,
                mode=mode,
                top=top,
                timeline=timeline,
                rule=rule,
                device=device,
                precision=precision,
            )
            print(result.to_json() if as_json else _text(result))
            if save:
                _save(video, result, save)
        except ZoopraxisError as error:
            failed = True
            show_error(error)
        except BrokenPipeError:  # nobody reads stdout any more
            raise
        except Exception as error:  # the others are still to be predicted
            failed = True
            show_bug(video, error)
    if failed:
        raise typer.Exit(1)


def _look(
    media: "Media",
    net: "OpenModel",
    *,
    views: int | None,
    crops: int,
    mode: str,
    top: int,
    timeline: bool | None,
    rule: "Hysteresis | None",
    device: str,
    precision: "Precision",
) -> "Prediction | Timeline":
    """Predict one label for a video, or a timeline."""
    import numpy as np

    from zoopraxis.inputs.base import segment_range, view_times
    from zoopraxis.inputs.conventions import usual_views
    from zoopraxis.prediction.pipeline import predict as predict_whole
    from zoopraxis.prediction.timeline import predict_timeline

    convention = net.clip.sampling.convention
    views = views or usual_views(convention, otherwise=1)
    if timeline is None:
        with net.clip.input.open(media) as track:
            ((first, last),) = view_times(track, np.asarray([segment_range(track, media)]))
            timeline = last - first > LONG
    if not timeline:
        return predict_whole(
            media,
            net,
            views=views,
            crops=crops,
            mode=mode,
            top=top,
            device=device,
            precision=precision,
        )
    if views > 1 or convention:
        by = f" by the convention {convention}" if convention else ""
        print(
            f"note: {media.title} gets a timeline, each of its windows one view of our own rule; "
            f"--whole makes one prediction of {views} view{'s'[: views > 1]}{by}",
            file=sys.stderr,
        )
    with progress_bar(media.title) as progress:
        return predict_timeline(
            media,
            net,
            rule=rule,
            crops=crops,
            mode=mode,
            device=device,
            precision=precision,
            progress=progress,
        )


def _save(video: str, result: "Prediction | Timeline", save: Path) -> None:
    """Write the video with its labels to ``save``, or into it when it is a folder."""
    from zoopraxis.prediction.overlay import write_overlay

    place = _place(video, save)
    with progress_bar(str(place)) as progress:
        write_overlay(video, place, result, progress=progress)


def _place(video: str, save: Path) -> Path:
    """Where the video with its labels goes: ``save``, or into it when it is a folder."""
    return save if save.suffix == ".mp4" else save / f"{Path(video).stem}.overlay.mp4"


def _check_places(videos: list[str], save: Path) -> None:
    """Raise before anything is predicted if one file would be written over another."""
    if len(videos) > 1 and save.suffix == ".mp4":
        raise ZoopraxisError(f"{save} is one file for {len(videos)} videos", "name a folder")
    taken: dict[Path, str] = {}
    for video in videos:
        place = _place(video, save)
        if place.exists() and Path(video).exists() and place.samefile(video):
            raise ZoopraxisError(f"{place} is the video itself", "save to another file")
        if place in taken:
            raise ZoopraxisError(
                f"{taken[place]} and {video} would both be saved as {place}",
                "predict them one by one, into two folders",
            )
        taken[place] = video


def _unused_live(
    views: int | None,
    crops: int,
    convention: str | None,
    start: float | None,
    end: float | None,
    flow: str,
    timeline: bool | None,
    save: Path | None,
) -> list[str]:
    """Options that were given and mean nothing for a live video."""
    given = {
        "--views": (views or 1) > 1,
        "--crops": crops > 1,
        "--convention": convention is not None,
        "--start": start is not None,
        "--end": end is not None,
        "--flow": bool(flow),
        "--timeline/--whole": timeline is not None,
        "--save": save is not None,
    }
    return [name for name, is_given in given.items() if is_given]


def _seen(
    video: str,
    net: "OpenModel",
    *,
    mode: str,
    top: int,
    device: str,
    precision: "Precision",
    stream: bool,
    every: float | None,
) -> "Iterator[Prediction]":
    """Predictions of a video as it comes: of sliding clips, or of a network that follows it."""
    if stream:
        from zoopraxis.prediction.streaming import predict_stream

        return predict_stream(video, net, every=every, mode=mode, top=top, device=device)
    from zoopraxis.prediction.live import predict_live

    return predict_live(video, net, mode=mode, top=top, device=device, precision=precision)


def _watch(predictions: "Iterator[Prediction]", *, as_json: bool) -> None:
    """Print what is seen until the video ends, or the user interrupts."""
    try:
        for seen in predictions:
            line = "   ".join(_row(pair) for pair in zip(seen.labels, seen.scores, strict=True))
            late = f"lag {seen.lag:.1f} s, {seen.dropped} frames dropped"
            text = f"{seen.times[-1][1]:8.1f} s   {line}   ({late})"
            print(seen.to_json() if as_json else text, flush=True)
    except KeyboardInterrupt:
        return


def _text(result: "Prediction | Timeline") -> str:
    """Table of a result."""
    from zoopraxis.prediction.aggregate import Prediction

    if not isinstance(result, Prediction):
        rows = [
            f"  {s.start:8.2f} - {s.end:8.2f} s   {_row((s.label, s.score))}"
            for s in result.segments
        ]
        return "\n".join([f"{result.video}: timeline", *rows])
    seen = ", ".join(f"{start:.2f}-{end:.2f} s" for start, end in dict.fromkeys(result.times))
    pairs = zip(result.labels, result.scores, strict=True)
    return "\n".join([f"{result.video}: seen {seen}", *(f"  {_row(pair)}" for pair in pairs)])


def _row(pair: tuple[str, float]) -> str:
    """Score and label."""
    label, score = pair
    figure = f"{score:6.1%}" if 0 <= score <= 1 else f"{score:6.2f}"
    return f"{figure}  {label}"
