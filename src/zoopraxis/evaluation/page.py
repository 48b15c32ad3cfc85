"""Parts of a self-contained HTML page: sections, tables, and pictures as data URIs."""

import base64
import html
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from zoopraxis.files import write_atomically

__all__ = [
    "COLOURS",
    "details",
    "figure_image",
    "figure_png",
    "image",
    "new_axes",
    "percent",
    "plain_text",
    "quarantined",
    "section",
    "side_by_side",
    "table",
    "tiles",
    "write_page",
]

COLOURS = {"ink": "#222831", "soft": "#8a94a3", "accent": "#e4572e", "calm": "#2e86ab"}
_STYLE = """
:root { color-scheme: light dark; --ink: #222831; --paper: #fff; --soft: #5d6776; --line: #dde1e7;
        --tile: #f3f5f8; --fail: #c0392b; --warn: #8a6100; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7ec; --paper: #15181c; --soft: #9ba5b3; --line: #363c45; --tile: #22272e;
          --fail: #ff8a70; --warn: #e0b040; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 60rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { margin-bottom: 0; line-height: 1.2; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
.sub, figcaption, summary { color: var(--soft); } summary { cursor: pointer; }
img { max-width: 100%; border-radius: .4rem; } figure { margin: 1.2rem 0; }
.tiles { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.5rem 0; }
.tile { background: var(--tile); border-radius: .6rem; padding: .8rem 1.2rem; min-width: 6.5rem; }
.tile b { display: block; font-size: 1.5rem; line-height: 1.3; } .tile span { color: var(--soft); }
.strip img { width: 100%; }
.row { display: flex; flex-wrap: wrap; gap: 1rem; margin-top: 1.2rem; } .row figure { margin: 0; }
.row img { height: 11rem; }
.pair { border-left: .25rem solid var(--line); padding-left: .8rem; margin: 1.6rem 0; }
.pair figure { margin: .4rem 0; } .remedy { border-left: .25rem solid; padding-left: .8rem; }
.fail { color: var(--fail); } .warn { color: var(--warn); }
.table { overflow-x: auto; margin: 1rem 0; } table { border-collapse: collapse; }
td, th { padding: .2rem .6rem; text-align: left; vertical-align: top; }
th, td + td { overflow-wrap: break-word; } .numbers { font-size: .9rem; }
.numbers td:first-child { min-width: 6rem; }
.numbers th + th, .numbers td + td { text-align: right; }
.numbers td + td { white-space: nowrap; font-variant-numeric: tabular-nums; }
@media (max-width: 30rem) {
  td, th { padding: .2rem .3rem; } .numbers { font-size: .8rem; } .row img { height: auto; } }
"""
# Numbers, fractions and intervals: 12.5, 8.3 %, +0.0 (-9.2 to +9.2), 3.6e-04
_NUMBERS = re.compile(r"(?:[-+\d.,e%() ]|to)*|undefined")
_LONGEST = 40  # characters of a name in a picture


def write_page(path: str | Path, title: str, parts: Iterable[str]) -> Path:
    """Write a page of HTML parts; it needs no other file."""
    path = Path(path)
    page = "<!doctype html><html lang=en><meta charset=utf-8>"
    page += "<meta name=viewport content='width=device-width'>"
    page += f"<title>{html.escape(title)}</title>"
    page += f"<style>{_STYLE}</style><body>{''.join(parts)}</body></html>\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, page.encode())
    return path


def section(title: str, body: str) -> str:
    """Put a heading above HTML."""
    return f"<h2>{html.escape(title)}</h2>{body}"


def tiles(values: Mapping[str, str]) -> str:
    """Show values large, with their names below."""
    shown = "".join(
        f"<div class=tile><b>{html.escape(value)}</b><span>{html.escape(name)}</span></div>"
        for name, value in values.items()
    )
    return f"<div class=tiles>{shown}</div>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Make a table of plain text; an empty head is left out. A narrow window scrolls it."""
    rows = [*rows]
    titles = "".join(f"<th>{html.escape(title)}</th>" for title in head)
    lines = [f"<tr>{titles}</tr>"] if head else []
    lines += [
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    ]
    numbers = all(_NUMBERS.fullmatch(cell) for row in rows for cell in row[1:])
    of = " class=numbers" if numbers else ""
    return f"<div class=table><table{of}>{''.join(lines)}</table></div>"


def side_by_side(parts: Iterable[str]) -> str:
    """Put pictures beside each other, as many as there is room for."""
    return f"<div class=row>{''.join(parts)}</div>"


def details(summary: str, lines: Iterable[str]) -> str:
    """List lines of plain text that are shown on a click."""
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<details><summary>{html.escape(summary)}</summary><ul>{items}</ul></details>"


def image(data: bytes, caption: str, *, css: str = "") -> str:
    """Embed a PNG or JPEG file, with HTML for its caption."""
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    encoded = base64.b64encode(data).decode()
    of = f" class={css}" if css else ""
    return (
        f'<figure{of}><img src="data:image/{kind};base64,{encoded}" alt="">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def quarantined(left_out: Mapping[str, str]) -> list[str]:
    """Name the videos that a quarantine has left out, and why; nothing if there are none."""
    note = f"<p>{len(left_out)} videos of the list are left out, and count nowhere.</p>"
    return [section("Videos in quarantine", note + table((), left_out.items()))] if left_out else []


def figure_png(figure: Figure) -> bytes:
    """Draw a figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    return buffer.getvalue()


def figure_image(figure: Figure, caption: str) -> str:
    """Embed a figure, with HTML for its caption."""
    return image(figure_png(figure), caption)


def percent(value: float) -> str:
    """Show a fraction of 1."""
    return "undefined" if math.isnan(value) else f"{100 * value:.1f} %"


def new_axes(width: float, height: float) -> tuple[Figure, Any]:
    """Make a figure of a width and a height in inches, with axes at the left and below alone."""
    figure = Figure(figsize=(width, height))
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def plain_text(name: str) -> str:
    """Prepare a name of somebody's for a picture: shortened, and without formulas.

    Matplotlib takes what stands between two dollar signs for one, and fails where it is none.
    """
    short = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
    return short.replace("$", r"\$")
