"""The command line: one file per verb, each calls one library function."""

import sys
from importlib import import_module

import typer
from typer.core import TyperGroup

from zoopraxis.errors import ZoopraxisError

# verb -> the module of this package whose function of the same name it runs
VERBS = ("models", "info", "convert", "train")

app = typer.Typer(
    name="zoopraxis",
    help="Action recognition from video: the networks, trained, tested and explained.",
    no_args_is_help=True,
    add_completion=False,
    cls=TyperGroup,
    pretty_exceptions_enable=False,
)
for verb in VERBS:
    app.command(verb)(getattr(import_module(f"zoopraxis.cli.{verb}"), verb))


def main() -> None:
    """Run the command; print expected errors as two lines and exit 1."""
    try:
        app()
    except ZoopraxisError as error:
        print(f"error: {error.problem}", file=sys.stderr)
        if error.hint:
            print(f"hint:  {error.hint}", file=sys.stderr)
        raise SystemExit(1) from None
