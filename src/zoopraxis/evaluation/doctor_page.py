"""One self-contained HTML page of what is wrong with a collection of videos, with their frames."""

import html
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from matplotlib.figure import Figure

from zoopraxis.data.doctor import EpochCost
from zoopraxis.data.examine import Examined
from zoopraxis.data.finding import Finding
from zoopraxis.evaluation.page import (
    COLOURS,
    details,
    figure_image,
    new_axes,
    section,
    side_by_side,
    table,
    tiles,
    write_page,
)
from zoopraxis.evaluation.report import strip_figure
from zoopraxis.workers import Lost, num_cores, run_isolated

__all__ = ["draw_collection", "write_doctor_page"]

_SHOWN = 6  # videos, or pairs of them, of a finding whose frames are shown
_LISTED = 12  # lines of a finding that are not folded away
_BARS = 10  # values drawn: the most frequent ones
_SECONDS = 60.0  # time limit of the frames of a video


def write_doctor_page(
    path: str | Path,
    examined: Sequence[Examined],
    findings: Sequence[Finding],
    *,
    cost: EpochCost,
    classes: Mapping[str, int] | None = None,
    title: str = "Videos",
    remedy: str = "",
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the page of an examination: counts, histograms, and each finding with its remedy.

    Frames are read in processes of their own, of readable videos alone.

    Parameters
    ----------
    path : path
        The page; it is self-contained.
    examined : sequence of Examined
        The videos.
    findings : sequence of Finding
        Of `zoopraxis.data.doctor.diagnose`, the most serious first.
    cost : EpochCost
        Of `zoopraxis.data.doctor.epoch_cost`.
    classes : mapping of str to int, optional
        Number of samples of each class.
    title : str
        Heading of the page.
    remedy : str
        The command that makes decoding faster, shown where it is worth it.
    workers : int, optional
        Number of processes; one per core by default.
    progress : callable, optional
        Called with the number of videos whose frames are shown, and of all.

    Returns
    -------
    Path
        The page.
    """
    shown = list(dict.fromkeys(p for one in findings for v in one.videos[:_SHOWN] for p in v))
    jobs = [partial(strip_figure, name, html.escape(name)) for name in shown]
    strips: dict[str, str] = {}
    for number, strip in run_isolated(jobs, workers=workers or num_cores(), seconds=_SECONDS):
        name = html.escape(shown[number])
        lost = (
            f"<p>{name}: reading its frames {strip.reason}</p>" if isinstance(strip, Lost) else ""
        )
        strips[shown[number]] = lost or str(strip)
        if progress is not None:
            progress(len(strips), len(shown))
    drawn = (figure_image(figure, "") for figure in draw_collection(examined, classes))
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        _summary(examined, findings, cost, classes, remedy),
        section("What is there", _sizes(examined) + side_by_side(drawn)),
        *(_finding(one, strips) for one in findings),
    ]
    return write_page(path, title, parts)


def _summary(
    examined: Sequence[Examined],
    findings: Sequence[Finding],
    cost: EpochCost,
    classes: Mapping[str, int] | None,
    remedy: str,
) -> str:
    """Counts, and what to do about slow decoding."""
    values = {
        "videos": str(len(examined)),
        "unreadable": str(sum(bool(one.problem) for one in examined)),
        **_in_units(sum(one.duration for one in examined), {"hours": 3600, "minutes": 60}),
        **_in_units(sum(one.bytes for one in examined), {"GB": 1e9, "MB": 1e6}),
    }
    values |= {"classes": str(len(classes))} if classes else {}
    now, then = cost.told()
    values["to decode an epoch"] = now
    lines = "".join(
        f"<tr><td><b class={one.status}>{one.status}</b><td>{len(one.where)}"
        f"<td><a href='#{_anchor(one)}'>{html.escape(one.title)}</a></tr>"
        for one in findings
    )
    body = tiles(values)
    body += (
        f"<div class=table><table>{lines}</table></div>"
        if lines
        else "<p>Nothing is wrong with them.</p>"
    )
    if cost.worth_resizing:
        body += (
            f"<p class=remedy>Decoding would take about {then} after "
            f"<code>{html.escape(remedy)}</code>.</p>"
        )
    return body


def _in_units(value: float, units: Mapping[str, float]) -> dict[str, str]:
    """Show a value in the first unit, the largest, of which it has a tenth or more; or the last."""
    fit = (name for name, size in units.items() if value >= size / 10)
    name = next(fit, [*units][-1])
    return {name: _told(value / units[name])}


def _sizes(examined: Sequence[Examined]) -> str:
    """Tabulate how large and how long the readable videos are."""
    sound = [one for one in examined if not one.problem]
    if not sound:
        return ""
    columns = {
        "MB": [one.bytes / 1e6 for one in sound],
        "seconds": [one.duration for one in sound],
        "frames": [float(one.frames) for one in sound],
    }
    rows = [
        (name, *map(_told, (min(of), median(of), max(of), sum(of)))) for name, of in columns.items()
    ]
    return table(("of a video", "smallest", "median", "largest", "of all"), rows)


def _told(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _finding(one: Finding, strips: Mapping[str, str]) -> str:
    """Show a finding: its remedy, the frames of its first videos, and all its lines."""
    body = f"<h2 id={_anchor(one)}>{len(one.where)} {html.escape(one.title)}</h2>"
    body += f"<p class='remedy {one.status}'>{html.escape(one.advice)}</p>"
    shown = one.videos[:_SHOWN]
    for line, videos in zip(one.where[: len(shown)], shown, strict=True):
        told = "" if line in videos or len(videos) > 1 else f"<p>{html.escape(line)}</p>"
        frames = "".join(strips[video] for video in videos)
        body += f"<div class=pair>{frames}</div>" if len(videos) > 1 else told + frames
    if one.videos and len(one.where) <= _SHOWN:
        return body
    few = not one.videos and len(one.where) <= _LISTED
    if few:
        return (
            body + "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in one.where) + "</ul>"
        )
    return body + details(f"all {len(one.where)}", one.where)


def _anchor(one: Finding) -> str:
    return one.title.replace(" ", "-")


def draw_collection(
    examined: Sequence[Examined], classes: Mapping[str, int] | None = None
) -> list[Figure]:
    """Draw lengths, sizes, frame rates and codecs of the readable videos, and sizes of classes."""
    sound = [one for one in examined if not one.problem]
    figures = []
    if sound:
        figure, axes = new_axes(3.6, 2.4)
        axes.hist([one.duration for one in sound], bins=20, color=COLOURS["calm"])
        axes.set(xlabel="seconds", ylabel="videos", title="length")
        figures = [
            figure,
            _bars("size", Counter(f"{one.width} x {one.height}" for one in sound)),
            _bars("frames per second", Counter(f"{one.fps:.3g}" for one in sound)),
            _bars("codec", Counter(one.codec for one in sound)),
        ]
    if classes:
        figure, axes = new_axes(3.6, 2.4)
        sizes = sorted(classes.values(), reverse=True)
        axes.bar(range(len(sizes)), sizes, width=0.9, color=COLOURS["calm"])
        axes.set(xlabel="by their size", ylabel="videos", title="classes", xticks=[])
        figures.append(figure)
    return figures


def _bars(title: str, counts: Counter[str]) -> Figure:
    """Draw the most frequent values, the most frequent one on top, and all others together."""
    shown = counts.most_common(_BARS)
    others = counts.total() - sum(count for _, count in shown)
    shown += [("others", others)] if others else []
    figure, axes = new_axes(3.6, max(2.4, 0.8 + 0.22 * len(shown)))
    axes.barh(range(len(shown)), [count for _, count in shown], color=COLOURS["calm"])
    axes.set_yticks(range(len(shown)), [value for value, _ in shown])
    axes.invert_yaxis()
    axes.set(xlabel="videos", title=title)
    return figure
