"""Which optical flow does a two-stream network need? Accuracy with each method, fold by fold.

The same small network learns from RGB frames and from the flow of each method (TV-L1, DIS,
Farneback), and the scores of RGB and one flow are averaged, as Simonyan and Zisserman (2014) do.

    python benchmarks/flow_for_two_stream.py DATA --folds 3 --seeds 3 --out runs/two_stream

extracts the flow of every video once for each method, trains every stream on every fold and seed,
and prints a Markdown table. ``--trajectories`` adds a stream without a network: improved
trajectories, Fisher vectors and SVMs; ``--networks i3d_inception i3d_inception_flow`` takes other
networks. A fifth of the groups of the training videos is held out from
training, and the weights of the fusion are chosen on them; the test fold is seen once. Finished
trainings are kept, and an interrupted run resumes: one with more seeds adds to it.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from trajectories_small_data import extracted, show
from zoopraxis.checkpoints.saved import open_model
from zoopraxis.data.samples import SampleList, read_samples
from zoopraxis.data.splits import k_fold_by_group, split_by_group
from zoopraxis.data.write import write_samples
from zoopraxis.evaluation.evaluate import evaluate
from zoopraxis.evaluation.result import Evaluation
from zoopraxis.evaluation.trajectories import evaluate_trajectories
from zoopraxis.flow import flow_method
from zoopraxis.flow.extract import extract_flow
from zoopraxis.metrics import Labels, Scores, pair_accuracy, top_k_accuracy
from zoopraxis.prediction.fusion import average_scores, choose_weights
from zoopraxis.training.loop import train
from zoopraxis.training.recipe import Recipe, read_recipe, recipe_path
from zoopraxis.trajectories.settings import TrajectorySettings
from zoopraxis.trajectories.training import train_classifier

RECIPE = recipe_path("theatre_r2plus1d")
SHORT = 120  # pixels of the shorter side at which flow is computed
BOUND = 20 * SHORT / 256  # pixels; the papers clip at 20 of frames 256 high
TRAJECTORIES = "trajectories"
COLUMNS = ("accuracy", "within pairs", "weight of all but RGB")


def main() -> None:
    """Extract, train, test, fuse, and print the table."""
    options = parse()
    samples = read_samples(options.data, group=options.group)
    split = (pair.split(":") for pair in options.pairs.split(",") if pair)
    pairs = [(samples.labels.index(a), samples.labels.index(b)) for a, b in split]
    streams = {"rgb": samples}
    for method in options.methods:
        streams[method] = with_flow(samples, method, options)
    if options.trajectories:
        streams[TRAJECTORIES] = extracted(samples, TrajectorySettings(), options)
    table: dict[str, list[list[float]]] = {}
    for fold in options.only or range(options.folds):
        for seed in range(options.seeds):
            results = {
                stream: tested(stream, streams[stream], fold, seed, options) for stream in streams
            }
            for row, values in rows_of(results, pairs).items():
                table.setdefault(row, []).append(values)
    folds = f"fold {options.only} of {options.folds}" if options.only else f"{options.folds} folds"
    runs = f"{len(samples)} clips, {folds}, {options.seeds} seeds"
    print(f"| {runs} | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for name, rows in table.items():
        cells = [shown([row[column] for row in rows]) for column in range(len(rows[0]))]
        print(f"| {name} | " + " | ".join([*cells, ""][: len(COLUMNS)]) + " |")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="folder of classes, or a list")
    parser.add_argument("--pairs", default="", help="reversed classes: a:b,c:d")
    parser.add_argument("--group", default="group", help="column that the folds keep together")
    parser.add_argument("--methods", nargs="*", default=["tvl1", "dis", "farneback"])
    parser.add_argument("--trajectories", action="store_true")
    parser.add_argument(
        "--networks", nargs=2, default=["tsn_small", "tsn_small_flow"], metavar=("RGB", "FLOW")
    )
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--only", type=int, nargs="*", help="of the folds, these, counted from 0")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--change", nargs="*", default=[], help="section.key=value")
    parser.add_argument("--workers", type=int, help="processes that extract flow")
    parser.add_argument("--out", type=Path, default=Path("runs/two_stream"))
    options = parser.parse_args()
    for method in options.methods:
        flow_method(method)
    return options


def with_flow(samples: SampleList, method: str, options: argparse.Namespace) -> SampleList:
    """Extract the flow of all videos with one method; return the list that names it."""
    results = extract_flow(
        [sample.path for sample in samples],
        [options.out / "flow" / method / Path(s.name).with_suffix("") for s in samples],
        method=flow_method(method),
        form="npz",
        resize=SHORT,
        workers=options.workers,
    )
    for result in results:
        if result.error:
            raise result.error
    flows = zip(samples, results, strict=True)
    return replace(samples, samples=tuple(replace(s, flow=result.file) for s, result in flows))


def tested(
    stream: str, samples: SampleList, fold: int, seed: int, options: argparse.Namespace
) -> tuple[Evaluation, Evaluation]:
    """Train one stream; return its scores on the held-out videos and on the test fold."""
    rest, test = k_fold_by_group(samples, folds=options.folds)[fold]
    training, held_out = split_by_group(rest, fraction=0.2)
    if stream == TRAJECTORIES:
        out = options.out / f"{stream}_fold{fold}"
        classifier = train_classifier(training, out, progress=show)
        return (
            evaluate_trajectories(classifier, held_out, out / "held_out", progress=show),
            evaluate_trajectories(classifier, test, out / "test", progress=show),
        )
    out = options.out / f"{stream}_fold{fold}_seed{seed}"
    began = time.process_time()
    train(recipe_of(stream, out, training, held_out, seed, options), out, resume=True)
    net = open_model(out / "final.safetensors")  # the best would be chosen on the held-out videos
    results = [evaluate(net, part, views=1, keep=out) for part in (held_out, test)]
    print(f"{out.name}: {time.process_time() - began:.0f} s", file=sys.stderr, flush=True)
    return results[0], results[1]


def recipe_of(
    stream: str,
    out: Path,
    training: SampleList,
    held_out: SampleList,
    seed: int,
    options: argparse.Namespace,
) -> Recipe:
    """Return the recipe of one run: the demo's, for this stream, fold and seed."""
    lists = [out.with_name(f"{out.name}_{part}.csv") for part in ("train", "held_out")]
    for path, part in zip(lists, (training, held_out), strict=True):
        write_samples(path, part)
    recipe = read_recipe(RECIPE, options.change)
    name, clip = options.networks[stream != "rgb"], {} if stream == "rgb" else {"bound": BOUND}
    return replace(
        recipe,
        model=replace(recipe.model, name=name),
        data=replace(recipe.data, train=str(lists[0]), val=str(lists[1])),
        clip={**clip, **recipe.clip},
        train=replace(recipe.train, seed=seed),
    )


