"""Draw docs/images/expand.png, and print the table of docs/expand.md.

zoopraxis data theatre theatre --clips-per-class 24 --performers 12
zoopraxis expand examples/expand_theatre.toml --start s=0.5,tau=54 --gmacs 0.0112
python docs/make_expand_picture.py runs/expand
"""

import sys
from pathlib import Path

from zoopraxis.training.expansion import AXES
from zoopraxis.training.expansion_picture import draw_expansion
from zoopraxis.training.ledger import read_ledger

if __name__ == "__main__":
    ledger = read_ledger(sys.argv[1])
    draw_expansion(ledger, Path(__file__).parent / "images" / "expand.png")
    print("| step | " + " | ".join(AXES) + " |")
    print("|---|" + "---|" * len(AXES))
    for number, step in enumerate(ledger.steps, 1):
        cells = []
        for axis, name in step.candidates.items():
            cell = f"{100 * ledger.networks[name].score:.1f}"
            cells.append(f"**{cell}**" if axis == step.axis else cell)
        print(f"| {number} | " + " | ".join(cells) + " |")
    for name in (next(iter(ledger.networks)), ledger.final):
        network = ledger.networks[name]
        print(f"{name}: {100 * network.score:.1f} %, {network.macs / 1e6:.1f} MMACs")
