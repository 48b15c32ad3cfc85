"""The demo: film a theatre, train on it, test on performers never seen, name one more action.

Every step is the library call behind the command that is printed with it.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoopraxis.checkpoints.saved import open_model
from zoopraxis.data.samples import SampleList
from zoopraxis.errors import RecipeError
from zoopraxis.evaluation.evaluate import evaluate
from zoopraxis.evaluation.report import write_report
from zoopraxis.evaluation.result import Evaluation
from zoopraxis.files import write_atomically
from zoopraxis.prediction.overlay import write_overlay
from zoopraxis.prediction.pipeline import predict
from zoopraxis.theatre import REVERSED, Settings, contact_sheet, make_theatre
from zoopraxis.training.build import read_lists
from zoopraxis.training.logs import Watcher
from zoopraxis.training.loop import train
from zoopraxis.training.recipe import Recipe, read_recipe

__all__ = ["DemoResult", "run_demo"]

PERFORMERS = 35  # a fifth of them are tested on
BLIND = "fr2d_small"  # the network of the same size whose frames never meet


@dataclass(frozen=True)
class DemoResult:
    """What the demo measured, and where it put things.

    Parameters
    ----------
    rows : tuple of dict
        Model, top-1 accuracy, accuracy within the reversed pairs; fractions of 1.
    report, overlay, sheet : Path
        The page, the video with its labels drawn on, the contact sheet of the theatre.
    prediction : str
        The action named in the overlay's video, and what it truly is.
    seconds : float
        How long it took.
    """

    rows: tuple[dict[str, Any], ...]
    report: Path
    overlay: Path
    sheet: Path
    prediction: str
    seconds: float


def run_demo(
    out: Path,
    recipe: str | Path,
    *,
    clips_per_class: int = 70,
    changes: Sequence[str] = (),
    say: Callable[[str], None],
    film: Callable[[str], Any],
    watcher: Callable[[], Watcher] = Watcher,
) -> DemoResult:
    """Run the demo; a demo that was stopped resumes.

    Parameters
    ----------
    out : Path
        Folder of everything it makes.
    recipe : str or Path
        Recipe of the training run, a name or a file.
    clips_per_class : int, default=70
        Size of the theatre.
    changes : sequence of str
        ``section.key=value`` for the recipe.
    say : callable
        Called with each line of what happens.
    film : callable
        From a title to a context manager that gives ``progress(done, total)``.
    watcher : callable
        Makes what is told about each training run.

    Returns
    -------
    DemoResult
    """
    began = time.monotonic()
    theatre = out / "theatre"
    base = read_recipe(recipe, [f"data.train={json.dumps(str(theatre))}", *changes])
    sizes = f"--clips-per-class {clips_per_class} --performers {PERFORMERS}"
    say(f"zoopraxis data theatre {theatre} {sizes}")
    with film("filming") as progress:
        make_theatre(
            theatre,
            clips_per_class=clips_per_class,
            settings=Settings(performers=PERFORMERS),
            progress=progress,
        )
    sheet = contact_sheet(theatre, out / "theatre.png")

    held_out = _held_out(base)  # before training: what is wrong with it shows at once
    blind = _blind(base)
    results = {}
    for run, part, changed in (
        ("fr2d", blind, f"model.name={BLIND} train.epochs={blind.train.epochs} "),
        ("r2plus1d", base, ""),
    ):
        say(f"zoopraxis train {recipe} data.train={theatre} {changed}--out {out / run}")
        train(part, out / run, resume=True, watcher=watcher())
        say(f"testing on {len(held_out)} clips of performers that were not trained on")
        results[run] = _tested(out / run, held_out)
        row = _row(run, results[run])
        say(f"{run}: {100 * row['top1']:.1f} %, within reversed pairs {100 * row['pairs']:.1f} %")
    rows = tuple(_row(run, result) for run, result in results.items())
    report = write_report(
        results["r2plus1d"],
        out / "report.html",
        title="The theatre, performers never seen",
        pairs=_pairs(results["r2plus1d"].labels),
        curves=out / "r2plus1d" / "curves.png",
    )
    clip = next(s for s in held_out if held_out.labels[_only(s.label)] in REVERSED)
    say(f"zoopraxis predict {clip.path} --model {out / 'r2plus1d' / 'final.safetensors'}")
    prediction = predict(clip.path, out / "r2plus1d" / "final.safetensors")
    overlay = write_overlay(clip.path, out / "overlay.mp4", prediction)
    truth = held_out.labels[_only(clip.label)]
    named = f"{prediction.labels[0]} ({100 * prediction.scores[0]:.0f} %), truly {truth}"
    result = DemoResult(rows, report, overlay, sheet, named, time.monotonic() - began)
    write_atomically(out / "results.json", json.dumps({"rows": rows}, indent=1).encode())
    return result


def _blind(recipe: Recipe) -> Recipe:
    """Same recipe, a quarter as long: its pairs stay at 50 % however long it is."""
    return replace(
        recipe,
        model=replace(recipe.model, name=BLIND),
        train=replace(recipe.train, epochs=recipe.train.epochs // 4 or 1),
    )


def _held_out(recipe: Recipe) -> SampleList:
    """Clips that the recipe keeps from training."""
    _, held_out = read_lists(recipe.data, multi_label=recipe.train.multi_label)
    if held_out is None:
        raise RecipeError(
            "the demo tests on clips that the recipe keeps from training, and it keeps none",
            f"set data.val_fraction to more than {recipe.data.val_fraction:g}, such as 0.2",
        )
    if not set(REVERSED) | set(REVERSED.values()) <= set(held_out.labels):
        raise RecipeError(
            f"the demo is about the actions of the theatre, and {recipe.data.train} has others",
            "train on your own videos with `zoopraxis train`",
        )
    return held_out


def _tested(run: Path, held_out: SampleList) -> Evaluation:
    """Result of a run's last weights: its best ones were chosen on these very clips."""
    net = open_model(run / "final.safetensors")
    return evaluate(net, held_out, views=2, keep=run)


def _row(name: str, result: Evaluation) -> dict[str, Any]:
    numbers = result.summary(pairs=_pairs(result.labels))
    return {"model": name, "top1": numbers["top1"], "pairs": numbers["pairs"]}


def _pairs(labels: Sequence[str]) -> list[tuple[int, int]]:
    """Classes that are each other played backwards."""
    return [(labels.index(a), labels.index(b)) for a, b in REVERSED.items()]


def _only(label: int | tuple[int, ...]) -> int:
    """Label of a clip that has one."""
    return label if isinstance(label, int) else label[0]
