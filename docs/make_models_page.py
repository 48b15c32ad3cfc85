"""Write docs/models.md from the rows of the zoo: python docs/make_models_page.py."""

import sys
from importlib import import_module
from pathlib import Path

from zoopraxis.models import FAMILIES
from zoopraxis.spec import ModelSpec

PAGE = Path(__file__).parent / "models.md"
HEAD = """# Models

Made from the rows in `src/zoopraxis/models/` by `make docs`. Parameters in millions; multiply-adds
of convolutions and matrix products in thousand millions, for one clip of the input given.
Accuracies are the published ones of the checkpoint, with their protocol; they were not measured
here.
"""


def page() -> str:
    """Text of the page."""
    return "\n".join([HEAD, *(_family(family) for family in FAMILIES)])


def _family(family: str) -> str:
    module = import_module(f"zoopraxis.models.{family}")
    lines = (module.__doc__ or "").strip().splitlines()
    rows = [row for row in module.SPECS if not row.name.startswith("test_")]
    citation = next((line for line in lines[2:] if line.strip()), "")
    table = ["| model | input | M params | G MACs | order | sources |", "|---|---|---|---|---|---|"]
    table += [_row(row) for row in rows]
    parts = [f"## {lines[0]}", "", f"{citation} — `models/{family}.py`", "", *table]
    published = [_weights(row) for row in rows if row.weights]
    if published:
        head = ["| weights | trained on | top-1 | top-5 | protocol | licence |"]
        parts += ["", *head, "|---|---|---|---|---|---|", *published]
    return "\n".join([*parts, ""])


def _row(row: ModelSpec) -> str:
    channels, frames, size, _ = row.clip.shape
    cells = [
        f"`{row.name}`",
        f"{channels} x {frames} x {size} x {size}",
        f"{row.params_m:.2f}",
        f"{row.macs_g:.2f}",
        "yes" if row.order_sensitive else "no",
        ", ".join(row.sources),
    ]
    return f"| {' | '.join(cells)} |"


def _weights(row: ModelSpec) -> str:
    lines = []
    for w in row.weights:
        top1, top5 = (f"{v:g}" if v is not None else "" for v in (w.top1, w.top5))
        cells = [f"`{row.name}.{w.tag}`", w.dataset, top1, top5, w.protocol, w.licence]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
