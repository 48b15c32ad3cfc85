"""One self-contained HTML page of a diagnosis: does time matter, for which classes, and how."""

import html
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from zoopraxis.evaluation.page import (
    COLOURS,
    figure_image,
    new_axes,
    plain_text,
    section,
    table,
    tiles,
    write_page,
)
from zoopraxis.evaluation.paired import Interval
from zoopraxis.evaluation.report import strip_figure
from zoopraxis.explain.diagnose import ROUNDING, Diagnosis, Flip, StaticBias

__all__ = ["draw_classes", "draw_plays", "write_diagnosis"]

_STRIPS = 6
_MOST_CLASSES = 60  # drawn: those that change most
_PLAYS = (
    "Bars are intervals of 95 %. Reversed, shuffled, frozen: the frames of each clip backwards, in "
    "random order, or its middle frame alone. Sub-sampled: frames left out, and the others held "
    "for as long. Sped up: the video played faster."
)
_CLASSES = "Change of each class's accuracy, in points, against clips played forwards."


def write_diagnosis(
    diagnosis: Diagnosis, path: str | Path, *, title: str = "Does time matter?"
) -> Path:
    """Write the page of a diagnosis.

    Parameters
    ----------
    diagnosis : Diagnosis
        Of `zoopraxis.explain.diagnose.diagnose`.
    path : path
        The page; it is self-contained.
    title : str
        Heading of the page.

    Returns
    -------
    Path
        The page.
    """
    parts = [_head(diagnosis, title)]
    parts.append(section("Accuracy", figure_image(draw_plays(diagnosis), _PLAYS)))
    parts.append(_plays_table(diagnosis))
    if len(diagnosis.effects) > 1:
        parts.append(section("Classes", figure_image(draw_classes(diagnosis), _CLASSES)))
    reverse = diagnosis.effects.get("reversed")
    if reverse is not None:
        flips = reverse.flips()
        shown = [_strip(diagnosis, flip) for flip in flips[:_STRIPS]]
        body = "".join(shown) + _flips_table(flips) if flips else "<p>No answer changes.</p>"
        parts.append(section("Classes that become others when reversed", body))
    if diagnosis.bias is not None:
        parts.append(section("Static bias of the data set", _bias(diagnosis.bias)))
    if diagnosis.forwards.unread:
        unread = table((), list(diagnosis.forwards.unread.items()))
        parts.append(section("Unreadable videos", f"<p>These count as errors.</p>{unread}"))
    return write_page(path, title, parts)


def _head(diagnosis: Diagnosis, title: str) -> str:
    run = diagnosis.forwards
    random = "" if run.trained else " with random weights: its numbers mean nothing"
    text = f"{html.escape(diagnosis.model)}{html.escape(random)}; videos: {len(run.names)}; clips "
    text += f"x crops of each: {run.views} x {run.crops}"
    shown = {}
    for name, effect in diagnosis.effects.items():
        shown[name] = f"{100 * effect.accuracy:.1f} %"
    body = f"<h1>{html.escape(title)}</h1><p class=sub>{text}</p>{tiles(shown)}"
    declared = {True: "to read the order of frames", False: "to ignore the order of frames"}
    if diagnosis.order_sensitive is not None:
        body += f"<p>The network is declared {declared[diagnosis.order_sensitive]}."
        for name in diagnosis.contradictions:
            body += f" <b>But {name} clips change its answers.</b>"
        body += "</p>"
    return body


def _plays_table(diagnosis: Diagnosis) -> str:
    within = diagnosis.within_pairs
    rows = []
    for name, effect in diagnosis.effects.items():
        row = [name, _percent(effect.accuracy, effect.interval)]
        if name == "forwards":
            row += [""] * 6
        else:
            pairs = effect.pairs
            row += [
                _percent(pairs.change, pairs.interval, sign="+"),
                str(pairs.second),
                str(pairs.first),
                f"{pairs.p_value:.2g}",
                _percent(effect.changed, effect.changed_interval),
                f"{effect.largest:.1e}",
            ]
        if within:
            row.append(f"{100 * within[name]:.1f}")
        rows.append(row)
    head = ["played", "top-1, %", "change, points", "gained", "lost", "McNemar p"]
    head += ["answers changed, %", "largest change of a score"]
    head += ["within pairs, %"] if within else []
    note = (
        "Gained and lost: videos that are correct only so, and only forwards. p: exact two-sided "
        f"McNemar test. A change of scores below {ROUNDING:g} is rounding, and changes no answer."
    )
    refused = "".join(f"<p>{html.escape(why)}.</p>" for why in diagnosis.refused.values())
    return f"{table(head, rows)}<p class=sub>{note}</p>{refused}"


