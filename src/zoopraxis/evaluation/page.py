"""Parts of a self-contained HTML page: sections, tables, and pictures as data URIs."""

import base64
import html
import io
import math
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
    "quarantined",
    "section",
    "side_by_side",
    "table",
    "tiles",
    "write_page",
]

COLOURS = {"ink": "#222831", "soft": "#8a94a3", "accent": "#e4572e", "calm": "#2e86ab"}
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222831; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #dde1e7; }
.sub, figcaption { color: #667080; } img { max-width: 100%; } figure { margin: 1.2rem 0; }
.tiles { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.5rem 0; }
.tile { background: #f3f5f8; border-radius: .6rem; padding: .8rem 1.2rem; min-width: 7rem; }
.tile b { display: block; font-size: 1.7rem; } .tile span { color: #667080; }
.strip img { border-radius: .4rem; width: 100%; image-rendering: auto; }
.row { display: flex; flex-wrap: wrap; gap: 1rem; } .row figure { margin: 0; }
.row img { height: 11rem; } .remedy { border-left: .25rem solid; padding-left: .8rem; }
.fail { color: #e4572e; } .warn { color: #b8860b; } summary { cursor: pointer; color: #667080; }
li, figcaption, td { overflow-wrap: anywhere; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem; text-align: left; }
"""


def write_page(path: str | Path, title: str, parts: Iterable[str]) -> Path:
    """Write a page of HTML parts; it needs no other file."""
    path = Path(path)
    page = f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
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
    """Make a table of plain text; an empty head is left out."""
    titles = "".join(f"<th>{html.escape(title)}</th>" for title in head)
    lines = [f"<tr>{titles}</tr>"] if head else []
    lines += [
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    ]
    return f"<table>{''.join(lines)}</table>"


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
