"""What a run is, and how it starts, resumes and is saved."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.saved import save_model
from zoopraxis.data.quarantine import LeftOut
from zoopraxis.data.samples import SampleList
from zoopraxis.engine.allocator import keep_memory
from zoopraxis.engine.fast_forms import in_fast_forms, put_channels_last
from zoopraxis.errors import CheckpointError, RecipeError, TrainingError
from zoopraxis.files import write_atomically
from zoopraxis.training.build import Feeds, make_feeds, start_network
from zoopraxis.training.checkpoint import State, has_state, save_state
from zoopraxis.training.loss import class_offsets, class_weights
from zoopraxis.training.optim import Ema, build_optimizer, freeze_norms, lr_factor
from zoopraxis.training.recipe import Recipe, read_recipe, recipe_text
from zoopraxis.training.sampler import Shard
from zoopraxis.training.state import Progress

__all__ = ["Run", "check_folder", "claim", "refuse_other", "start_run", "starting_network"]


@dataclass(frozen=True, kw_only=True)
class Run:
    """State of a run. ``network`` is bare, ``model`` is wrapped for gradients."""

    fabric: Fabric
    recipe: Recipe
    out: Path
    config: ModelConfig
    feeds: Feeds
    network: nn.Module
    model: Any  # Fabric's wrapper, whose type has no public name
    frozen: list[nn.Module]
    bare_optimizer: torch.optim.Optimizer
    optimizer: torch.optim.Optimizer
    ema: Ema | None
    progress: Progress
    class_weights: Tensor | None = None  # (K,)
    class_offsets: Tensor | None = None  # (K,)

    @property
    def memory_format(self) -> torch.memory_format:
        """Memory format of clips and weights."""
        last = self.recipe.train.channels_last
        return torch.channels_last_3d if last else torch.contiguous_format

    def lr(self, step: int) -> float:
        """Learning rate of a step (from 0), for parameters without a factor of their own."""
        optim = self.recipe.optim
        at = (step + 0.5) / self.feeds.order.steps  # in epochs, at the middle of the step
        return optim.lr * lr_factor(at, optim, epochs=self.recipe.train.epochs)

    def save(self) -> None:
        """Save the state, to resume from."""
        if self.fabric.is_global_zero:
            state = State(
                weights=self.network.state_dict(),
                average=self.ema.weights if self.ema is not None else {},
                optimizer=self.bare_optimizer.state_dict(),
                scaler=self.fabric.strategy.precision.state_dict(),
                progress=self.progress,
            )
            save_state(self.out / "last", state)

    def keep(self, name: str) -> None:
        """Write the current weights."""
        if self.fabric.is_global_zero:
            save_model(self.out / name, self.network, self.config)


def check_folder(out: Path, recipe: Recipe, *, resume: bool) -> None:
    """Refuse a folder that holds another run."""
    kept = out / "recipe.toml"
    if not kept.exists():
        return
    if not resume:
        raise TrainingError(
            f"{out} already holds a run", "resume it with --resume, or choose another --out"
        )
    if not has_state(out / "last"):
        return  # it stopped before its first state: nothing is lost by another recipe
    refuse_other(out, recipe)


def refuse_other(out: Path, recipe: Recipe) -> None:
    """Refuse a recipe that is not the one that a folder was started with."""
    before = read_recipe(out / "recipe.toml")
    workers = recipe.data.workers  # may change: they do not affect the outcome
    before = replace(before, data=replace(before.data, workers=workers))
    if recipe_text(before) != recipe_text(recipe):
        old, new = (recipe_text(r).splitlines() for r in (before, recipe))
        changed = "; ".join(line for line in new if line not in old)
        raise RecipeError(
            f"{out} was started with another recipe: now {changed or 'settings are missing'}",
            "resume with the same settings, or choose another --out",
        )


def claim(out: Path, recipe: Recipe, *, fabric: Fabric, left_out: Sequence[LeftOut] = ()) -> None:
    """Claim the folder for this run, once nothing is left that would stop it at once.

    Videos that a quarantine has left out are named in its ``quarantined.json``, with the reasons.
    """
    fabric.barrier()  # all processes have looked before the first one writes
    if fabric.is_global_zero:
        try:
            out.mkdir(parents=True, exist_ok=True)
            write_atomically(out / "recipe.toml", recipe_text(recipe).encode())
            if left_out:
                problems = {name: why for one in left_out for name, why in one.problems.items()}
                text = json.dumps(problems, indent=1, ensure_ascii=False)
                write_atomically(out / "quarantined.json", text.encode())
        except OSError as error:
            raise TrainingError(
                f"{out} cannot be written: {error.strerror}", "choose another --out"
            ) from error


def starting_network(
    fabric: Fabric, recipe: Recipe, labels: tuple[str, ...]
) -> tuple[nn.Module, ModelConfig]:
    """Build the network that a run starts from, and its identity."""
    torch.manual_seed(recipe.train.seed)
    with fabric.rank_zero_first():  # the first downloads weights, the others find them
        network, config = start_network(recipe.model, labels=labels)
    return network, replace(config, clip=recipe.clip_spec(config.clip))


def start_run(
    fabric: Fabric,
    recipe: Recipe,
    out: Path,
    *,
    network: nn.Module,
    config: ModelConfig,
    train_list: SampleList,
    val_list: SampleList | None,
    state: State | None,
) -> Run:
    """Build a run at its first step, or at that of its saved state."""
    part = recipe.train
    shard = Shard(rank=fabric.global_rank, world=fabric.world_size)
    feeds = make_feeds(recipe, config.clip, train_list, val_list, shard=shard)
    if fabric.device.type == "cpu":
        keep_memory()  # activations are large blocks, and every step asks for them again
        network = in_fast_forms(network)  # the same weights under the same names
    if part.channels_last:
        network = put_channels_last(network)
    network = network.to(fabric.device)
    but_first = part.freeze_norms == "all_but_first"
    frozen = [] if part.freeze_norms == "none" else freeze_norms(network, but_first=but_first)
    bare = build_optimizer(network, recipe.optim)
    # Batches have one size, but for an epoch's last: code for each size, not for any.
    written: Any = torch.compile(network, dynamic=False) if part.compile else network
    model, optimizer = fabric.setup(written, bare)
    weights = offsets = None
    if part.class_weights == "balanced":
        weights = class_weights(train_list).to(fabric.device)
    if part.logit_adjustment:
        offsets = class_offsets(train_list, tau=part.logit_adjustment).to(fabric.device)
    run = Run(
        fabric=fabric,
        recipe=recipe,
        out=out,
        config=config,
        feeds=feeds,
        network=network,
        model=model,
        frozen=frozen,
        bare_optimizer=bare,
        optimizer=optimizer,
        ema=Ema(network, part.ema) if part.ema else None,
        progress=Progress(labels=list(train_list.labels)),
        class_weights=weights,
        class_offsets=offsets,
    )
    return run if state is None else _restored(run, state)


def _restored(run: Run, state: State) -> Run:
    """Restore a run to its saved state."""
    before, now = state.progress.labels, run.progress.labels
    if before and before != now:
        changed = next((a, b) for a, b in zip_longest(before, now) if a != b)
        raise TrainingError(
            f"{run.out} was started with other classes: {changed[0]!r} is now {changed[1]!r}",
            "resume with the same data, or choose another --out",
        )
    try:
        run.network.load_state_dict(dict(state.weights))
        run.bare_optimizer.load_state_dict(dict(state.optimizer))
        run.fabric.strategy.precision.load_state_dict(dict(state.scaler))
        if run.ema is not None:
            run.ema.load(state.average)
    except (KeyError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"the saved state in {run.out / 'last'} is not of this network: "
            f"{str(error).splitlines()[0]}",
            "the data has other classes than when the run began, or this is another version of "
            "zoopraxis: train into another --out",
        ) from error
    return replace(run, progress=state.progress)
