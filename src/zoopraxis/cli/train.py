"""zoopraxis train RECIPE: train a model on a folder or a list of videos."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoopraxis.cli._shown import ACCEPT_LICENCE, accept_licences

if TYPE_CHECKING:
    from zoopraxis.training.state import RunResult


def train(
    recipe: Annotated[
        list[str] | None,
        typer.Argument(
            help="A recipe (a file, or a name such as tsm), then section.key=value to change it."
        ),
    ] = None,
    data: Annotated[
        str, typer.Option(help="Folder of classes or list; in place of the recipe's.")
    ] = "",
    model: Annotated[
        str, typer.Option(help="Name from `zoopraxis models`; in place of the recipe's.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run. Default: runs/RECIPE or runs/MODEL.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run in --out.")] = False,
    devices: Annotated[int, typer.Option(min=1, help="Devices of this machine.")] = 1,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help=ACCEPT_LICENCE)] = False,
    on_bad_video: Annotated[
        str, typer.Option(help="stop, or skip (counted and reported); as the recipe says if empty.")
    ] = "",
    quarantine: Annotated[
        str, typer.Option(help="Leave out the videos of this list of `data doctor`.")
    ] = "",
) -> None:
    """Train a model; a run that was stopped resumes with --resume."""
    from zoopraxis.cli._training_bar import TrainingBar
    from zoopraxis.errors import RecipeError, TrainingError
    from zoopraxis.training.loop import train as train_model
    from zoopraxis.training.recipe import default_recipe, read_recipe

    accept_licences(accept_licence)
    files = [word for word in recipe or [] if "=" not in word]
    changes = [word for word in recipe or [] if "=" in word]
    if on_bad_video:
        changes.append(f"train.on_bad_video={on_bad_video}")
    if resume and out is not None and not files and not data:
        files = [str(out / "recipe.toml")]
        if not Path(files[0]).exists():
            raise TrainingError(
                f"{out} holds no run to resume", "start one: give a recipe, or --data and --model"
            )
    if len(files) == 1:
        options = {"data.train": data, "model.name": model, "data.quarantine": quarantine}
        # quoted, so that a folder called 2024 is no number
        quoted = {k: json.dumps(v, ensure_ascii=False) for k, v in options.items() if v}
        changes = [*(f"{key}={value}" for key, value in quoted.items()), *changes]
        chosen = read_recipe(files[0], changes)
        folder = out or Path("runs", Path(files[0]).stem)
    elif not files and data and model:
        if quarantine:
            changes.append(f"data.quarantine={json.dumps(quarantine, ensure_ascii=False)}")
        chosen = default_recipe(data, model, changes)
        folder = out or Path("runs", model)
    else:
        raise RecipeError(
            "give one recipe, or --data and --model",
            "such as: zoopraxis train --data FOLDER --model r2plus1d_18",
        )
    result = train_model(
        chosen,
        folder,
        resume=resume,
        devices=devices,
        accelerator=accelerator,
        watcher=TrainingBar(),
    )
    if result.main_process:
        _report(result)


def _report(result: "RunResult") -> None:
    """Print the results and where they are."""
    last = result.history[-1]
    if result.best is not None:
        best = result.history[result.best_epoch - 1]
        print(f"best   {result.best}  {result.metric} {best[result.metric]:.4f}", end="")
        print(f" at epoch {result.best_epoch}")
    print(f"final  {result.final}  train_loss {last['train_loss']:.4f}")
    print(f"log    {result.out / 'log.csv'}")
    print(f"curves {result.out / 'curves.png'}")
    for path, problem in result.skipped.items():
        print(f"skipped {path}: {problem}")
