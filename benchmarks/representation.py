"""What the features of frozen networks are worth on a list: probes, shots and action similarity.

    python benchmarks/representation.py clips.csv runs/a r3d_18.k400 --group scene --out runs/rep

Networks are runs, files, or names of the zoo; a bare name has random weights, and is the floor.
Folds share no group. The results are in docs/representation.md.
"""

import argparse
from pathlib import Path

from zoopraxis.checkpoints.saved import open_model
from zoopraxis.data.samples import read_samples
from zoopraxis.evaluation.features import FeatureSet, FeatureSettings, extract_list
from zoopraxis.evaluation.probe import probe
from zoopraxis.evaluation.protocols import by_folds
from zoopraxis.evaluation.similarity import draw_pairs, measure_similarity
from zoopraxis.prediction.features import POOLED, PROB, stages

PROBES = ("svm", "logistic", "knn", "attentive")
SHOTS = (1, 5, None)


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", metavar="LIST")
    parser.add_argument("models", metavar="MODEL", nargs="+")
    parser.add_argument("--group", default="group")
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    samples = read_samples(options.data, group=options.group)
    sets: list[tuple[FeatureSet, FeatureSet, tuple[str, ...]]] = []
    for number, name in enumerate(options.models):
        net = open_model(name)
        two = stages(net.model, net.clip)[-2:]
        settings = FeatureSettings(layers=(*two, POOLED, PROB), clips=options.clips)
        vectors = extract_list(net, samples, options.out / str(number), settings=settings)
        settings = FeatureSettings(layers=two[-1:], clips=options.clips, keep="maps")
        maps = extract_list(net, samples, options.out / f"{number}-maps", settings=settings)
        sets.append((vectors, maps, two))
    print("| network | probe | " + " | ".join(f"{s or 'all'} shots" for s in SHOTS) + " | mAP |")
    print("|" + "---|" * (len(SHOTS) + 3))
    for found, maps, two in sets:
        rounds = by_folds(found, folds=options.folds)
        for kind in PROBES:
            features, layer = (maps, two[-1]) if kind == "attentive" else (found, POOLED)
            points = probe(features, rounds, layer=layer, kind=kind, shots=SHOTS).points
            cells = [
                f"{100 * p.top1:.1f} ({100 * (p.low or 0):.1f} to {100 * (p.high or 0):.1f})"
                for p in points
            ]
            row = [found.model, kind, *cells, f"{100 * points[-1].map:.1f}"]
            print("| " + " | ".join(row) + " |", flush=True)
    print("\n| network | layers | same or not | AUC |\n|---|---|---|---|")
    for found, _, two in sets:
        pairs = draw_pairs(found, count=600, folds=len(samples.labels) // 2)
        for layers in ((PROB,), (POOLED,), (PROB, POOLED, *two)):
            result = measure_similarity(found, pairs, layers=layers)
            print(
                f"| {found.model} | {', '.join(layers)} | {100 * result.accuracy:.1f} ± "
                f"{100 * result.error:.1f} | {100 * result.auc:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
