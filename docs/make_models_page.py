"""Write docs/models.md from the entries of the zoo: python docs/make_models_page.py."""

import re
import sys
from importlib import import_module
from pathlib import Path

from zoopraxis.models import FAMILIES, list_models, model_size, model_spec
from zoopraxis.spec import Weights
from zoopraxis.weights import find_weights, sources_of, weights_of

PAGE = Path(__file__).parent / "models.md"
HEAD = """# Models

{networks} networks of {families} families, most of them one paper each, and {checkpoints} published
checkpoints. `make docs` makes this page from the entries in `src/zoopraxis/models/` and the
checkpoints in `src/zoopraxis/weights/`. Parameters in millions; GMACs are billions of multiply-adds
of convolutions and matrix products for one clip of the input given; `order` says whether the order
of the frames changes the output; `sources` are the code bases whose checkpoints it loads.
Accuracies are the published ones of the checkpoint, in percent, with their protocol; they were not
measured here. `zoopraxis models 'r2*'`, `--family tsm`, `--sort macs` and `--weights` print parts
of this page, and `zoopraxis info NAME` prints an entry.

## Which network?

Some checkpoints for Kinetics-400, by the cost of one clip. A protocol of 10 clips x 3 crops costs
30 times as much, and accuracies of different protocols cannot be compared exactly.

{choice}

GMACs are not time: [speed](performance.md) has times measured on a CPU and a GPU, and
`zoopraxis profile NAME --latency` measures yours ([cost](profile.md)).

- **A CPU, or a small budget**: X3D. Of the networks for Kinetics that were timed on a CPU, `x3d_s`
  takes the least; OpenVINO and int8 make it less ([engines](engines.md)). `zoopraxis expand`
  searches the X3D of your own videos and budget ([expand](expand.md)).
- **A GPU**: 3D ResNets and R(2+1)D come nearest to what the device can do; X3D's depth-wise
  convolutions are slow there ([speed](performance.md#on-a-gpu)).
- **A camera**: a network that computes each frame once, such as `r3d_18`, `r2plus1d_18`, I3D, S3D
  or CSN ([streaming](streaming.md)).
- **Your own classes**: `zoopraxis train finetune` starts from `r2plus1d_18` trained on Kinetics-400
  ([training](training.md#fine-tuning)).
- **Actions that differ in direction**, such as opening and closing: a network whose order is `yes`.
  TSM and GSM are compared with TSN on such pairs ([order](order.md)).
- **Few videos**: optical flow ([two streams](two_stream.md)), or trajectories and an SVM
  ([trajectories](trajectories.md)).
- **People's joints** in place of pixels: ST-GCN and its successors, or PoseC3D
  ([skeletons](skeletons.md)).

## Families

{contents}
"""

CHOICE = (
    "x3d_s.k400",
    "x3d_m.k400",
    "tsm_mobilenetv2_8.k400_dense",
    "tsm_r50_8.k400",
    "tsm_r50_8.k400_dense",
    "r2plus1d_18.torchvision_k400",
    "slow_r50_8x8.k400",
    "slowfast_r50_8x8.k400",
    "x3d_l.k400",
    "tdn_r50_8.k400",
    "ir_csn_152.ig65m_ft_k400",
    "r2plus1d_34.ig65m_ft_k400_32f",
)


def page() -> str:
    """Text of the page."""
    names = list_models()
    head = HEAD.format(
        networks=len(names),
        families=len(FAMILIES),
        checkpoints=sum(len(weights_of(name)) for name in names),
        choice=_choice(),
        contents="\n".join(f"- [{_title(f)}](#{_anchor(_title(f))})" for f in FAMILIES),
    )
    return "\n".join([head, *(_family(family) for family in FAMILIES)])


def _choice() -> str:
    lines = []
    for name, tag in (reference.split(".") for reference in CHOICE):
        weights, size = find_weights(name, tag), model_size(name)
        cells = [
            f"`{name}.{tag}`",
            f"{size.params_m:.1f}",
            f"{size.gmacs:.1f}",
            f"{weights.top1:.1f}",
            f"{weights.dataset}; {weights.protocol or ''}",
            weights.licence,
        ]
        lines.append((size.gmacs, f"| {' | '.join(cells)} |"))
    head = ["| weights | M params | GMACs | top-1 | trained on; protocol | licence |"]
    return "\n".join([*head, "|---|---|---|---|---|---|", *(line for _, line in sorted(lines))])


def _title(family: str) -> str:
    return (import_module(f"zoopraxis.models.{family}").__doc__ or "").strip().splitlines()[0]


def _anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def _family(family: str) -> str:
    lines = (import_module(f"zoopraxis.models.{family}").__doc__ or "").strip().splitlines()
    names = list_models(family=family)
    citation = next((line for line in lines[2:] if line.strip()), "")
    table = ["| model | input | M params | GMACs | order | sources |", "|---|---|---|---|---|---|"]
    table += [_entry(name) for name in names]
    parts = [f"## {_title(family)}", "", f"{citation} — `models/{family}.py`", "", *table]
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
    first = f"mAP {weights.map:g}" if weights.map else _number(weights.top1)
    cells = [
        f"`{weights.name}`",
        weights.dataset,
        first,
        _number(weights.top5),
        str(weights.protocol or ""),
        weights.licence,
    ]
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
