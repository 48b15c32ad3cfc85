"""Draw docs/images/profile.png: published accuracy against multiply-adds of one clip.

python docs/make_profile_picture.py
"""

from pathlib import Path

from zoopraxis.evaluation.page import figure_png
from zoopraxis.explain.account import account
from zoopraxis.explain.costs_picture import draw_costs
from zoopraxis.files import write_atomically
from zoopraxis.weights import weights_of

NETWORKS = ("r3d_18", "mc3_18", "r2plus1d_18", "s3d", "x3d_s", "x3d_m", "ir_csn_152")
DATASET = "Kinetics-400"


def main() -> None:
    """Draw the checkpoints of one data set."""
    names = [
        f"{name}.{weights.tag}"
        for name in NETWORKS
        for weights in weights_of(name)
        if weights.dataset.endswith(DATASET)
    ]
    figure, _ = draw_costs([(name, account(name).macs / 1e9) for name in names])
    write_atomically(Path(__file__).parent / "images/profile.png", figure_png(figure))


if __name__ == "__main__":
    main()
