"""zoopraxis expand RECIPE: the X3D of a cost that suits one's own videos."""

import json
import sys
from dataclasses import asdict, replace
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoopraxis.cli._table import print_table
from zoopraxis.errors import RecipeError, did_you_mean

if TYPE_CHECKING:
    from zoopraxis.models.x3d import Expansion
    from zoopraxis.training.ledger import Ledger


def expand(
    recipe: Annotated[
        list[str] | None,
        typer.Argument(
            help="How each network is trained: a recipe, then section.key=value to change it. "
            "Default: x3d."
        ),
    ] = None,
    data: Annotated[
        str, typer.Option(help="Folder of classes or list; in place of the recipe's.")
    ] = "",
    gmacs: Annotated[
        float | None,
        typer.Option(help="Most GMACs of a clip; to resume, as it was if left out."),
    ] = None,
    start: Annotated[
        str, typer.Option(help="Factors of the first network, such as s=0.5,tau=12. X2D if empty.")
    ] = "",
    growth: Annotated[float, typer.Option(help="Cost of a step over that of the last one.")] = 2.0,
    out: Annotated[Path, typer.Option(help="Folder of the search.")] = Path("runs/expand"),
    resume: Annotated[bool, typer.Option("--resume", help="Resume the search in --out.")] = False,
    devices: Annotated[int, typer.Option(min=1, help="Networks trained at a time.")] = 1,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the ledger as JSON.")] = False,
) -> None:
    """Search for an X3D: expand one axis at a time, and keep the most accurate network."""
    from zoopraxis.cli._training_bar import QuietBar, TrainingBar
    from zoopraxis.training.expand import expand as search
    from zoopraxis.training.expansion import START
    from zoopraxis.training.expansion_picture import draw_expansion
    from zoopraxis.training.ledger import read_ledger
    from zoopraxis.training.recipe import read_recipe

    files = [word for word in recipe or [] if "=" not in word]
    changes = [word for word in recipe or [] if "=" in word]
    first = _factors(start, START)
    if resume and not files and (out / "recipe.toml").exists():
        files = [str(out / "recipe.toml")]
        before = read_ledger(out)
        gmacs = before.macs / 1e9 if gmacs is None else gmacs
        first, growth = (first, growth) if start else (before.start, before.growth)
    if len(files) > 1:
        raise RecipeError(f"{' and '.join(files)} are {len(files)} recipes", "give one")
    if gmacs is None:
        raise RecipeError("the cost of the network is not given", "such as --gmacs 2")
    if data:
        # quoted, so that a folder called 2024 is no number
        changes = [f"data.train={json.dumps(data, ensure_ascii=False)}", *changes]
    # the first run says what all train on
    bars = chain([TrainingBar], repeat(QuietBar))
    ledger = search(
        read_recipe(files[0] if files else "x3d", changes),
        out,
        macs=gmacs * 1e9,
        start=first,
        growth=growth,
        resume=resume,
        devices=devices,
        accelerator=accelerator,
        say=lambda line: print(line, file=sys.stderr),
        watcher=lambda: next(bars)(),
    )
    picture = out / "expansion.png"
    draw_expansion(ledger, picture)
    if as_json:
        facts = {**ledger.to_json(), "out": str(out), "picture": str(picture)}
        print(json.dumps(facts, indent=1, allow_nan=False))
        return
    _print(ledger)
    print(f"network {out / ledger.networks[ledger.final].run}")
    print(f"ledger  {out / 'ledger.json'}")
    print(f"picture {picture}")


def _factors(text: str, start: "Expansion") -> "Expansion":
    """Change factors of the first network: ``s=0.5,tau=12``."""
    known = asdict(start)
    changes = {}
    for word in filter(None, text.split(",")):
        name, _, value = word.partition("=")
        name = name.strip()
        if name not in known:
            raise RecipeError(f"--start: there is no factor {name!r}", did_you_mean(name, known))
        try:
            changes[name] = float(value)
        except ValueError as error:
            raise RecipeError(
                f"--start: {name} = {value!r} is not a number", "write --start s=0.5,tau=12"
            ) from error
    return replace(start, **changes)


def _print(ledger: "Ledger") -> None:
    """Print every network: the step and the axis that led to it, cost, size, and score."""
    led = {next(iter(ledger.networks)): (0, "start")}
    for number, step in enumerate(ledger.steps, 1):
        for axis, name in step.candidates.items():
            led.setdefault(name, (number, axis))
    led.setdefault(ledger.final, (len(ledger.steps), "contracted"))
    kept = {step.name: "best" for step in ledger.steps} | {ledger.final: "result"}
    rows = []
    for name, (number, axis) in led.items():
        network = ledger.networks[name]
        cost, size = f"{network.macs / 1e9:.4g}", f"{network.params / 1e6:.2f}"
        score = f"{100 * network.score:.1f}"
        rows.append((str(number), axis, name, cost, size, score, kept.get(name, "")))
    metric = "top-1 %" if ledger.metric == "val_top1" else "mAP %"
    print_table(("step", "axis", "network", "GMACs", "M params", metric, "kept"), rows)
    error = ledger.standard_error
    if error is not None and ledger.steps:
        print(
            f"accuracies on {ledger.videos[1]} videos have a standard error of up to "
            f"{100 * error:.1f} points; the chosen axes led by "
            f"{', '.join(f'{100 * step.lead:.1f}' for step in ledger.steps)}"
        )
