"""The command line: one file per verb, each calls one library function."""

import os
from importlib import import_module

import typer
from typer.core import TyperGroup

from zoopraxis.cli._shown import show_error
from zoopraxis.errors import ZoopraxisError

# verb -> the module of this package whose function, or typer.Typer, of the same name it runs
VERBS = (
    *("models", "info", "profile", "convert", "export", "train", "expand", "predict", "people"),
    *("evaluate", "fuse", "compare", "diagnose", "explain"),
    *("features", "probe", "similarity", "embedding"),
    *("flow", "boxes", "trajectories", "skeletons", "ava", "data", "doctor", "demo"),
)

app = typer.Typer(
    name="zoopraxis",
    help="Action recognition from video: the networks, trained, tested and explained.",
    no_args_is_help=True,
    add_completion=False,
    cls=TyperGroup,
    pretty_exceptions_enable=False,
)
for verb in VERBS:
    command = getattr(import_module(f"zoopraxis.cli.{verb}"), verb)
    if isinstance(command, typer.Typer):  # a verb with commands of its own
        app.add_typer(command, name=verb)
    else:
        app.command(verb)(command)


def main() -> None:
    """Run the command; print expected errors as two lines and exit 1."""
    # Waiting OpenMP threads spin: where other work shares the cores, that keeps it, and the very
    # threads they wait for, from running (benchmarks/bench_sharing.py). Read when torch loads.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        app()
    except ZoopraxisError as error:
        show_error(error)
        raise SystemExit(1) from None
