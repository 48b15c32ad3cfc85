"""zoopraxis compare RUN RUN...: what sets evaluated networks apart, video by video."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoopraxis.cli._table import print_table, span
from zoopraxis.errors import ZoopraxisError

if TYPE_CHECKING:
    from zoopraxis.evaluation.compare import Comparison

_LISTED = 5  # gains, losses and confusions of each run


def compare(
    runs: Annotated[
        list[str], typer.Argument(help="--out of `zoopraxis evaluate`, or an .npz of scores.")
    ],
    mode: Annotated[str, typer.Option(help="How views are aggregated; by default the mean.")] = "",
    picture: Annotated[
        Path | None, typer.Option(help="PNG of gains and losses, by class, to write.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare networks on the same videos, each with the first."""
    from zoopraxis.evaluation.compare import compare as compared
    from zoopraxis.evaluation.compare import draw_comparison
    from zoopraxis.evaluation.page import figure_png
    from zoopraxis.evaluation.runs import read_run
    from zoopraxis.files import write_atomically
    from zoopraxis.prediction.aggregate import MODES

    if mode and mode not in MODES:
        raise ZoopraxisError(f"unknown mode {mode!r}", f"known: {', '.join(MODES)}")
    found = compared([read_run(run) for run in runs], names=runs, mode=mode or None)
    if picture is not None:
        picture.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(picture, figure_png(draw_comparison(found)))
    if as_json:
        facts = {**found.summary(), "picture": None if picture is None else str(picture)}
        print(json.dumps(facts, indent=1, allow_nan=False))
        return
    _print(found)
    if picture is not None:
        print(f"picture {picture}")


def _print(found: "Comparison") -> None:
    """Print a table of the runs, then what each gains, loses and confuses."""
    facts = found.summary()
    rows = []
    for number, row in enumerate(facts["runs"]):
        pair = found.pair(0, number)
        against = (
            f"{100 * pair.change:+.1f}",
            span(pair.interval, sign="+"),
            str(pair.second),
            str(pair.first),
            f"{pair.p_value:.2g}",
        )
        rows.append(
            (
                row["run"],
                f"{100 * row['top1']:.1f}",
                span(row["interval"]),
                *(against if number else [""] * len(against)),
                str(row["alone"]),
            )
        )
    print_table(("run", "top-1 %", "95 %", "change", "95 %", "gained", "lost", "p", "alone"), rows)
    print(
        f"{facts['videos']} videos: all correct on {facts['all_correct']}, "
        f"none on {facts['none_correct']}"
    )
    for number in range(1, len(found.names)):
        changes = found.by_class(number)
        print(f"\n{found.names[number]} against {found.names[0]}")
        for title, some in (("gains", changes[:_LISTED]), ("loses", changes[: -_LISTED - 1 : -1])):
            listed = [
                f"{c.label} {100 * c.pairs.change:+.0f}"
                for c in some
                if (c.pairs.change > 0) == (title == "gains") and c.pairs.change
            ]
            print(f"  {title}: {', '.join(listed) or 'none'}")
        for mistake in found.confusions(number, most=_LISTED):
            print(
                f"  {mistake.true} as {mistake.predicted}: {mistake.count} videos, "
                f"{mistake.first} before"
            )
