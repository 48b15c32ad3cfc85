"""What the commands print that evaluate something: a table or JSON, and a page."""

import json
import math
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from zoopraxis.cli._table import print_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoopraxis.evaluation.result import Evaluation
    from zoopraxis.evaluation.timelines import TimelineEvaluation
    from zoopraxis.spec import Protocol, Weights

__all__ = ["show_evaluation", "show_timelines"]


def show_evaluation(
    result: "Evaluation",
    out: Path,
    *,
    title: str,
    mode: str | None,
    curves: Path | None = None,
    left_out: "Mapping[str, str]" = MappingProxyType({}),
    against: "tuple[Weights, Protocol] | None" = None,
    as_json: bool,
) -> None:
    """Write the page of an evaluation, ``report.html``, and print its numbers.

    With ``against``, beside the published ones of a checkpoint, for an evaluation by a protocol.
    """
    from zoopraxis.evaluation.published import compare_published
    from zoopraxis.evaluation.report import write_report

    summary = result.summary(mode=mode)
    compared = compare_published(summary, *against) if against else None
    page = write_report(
        result,
        out / "report.html",
        title=title,
        mode=mode,
        curves=curves,
        left_out=left_out,
        compared=compared,
    )
    by_views = result.by_views(mode=mode)
    if as_json:
        facts = {
            "trained": result.trained,
            **_without_nan(summary),
            **({"published": compared.to_dict()} if compared else {}),
            "by_views": _without_nan(by_views),
            "by_class": {} if result.multi_label else result.by_class(mode=mode),
            "classes": {
                label: _without_nan(one) for label, one in result.class_report(mode=mode).items()
            },
            "unreadable": dict(result.unread),
            "quarantined": dict(left_out),
            "report": str(page),
        }
        print(json.dumps(facts, indent=1, allow_nan=False))
        return
    _print_measures(summary, by_views)
    if compared:
        rows = [
            (name, f"{measured:.2f} %", f"{stated:.2f} %", f"{difference:+.2f}")
            for name, measured, stated, difference in compared.rows()
        ]
        print_table(("against", "measured", "published", "difference"), rows)
        print("\n".join(compared.remarks))
    _print_unread(result.unread)
    print(f"report {page}")


def show_timelines(
    result: "TimelineEvaluation",
    out: Path,
    *,
    title: str,
    left_out: "Mapping[str, str]" = MappingProxyType({}),
    as_json: bool,
) -> None:
    """Write the page of an evaluation by timelines, ``report.html``, and print its numbers."""
    from zoopraxis.evaluation.timeline_page import write_timeline_report
    from zoopraxis.evaluation.timelines import OVERLAPS

    page = write_timeline_report(result, out / "report.html", title=title, left_out=left_out)
    summary = result.summary()
    if as_json:
        facts = {
            "trained": result.trained,
            **_without_nan(summary),
            "overlaps": OVERLAPS,
            "by_class": {label: values.tolist() for label, values in result.precision().items()},
            "unreadable": dict(result.unread),
            "quarantined": dict(left_out),
            "report": str(page),
        }
        print(json.dumps(facts, indent=1, allow_nan=False))
        return
    _print_measures(summary, {})
    _print_unread(result.unread)
    print(f"report {page}")


def _print_unread(unread: "Mapping[str, str]") -> None:
    if unread:
        print("unreadable, and counted as errors:")
        for name, problem in unread.items():
            print(f"  {problem}" if name in problem else f"  {name}: {problem}")


def _without_nan(values: dict[Any, Any]) -> dict[Any, Any]:
    """Replace what is not defined by None: JSON has no NaN."""
    return {key: None if math.isnan(value) else value for key, value in values.items()}


def _print_measures(summary: dict[str, Any], by_views: dict[int, float]) -> None:
    rows = [
        (name, str(value) if isinstance(value, int) else _percent(value))
        for name, value in summary.items()
    ]
    rows += [(f"with {count} views", _percent(value)) for count, value in by_views.items()]
    print_table(("measure", "value"), rows)


def _percent(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{100 * value:.2f} %"
