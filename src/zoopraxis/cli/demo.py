"""zoopraxis demo: the whole pipeline on videos it makes itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoopraxis.cli._shown import counting_bar
from zoopraxis.cli._table import print_table

if TYPE_CHECKING:
    from zoopraxis.theatre.demo import DemoResult

_EXPLAINED = """
Four pairs of actions are each other played backwards, such as sit down and stand up. A network
that classifies frames independently (f-R2D) computes the same for a clip and for its reverse:
within the pairs it can only guess. R(2+1)D convolves in time, and can tell.
"""


def demo(
    changes: Annotated[
        list[str] | None, typer.Argument(help="section.key=value for the recipe.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of all files.")] = Path("zoopraxis-demo"),
    recipe: Annotated[str, typer.Option(help="How to train: a recipe by name or file.")] = "demo",
    clips_per_class: Annotated[int, typer.Option(min=2, help="Size of the theatre.")] = 70,
) -> None:
    """Film a theatre, train on it, test on unseen performers, and predict an action."""
    from rich.console import Console

    console = Console(stderr=True)
    console.print("loading PyTorch ...")
    from zoopraxis.cli._training_bar import TrainingBar
    from zoopraxis.engine.allocator import keep_memory
    from zoopraxis.theatre.demo import run_demo

    keep_memory()
    result = run_demo(
        out,
        recipe,
        clips_per_class=clips_per_class,
        changes=changes or (),
        say=lambda line: console.print(f"[bold]$[/bold] {line}", highlight=False, soft_wrap=True),
        film=counting_bar,
        watcher=TrainingBar,
    )
    _print(result)


def _print(result: "DemoResult") -> None:
    """Print the table and where the files are."""
    print_table(
        ("trained on the theatre", "all 12 actions", "within reversed pairs"),
        [
            (row["model"], f"{100 * row['top1']:.1f} %", f"{100 * row['pairs']:.1f} %")
            for row in result.rows
        ],
    )
    print(_EXPLAINED)
    print(f"prediction  {result.prediction}")
    print(f"watch it    {result.overlay}")
    print(f"report      {result.report}")
    print(f"the theatre {result.sheet}")
    print(f"took        {result.seconds / 60:.1f} minutes")