def _percent(value: float, interval: Interval, *, sign: str = "") -> str:
    low, high = interval
    return f"{100 * value:{sign}.1f} ({100 * low:{sign}.1f} to {100 * high:{sign}.1f})"


def draw_plays(diagnosis: Diagnosis) -> Figure:
    """Draw the accuracy of each way of playing, with intervals of 95 %."""
    effects = diagnosis.effects
    figure, axes = new_axes(6, 0.7 + 0.4 * len(effects))
    values = np.array([effect.accuracy for effect in effects.values()])
    ends = np.array([effect.interval for effect in effects.values()])  # (n, 2)
    errors = 100 * abs(ends.T - values)  # (2, n): below, above
    colours = [COLOURS["calm"]] + [COLOURS["soft"]] * (len(effects) - 1)
    axes.barh(range(len(effects)), 100 * values, xerr=errors, color=colours, capsize=3)
    axes.set_yticks(range(len(effects)), list(effects))
    axes.invert_yaxis()
    axes.set(xlabel="top-1, %", xlim=(0, 100))
    return figure


def draw_classes(diagnosis: Diagnosis) -> Figure:
    """Draw the change of each class's accuracy, for each way of playing.

    Of many classes, the 60 that change most are drawn.
    """
    names = [name for name in diagnosis.effects if name != "forwards"]
    changes = [
        {c.label: 100 * c.pairs.change for c in diagnosis.effects[name].by_class()}
        for name in names
    ]
    values = np.array([list(map(change.get, changes[0])) for change in changes], float).T  # (K, n)
    chosen = np.sort(np.argsort(-abs(values).max(axis=1), kind="stable")[:_MOST_CLASSES])
    labels = [list(changes[0])[k] for k in chosen]
    figure = Figure(figsize=(2.4 + 0.9 * len(names), 1.2 + 0.28 * len(labels)))
    axes = figure.subplots()
    axes.imshow(values[chosen], cmap="RdBu", vmin=-100, vmax=100, aspect="auto")
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(labels)), [*map(plain_text, labels)])
    for (row, column), value in np.ndenumerate(values[chosen]):
        colour = "white" if abs(value) > 60 else COLOURS["ink"]
        axes.text(column, row, f"{value:+.0f}", ha="center", va="center", color=colour, fontsize=8)
    return figure


def _flips_table(flips: list[Flip]) -> str:
    rows = [
        (f.label, f.becomes, f"{f.count} of {f.videos}", "and the other way round" * f.mutual)
        for f in flips
    ]
    return table(("class", "reversed becomes", "videos", ""), rows)


def _strip(diagnosis: Diagnosis, flip: Flip) -> str:
    """Show the frames of a video backwards, with what it was and what it becomes."""
    name = html.escape(diagnosis.forwards.names[flip.example])
    caption = (
        f"{name}, reversed: <b>{html.escape(flip.label)}</b> becomes "
        f"<b>{html.escape(flip.becomes)}</b>"
    )
    return strip_figure(diagnosis.forwards.paths[flip.example], caption, backwards=True)


def _bias(bias: StaticBias) -> str:
    score = "undefined" if bias.score is None else f"{100 * bias.score:.0f} %"
    nats = bias.representation_bias
    shown = {
        f"{bias.static} (frames alone)": f"{100 * bias.static_accuracy:.1f} %",
        f"{bias.temporal}": f"{100 * bias.temporal_accuracy:.1f} %",
        "most frequent class": f"{100 * bias.chance:.1f} %",
        "static bias": score,
    }
    text = (
        "Static bias is the part of the temporal network's lead over the most frequent class that "
        "single frames give as well. The bias log(accuracy / chance), after RESOUND, of the static "
        f"network: {'undefined' if nats is None else f'{nats:.2f}'}. McNemar p = "
        f"{bias.pairs.p_value:.2g}."
    )
    rows = [(c.label, f"{100 * c.pairs.change:+.1f}", f"{c.p_value:.2g}") for c in bias.by_class]
    classes = table(("class", "gained by time, points", "p, adjusted for all classes"), rows)
    return f"{tiles(shown)}<p>{text}</p>{classes}"
