"""Does a network use time? Accuracy on clips played forwards and backwards, fold by fold.

The claim (Sudhakaran et al. 2020; Lin et al. 2019): a network that averages its frames (TSN)
makes the same prediction for a clip and its reverse; networks that shift (TSM) or gate and shift
(GSM) do not. So on pairs of actions that are each other's reverse TSN stays at 50 %.

    python benchmarks/order_sensitivity.py DATA --pairs sit_down:stand_up,push:pull --out runs/order

trains the three with one recipe on every fold and seed, tests each as `zoopraxis diagnose` does,
and prints a Markdown table. Finished trainings are kept, and an interrupted run resumes.
"""

import argparse
import statistics
from dataclasses import replace
from pathlib import Path

from zoopraxis.checkpoints.saved import open_model
from zoopraxis.data.samples import SampleList, read_samples
from zoopraxis.data.splits import k_fold_by_group
from zoopraxis.data.write import write_samples
from zoopraxis.explain.diagnose import Diagnosis, diagnose
from zoopraxis.inputs.playback import Playback
from zoopraxis.training.loop import train
from zoopraxis.training.recipe import Recipe, read_recipe, recipe_path

REVERSED = Playback(order="reversed")
RECIPE = recipe_path("theatre_r2plus1d")
# three ideas about time on one backbone, a ResNet-10 of width 16
NETWORKS = ("tsn_small", "tsm_small", "gsm_small")
COLUMNS = ("forwards", "backwards", "answers changed", "within pairs")


def main() -> None:
    """Train, test both ways, and print the table."""
    options = parse()
    samples = read_samples(options.data, group=options.group)
    split = (pair.partition(":") for pair in options.pairs.split(",") if pair)
    pairs = [(first, second) for first, _, second in split]
    table: dict[str, list[list[float]]] = {name: [] for name in options.networks}
    for fold, (training, held_out) in enumerate(k_fold_by_group(samples, folds=options.folds)):
        for seed in range(options.seeds):
            for name in options.networks:
                out = options.out / f"{name}_fold{fold}_seed{seed}"
                recipe = recipe_of(name, out, training, held_out, seed, options)
                train(recipe, out, resume=True)
                net = open_model(out / "final.safetensors")
                found = diagnose(net, held_out, plays=[REVERSED], pairs=pairs, keep=out)
                table[name].append(row_of(found))
    print(f"| {len(samples)} clips | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for name, rows in table.items():
        cells = [shown([row[column] for row in rows]) for column in range(len(COLUMNS))]
        print(f"| {name} | " + " | ".join(cells) + " |")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="folder of classes, or a list")
    parser.add_argument("--pairs", default="", help="reversed classes: a:b,c:d")
    parser.add_argument("--group", default="group", help="column that the folds keep together")
    parser.add_argument("--networks", nargs="*", default=NETWORKS)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--change", nargs="*", default=[], help="section.key=value")
    parser.add_argument("--out", type=Path, default=Path("runs/order"))
    return parser.parse_args()


def recipe_of(
    name: str,
    out: Path,
    training: SampleList,
    held_out: SampleList,
    seed: int,
    options: argparse.Namespace,
) -> Recipe:
    """Return the recipe of one run: the demo's, with this network, fold and seed."""
    lists = [out.with_name(f"{out.name}_{part}.csv") for part in ("train", "val")]
    options.out.mkdir(parents=True, exist_ok=True)
    for path, part in zip(lists, (training, held_out), strict=True):
        write_samples(path, part)
    recipe = read_recipe(RECIPE, options.change)
    return replace(
        recipe,
        model=replace(recipe.model, name=name),
        data=replace(recipe.data, train=str(lists[0]), val=str(lists[1])),
        train=replace(recipe.train, seed=seed),
    )


def row_of(found: Diagnosis) -> list[float]:
    """Return the results of one run, in the order of the columns."""
    ahead, back = found.effects["forwards"], found.effects[REVERSED.name]
    return [
        ahead.accuracy,
        back.accuracy,
        back.changed,
        found.within_pairs.get("forwards", float("nan")),
    ]


def shown(values: list[float]) -> str:
    """Format mean and standard deviation in percent."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{100 * statistics.mean(values):.1f} ± {100 * spread:.1f}"


if __name__ == "__main__":
    main()
