"""zoopraxis evaluate DATA --model M: accuracy on a list of videos, and a report."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zoopraxis.cli._evaluation import show_evaluation, show_timelines
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
    asked,
    class_line,
    counting_bar,
    open_for_engine,
    progress_bar,
    warn_untrained,
)
from zoopraxis.errors import DataError, ZoopraxisError

if TYPE_CHECKING:
    from zoopraxis.spec import Protocol


def evaluate(
    data: Annotated[str, typer.Argument(help="Folder of classes, or a list.")],
    model: Annotated[str, typer.Option(help="NAME.TAG, a run's folder, or a .safetensors file.")],
    out: Annotated[Path, typer.Option(help="Folder of the report and the logits.")] = Path(
        "evaluation"
    ),
    views: Annotated[
        int | None,
        typer.Option(min=1, help="Clips over each video. Default: 10, or the convention's."),
    ] = None,
    crops: Annotated[
        int | None, typer.Option(help="Crops of each clip: 1, 3, 5 or 10. Default: 1.")
    ] = None,
    num_frames: Annotated[int | None, typer.Option(min=1, help=NUM_FRAMES)] = None,
    convention: Annotated[str | None, typer.Option(help=CONVENTION)] = None,
    size: Annotated[int | None, typer.Option(min=1, help=SIZE)] = None,
    resize: Annotated[int | None, typer.Option(min=1, help=RESIZE)] = None,
    fully_convolutional: Annotated[
        int | None, typer.Option(min=1, metavar="PIXELS", help=FULLY_CONVOLUTIONAL)
    ] = None,
    mode: Annotated[str, typer.Option(help="How views are aggregated; by default the mean.")] = "",
    published: Annotated[
        bool,
        typer.Option(
            "--published",
            help="Test as the published accuracy was measured, but for the options given.",
        ),
    ] = False,
    groups: Annotated[str, typer.Option(help="Only these groups (comma separated).")] = "",
    first_label: Annotated[
        int | None, typer.Option(min=0, max=1, help="First class, where labels are numbers.")
    ] = None,
    quarantine: Annotated[
        Path | None, typer.Option(help="Leave out the videos of this list of `data doctor`.")
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Play every clip backwards.")] = False,
    timeline: Annotated[
        bool,
        typer.Option("--timeline", help="Find the segments of the list in the whole videos."),
    ] = False,
    high: Annotated[
        float | None,
        typer.Option(help="Of --timeline: an action counts where a window scores this."),
    ] = None,
    low: Annotated[
        float | None, typer.Option(help="It lasts while windows score this. Default: --high.")
    ] = None,
    shortest: Annotated[
        float, typer.Option(help="With --high: seconds that an action must last.")
    ] = 0.0,
    none: Annotated[str, typer.Option(help="Of --timeline: the class for nothing happens.")] = "",
    window: Annotated[
        float | None, typer.Option(help="Of --timeline: seconds of a window. Default: the clip's.")
    ] = None,
    step: Annotated[
        float | None,
        typer.Option(help="Of --timeline: seconds between windows. Default: half a window."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
    precision: Annotated[
        Literal["float32", "bfloat16", "float16"], typer.Option(help=PRECISION)
    ] = "float32",
    engine: Annotated[
        Literal["auto", "torch", "openvino", "onnx"] | None, typer.Option(help=ENGINE)
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help=THREADS)] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes that decode videos.")] = 0,
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help=ACCEPT_LICENCE)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Test a model; an evaluation that was stopped resumes."""
    _check_options(
        timeline=timeline,
        whole={
            "--views": views is not None,
            "--convention": convention is not None,
            "--published": published,
            "--reverse": reverse,
            "--workers": workers > 0,
        },
        timelines={
            "--high": high is not None,
            "--low": low is not None,
            "--shortest": shortest > 0,
            "--none": bool(none),
            "--window": window is not None,
            "--step": step is not None,
        },
    )
    from zoopraxis.data.quarantine import without_quarantined
    from zoopraxis.data.samples import read_samples
    from zoopraxis.evaluation.evaluate import evaluate as run_evaluation
    from zoopraxis.inputs.playback import FORWARDS, Playback
    from zoopraxis.prediction.aggregate import MODES
    from zoopraxis.prediction.protocol import published as published_weights

    if mode and mode not in MODES:
        raise ZoopraxisError(f"unknown mode {mode!r}", f"known: {', '.join(MODES)}")
    options: dict[str, Any] = {
        "by_published": published,
        "views": views,
        "num_frames": num_frames,
        "crops": crops,
        "size": size,
        "resize": resize,
        "convention": convention,
        "fully_convolutional": fully_convolutional,
        "mode": mode or None,
    }
    net = open_for_engine(
        model,
        engine=engine,
        precision=precision,
        threads=threads,
        device=device,
        accept_licence=accept_licence,
        changed=partial(as_tested, **options),
    )
    protocol = asked(net, **options)
    if published:
        _say_protocol(protocol)
    samples = read_samples(data, labels=net.labels, first_label=first_label)
    if groups:
        samples = samples.of_groups(groups.split(","))
    left_out: Mapping[str, str] = {}
    if quarantine is not None:
        samples, left = without_quarantined(samples, quarantine)
        left_out = left.problems
        print("".join(f"{line}\n" for line in left.lines()), file=sys.stderr, end="")
    print(class_line(samples), file=sys.stderr)
    warn_untrained(net)
    if len(net.labels) == 1 and not samples.multi_label:
        raise DataError(
            f"{net.name} knows one class, {net.labels[0]!r}: whatever it sees, it is right",
            "evaluate a model of two classes or more",
        )
    title = f"{Path(data).name}: {Path(model).name}" + (", backwards" if reverse else "")
    if timeline:
        from zoopraxis.evaluation.timelines import evaluate_timelines
        from zoopraxis.prediction.timeline import Hysteresis

        rule = None
        if high is not None:
            low = high if low is None else low
            rule = Hysteresis(high=high, low=low, shortest=shortest, none=none)
        with progress_bar("evaluating") as fraction:
            found = evaluate_timelines(
                net,
                samples,
                rule=rule,
                none=none,
                window=window,
                step=step,
                crops=protocol.crops or 1,
                mode=mode or "mean_probability",
                device=device,
                precision=precision,
                keep=out,
                progress=fraction,
                say=lambda line: print(line, file=sys.stderr),
            )
        show_timelines(found, out, title=title, left_out=left_out, as_json=as_json)
        return
    with counting_bar("evaluating") as progress:
        result = run_evaluation(
            net,
            samples,
            **protocol.options,
            device=device,
            precision=precision,
            workers=workers,
            keep=out,
            play=Playback(order="reversed") if reverse else FORWARDS,
            progress=progress,
            say=lambda line: print(line, file=sys.stderr),
        )
    run = Path(model) if Path(model).is_dir() else Path(model).parent
    show_evaluation(
        result,
        out,
        title=title,
        mode=protocol.mode,
        against=(published_weights(net), protocol) if published else None,
        curves=run / "curves.png",
        left_out=left_out,
        as_json=as_json,
    )


def _say_protocol(protocol: "Protocol") -> None:
    """Say on stderr how the model is tested, and what the published protocol leaves open."""
    from zoopraxis.evaluation.published import open_parts

    print(f"tested by: {replace(protocol, note='')}", file=sys.stderr)
    for line in open_parts(protocol):
        print(f"note: {line}", file=sys.stderr)


def _check_options(*, timeline: bool, whole: dict[str, bool], timelines: dict[str, bool]) -> None:
    """Refuse options that mean nothing for the kind of evaluation that is asked for."""
    idle = [name for name, given in (whole if timeline else timelines).items() if given]
    if idle:
        raise ZoopraxisError(
            f"{', '.join(idle)} {'do not go' if len(idle) > 1 else 'does not go'} "
            f"{'with' if timeline else 'without'} --timeline",
            "leave them out" if timeline else "add --timeline",
        )
    if timeline and not timelines["--high"] and (timelines["--low"] or timelines["--shortest"]):
        raise ZoopraxisError("--low and --shortest go with --high", "add --high 0.5")
