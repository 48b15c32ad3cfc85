"""Draw docs/images/representation_*.png: probes, dimensions and a map of the theatre's clips.

python docs/make_representation_pictures.py FEATURES RANDOM

FEATURES and RANDOM are what `zoopraxis features` extracted with a trained network and
with one of random weights, as docs/representation.md does.
"""

import sys
from pathlib import Path

from PIL import Image

from zoopraxis.evaluation.curves import dimension_curve, draw_dimensions, draw_map, draw_shots
from zoopraxis.evaluation.features import open_features
from zoopraxis.evaluation.probe import probe
from zoopraxis.evaluation.protocols import by_folds

IMAGES = Path(__file__).parent / "images"


def main(*folders: str) -> None:
    """Draw the three."""
    sets = [open_features(folder) for folder in folders]
    rounds = by_folds(sets[0], folds=4)
    results = [probe(one, rounds, layer="pooled", shots=(1, 2, 5, None)) for one in sets]
    draw_shots(results, IMAGES / "representation_shots.png")
    curves = [
        dimension_curve(one, rounds, layer=layer, dims=(2, 5, 10, 20, 50, 100))
        for one in sets
        for layer in ("pooled", "layer3")
    ]
    draw_dimensions(curves, IMAGES / "representation_dimensions.png")
    path = draw_map(sets[0], IMAGES / "representation_map.png", layer="pooled")
    picture = Image.open(path).convert("P", palette=Image.Palette.ADAPTIVE, colors=128)
    picture.save(path, optimize=True)  # a fifth of the bytes


if __name__ == "__main__":
    main(*sys.argv[1:])
