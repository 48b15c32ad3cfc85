"""One self-contained HTML page of an evaluation: numbers, curves, confusion, worst clips."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from zoopraxis.errors import VideoError
from zoopraxis.evaluation.page import (
    COLOURS,
    figure_image,
    image,
    new_axes,
    percent,
    plain_text,
    quarantined,
    section,
    table,
    tiles,
    write_page,
)
from zoopraxis.evaluation.published import Comparison
from zoopraxis.evaluation.result import Evaluation, are_probabilities
from zoopraxis.metrics import calibration
from zoopraxis.video import open_video

__all__ = ["Mistake", "film_strip", "strip_figure", "worst_clips", "write_report"]

_STRIP_FRAMES, _STRIP_HEIGHT = 8, 96


def write_report(
    evaluation: Evaluation,
    path: str | Path,
    *,
    title: str = "Evaluation",
    mode: str | None = None,
    pairs: Sequence[tuple[int, int]] = (),
    curves: Path | None = None,
    worst: int = 8,
    left_out: Mapping[str, str] = MappingProxyType({}),
    compared: Comparison | None = None,
) -> Path:
    """Write the report of an evaluation.

    Parameters
    ----------
    evaluation : Evaluation
        Of `zoopraxis.evaluation.evaluate.evaluate`.
    path : path
        The page; it is self-contained.
    title : str
        Heading of the page.
    mode : str, optional
        How views are aggregated (`zoopraxis.prediction.aggregate.MODES`).
    pairs : sequence of (int, int)
        Pairs of classes that are each other reversed; accuracy within them is shown.
    curves : Path, optional
        Image of the learning curves, included if it exists.
    worst : int, default=8
        Number of most confident mistakes to show as film strips.
    left_out : mapping of str to str, optional
        Videos that a quarantine has left out, and why.
    compared : Comparison, optional
        With the published accuracy of the model.

    Returns
    -------
    Path
        The page.
    """
    path = Path(path)
    parts = [_head(evaluation, title), _tiles(evaluation.summary(mode=mode, pairs=pairs))]
    if compared is not None:
        parts.append(section("Published accuracy", _comparison(compared)))
    if curves is not None and curves.is_file():
        drawn = image(curves.read_bytes(), "Loss and accuracy by epoch")
        parts.append(section("Training", drawn))
    parts.append(section("Views", figure_image(_draw_views(evaluation, mode), _VIEWS_CAPTION)))
    classes = _class_table(evaluation, mode)
    if evaluation.multi_label:
        parts.append(section("Classes", classes))
    else:
        chart = figure_image(_draw_classes(evaluation, mode), "")
        parts.append(section("Classes", chart + classes))
        parts.append(
            section(
                "Confusion", figure_image(_draw_confusion(evaluation, mode), _CONFUSION_CAPTION)
            )
        )
        if are_probabilities(evaluation.scores(mode=mode)):
            figure = figure_image(_draw_calibration(evaluation, mode), _CALIB_CAPTION)
            parts.append(section("Calibration", figure))
        mistakes = worst_clips(evaluation, mode=mode, count=worst)
        strips = "".join(_strip(mistake) for mistake in mistakes)
        parts.append(section("Most confident mistakes", strips or "<p>None.</p>"))
    if evaluation.unread:
        parts.append(section("Unreadable videos", _unread_table(evaluation)))
    parts += quarantined(left_out)
    return write_page(path, title, parts)


_VIEWS_CAPTION = "Accuracy against the number of clips a video is tested on."
_CONFUSION_CAPTION = (
    "Predicted class (column) of the videos of each true class (row). "
    "Colours are fractions of a row, numbers count videos."
)
_CALIB_CAPTION = (
    "Accuracy against confidence. On the diagonal, predictions made with 80 % confidence are "
    "correct 8 times in 10; below it the model is overconfident."
)


def _head(evaluation: Evaluation, title: str) -> str:
    views = f"{evaluation.views} x {evaluation.crops}"
    tested = f"videos: {len(evaluation.names)}; clips x crops of each: {views}"
    model = html.escape(evaluation.model)
    random = "" if evaluation.trained else " with random weights: its numbers mean nothing"
    return f"<h1>{html.escape(title)}</h1><p class=sub>{model}{random}; {tested}</p>"


_NAMES = {
    "top1": "top-1",
    "top5": "top-5",
    "mean_class": "mean class",
    "pairs": "within reversed pairs",
    "map": "mAP",
    "calibration_error": "calibration error",
    "unread": "unreadable",
}


def _comparison(compared: Comparison) -> str:
    """Measured beside published numbers, how the latter came about, and what to beware of."""
    rows = [
        (_NAMES[name], f"{measured:.2f} %", f"{stated:.2f} %", f"{difference:+.2f}")
        for name, measured, stated, difference in compared.rows()
    ]
    texts = [f"{compared.weights}: {compared.published_by}.", *compared.remarks]
    return table(("", "measured", "published", "difference"), rows) + "".join(
        f"<p>{html.escape(text)}</p>" for text in texts
    )


def _tiles(summary: dict[str, Any]) -> str:
    shown = {}
    for key, name in _NAMES.items():
        if key in summary:
            value = summary[key]
            shown[name] = f"{value}" if key == "unread" else f"{100 * value:.1f} %"
    return tiles(shown)


def _draw_views(evaluation: Evaluation, mode: str | None) -> Figure:
    figure, axes = new_axes(6, 2.6)
    values = evaluation.by_views(mode=mode)
    axes.plot(list(values), [100 * v for v in values.values()], "o-", color=COLOURS["calm"])
    axes.set(xlabel="clips", ylabel="mAP, %" if evaluation.multi_label else "top-1, %")
    axes.set_xticks(list(values))
    return figure


def _draw_classes(evaluation: Evaluation, mode: str | None) -> Figure:
    worst_first = sorted(evaluation.by_class(mode=mode).items(), key=lambda pair: pair[1])
    places = range(len(worst_first))
    figure, axes = new_axes(6, 0.6 + 0.24 * len(places))
    axes.barh(places, [100 * accuracy for _, accuracy in worst_first], color=COLOURS["calm"])
    axes.set_yticks(places, [plain_text(label) for label, _ in worst_first])
    axes.set(xlabel="accuracy, %", xlim=(0, 100))
    return figure


def _class_table(evaluation: Evaluation, mode: str | None) -> str:
    """Precision, recall, F1 and support of every class, the lowest F1 first."""
    lowest_first = sorted(
        evaluation.class_report(mode=mode).items(), key=lambda pair: pair[1]["f1"]
    )
    rows = [
        (label, *(percent(one[name]) for name in ("precision", "recall", "f1")), one["support"])
        for label, one in lowest_first
    ]
    if not rows:
        return "<p>Scores that are no probabilities predict no classes.</p>"
    return table(
        ("class", "precision", "recall", "F1", "videos"), [tuple(map(str, r)) for r in rows]
    )


def _draw_confusion(evaluation: Evaluation, mode: str | None) -> Figure:
    counts = evaluation.confusion(mode=mode)
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = min(12.0, 2.5 + 0.32 * len(counts))
    figure = Figure(figsize=(size, size))
    axes = figure.subplots()
    axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    named = len(counts) <= 60  # more names would be illegible
    ticks = range(len(counts)) if named else []
    labels = [*map(plain_text, evaluation.labels)] if named else []
    axes.set_xticks(ticks, labels, rotation=90)
    axes.set_yticks(ticks, labels)
    axes.set(xlabel="predicted", ylabel="true")
    if len(counts) <= 20:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if fractions[row, column] > 0.5 else COLOURS["ink"]
                axes.text(
                    column, row, str(count), ha="center", va="center", color=colour, fontsize=8
                )
    return figure


def _draw_calibration(evaluation: Evaluation, mode: str | None) -> Figure:
    result = calibration(evaluation.scores(mode=mode), evaluation.classes)
    figure, axes = new_axes(4, 3.6)
    middles = [(a + b) / 2 for a, b in pairwise(result.edges)]
    axes.bar(middles, result.accuracy, width=0.09, color=COLOURS["calm"])
    axes.plot([0, 1], [0, 1], "--", color=COLOURS["soft"])
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    return figure


@dataclass(frozen=True)
class Mistake:
    """A video whose predicted class is wrong."""

    name: str
    path: str
    true: str
    predicted: str
    confidence: float


def worst_clips(
    evaluation: Evaluation, *, mode: str | None = None, count: int = 8
) -> list[Mistake]:
    """List the mistakes made with the highest confidence, the most confident first."""
    scores = evaluation.scores(mode=mode)
    true = evaluation.classes
    read = ~np.isnan(scores).any(axis=1)
    predicted = np.where(read, np.nan_to_num(scores).argmax(axis=1), true)
    wrong = np.flatnonzero(predicted != true)
    order = np.argsort(-scores[wrong, predicted[wrong]], kind="stable")  # most confident first
    return [
        Mistake(
            name=evaluation.names[n],
            path=evaluation.paths[n],
            true=evaluation.labels[true[n]],
            predicted=evaluation.labels[predicted[n]],
            confidence=float(scores[n, predicted[n]]),
        )
        for n in wrong[order][:count]
    ]


def film_strip(
    path: str,
    *,
    frames: int = _STRIP_FRAMES,
    height: int = _STRIP_HEIGHT,
    backwards: bool = False,
) -> NDArray[np.uint8]:
    """Frames of a video evenly spaced, side by side, as an image (height, width, 3)."""
    with open_video(path) as video:
        places = np.linspace(0, video.num_frames - 1, frames).round().astype(np.int64)
        width = max(1, round(height * video.width / video.height))
        places = places[::-1] if backwards else places
        stills = video.frames_at(places, resize=(height, width))  # (n, 3, h, w)
    strip: NDArray[np.uint8] = np.concatenate(list(stills.permute(0, 2, 3, 1).numpy()), axis=1)
    return strip


def _strip(mistake: Mistake) -> str:
    value = mistake.confidence
    confidence = f"{100 * value:.0f} %" if 0 <= value <= 1 else f"{value:.2f}"
    caption = (
        f"{html.escape(mistake.name)}: <b>{html.escape(mistake.true)}</b> predicted as "
        f"<b>{html.escape(mistake.predicted)}</b> ({confidence})"
    )
    return strip_figure(mistake.path, caption)


def strip_figure(path: str, caption: str, *, backwards: bool = False) -> str:
    """Embed the film strip of a video, with HTML for its caption; or say why there is none."""
    try:
        strip = film_strip(path, backwards=backwards)
    except VideoError as error:  # moved since the evaluation
        return f"<figure><figcaption>{caption}; {html.escape(error.problem)}</figcaption></figure>"
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(strip, cv2.COLOR_RGB2BGR))
    return image(jpeg.tobytes(), caption, css="strip")


def _unread_table(evaluation: Evaluation) -> str:
    return f"<p>These count as errors.</p>{table((), list(evaluation.unread.items()))}"
