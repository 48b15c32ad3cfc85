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
from zoopraxis.data.samples import read_samples
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
    lists = split_pairs(options.data / "clips.csv", options.out)
    table: dict[str, list[list[float]]] = {name: [] for name in NETWORKS}
    for seed in range(options.seeds):
        for name in NETWORKS:
            table[name].append(run(name, lists, seed=seed, changes=options.change))
    print_table(table, lists)


def split_pairs(data: Path, out: Path) -> list[Path]:
    """Write the clips of the pairs as two lists into a folder, a third of performers in the second.

    The runs on these lists are kept in the same folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    samples = read_samples(data)
    wanted = {samples.labels.index(label) for pair in PAIRS for label in pair}
    kept = tuple(s for s in samples if s.label in wanted)
    write_samples(out / "pairs.csv", replace(samples, samples=kept))
    parts = split_by_group(read_samples(out / "pairs.csv"), fraction=1 / 3, seed=0)
    lists = [out / "train.csv", out / "val.csv"]
    for path, part in zip(lists, parts, strict=True):
        write_samples(path, part)
    return lists


def run(name: str, lists: list[Path], *, seed: int, changes: list[str]) -> list[float]:
    """Train a network of `NETWORKS`, or find it trained, and return its row of `COLUMNS`."""
    out = lists[0].parent / f"{name.replace(' ', '_')}_seed{seed}"
    train(recipe_of(name, lists, seed, changes), out, resume=True)
    labels = read_samples(lists[0]).labels
    net = open_model(out / "final.safetensors")
    done = evaluate(net, read_samples(lists[1], labels=labels), views=1, keep=out)
    scores, truth = done.scores(), done.classes
    pairs = [(labels.index(a), labels.index(b)) for a, b in PAIRS]
    within = [pair_accuracy(scores, truth, [pair]) for pair in pairs]
    row = [top_k_accuracy(scores, truth), pair_accuracy(scores, truth, pairs), *within]
    print(f"{out}: " + ", ".join(f"{value:.3f}" for value in row), flush=True)
    return row


def print_table(table: dict[str, list[list[float]]], lists: list[Path]) -> None:
    """Print mean and standard deviation over the seeds of each network's rows."""
    seen, held_out = (len(read_samples(part)) for part in lists)
    print(f"\n| {seen} clips, {held_out} held out | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for name, rows in table.items():
        cells = [shown([row[column] for row in rows]) for column in range(len(COLUMNS))]
        print(f"| {name} | " + " | ".join(cells) + " |")


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