def rows_of(
    results: Mapping[str, tuple[Evaluation, Evaluation]], pairs: list[tuple[int, int]]
) -> dict[str, list[float]]:
    """Return the rows of one fold and seed: each stream alone, then RGB fused with others."""
    held_out, test = results["rgb"]
    others = [stream for stream in results if stream != "rgb"]
    rows = {"RGB, no flow": measured(test.scores(), test.classes, pairs)}
    for stream in others:
        rows[f"{stream} alone"] = measured(results[stream][1].scores(), test.classes, pairs)
    sets: list[tuple[str, ...]] = [(stream,) for stream in others]
    if TRAJECTORIES in others:
        sets += [(stream, TRAJECTORIES) for stream in others if stream != TRAJECTORIES]
    for fused in sets:
        seen = [held_out.scores(), *(results[stream][0].scores() for stream in fused)]
        found = [test.scores(), *(results[stream][1].scores() for stream in fused)]
        weights = choose_weights(seen, held_out.classes)
        scores = average_scores(found, weights=weights)
        row = " + ".join(("RGB", *fused))
        rows[row] = [*measured(scores, test.classes, pairs), 1 - weights[0]]
    return rows


def measured(scores: Scores, classes: Labels, pairs: list[tuple[int, int]]) -> list[float]:
    """Accuracy, and accuracy within the pairs."""
    return [top_k_accuracy(scores, classes), pair_accuracy(scores, classes, pairs)]


def shown(values: list[float]) -> str:
    """Format mean and standard deviation in percent."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{100 * statistics.mean(values):.1f} ± {100 * spread:.1f}"


if __name__ == "__main__":
    main()
