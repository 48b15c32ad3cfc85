"""zoopraxis fuse RUN RUN...: late fusion of evaluated networks, such as the two streams."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zoopraxis.cli._table import print_table
from zoopraxis.errors import ZoopraxisError

if TYPE_CHECKING:
    from zoopraxis.evaluation.result import Evaluation


def fuse(
    runs: Annotated[
        list[str], typer.Argument(help="--out of `zoopraxis evaluate`, or an .npz of scores.")
    ],
    weights: Annotated[str, typer.Option(help="A weight for each run: 1,1.5. Equal if none.")] = "",
    val: Annotated[
        list[str] | None,
        typer.Option(help="The same networks on held-out videos, which choose the weights."),
    ] = None,
    by: Annotated[
        Literal["average", "svm"],
        typer.Option(help="Weighted average, or an SVM trained on --val."),
    ] = "average",
    mode: Annotated[
        str, typer.Option(help="How views are aggregated; sum_logit averages raw scores.")
    ] = "mean_probability",
    out: Annotated[Path | None, typer.Option(help="Folder of the report and the scores.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fuse the scores of networks for the same videos."""
    from zoopraxis.evaluation import fusion
    from zoopraxis.evaluation.report import write_report
    from zoopraxis.evaluation.runs import read_run
    from zoopraxis.prediction.aggregate import MODES

    if mode not in MODES:
        raise ZoopraxisError(f"unknown mode {mode!r}", f"known: {', '.join(MODES)}")
    if weights and (val or by == "svm"):
        raise ZoopraxisError(
            "--weights leaves nothing to choose on --val", "give one of the two, and no --by svm"
        )
    if by == "svm" and not val:
        raise ZoopraxisError("an SVM is trained on held-out videos", "give --val for each run")
    tested = [read_run(run) for run in runs]
    held_out = [read_run(run) for run in val or ()]
    used: tuple[float, ...] | None = _numbers(weights) if weights else (1.0,) * len(runs)
    if by == "svm":
        used = None
        fused = fusion.fuse_by_svm(held_out, tested, mode=mode)
    else:
        if held_out:
            used = fusion.weights_from(held_out, tested, mode=mode)
        fused = fusion.fuse(tested, weights=used, mode=mode)
    if not fused.trained:
        print("warning: a network has random weights: its scores mean nothing", file=sys.stderr)
    page = None
    if out is not None:
        fused.save(out / f"logits-{fused.key[:12]}.npz")
        page = write_report(fused, out / "report.html", title=f"Fusion: {fused.model}")
    rows = [
        {"run": run, "weight": None if used is None else used[number], **_measured(one, mode)}
        for number, (run, one) in enumerate(zip(runs, tested, strict=True))
    ]
    total = _measured(fused, "sum_logit")  # the ranking of its scores, whatever they are
    if as_json:
        facts = {
            "by": by,
            "weights": None if used is None else list(used),
            "chosen_on": len(held_out[0].names) if held_out else None,
            "runs": rows,
            "fused": {"trained": fused.trained, **total},
            "unreadable": dict(fused.unread),
            "report": None if page is None else str(page),
        }
        print(json.dumps(facts, indent=1, allow_nan=False))
        return
    _print(rows, total, "fused" if by == "average" else "fused by an SVM")
    if held_out:
        chosen = "weights chosen" if by == "average" else "SVM trained"
        print(f"{chosen} on {len(held_out[0].names)} held-out videos")
    if fused.unread:
        print("unreadable by one of them, and counted as errors:")
        for name, problem in fused.unread.items():
            print(f"  {name}: {problem}")
    if page is not None:
        print(f"report {page}")


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError as error:
        raise ZoopraxisError(
            f"the weights {text!r} are not numbers", "separate them by commas: --weights 1,1.5"
        ) from error


def _measured(run: "Evaluation", mode: str) -> dict[str, Any]:
    summary = run.summary(mode=mode)
    return {key: summary[key] for key in ("videos", "top1", "top5", "mean_class") if key in summary}


def _print(rows: list[dict[str, Any]], total: dict[str, Any], title: str) -> None:
    """Print a table: each run, then their fusion."""
    measures = [key for key in total if key != "videos"]
    cells = []
    for row in [*rows, {"run": title, "weight": None, **total}]:
        weight = "" if row["weight"] is None else f"{row['weight']:g}"
        cells.append((row["run"], weight, *(f"{100 * row[key]:.2f} %" for key in measures)))
    print_table(("run", "weight", *measures), cells)
