"""One self-contained HTML page of an evaluation by timelines, and the picture of a timeline."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from matplotlib.figure import Figure

from zoopraxis.evaluation.page import (
    COLOURS,
    figure_image,
    new_axes,
    percent,
    plain_text,
    quarantined,
    section,
    table,
    tiles,
    write_page,
)
from zoopraxis.evaluation.segments import Truth
from zoopraxis.evaluation.timelines import OVERLAPS, TimelineEvaluation
from zoopraxis.prediction.timeline import Segment

__all__ = ["draw_timeline", "write_timeline_report"]

_DRAWN = 12  # videos
_CAPTION = "True segments (blue) above predicted ones (red, darker the higher their score)."


def draw_timeline(truth: Sequence[Truth], found: Sequence[Segment]) -> Figure:
    """Draw the true and predicted segments of a video, a row for each class."""
    labels = sorted({label for _, _, label in truth} | {one.label for one in found})
    row = {label: len(labels) - 1 - k for k, label in enumerate(labels)}
    figure, axes = new_axes(9, 0.9 + 0.32 * len(labels))
    for start, end, label in truth:
        axes.barh(row[label] + 0.2, end - start, 0.34, start, color=COLOURS["calm"])
    highest = max((abs(one.score) for one in found), default=1.0) or 1.0
    for one in found:
        shade = 0.3 + 0.7 * max(one.score / highest, 0)
        length = one.end - one.start
        axes.barh(
            row[one.label] - 0.2, length, 0.34, one.start, color=COLOURS["accent"], alpha=shade
        )
    axes.set_yticks(list(row.values()), [*map(plain_text, row)])
    axes.set(xlabel="seconds", ylim=(-0.6, len(labels) - 0.4))
    axes.set_xlim(left=0)
    return figure


def write_timeline_report(
    evaluation: TimelineEvaluation,
    path: str | Path,
    *,
    title: str = "Evaluation",
    left_out: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Write the report of an evaluation by timelines.

    Parameters
    ----------
    evaluation : TimelineEvaluation
        Of `zoopraxis.evaluation.timelines.evaluate_timelines`.
    path : path
        The page; it is self-contained.
    title : str
        Heading of the page.
    left_out : mapping of str to str, optional
        Videos that a quarantine has left out, and why.

    Returns
    -------
    Path
        The page.
    """
    summary = evaluation.summary()
    random = "" if evaluation.trained else " with random weights: its numbers mean nothing"
    counts = f"videos: {summary['videos']}; true segments: {summary['segments']}"
    parts = [
        f"<h1>{html.escape(title)}</h1><p class=sub>{html.escape(evaluation.model)}{random}; "
        f"{counts}; predicted: {summary['predicted']}</p>",
        tiles(
            {
                "mAP at 0.3 to 0.7": percent(summary["map"]),
                "frame accuracy": percent(summary["frame_accuracy"]),
                "edit score": percent(summary["edit"]),
                **{f"F1 at {k[3:]}": percent(v) for k, v in summary.items() if k[:3] == "f1@"},
            }
        ),
        section("Average precision", _precision_table(evaluation)),
        section("Timelines", _timelines(evaluation)),
    ]
    if evaluation.unread:
        note = "<p>Their segments count as missed; the measures of frames leave them out.</p>"
        unread = table((), list(evaluation.unread.items()))
        parts.append(section("Unreadable videos", note + unread))
    parts += quarantined(left_out)
    return write_page(path, title, parts)


def _precision_table(evaluation: TimelineEvaluation) -> str:
    """Average precision of each class by temporal intersection over union."""
    precision = evaluation.precision()
    rows = [*sorted(precision.items())]
    if precision:
        rows.append(("mean", np.mean(list(precision.values()), axis=0)))
    cells = [
        (label, *map(percent, values.tolist()), percent(float(values.mean())))
        for label, values in rows
    ]
    return table(("class", *(f"at {overlap:g}" for overlap in OVERLAPS), "mean"), cells)


def _timelines(evaluation: TimelineEvaluation) -> str:
    """Pictures of the first videos."""
    drawn = "".join(
        figure_image(
            draw_timeline(evaluation.truth[name], evaluation.found[name]), html.escape(name)
        )
        for name in list(evaluation.times)[:_DRAWN]
    )
    return f"<p class=sub>{_CAPTION}</p>{drawn}"
