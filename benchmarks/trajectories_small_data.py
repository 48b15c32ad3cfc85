"""Improved trajectories, Fisher vectors and SVMs on a small data set, fold by fold.

Networks that are trained from scratch need many videos; descriptors that were designed do not.
Folds and groups are those of `benchmarks/order_sensitivity.py`, so that accuracies compare.

    python benchmarks/trajectories_small_data.py DATA --group scene --out runs/trajectories

prints a Markdown table. What is finished is kept, and an interrupted run resumes.
"""

import argparse
import statistics
import sys
from dataclasses import replace
from pathlib import Path

from zoopraxis.data.samples import SampleList, read_samples
from zoopraxis.data.splits import k_fold_by_group
from zoopraxis.evaluation.trajectories import MODE, evaluate_trajectories
from zoopraxis.trajectories.settings import TrajectorySettings
from zoopraxis.trajectories.training import TrainingProtocol, train_classifier
from zoopraxis.trajectories.vectors import Part, parts_of


def main() -> None:
    """Extract, train and test each fold, and print the table."""
    options = parse()
    settings = TrajectorySettings(camera=options.camera)
    samples = extracted(read_samples(options.data, group=options.group), settings, options)
    protocol = TrainingProtocol(components=options.components, sample=options.sample)
    accuracies = []
    for fold, (training, held_out) in enumerate(k_fold_by_group(samples, folds=options.folds)):
        out = options.out / f"fold{fold}"
        classifier = train_classifier(training, out, protocol=protocol, progress=show)
        result = evaluate_trajectories(classifier, held_out, out / "val", progress=show)
        accuracies.append(result.summary(mode=MODE)["top1"])
        print(f"fold {fold}: {len(training)} videos, {100 * accuracies[-1]:.1f} %", file=sys.stderr)
    spread = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
    print(f"| {len(samples)} clips | accuracy |\n|---|---|")
    print(
        f"| iDT, FV of {protocol.components}, SVM "
        f"| {100 * statistics.mean(accuracies):.1f} ± {100 * spread:.1f} |"
    )


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="folder of classes, or a list")
    parser.add_argument("--group", default="group", help="column that the folds keep together")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--components", type=int, default=TrainingProtocol().components)
    parser.add_argument("--sample", type=int, default=TrainingProtocol().sample)
    parser.add_argument("--camera", default="homography", choices=("homography", "none"))
    parser.add_argument("--workers", type=int)
    parser.add_argument("--out", type=Path, default=Path("runs/trajectories"))
    return parser.parse_args()


def extracted(
    samples: SampleList, settings: TrajectorySettings, options: argparse.Namespace
) -> SampleList:
    """Extract all videos once, and name the files in their samples."""
    folder = options.out / "trajectories"
    parts, _ = parts_of(samples, folder, settings=settings, workers=options.workers, progress=show)
    named = []
    for sample, part in zip(samples, parts, strict=True):
        if not isinstance(part, Part):
            raise part
        named.append(replace(sample, trajectories=part.file))
    return replace(samples, samples=tuple(named))


def show(what: str, done: int, total: int) -> None:
    """Print the progress on one line."""
    print(f"\r{what} {done}/{total}  ", end="\n" if done == total else "", file=sys.stderr)


if __name__ == "__main__":
    main()
