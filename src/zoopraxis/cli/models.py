"""zoopraxis models [PATTERN]: the networks, their size, and their checkpoints."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoopraxis.cli._table import print_table

if TYPE_CHECKING:
    from zoopraxis.spec import Weights


class Order(StrEnum):
    """What to sort by."""

    NAME = "name"
    PARAMS = "params"
    MACS = "macs"


def models(
    pattern: Annotated[
        str, typer.Argument(help="A shell pattern in quotes, such as 'r2*'; 'test_*': tiny ones.")
    ] = "*",
    family: Annotated[
        str, typer.Option(help="Only the models of one paper, such as tsm.", show_default=False)
    ] = "",
    sort: Annotated[
        Order | None, typer.Option(help="Sort by name or size. Default: paper by paper.")
    ] = None,
    weights: Annotated[
        bool, typer.Option("--weights", help="List published checkpoints in place of models.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models, or with --weights their published checkpoints.

    Params are millions; GMACs are billions of multiply-adds for one clip.
    """
    names = _names(pattern, family=family, sort=sort)
    if weights:
        _list_weights(names, as_json=as_json)
    else:
        _list_models(names, as_json=as_json)


def _names(pattern: str, *, family: str, sort: Order | None) -> list[str]:
    from zoopraxis.errors import ModelNotFoundError
    from zoopraxis.models import FAMILIES, list_models, model_size

    if family and family not in FAMILIES:
        raise ModelNotFoundError(
            f"there is no family called {family!r}", f"known: {', '.join(FAMILIES)}"
        )
    names = list_models(pattern, family=family or None)
    if not names:
        within = f" in the family {family}" if family else ""
        raise ModelNotFoundError(
            f"no model{within} matches {pattern!r}", "`zoopraxis models` lists them all"
        )
    if sort is Order.NAME:
        return sorted(names)
    if sort is Order.PARAMS:
        return sorted(names, key=lambda name: model_size(name).params_m)
    if sort is Order.MACS:
        return sorted(names, key=lambda name: model_size(name).gmacs)
    return names


def _list_models(names: list[str], *, as_json: bool) -> None:
    from zoopraxis.models import family_of, model_size, model_spec
    from zoopraxis.weights import weights_of

    found: list[dict[str, Any]] = []
    for name in names:
        clip, size = model_spec(name).clip, model_size(name)
        found.append(
            {
                "name": name,
                "family": family_of(name),
                "frames": clip.sampling.num_frames,
                "size": clip.shape[-1],
                "params_m": size.params_m,
                "gmacs": size.gmacs,
                "checkpoints": [weights.tag for weights in weights_of(name)],
            }
        )
    if as_json:
        print(json.dumps(found, indent=1))
        return
    rows = [
        [
            row["name"],
            row["family"],
            str(row["frames"]),
            str(row["size"]),
            f"{row['params_m']:.2f}",
            f"{row['gmacs']:.2f}",
            str(len(row["checkpoints"])),
        ]
        for row in found
    ]
    print_table(("name", "family", "frames", "size", "params", "GMACs", "checkpoints"), rows)


def _list_weights(names: list[str], *, as_json: bool) -> None:
    from zoopraxis.errors import ModelNotFoundError
    from zoopraxis.weights import weights_of

    found = [weights for name in names for weights in weights_of(name)]
    if not found:
        raise ModelNotFoundError(
            "these models have no published checkpoints",
            "`zoopraxis models` shows how many each model has",
        )
    if as_json:
        print(json.dumps([_facts(weights) for weights in found], indent=1))
        return
    rows = [
        [
            weights.name,
            weights.dataset,
            "" if weights.top1 is None else f"{weights.top1:.2f}",
            weights.licence,
        ]
        for weights in found
    ]
    print_table(("name", "dataset", "top-1", "licence"), rows)


def _facts(weights: "Weights") -> dict[str, Any]:
    return {
        "name": weights.name,
        "dataset": weights.dataset,
        "top1": weights.top1,
        "licence": weights.licence,
    }
