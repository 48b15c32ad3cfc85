"""zoopraxis probe DATA --model M: how well a frozen network's features tell actions apart."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zoopraxis.cli._shown import (
    ACCEPT_LICENCE,
    accept_licences,
    class_line,
    counting_bar,
    download_bar,
    warn_untrained,
)
from zoopraxis.cli._table import print_table
from zoopraxis.errors import ZoopraxisError

if TYPE_CHECKING:
    from zoopraxis.evaluation.features import FeatureSet, FeatureSettings
    from zoopraxis.evaluation.probe import Probing
    from zoopraxis.evaluation.protocols import Round


def probe(
    data: Annotated[
        list[str],
        typer.Argument(
            help="Folder of classes, or a list, with --model; or folders of `zoopraxis features`."
        ),
    ],
    model: Annotated[
        str, typer.Option(help="NAME.TAG, a run's folder, or a .safetensors file.")
    ] = "",
    layer: Annotated[str, typer.Option(help="Layers (comma separated).")] = "pooled",
    kind: Annotated[
        Literal["svm", "logistic", "knn", "attentive"], typer.Option("--probe", help="Classifier.")
    ] = "svm",
    clips: Annotated[int, typer.Option(min=1, help="Clips over each video, with --model.")] = 20,
    shots: Annotated[
        str, typer.Option(help="Training videos of each class: numbers, or all (comma separated).")
    ] = "all",
    draws: Annotated[int, typer.Option(min=1, help="How often few videos are drawn.")] = 10,
    folds: Annotated[int, typer.Option(min=2, help="Folds, no group on both sides.")] = 5,
    split: Annotated[
        list[str] | None,
        typer.Option(help="An official split, TRAIN:TEST, two lists; repeat for the mean."),
    ] = None,
    leave_one_out: Annotated[
        bool, typer.Option("--leave-one-out", help="Test each video by all the others.")
    ] = False,
    dims: Annotated[
        str, typer.Option(help="Draw accuracy against PCA dimensions: 10,50,100,500.")
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder of features, scores and picture.")] = Path(
        "probe"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Of folds, draws and probes.")] = 0,
    group: Annotated[
        str, typer.Option(help="Column of a list with the groups of a split.")
    ] = "group",
    device: Annotated[str, typer.Option(help="cpu, cuda, ... of the network.")] = "cpu",
    workers: Annotated[int, typer.Option(min=0, help="Processes that decode videos.")] = 0,
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help=ACCEPT_LICENCE)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train and test probes on frozen features; scores fuse by `zoopraxis fuse`."""
    from zoopraxis.evaluation.curves import dimension_curve, draw_dimensions, draw_shots
    from zoopraxis.evaluation.features import FeatureSettings, open_features
    from zoopraxis.evaluation.probe import probe as run_probe

    layers = layer.split(",")
    wanted = [None if word == "all" else _count(word) for word in shots.split(",")]
    if split and leave_one_out:
        raise ZoopraxisError("--split and --leave-one-out exclude each other", "give one of them")
    if model:
        if len(data) != 1:
            raise ZoopraxisError(
                f"--model and {len(data)} DATA", "give one folder of classes, or one list"
            )
        settings = FeatureSettings(
            layers=tuple(layers), clips=clips, keep="maps" if kind == "attentive" else "video"
        )
        accept_licences(accept_licence)
        sets = [_extracted(model, data[0], out / "features", settings, group, device, workers)]
        layers = list(sets[0].layers)
    else:
        sets = [open_features(folder) for folder in data]
    for found in sets:
        if not found.trained and not model:
            print(f"warning: {found.model} has random weights", file=sys.stderr)
        for name, problem in found.unread.items():
            print(f"unreadable, and left out: {name}: {problem}", file=sys.stderr)
    out.mkdir(parents=True, exist_ok=True)
    pairs = [(found, name) for found in sets for name in layers]
    if dims:
        sizes = [_count(word) for word in dims.split(",")]
        curves = []
        with counting_bar("projecting") as progress:
            for found, name in pairs:
                rounds = _rounds(found, split, leave_one_out, folds, seed)
                curves.append(
                    dimension_curve(found, rounds, layer=name, dims=sizes, progress=progress)
                )
        picture = draw_dimensions(curves, out / "dimensions.png")
        if as_json:
            values: list[Any] = [
                {"name": c.name, "dims": list(c.dims), "top1": list(c.top1)} for c in curves
            ]
            print(json.dumps({"curves": values, "picture": str(picture)}, indent=1))
            return
        rows = [[c.name, str(d), f"{100 * v:.1f}"] for c in curves for d, v in c.points]
        print_table(["features", "dimensions", "top1 %"], rows)
        print(f"picture {picture}")
        return
    results = []
    for found, name in pairs:
        rounds = _rounds(found, split, leave_one_out, folds, seed)
        with counting_bar("probing") as progress:
            results.append(
                run_probe(
                    found,
                    rounds,
                    layer=name,
                    kind=kind,
                    shots=wanted,
                    draws=draws,
                    seed=seed,
                    progress=progress,
                )
            )
    scores = [_save(result, out, number) for number, result in enumerate(results)]
    picture = draw_shots(results, out / "probe.png")
    trained = all(found.trained for found in sets)
    _show(results, scores, picture, trained=trained, as_json=as_json)


