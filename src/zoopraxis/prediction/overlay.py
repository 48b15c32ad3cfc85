"""A video with the predictions drawn onto it: labels, scores and a time line."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from zoopraxis.prediction.aggregate import Prediction
from zoopraxis.prediction.timeline import Timeline
from zoopraxis.video import Video, open_video, write_video

__all__ = ["COLOURS", "Picture", "draw", "enlarged", "write_overlay"]

Rows = tuple[tuple[str, float], ...]  # labels and scores
Spans = tuple[tuple[float, float, str], ...]  # start and end, 0 to 1, of a label
Picture = NDArray[np.uint8]

ROWS = 3  # labels shown of a prediction
INK = (255, 255, 255, 255)
SHADE = (12, 14, 18, 205)
BAR = (46, 50, 58, 215)
COLOURS = (
    (86, 180, 233),  # Okabe and Ito: told apart by nearly every eye
    (230, 159, 0),
    (0, 190, 140),
    (240, 228, 66),
    (213, 94, 0),
    (204, 121, 167),
    (90, 130, 230),
)


def write_overlay(
    video: Any,
    out: str | Path,
    result: Prediction | Timeline,
    *,
    width: int = 480,
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Write an H.264 video whose frames show what was predicted for their time.

    Parameters
    ----------
    video
        The video, as for `zoopraxis.video.open_video`.
    out : path
        The ``.mp4`` to write; it appears when it is complete.
    result : Prediction or Timeline
        The predicted labels of the whole video, or of each moment.
    width : int, default=480
        Videos narrower than this are enlarged, so that text is legible.
    progress : callable, optional
        Called with the fraction done after every frame.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    VideoError
        The video cannot be read, or ``out`` cannot be written.
    """
    with open_video(video) as opened:
        spans = _spans(result, opened.duration)
        drawn = (
            (time, draw(picture, rows_at(result, time), spans, now=time / opened.duration))
            for time, picture in enlarged(opened, width=width, progress=progress)
        )
        return write_video(Path(out), drawn, fps=opened.fps)


def enlarged(
    video: Video, *, width: int, progress: Callable[[float], None] | None
) -> Iterator[tuple[float, Picture]]:
    """Yield the time and the picture of every frame, for something to be drawn onto it.

    Parameters
    ----------
    video : Video
        The frames.
    width : int
        Pictures are at least so wide, and of even sides, as the codec needs them.
    progress : callable or None
        Called with the fraction done after every frame.
    """
    size = _even(video.width, video.height, width)
    times = video.timestamps.tolist()
    for number, (frame, time) in enumerate(zip(video, times, strict=True), start=1):
        pixels = frame.movedim(0, -1).numpy()  # (H, W, 3)
        yield time, np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC), np.uint8)
        if progress:
            progress(number / len(times))


def rows_at(result: Prediction | Timeline, time: float) -> Rows:
    """Labels and scores to show at a time in seconds."""
    if isinstance(result, Timeline):
        segment = result.at(time)
        return ((segment.label, segment.score),) if segment else ()
    return tuple(zip(result.labels, result.scores, strict=True))[:ROWS]


def _spans(result: Prediction | Timeline, duration: float) -> Spans:
    """Parts of the strip of time: the actions of a timeline, nothing for a prediction."""
    if isinstance(result, Prediction):
        return ()
    return tuple((s.start / duration, s.end / duration, s.label) for s in result.segments)


def _even(width: int, height: int, least: int) -> tuple[int, int]:
    """Width and height, enlarged to ``least``, and even, as the codec needs them."""
    scale = max(1.0, least / width)
    return 2 * round(width * scale / 2), 2 * round(height * scale / 2)


def draw(picture: Picture, rows: Rows, spans: Spans = (), *, now: float = 0.0) -> Picture:
    """Lay a panel with labels, scores and the strip of time over a picture.

    Parameters
    ----------
    picture : uint8 ndarray of shape (H, W, 3)
        RGB; it is not changed.
    rows : sequence of (str, float)
        Labels and scores, the best first; their bars are as long as the scores.
    spans : sequence of (float, float, str)
        Parts of the strip in [0, 1], coloured by label.
    now : float, default=0
        How much of the strip has passed, in [0, 1].

    Returns
    -------
    uint8 ndarray of shape (H, W, 3)
    """
    height, width = picture.shape[:2]
    panel, strip = _panel(rows, spans, (width, height))
    out = picture.copy()
    foot = out[-len(panel) :]
    opacity = panel[..., 3:].astype(np.float32) / 255
    foot[:] = np.rint(foot * (1 - opacity) + panel[..., :3] * opacity).astype(np.uint8)
    x = round(min(max(now, 0.0), 1.0) * (width - 1))
    if spans:
        out[-strip:, max(x - 1, 0) : x + 2] = 255  # the play head
    else:
        out[-strip:, : x + 1] = COLOURS[0]
    return out


@lru_cache(maxsize=256)
def _panel(rows: Rows, spans: Spans, size: tuple[int, int]) -> tuple[NDArray[np.uint8], int]:
    """Draw the panel, RGBA (h, W, 4), and say how many pixels of its foot the strip takes."""
    width, height = size
    text = max(15, min(width, height) // 22)  # pixels
    line, strip, edge = round(text * 1.75), max(6, text // 2), text // 2
    tall = min(height, line * len(rows) + edge + strip + edge // 2)
    panel = Image.new("RGBA", (width, tall), SHADE)
    canvas = ImageDraw.Draw(panel)
    font = _font(text)
    colours = _colours(spans) if spans else {}
    longest = max([1.0, *(abs(score) for _, score in rows)])
    for i, (label, score) in enumerate(rows):
        top = edge // 2 + i * line
        colour = colours.get(label, COLOURS[0] if i == 0 else (150, 158, 170))
        full = width - 2 * edge
        box = (edge, top, edge + full, top + line - 4)
        canvas.rounded_rectangle(box, radius=4, fill=BAR)
        reach = edge + round(full * max(score, 0.0) / longest)
        filled = (*box[:2], max(reach, edge + 3), box[3])
        canvas.rounded_rectangle(filled, radius=4, fill=(*_dark(colour), 240))
        middle = (box[1] + box[3]) // 2
        figure = f"{score:.0%}" if longest == 1.0 else f"{score:.2f}"
        room = full - 2 * edge - font.getlength(figure) - edge
        canvas.text((2 * edge, middle), _fit(label, font, room), INK, font, anchor="lm")
        canvas.text((width - 2 * edge, middle), figure, INK, font, anchor="rm")
    canvas.rectangle((0, tall - strip, width, tall), fill=(60, 64, 72, 255))
    for start, end, label in spans:
        box = (round(start * width), tall - strip, round(end * width) - 1, tall)
        if box[2] >= box[0]:
            canvas.rectangle(box, fill=(*colours[label], 255))
    return np.asarray(panel), strip


def _dark(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Shade of a colour on which white text can be read."""
    red, green, blue = (round(0.62 * part) for part in colour)
    return red, green, blue


def _colours(spans: Spans) -> dict[str, tuple[int, int, int]]:
    """Colour of each label, in order of appearance."""
    labels = dict.fromkeys(label for _, _, label in spans)
    return {label: COLOURS[n % len(COLOURS)] for n, label in enumerate(labels)}


def _fit(label: str, font: ImageFont.FreeTypeFont, room: float) -> str:
    """Shorten a label that is longer than the room for it."""
    if font.getlength(label) <= room:
        return label
    while label and font.getlength(f"{label}…") > room:
        label = label[:-1]
    return f"{label.rstrip()}…"


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib and knows more than ASCII."""
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)
