"""Draw docs/images/diagnose.png and compare.png, and print the table of docs/diagnose.md.

zoopraxis data theatre theatre --clips-per-class 50
python benchmarks/order_sensitivity.py theatre --folds 3 --change train.epochs=64 --out runs/order
python docs/make_diagnose_pictures.py runs/order
"""

import io
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from zoopraxis.checkpoints.saved import open_model
from zoopraxis.data.samples import read_samples
from zoopraxis.evaluation.compare import compare, draw_comparison
from zoopraxis.evaluation.page import figure_png
from zoopraxis.explain.diagnose import Diagnosis, diagnose
from zoopraxis.explain.diagnosis_page import draw_classes, draw_plays

NETWORKS = ("tsn_small", "tsm_small", "gsm_small")
PAIRS = [
    *(("sit_down", "stand_up"), ("pick_up", "put_down")),
    *(("open_door", "close_door"), ("push", "pull")),
]
IMAGES = Path(__file__).parent / "images"


def main() -> None:
    """Diagnose the networks of the first fold, on the performers held out from their training."""
    folder = Path(sys.argv[1])
    found = {}
    for name in NETWORKS:
        run = folder / f"{name}_fold0_seed0"
        net = open_model(run / "final.safetensors")
        samples = read_samples(f"{run}_val.csv", labels=net.labels)
        found[name] = diagnose(net, samples, pairs=PAIRS, keep=run / "diagnosis")
        print_rows(name, found[name])
    last = found[NETWORKS[-1]]
    bars, classes = array_of(draw_plays(last)), array_of(draw_classes(last))
    height = max(len(bars), len(classes))
    padded = [
        np.pad(part, ((0, height - len(part)), (0, 20), (0, 0)), constant_values=255)
        for part in (bars, classes)
    ]
    save(np.concatenate(padded, axis=1), "diagnose.png")
    forwards = [diagnosis.forwards for diagnosis in found.values()]
    save(array_of(draw_comparison(compare(forwards, names=NETWORKS))), "compare.png")


def print_rows(name: str, diagnosis: Diagnosis) -> None:
    """Print the lines of the table that are of one network."""
    for play, effect in diagnosis.effects.items():
        low, high = effect.pairs.interval
        cells = [
            f"`{name}`, {play}",
            f"{100 * effect.accuracy:.1f}",
            f"{100 * effect.pairs.change:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})",
            f"{effect.pairs.p_value:.1g}",
            f"{100 * effect.changed:.1f}",
            f"{100 * diagnosis.within_pairs[play]:.1f}",
        ]
        print(f"| {' | '.join(cells)} |")


def array_of(figure: Figure) -> np.ndarray:
    """Draw a figure as an image (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(figure_png(figure))).convert("RGB"))


def save(picture: np.ndarray, name: str) -> None:
    """Write a picture with few colours, which is small."""
    Image.fromarray(picture).quantize(64).save(IMAGES / name, optimize=True)


if __name__ == "__main__":
    main()
