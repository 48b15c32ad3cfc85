"""zoopraxis evaluate DATA --model M: accuracy on a list of videos, and a report."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer


def evaluate(
    data: Annotated[str, typer.Argument(help="Folder of classes, or a list.")],
    model: Annotated[str, typer.Option(help="NAME.TAG, or a .safetensors file of a run.")],
    out: Annotated[Path, typer.Option(help="Folder of the report and the logits.")] = Path(
        "evaluation"
    ),
    views: Annotated[int, typer.Option(min=1, help="Clips over each video.")] = 10,
    crops: Annotated[int, typer.Option(help="Crops of each clip: 1, 3, 5 or 10.")] = 1,
    mode: Annotated[str, typer.Option(help="How views become one; by default the mean.")] = "",
    groups: Annotated[str, typer.Option(help="Only these groups (comma separated).")] = "",
    reverse: Annotated[bool, typer.Option("--reverse", help="Play backwards.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
    precision: Annotated[
        Literal["float32", "bfloat16", "float16"], typer.Option(help="Of the arithmetic.")
    ] = "float32",
    workers: Annotated[int, typer.Option(min=0, help="Processes that decode.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Test a model; a test that was stopped goes on where it was."""
    from zoopraxis.data.samples import read_samples
    from zoopraxis.evaluation.evaluate import evaluate as run_evaluation
    from zoopraxis.checkpoints.hub import open_model
    from zoopraxis.evaluation.report import write_report

    samples = read_samples(data)
    if groups:
        samples = samples.of_groups(groups.split(","))
    result = run_evaluation(
        open_model(model),
        samples,
        views=views,
        crops=crops,
        device=device,
        precision=precision,
        workers=workers,
        keep=out / "logits.npz",
        reverse=reverse,
    )
    page = write_report(
        result,
        out / "report.html",
        title=f"{Path(data).name}: {Path(model).name}",
        mode=mode or None,
        curves=Path(model).parent / "curves.png",
    )
    summary = result.summary(mode=mode or None)
    by_views = result.by_views(mode=mode or None)
    if as_json:
        print(json.dumps({**summary, "by_views": by_views, "report": str(page)}, indent=1))
        return
    _print_table(summary, by_views)
    print(f"report {page}")


def _print_table(summary: dict[str, Any], by_views: dict[int, float]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("measure", "value", box=None)
    for name, value in summary.items():
        shown = str(value) if isinstance(value, int) else f"{100 * value:.2f} %"
        table.add_row(name, shown)
    for count, value in by_views.items():
        table.add_row(f"with {count} views", f"{100 * value:.2f} %")
    Console().print(table)