def _extracted(
    model: str,
    data: str,
    out: Path,
    settings: "FeatureSettings",
    group: str,
    device: str,
    workers: int,
) -> "FeatureSet":
    """Extract the features of a list by a network, or find them finished."""
    from zoopraxis.checkpoints.saved import open_model
    from zoopraxis.data.samples import read_samples
    from zoopraxis.evaluation.features import extract_list

    with download_bar(model) as downloaded:
        net = open_model(model, progress=downloaded)
    samples = read_samples(data, group=group)
    print(class_line(samples), file=sys.stderr)
    warn_untrained(net)
    with counting_bar("extracting") as progress:
        return extract_list(
            net,
            samples,
            out,
            settings=settings,
            device=device,
            workers=workers,
            progress=progress,
            say=lambda line: print(line, file=sys.stderr),
        )


def _count(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise ZoopraxisError(f"{word!r} is no number of 1 or more", "separate them by commas: 1,5")
    return int(word)


def _rounds(
    found: "FeatureSet", split: list[str] | None, leave_one_out: bool, folds: int, seed: int
) -> "tuple[Round, ...]":
    """Read the protocol that was asked for."""
    from zoopraxis.data.samples import read_samples
    from zoopraxis.evaluation import protocols

    if leave_one_out:
        return protocols.leave_one_out(found)
    if not split:
        return protocols.by_folds(found, folds=folds, seed=seed)
    lists = []
    for text in split:
        train, colon, test = text.partition(":")
        if not colon:
            raise ZoopraxisError(f"{text!r} is no split", "give two lists, --split TRAIN:TEST")
        lists.append((read_samples(train), read_samples(test)))
    return protocols.by_lists(found, lists)


def _save(result: "Probing", out: Path, number: int) -> list[str]:
    """Write the scores of each round as `zoopraxis fuse` reads them."""
    paths = []
    for turn, evaluation in enumerate(result.evaluations, start=1):
        folder = out / f"scores-{number + 1}-round-{turn}"
        for old in folder.glob("logits-*.npz"):  # of an earlier probe: `fuse` expects one
            old.unlink()
        path = folder / f"logits-{evaluation.key[:12]}.npz"
        evaluation.save(path)
        paths.append(str(path))
    return paths


def _show(
    results: "list[Probing]",
    scores: list[list[str]],
    picture: Path,
    *,
    trained: bool,
    as_json: bool,
) -> None:
    if as_json:
        facts = {
            "trained": trained,
            "probes": [
                {
                    "name": result.name,
                    "mode": result.mode,
                    "points": [vars(point) for point in result.points],
                    "scores": files,
                }
                for result, files in zip(results, scores, strict=True)
            ],
            "picture": str(picture),
        }
        print(json.dumps(facts, indent=1, allow_nan=False))
        return
    rows = []
    for result in results:
        for point in result.points:
            near = (
                f"{100 * point.low:.1f} to {100 * point.high:.1f}"
                if point.low is not None and point.high is not None
                else ""
            )
            measured = [f"{100 * v:.1f}" for v in (point.top1, point.top3, point.map)]
            rows.append([result.name, str(point.shots or "all"), measured[0], near, *measured[1:]])
    print_table(["probe", "shots", "top1 %", "95 %", "top3 %", "mAP %"], rows)
    for result, files in zip(results, scores, strict=True):
        if files:
            print(f"scores of {result.name} (fuse with --mode {result.mode}): {' '.join(files)}")
    print(f"picture {picture}")
