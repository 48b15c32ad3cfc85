"""zoopraxis features VIDEOS OUT --model M: descriptors of many videos, in files."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from zoopraxis.cli._shown import (
    ACCEPT_LICENCE,
    CONVENTION,
    RESIZE,
    SIZE,
    as_tested,
    class_line,
    counting_bar,
    download_bar,
    warn_untrained,
)


def features(
    videos: Annotated[str, typer.Argument(help="Folder of classes, or a list.")],
    out: Annotated[Path, typer.Argument(help="Folder to fill; a run that was stopped resumes.")],
    model: Annotated[str, typer.Option(help="NAME.TAG, a run's folder, or a .safetensors file.")],
    layer: Annotated[
        str,
        typer.Option(help="Modules of the network, pooled, prob (comma separated), or all."),
    ] = "pooled",
    clips: Annotated[
        int | None,
        typer.Option(min=1, help="Clips over each video. Default: 20, or the convention's."),
    ] = None,
    crop: Annotated[
        Literal["centre", "3", "5", "10"], typer.Option(help="Crops of each clip.")
    ] = "centre",
    convention: Annotated[str | None, typer.Option(help=CONVENTION)] = None,
    size: Annotated[int | None, typer.Option(min=1, help=SIZE)] = None,
    resize: Annotated[int | None, typer.Option(min=1, help=RESIZE)] = None,
    keep: Annotated[
        Literal["video", "clips", "maps"],
        typer.Option(help="The mean over the clips, a vector of each, or their maps."),
    ] = "video",
    dtype: Annotated[
        Literal["float16", "float32"], typer.Option(help="Of the numbers in the files.")
    ] = "float16",
    group: Annotated[
        str, typer.Option(help="Column of a list with the groups of a split.")
    ] = "group",
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
    precision: Annotated[
        Literal["float32", "bfloat16", "float16"], typer.Option(help="Of the arithmetic.")
    ] = "float32",
    workers: Annotated[int, typer.Option(min=0, help="Processes that decode videos.")] = 0,
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help=ACCEPT_LICENCE)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Extract features of a frozen network, for probes and for search."""
    from zoopraxis.checkpoints.saved import open_model
    from zoopraxis.data.samples import read_samples
    from zoopraxis.evaluation.features import FeatureSettings, extract_list
    from zoopraxis.inputs.conventions import check_views, usual_views

    with download_bar(model) as downloaded:
        net = open_model(model, accept_licence=accept_licence, progress=downloaded)
    net = as_tested(net, convention=convention, size=size, resize=resize)
    rule = net.clip.sampling.convention
    clips = clips or usual_views(rule, otherwise=20)
    check_views(rule, clips)
    settings = FeatureSettings(
        layers=tuple(layer.split(",")),
        clips=clips,
        crops=1 if crop == "centre" else int(crop),
        keep=keep,
        dtype=dtype,
        precision=precision,
    )
    samples = read_samples(videos, group=group)
    print(class_line(samples), file=sys.stderr)
    warn_untrained(net)
    with counting_bar("extracting") as progress:
        found = extract_list(
            net,
            samples,
            out,
            settings=settings,
            device=device,
            workers=workers,
            progress=progress,
            say=lambda line: print(line, file=sys.stderr),
        )
    if as_json:
        facts = {
            "folder": str(out),
            "videos": len(found),
            "trained": found.trained,
            "layers": {name: list(shape) for name, shape in found.layers.items()},
            "unreadable": dict(found.unread),
        }
        print(json.dumps(facts))
    else:
        for name, shape in found.layers.items():
            print(f"{name}: {len(found)} x {' x '.join(map(str, shape))}")
        print(f"features: {out}")
    if found.unread:
        for name, problem in found.unread.items():
            print(f"  {problem}" if name in problem else f"  {name}: {problem}", file=sys.stderr)
        print(f"{len(found.unread)} of {len(samples)} videos have no features", file=sys.stderr)
        raise SystemExit(1)
