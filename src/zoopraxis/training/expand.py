"""X3D's search on one's own videos: train the candidates of every step, and keep a ledger.

`zoopraxis.training.expansion` says which networks are candidates. Each is trained from random
weights with the same recipe and scored by what the recipe validates, after the last epoch: the best
of all epochs would reward networks whose accuracy fluctuates. The choices follow from the scores
alone. So a search that was killed takes the finished networks from its ledger, resumes the run
that it was in, and ends as it would have.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

import torch

from zoopraxis.errors import RecipeError, TrainingError, WorkerError
from zoopraxis.files import write_atomically
from zoopraxis.models import model_spec
from zoopraxis.models.x3d import Expansion, clip_settings
from zoopraxis.training.build import check_devices, read_lists
from zoopraxis.training.checkpoint import has_state
from zoopraxis.training.checks import check_classes
from zoopraxis.training.expansion import (
    START,
    Score,
    Step,
    contract,
    count_expansion_macs,
    search,
)
from zoopraxis.training.ledger import Choice, Ledger, TrainedNetwork, read_ledger
from zoopraxis.training.logs import Silent, Watcher
from zoopraxis.training.loop import train
from zoopraxis.training.recipe import ModelPart, Recipe, recipe_text
from zoopraxis.training.run import refuse_other
from zoopraxis.weights import build_network
from zoopraxis.workers import run_jobs, worker_number

__all__ = ["expand", "network_name"]

LEDGER = "ledger.json"
NETWORKS = "networks"
Job = Callable[[], tuple[float, float]]


def expand(
    recipe: Recipe,
    out: str | Path,
    *,
    macs: float,
    start: Expansion = START,
    growth: float = 2.0,
    resume: bool = False,
    devices: int = 1,
    accelerator: str = "auto",
    say: Callable[[str], None] = lambda _: None,
    watcher: Callable[[], Watcher] = Silent,
) -> Ledger:
    """Search for the X3D of a cost that is most accurate on one's own videos.

    Parameters
    ----------
    recipe : Recipe
        How each network is trained. Its model is an entry of X3D, whose factors the search
        decides, and with them the clip's frames, stride and size.
    out : str or Path
        Folder of the search: recipe.toml, ledger.json, and networks/ with a run for each.
    macs : float
        Multiply-adds of one clip, which the result does not exceed.
    start : Expansion, default=START
        The first network: X2D.
    growth : float, default=2.0
        About the ratio of the costs of successive steps.
    resume : bool, default=False
        Resume the search in ``out``; start it if there is none. The target may be another.
    devices : int, default=1
        Candidates that are trained at a time, each in a process and on a device of its own (CPU
        processes share the cores). With several, a script that calls this needs the usual
        ``if __name__ == "__main__":``.
    accelerator : {"auto", "cpu", "cuda", "mps"}, default="auto"
        Kind of device; "auto" is CUDA if there is one, else the CPU.
    say : callable, optional
        Called with a line for each network that is trained and each choice.
    watcher : callable, optional
        Makes what is told about each run, where one is trained at a time.

    Returns
    -------
    Ledger

    Raises
    ------
    RecipeError
        The recipe is not for such a search or not the one that it was started with, or a setting is
        out of range.
    TrainingError
        ``out`` holds a search already, or a run fails.
    """
    out = Path(out)
    _check_settings(recipe, start=start, growth=growth)
    check_devices(accelerator, devices)
    train_list, val_list = read_lists(recipe.data, multi_label=recipe.train.multi_label)
    check_classes(train_list)
    if val_list is None:
        raise RecipeError(
            "a search needs validation videos, and the recipe keeps none",
            "set data.val, or data.val_fraction=0.2",
        )
    least = count_expansion_macs(start, num_classes=len(train_list.labels))
    if not least <= macs < float("inf"):
        raise RecipeError(
            f"the target of {macs / 1e9:g} GMACs is not at least the {least / 1e9:.4g} of the "
            "first network",
            "allow more, or start from a smaller network: --start s=0.5",
        )
    ledger = Ledger(
        start=start,
        growth=growth,
        macs=macs,
        metric="val_map" if recipe.train.multi_label else "val_top1",
        labels=train_list.labels,
        videos=(len(train_list), len(val_list)),
    )
    ledger = _claim(out, recipe, ledger, resume=resume)
    return _search(
        _Trainer(
            recipe=recipe,
            out=out,
            ledger=ledger,
            devices=devices,
            accelerator=accelerator,
            say=say,
            watcher=watcher,
        )
    )


def network_name(expansion: Expansion) -> str:
    """Name a network by what its factors decide: ``13x6-160px-w1-b2.25-d2.2`` is X3D-S."""
    e = expansion
    return f"{e.num_frames}x{e.stride}-{e.size}px-w{e.w:g}-b{e.b:g}-d{e.d:g}"


def _check_settings(recipe: Recipe, *, start: Expansion, growth: float) -> None:
    """Refuse what a search cannot begin with."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise RecipeError("a search starts its own processes", "start it without torchrun")
    model = recipe.model
    if "expansion" not in model_spec(model.name).args:
        raise RecipeError(
            f"{model.name} is not an X3D, and a search expands no other network",
            "set model.name=x3d_s; the search decides its size",
        )
    if model.weights or "expansion" in model.args:
        what = "model.weights" if model.weights else "model.args.expansion"
        raise RecipeError(
            f"{what} is set, and a search trains networks of other sizes, from random weights",
            f"leave out {what}",
        )
    taken = [key for key in clip_settings(start) if key in recipe.clip]
    if taken:
        raise RecipeError(
            f"clip.{taken[0]} is set, and the search decides it",
            "leave it out; the first network's frames and size are those of the start",
        )
    if not 1 < growth <= 16:
        raise RecipeError(
            f"growth = {growth:g} is not above 1 and at most 16",
            "2 doubles the cost at every step",
        )
    for name, value in asdict(start).items():
        if not (isfinite(value) and 0 < value <= 1000):
            raise RecipeError(
                f"start {name} = {value:g} is not above 0 and at most 1000", "X2D has 1"
            )
    if start.num_frames < 1 or start.size < 32:
        raise RecipeError(
            f"a clip of {start.num_frames} frames of {start.size} pixels is too small",
            "start with 1 frame (t=1) of 32 pixels (s=0.286) at least",
        )


