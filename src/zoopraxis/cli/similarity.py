"""zoopraxis similarity PAIRS --features DIR: whether two videos show the same action."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from zoopraxis.cli._table import print_table
from zoopraxis.errors import DataError


def similarity(
    pairs: Annotated[Path, typer.Argument(help="CSV of first, second, same (1 or 0) and fold.")],
    features: Annotated[Path, typer.Option(help="Folder of `zoopraxis features`.")],
    layer: Annotated[
        str, typer.Option(help="Layers (comma separated). Default: all that are there.")
    ] = "",
    draw: Annotated[
        int, typer.Option(min=0, help="Make PAIRS first: so many a fold, by the labels.")
    ] = 0,
    folds: Annotated[int, typer.Option(min=2, help="Folds that are made.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Of the pairs that are made.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell pairs of the same action from others, by twelve similarities of each layer (ASLAN)."""
    from zoopraxis.data.pairs import read_pairs, write_pairs
    from zoopraxis.evaluation.features import open_features
    from zoopraxis.evaluation.similarity import draw_pairs, measure_similarity

    found = open_features(features)
    if draw:
        if pairs.exists():
            raise DataError(f"{pairs} is there", "leave out --draw, or name another file")
        write_pairs(pairs, draw_pairs(found, count=draw, folds=folds, seed=seed))
    if not found.trained:
        print(
            f"warning: {found.model} has random weights: its features mean little", file=sys.stderr
        )
    layers = layer.split(",") if layer else list(found.layers)
    result = measure_similarity(found, read_pairs(pairs), layers=layers)
    if as_json:
        facts = {"trained": found.trained, "layers": layers, **vars(result)}
        print(json.dumps(facts, indent=1))
        return
    rows = [
        [str(n), f"{100 * accuracy:.2f}", f"{100 * auc:.2f}"]
        for n, (accuracy, auc) in enumerate(result.folds, start=1)
    ]
    print_table(["fold", "accuracy %", "AUC %"], rows)
    print(
        f"accuracy {100 * result.accuracy:.2f} ± {100 * result.error:.2f} %, AUC "
        f"{100 * result.auc:.2f} %, of {result.numbers} numbers a pair"
    )
