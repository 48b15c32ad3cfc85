"""Write docs/models.md from the entries of the zoo: python docs/make_models_page.py."""

import sys
from importlib import import_module
from pathlib import Path

from zoopraxis.models import FAMILIES, list_models, model_size, model_spec
from zoopraxis.spec import Weights
from zoopraxis.weights import sources_of, weights_of

PAGE = Path(__file__).parent / "models.md"
HEAD = """# Models

Made from the entries in `src/zoopraxis/models/` and the checkpoints in `src/zoopraxis/weights/`
by `make docs`. Parameters in millions; GMACs are billions of multiply-adds of convolutions and
matrix products for one clip of the input given. Accuracies are the published ones of the
checkpoint, with their protocol; they were not measured here.
"""


def page() -> str:
    """Text of the page."""
    return "\n".join([HEAD, *(_family(family) for family in FAMILIES)])


def _family(family: str) -> str:
    lines = (import_module(f"zoopraxis.models.{family}").__doc__ or "").strip().splitlines()
    names = list_models(family=family)
    citation = next((line for line in lines[2:] if line.strip()), "")
    table = ["| model | input | M params | GMACs | order | sources |", "|---|---|---|---|---|---|"]
    table += [_entry(name) for name in names]
    parts = [f"## {lines[0]}", "", f"{citation} — `models/{family}.py`", "", *table]
    published = [_checkpoint(weights) for name in names for weights in weights_of(name)]
    if published:
        head = ["| weights | trained on | top-1 | top-5 | protocol | licence |"]
        parts += ["", *head, "|---|---|---|---|---|---|", *published]
    return "\n".join([*parts, ""])


def _entry(name: str) -> str:
    spec, size = model_spec(name), model_size(name)
    cells = [
        f"`{name}`",
        ", ".join(" x ".join(map(str, shape)) for shape in spec.clip.shapes),
        f"{size.params_m:.2f}",
        f"{size.gmacs:.2f}",
        "yes" if spec.order_sensitive else "no",
        ", ".join(sources_of(name)),
    ]
    return f"| {' | '.join(cells)} |"


def _checkpoint(weights: Weights) -> str:
    accuracies = (f"{v:g}" if v is not None else "" for v in (weights.top1, weights.top5))
    cells = [
        f"`{weights.model}.{weights.tag}`",
        weights.dataset,
        *accuracies,
        weights.protocol,
        weights.licence,
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
