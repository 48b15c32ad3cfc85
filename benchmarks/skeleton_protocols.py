"""Published protocols of small sets of skeletons, with a small ST-GCN.

    python benchmarks/skeleton_protocols.py msr_action3d ROOT --seeds 3 --out runs/msr

ROOT is the folder of the data set as ``zoopraxis skeletons convert`` takes it. A run that was
stopped resumes. ``--hold s01 s05`` tests on these training subjects instead, and trains on the
others: choices were made so, with ``--set section.key=value`` for the recipe. Prediction, written
before the first run on test subjects: 85 % on MSR Action3D, 88 % on UTD-MHAD. ``--streams`` trains
a network for each stream instead of one for joints, bones and motion, and averages their scores.
The results are in docs/skeletons.md.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np

from zoopraxis.checkpoints.saved import open_model
from zoopraxis.data.samples import read_samples
from zoopraxis.data.sets.convert import convert_skeletons
from zoopraxis.evaluation.evaluate import evaluate
from zoopraxis.prediction.fusion import average_scores
from zoopraxis.training.logs import Silent
from zoopraxis.training.loop import train
from zoopraxis.training.recipe import read_recipe

MODELS = {
    "msr_action3d": "stgcn_small_msr",
    "utd_mhad": "stgcn_small_kinect",
    "jhmdb_pose": "stgcn_small_jhmdb",
}
VIEWS = 3


def main() -> None:
    """Print accuracies for each seed and split, and their mean."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=MODELS)
    parser.add_argument("root", metavar="ROOT")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--streams", nargs="+", default=[])
    parser.add_argument("--hold", nargs="+", default=[], metavar="SUBJECT")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", dest="changes")
    options = parser.parse_args()
    data = options.out / "data"
    convert_skeletons(options.name, options.root, data, workers=1)
    began = time.process_time()
    rows = []
    for train_list in sorted(data.glob("*_train.csv")):
        test_list = data / train_list.name.replace("_train", "_test")
        if options.hold:
            train_list, test_list = _held_out(train_list, options.hold)
        for seed in range(options.seeds):
            folder = options.out / f"{train_list.stem}_seed{seed}"
            accuracies = _fused(options, train_list, test_list, folder, seed=seed)
            rows.append(accuracies)
            line = "  ".join(f"{stream} {value:.1f}" for stream, value in accuracies.items())
            print(f"{train_list.stem} seed {seed}: {line}", flush=True)
    print("| input | accuracy |")
    print("|---|---|")
    for stream in rows[0]:
        values = np.array([row[stream] for row in rows])
        print(f"| {stream} | {values.mean():.1f} ± {values.std():.1f} |")
    print(f"{(time.process_time() - began) / 60:.1f} minutes of processor time", flush=True)


def _held_out(train_list: Path, subjects: list[str]) -> tuple[Path, Path]:
    """Write lists of the training subjects without some, and of these."""
    with train_list.open(newline="") as file:
        header, *lines = csv.reader(file)
    group = header.index("group")
    held = [line for line in lines if line[group] in subjects]
    kept = [line for line in lines if line[group] not in subjects]
    places = []
    for name, part in (("kept", kept), ("held", held)):
        place = train_list.with_name(f"{name}_{'_'.join(subjects)}.csv")
        with place.open("w", newline="") as file:
            csv.writer(file).writerows([header, *part])
        places.append(place)
    return places[0], places[1]


def _fused(
    options: argparse.Namespace, train_list: Path, test_list: Path, folder: Path, *, seed: int
) -> dict[str, float]:
    """Train and test one network, or one for each stream: accuracies in percent."""
    scores, accuracies = [], {}
    for stream in options.streams or ["all streams"]:
        changes = [
            f"data.train={train_list}",
            f"model.name={MODELS[options.name]}",
            f"train.seed={seed}",
            *(
                [f'clip.streams=["{stream}"]', "model.args.in_channels=3"]
                if options.streams
                else []
            ),
            *options.changes,
        ]
        run = folder / stream.replace(" ", "_")
        result = train(read_recipe("stgcn_small", changes), run, resume=True, watcher=Silent())
        net = open_model(result.final)
        samples = read_samples(test_list, labels=net.labels)
        found = evaluate(net, samples, views=VIEWS, keep=run)
        truth = np.array(found.truth)
        stream_scores = found.scores()  # (N, K)
        scores.append(stream_scores)
        accuracies[stream] = 100 * float((stream_scores.argmax(axis=1) == truth).mean())
    if options.streams:
        fused = average_scores(scores)
        accuracies["fused"] = 100 * float((fused.argmax(axis=1) == truth).mean())
    return accuracies


if __name__ == "__main__":
    main()
