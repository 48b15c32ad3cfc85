"""Does it help to know where performer and object are? The theatre's pairs, with true boxes.

The claim (Wang and Gupta 2018): a network that reasons over graphs of regions is better at actions
between people and things than its backbone alone. Here the backbone is a small I3D, the regions are
the performer and the object, and the actions are pairs that are each other's reverse: picking up
and putting down, opening and closing a door, pushing and pulling.

    zoopraxis data theatre data/regions --clips-per-class 24 --performers 24 --boxes
    python benchmarks/region_graphs.py data/regions --out runs/regions

trains both with one recipe on each seed, with a third of the performers held out, and prints a
Markdown table. Finished trainings are kept, and an interrupted run resumes.
"""

import argparse
import statistics
from dataclasses import replace
from pathlib import Path

from zoopraxis.checkpoints.saved import open_model
from zoopraxis.data.samples import SampleList, read_samples
from zoopraxis.data.splits import split_by_group
from zoopraxis.data.write import write_samples
from zoopraxis.evaluation.evaluate import evaluate
from zoopraxis.metrics import pair_accuracy, top_k_accuracy
from zoopraxis.training.loop import train
from zoopraxis.training.recipe import Recipe, read_recipe, recipe_path

PAIRS = (("pick_up", "put_down"), ("open_door", "close_door"), ("push", "pull"))
NETWORKS = {  # relations between regions; none is the average of the whole map
    "global average": (),
    "region graphs": ("similarity", "spatial_temporal"),
}
BACKBONE = {"depth": 26, "width": 8, "channels": 32, "dropout": 0.0}
CHANGES = (
    *("clip.num_frames=8", "clip.mode=segments", "clip.resize=112", "clip.size=96"),
    *("clip.num_boxes=2", "train.epochs=20", "train.batch_size=8"),
)
COLUMNS = ("accuracy", "within pairs", *map(" / ".join, PAIRS))


def main() -> None:
    """Train, test, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the theatre, made with --boxes")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--change", nargs="*", default=[], help="section.key=value")
    parser.add_argument("--out", type=Path, default=Path("runs/regions"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    samples = of_pairs(options.data / "clips.csv", options.out / "pairs.csv")
    parts = split_by_group(samples, fraction=1 / 3, seed=0)
    lists = [options.out / "train.csv", options.out / "val.csv"]
    for path, part in zip(lists, parts, strict=True):
        write_samples(path, part)
    held_out = read_samples(lists[1], labels=samples.labels)
    pairs = [(samples.labels.index(a), samples.labels.index(b)) for a, b in PAIRS]
    table: dict[str, list[list[float]]] = {name: [] for name in NETWORKS}
    for seed in range(options.seeds):
        for name in NETWORKS:
            out = options.out / f"{name.replace(' ', '_')}_seed{seed}"
            train(recipe_of(name, lists, seed, options.change), out, resume=True)
            net = open_model(out / "final.safetensors")
            done = evaluate(net, held_out, views=1, keep=out)
            scores, truth = done.scores(), done.classes
            within = [pair_accuracy(scores, truth, [pair]) for pair in pairs]
            row = [top_k_accuracy(scores, truth), pair_accuracy(scores, truth, pairs), *within]
            table[name].append(row)
            print(f"{name}, seed {seed}: " + ", ".join(f"{value:.3f}" for value in row), flush=True)
    print(f"\n| {len(parts[0])} clips, {len(held_out)} held out | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for name, rows in table.items():
        cells = [shown([row[column] for row in rows]) for column in range(len(COLUMNS))]
        print(f"| {name} | " + " | ".join(cells) + " |")


def of_pairs(theatre: Path, path: Path) -> SampleList:
    """Keep the clips of the pairs, as a list of their own."""
    samples = read_samples(theatre)
    wanted = {samples.labels.index(label) for pair in PAIRS for label in pair}
    kept = tuple(s for s in samples if s.label in wanted)
    write_samples(path, replace(samples, samples=kept))
    return read_samples(path)


def recipe_of(name: str, lists: list[Path], seed: int, changes: list[str]) -> Recipe:
    """Return the recipe of one run: the demo's, with this network and seed."""
    recipe = read_recipe(recipe_path("theatre_r2plus1d"), [*CHANGES, *changes])
    args = {**BACKBONE, "branches": NETWORKS[name]}
    return replace(
        recipe,
        model=replace(recipe.model, name="strg_i3d_r50_32x4", args=args),
        data=replace(recipe.data, train=str(lists[0]), val=str(lists[1])),
        train=replace(recipe.train, seed=seed),
    )


def shown(values: list[float]) -> str:
    """Format mean and standard deviation in percent."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{100 * statistics.mean(values):.1f} ± {100 * spread:.1f}"


if __name__ == "__main__":
    main()