def _claim(out: Path, recipe: Recipe, ledger: Ledger, *, resume: bool) -> Ledger:
    """Claim the folder for a new search, or return what an earlier one has in it."""
    path = out / LEDGER
    if has_state(out / "last"):
        raise TrainingError(f"{out} holds a run of one network", "choose another --out")
    if not path.exists():
        try:
            out.mkdir(parents=True, exist_ok=True)
            write_atomically(out / "recipe.toml", recipe_text(recipe).encode())
            ledger.write(path)
        except OSError as error:
            raise TrainingError(
                f"{out} cannot be written: {error.strerror}", "choose another --out"
            ) from error
        return ledger
    if not resume:
        raise TrainingError(
            f"{out} already holds a search", "resume it with --resume, or choose another --out"
        )
    refuse_other(out, recipe)
    before = read_ledger(path)
    for name in ("start", "growth", "metric", "labels", "videos"):
        old, new = getattr(before, name), getattr(ledger, name)
        if old != new:
            raise TrainingError(
                f"{out} was started with {name} = {old}, and now it is {new}: its networks could "
                "not be compared",
                "resume with the same settings and data, or choose another --out",
            )
    return replace(ledger, networks=before.networks)


@dataclass(kw_only=True)
class _Trainer:
    """Trains networks that the ledger does not have yet, and writes it."""

    recipe: Recipe
    out: Path
    ledger: Ledger
    devices: int
    accelerator: str
    say: Callable[[str], None]
    watcher: Callable[[], Watcher]

    def score(self, expanded: Mapping[str, Expansion]) -> dict[str, Score]:
        """Scores by axis: the validated metric, then the loss, which decides between equals."""
        cost = self._count_macs(next(iter(expanded.values()))) / 1e9
        self.say(f"step {len(self.ledger.steps) + 1}: networks of about {cost:.3g} GMACs")
        self.train(list(expanded.values()))
        found = {axis: self.ledger.networks[network_name(e)] for axis, e in expanded.items()}
        return {axis: (network.score, -network.loss) for axis, network in found.items()}

    def train(self, expansions: Sequence[Expansion]) -> None:
        """Train networks, each once."""
        missing = {network_name(e): e for e in expansions}
        missing = {k: e for k, e in missing.items() if k not in self.ledger.networks}
        recipes = {name: _recipe_of(self.recipe, e) for name, e in missing.items()}
        alone = self.devices == 1 or len(missing) == 1
        jobs = [
            partial(
                _train_one,
                recipe,
                self.out / NETWORKS / name,
                accelerator=self.accelerator,
                gpus=_gpus(self.accelerator, self.devices),
                threads=max(1, torch.get_num_threads() // self.devices),
                watcher=self.watcher() if alone else Silent(),
            )
            for name, recipe in recipes.items()
        ]
        names = list(missing)
        for number, (score, loss) in self._results(jobs):
            name, expansion = names[number], missing[names[number]]
            network = TrainedNetwork(
                expansion=expansion,
                macs=self._count_macs(expansion),
                params=_count_params(recipes[name].model, num_classes=len(self.ledger.labels)),
                score=score,
                loss=loss,
                run=f"{NETWORKS}/{name}",
            )
            self._write(networks={**self.ledger.networks, name: network})
            self.say(
                f"  {name}: {self.ledger.metric} {score:.4f}, {network.macs / 1e9:.4g} GMACs, "
                f"{network.params / 1e6:.2f} M parameters"
            )

    def _results(self, jobs: Sequence[Job]) -> Iterator[tuple[int, tuple[float, float]]]:
        """Run jobs; a process that was killed is an expected error."""
        try:
            yield from run_jobs(jobs, workers=self.devices)
        except WorkerError as error:
            raise TrainingError(
                "a process was killed while it trained a network, perhaps for want of memory",
                "resume with --resume, and fewer --devices",
            ) from error

    def choose(self, step: Step) -> None:
        """Keep the choice of a step."""
        names = {axis: network_name(e) for axis, e in step.candidates.items()}
        best = names[step.axis]
        networks = self.ledger.networks
        others = [networks[name].score for name in names.values() if name != best]
        lead = networks[best].score - max(others, default=networks[best].score)
        choice = Choice(candidates=names, axis=step.axis, lead=lead)
        self._write(steps=(*self.ledger.steps, choice))
        self.say(f"  {step.axis} is best, {100 * lead:.1f} points ahead of the second")

    def finish(self, expansion: Expansion) -> Ledger:
        """Train the contracted network, and keep it as the result."""
        self.train([expansion])
        self._write(final=network_name(expansion))
        return self.ledger

    def _write(self, **changes: Any) -> None:
        self.ledger = replace(self.ledger, **changes)
        self.ledger.write(self.out / LEDGER)

    def _count_macs(self, expansion: Expansion) -> int:
        return count_expansion_macs(expansion, num_classes=len(self.ledger.labels))


def _search(trainer: _Trainer) -> Ledger:
    """Take every step, then contract the last one to the target."""
    ledger, num_classes = trainer.ledger, len(trainer.ledger.labels)
    trainer.say(f"the first network, {network_name(ledger.start)}")
    trainer.train([ledger.start])
    current = final = ledger.start
    for step in search(
        ledger.start,
        score=trainer.score,
        macs=ledger.macs,
        growth=ledger.growth,
        num_classes=num_classes,
    ):
        trainer.choose(step)
        final = contract(current, step.axis, macs=ledger.macs, num_classes=num_classes)
        current = step.expansion
    trainer.say(f"the network of at most {ledger.macs / 1e9:.4g} GMACs, {network_name(final)}")
    return trainer.finish(final)


def _recipe_of(recipe: Recipe, expansion: Expansion) -> Recipe:
    """Recipe of a candidate."""
    args = {**recipe.model.args, "expansion": asdict(expansion)}
    return replace(
        recipe,
        model=replace(recipe.model, args=args),
        clip={**recipe.clip, **clip_settings(expansion)},
    )


def _count_params(model: ModelPart, *, num_classes: int) -> int:
    """Parameters of a candidate, which is not built."""
    with torch.device("meta"):
        network = build_network(
            model.name, source=model.source, num_classes=num_classes, **model.args
        )
    return sum(p.numel() for p in network.parameters())


def _train_one(
    recipe: Recipe,
    out: Path,
    *,
    accelerator: str,
    gpus: Sequence[str],
    threads: int,
    watcher: Watcher,
) -> tuple[float, float]:
    """Train a candidate, or resume it; the metric and the loss of its last epoch's validation.

    One of several workers takes the GPU of its number, and its part of the CPU's threads.
    """
    number = worker_number()
    if number is not None:
        torch.set_num_threads(threads)
        if gpus:  # read when CUDA is initialised in this process, which is in its first run
            os.environ["CUDA_VISIBLE_DEVICES"] = gpus[number]
    result = train(recipe, out, resume=True, accelerator=accelerator, watcher=watcher)
    last = result.history[-1]
    score, loss = last[result.metric], last["val_loss"]
    if not (isfinite(score) and isfinite(loss)):
        raise TrainingError(
            f"{out}: validation gave {result.metric} {score} and val_loss {loss}",
            "train with a smaller learning rate, into another --out",
        )
    return score, loss


def _gpus(accelerator: str, devices: int) -> list[str]:
    """Names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES has them."""
    if accelerator not in ("auto", "cuda") or not torch.cuda.is_available():
        return []
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    return listed.split(",") if listed else [str(number) for number in range(devices)]
