"""zoopraxis profile MODEL...: what networks cost, and what they reach for it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from zoopraxis.cli._shown import ACCEPT_LICENCE, counting_bar, download_bar
from zoopraxis.cli._table import print_table


def profile(
    models: Annotated[
        list[str], typer.Argument(help="NAME, NAME.TAG, a run's folder, or a .safetensors file.")
    ],
    size: Annotated[int, typer.Option(min=0, help="Pixels of a side; 0: the network's.")] = 0,
    frames: Annotated[int, typer.Option(min=0, help="Frames of a clip; 0: the network's.")] = 0,
    timed: Annotated[bool, typer.Option("--latency", help="Time the networks too.")] = False,
    reached: Annotated[
        bool, typer.Option("--reach", help="Measure the receptive field too: takes minutes.")
    ] = False,
    batch: Annotated[int, typer.Option(min=1, help="Of --latency: clips in a batch.")] = 1,
    repeats: Annotated[int, typer.Option(min=1, help="Of --latency: runs that are timed.")] = 20,
    device: Annotated[str, typer.Option(help="Of --latency: cpu, cuda, ...")] = "cpu",
    precision: Annotated[
        Literal["float32", "bfloat16", "float16"], typer.Option(help="Of --latency.")
    ] = "float32",
    engine: Annotated[
        Literal["auto", "torch", "openvino", "onnx"],
        typer.Option(help="Of --latency: what runs it on a CPU; auto is OpenVINO if installed."),
    ] = "torch",
    threads: Annotated[
        int, typer.Option(min=0, help="Of --latency: of the engine; 0 leaves it to the engine.")
    ] = 0,
    picture: Annotated[
        Path | None, typer.Option(help="PNG to write: published accuracy over cost.")
    ] = None,
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help=ACCEPT_LICENCE)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Count parameters, multiply-adds, activations and memory of one clip; time networks.

    The picture's cost is GMACs, or with --latency the median latency.
    """
    from zoopraxis.checkpoints.saved import open_model
    from zoopraxis.evaluation.page import figure_png
    from zoopraxis.explain.account import account, resized
    from zoopraxis.explain.costs_picture import draw_costs
    from zoopraxis.explain.latency import latency
    from zoopraxis.explain.reach import reach
    from zoopraxis.files import write_atomically

    other = {"size": size or None, "num_frames": frames or None}
    facts: list[dict[str, Any]] = []
    for model in models:
        row = account(model, **other).to_dict()
        if timed or reached:
            with download_bar(model) as downloaded:
                net = open_model(model, accept_licence=accept_licence, progress=downloaded)
            config = replace(net.config, clip=resized(net.clip, **other))
            net = replace(net, config=config)
            if reached:
                row["reach"] = reach(net.model, net.clip).to_dict()
            if timed:
                with counting_bar(model) as progress:
                    row["latency"] = latency(
                        net,
                        batch=batch,
                        repeats=repeats,
                        device=device,
                        precision=precision,
                        engine=engine,
                        threads=threads,
                        progress=progress,
                    ).to_dict()
        facts.append(row)
    if picture is not None:
        costs = [(f["model"], f["latency"]["p50"] if timed else f["macs"] / 1e9) for f in facts]
        figure, _ = draw_costs(costs, axis="ms for a batch" if timed else "GMACs of one clip")
        picture.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(picture, figure_png(figure))
    if as_json:
        shown = {"models": facts, "picture": None if picture is None else str(picture)}
        print(json.dumps(shown, indent=1))
        return
    _print(facts)
    if picture is not None:
        print(f"picture {picture}")


def _print(facts: list[dict[str, Any]]) -> None:
    """Print a table with a row for each network, and what was timed where."""
    head = [
        "model",
        "M params",
        "GMACs",
        "M activations",
        "G interactions",
        "weights MB",
        "peak MB",
    ]
    timed, reached = "latency" in facts[0], "reach" in facts[0]
    head += ["frames", "height", "width"] * reached
    head += ["p50 ms", "p90 ms", "p95 ms", "clips/s"] * timed
    rows = []
    for row in facts:
        met = row["interactions"]
        cells = [
            row["model"],
            f"{row['params'] / 1e6:.2f}",
            f"{row['macs'] / 1e9:.2f}",
            f"{row['activations'] / 1e6:.2f}",
            "" if met is None else f"{met / 1e9:.2f}",
            f"{row['weight_bytes'] / 1e6:.1f}",
            f"{(row['weight_bytes'] + row['activation_bytes']) / 1e6:.1f}",
        ]
        if reached:
            cells += [str(row["reach"][key]) for key in ("frames", "height", "width")]
        if timed:
            time = row["latency"]
            cells += [f"{time[key]:.1f}" for key in ("p50", "p90", "p95", "clips_per_second")]
        rows.append(cells)
    print_table(head, rows)
    if timed:
        time = facts[0]["latency"]
        print(
            f"{time['repeats']} runs of {time['batch']} clips, {time['precision']}, "
            f"{time['threads'] or 'its own'} threads, {time['engine'] or 'as written'}, "
            f"{time['device']}: {time['processor']}"
        )
