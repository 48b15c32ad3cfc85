"""The training loop, read from top to bottom.

No random generator carries state from step to step: the order of the videos is a function of
(seed, epoch), frames and augmentation of (seed, epoch, video), dropout and mixup of (seed, step).
So a run that is killed at any moment and resumes from its last saved state ends with the weights
it would have had, and neither the number of loader workers nor (except for dropout and mixup) of
processes changes what is learned.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.saved import save_model
from zoopraxis.data.dataset import BadVideo, Batch
from zoopraxis.data.samples import SampleList
from zoopraxis.errors import CheckpointError, RecipeError, TrainingError
from zoopraxis.files import write_atomically
from zoopraxis.inputs.base import map_inputs
from zoopraxis.training.build import (
    Fault,
    Feeds,
    describe,
    launch,
    make_feeds,
    read_lists,
    start_network,
)
from zoopraxis.training.checkpoint import State, has_state, load_state, save_state
from zoopraxis.training.checks import (
    check_classes,
    check_files,
    check_left_right,
    warn_left_right,
    warn_overlap,
)
from zoopraxis.training.distributed import all_gather, all_reduce_sum, broadcast_buffers
from zoopraxis.training.failures import named_failures
from zoopraxis.training.logs import EpochLog, Silent, Watcher
from zoopraxis.training.loss import loss_sum, mixup, targets_of
from zoopraxis.training.optim import Ema, build_optimizer, freeze_norms, lr_factor, set_lr
from zoopraxis.training.recipe import Recipe, TrainPart, read_recipe, recipe_text
from zoopraxis.training.sampler import Shard
from zoopraxis.training.state import Progress, Row, RunResult
from zoopraxis.training.validate import validate

__all__ = ["train"]


def train(
    recipe: Recipe,
    out: str | Path,
    *,
    resume: bool = False,
    devices: int = 1,
    accelerator: str = "auto",
    watcher: Watcher | None = None,
) -> RunResult:
    """Train a model.

    Parameters
    ----------
    recipe : Recipe
        Everything that decides the outcome.
    out : str or Path
        Folder of the run: recipe.toml, log.csv, curves.png, tensorboard/, last/ (to resume),
        best.safetensors and final.safetensors with their sidecars.
    resume : bool, default=False
        Resume the run in ``out``; start it if there is none.
    devices : int, default=1
        Devices of this machine. Under ``torchrun``, as many as it started.
    accelerator : {"auto", "cpu", "cuda", "mps"}, default="auto"
        Kind of device; "auto" is CUDA if there is one, else the CPU.
    watcher : Watcher, optional
        Told what happens; by default a line per epoch is printed to stderr.

    Returns
    -------
    RunResult

    Raises
    ------
    TrainingError
        A loss is not finite, or ``out`` holds a run already.
    VideoError
        A video cannot be read, and the recipe does not skip such.
    RecipeError, DataError, ModelNotFoundError, CheckpointError
        The recipe, its lists, its model or the saved state is invalid.
    """
    with named_failures(recipe):
        return _train(
            recipe,
            Path(out),
            resume=resume,
            fabric=launch(recipe, devices=devices, accelerator=accelerator),
            watcher=watcher or Watcher(),
        )


def _train(
    recipe: Recipe, out: Path, *, resume: bool, fabric: Fabric, watcher: Watcher
) -> RunResult:
    """Start or resume a run and take it to its end."""
    watcher = watcher if fabric.is_global_zero else Silent()
    _check_folder(out, recipe, resume=resume)
    state, epochs = load_state(out / "last"), recipe.train.epochs
    if state is not None and state.progress.epoch >= epochs:
        watcher.say(f"{out} is finished: all {epochs} epochs are done")
        return _result(out, recipe, state.progress, main_process=fabric.is_global_zero)
    train_list, val_list = read_lists(recipe.data, multi_label=recipe.train.multi_label)
    check_classes(train_list)
    check_left_right(recipe.augment, train_list.labels)
    network, config = _network(fabric, recipe, train_list.labels)
    for line in (
        *describe(train_list, val_list, recipe.train, config),
        *warn_left_right(recipe.augment, train_list.labels),
        *warn_overlap(train_list, val_list),
        *check_files(train_list, val_list, clip=config.clip, part=recipe.train),
    ):
        watcher.say(line)
    run = _start(fabric, recipe, out, network, config, train_list, val_list, state)
    _claim(out, recipe, fabric=fabric)
    done = run.progress
    log = EpochLog(out, first_epoch=done.epoch, shown=fabric.is_global_zero)
    if done.step:
        watcher.say(f"resuming at epoch {done.epoch + 1}, step {done.position + 1}")
    watcher.start(epochs=epochs, steps=run.feeds.order.steps, done=done.step)
    try:
        with log:
            while done.epoch < epochs:
                _train_epoch(run, watcher)
                _end_epoch(run, watcher, log)
    finally:
        watcher.stop()
    return _result(out, recipe, done, main_process=fabric.is_global_zero)


@dataclass(frozen=True, kw_only=True)
class _Run:
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

    @property
    def memory_format(self) -> torch.memory_format:
        """Memory format of clips and weights."""
        last = self.recipe.train.channels_last
        return torch.channels_last_3d if last else torch.contiguous_format


def _check_folder(out: Path, recipe: Recipe, *, resume: bool) -> None:
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
    before = read_recipe(kept)
    workers = recipe.data.workers  # may change: they do not affect the outcome
    before = replace(before, data=replace(before.data, workers=workers))
    if recipe_text(before) != recipe_text(recipe):
        old, new = (recipe_text(r).splitlines() for r in (before, recipe))
        changed = "; ".join(line for line in new if line not in old)
        raise RecipeError(
            f"{out} was started with another recipe: now {changed or 'settings are missing'}",
            "resume with the same settings, or choose another --out",
        )


def _claim(out: Path, recipe: Recipe, *, fabric: Fabric) -> None:
    """Claim the folder for this run, once nothing is left that would stop it at once."""
    fabric.barrier()  # all processes have looked before the first one writes
    if fabric.is_global_zero:
        try:
            out.mkdir(parents=True, exist_ok=True)
            write_atomically(out / "recipe.toml", recipe_text(recipe).encode())
        except OSError as error:
            raise TrainingError(
                f"{out} cannot be written: {error.strerror}", "choose another --out"
            ) from error


def _network(
    fabric: Fabric, recipe: Recipe, labels: tuple[str, ...]
) -> tuple[nn.Module, ModelConfig]:
    """Build the network that a run starts from, and its identity."""
    torch.manual_seed(recipe.train.seed)
    with fabric.rank_zero_first():  # the first downloads weights, the others find them
        network, config = start_network(recipe.model, labels=labels)
    return network, replace(config, clip=recipe.clip_spec(config.clip))


def _start(
    fabric: Fabric,
    recipe: Recipe,
    out: Path,
    network: nn.Module,
    config: ModelConfig,
    train_list: SampleList,
    val_list: SampleList | None,
    state: State | None,
) -> _Run:
    """Build a run at its first step, or at that of its saved state."""
    part = recipe.train
    shard = Shard(rank=fabric.global_rank, world=fabric.world_size)
    feeds = make_feeds(recipe, config.clip, train_list, val_list, shard=shard)
    if part.channels_last:
        network = network.to(memory_format=torch.channels_last_3d)
    network = network.to(fabric.device)
    but_first = part.freeze_norms == "all_but_first"
    frozen = [] if part.freeze_norms == "none" else freeze_norms(network, but_first=but_first)
    bare = build_optimizer(network, recipe.optim)
    model, optimizer = fabric.setup(network, bare)
    run = _Run(
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
    )
    return run if state is None else _restored(run, state)


def _restored(run: _Run, state: State) -> _Run:
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


def _save(run: _Run) -> None:
    """Save the state of the run."""
    if run.fabric.is_global_zero:
        state = State(
            weights=run.network.state_dict(),
            average=run.ema.weights if run.ema is not None else {},
            optimizer=run.bare_optimizer.state_dict(),
            scaler=run.fabric.strategy.precision.state_dict(),
            progress=run.progress,
        )
        save_state(run.out / "last", state)


def _train_epoch(run: _Run, watcher: Watcher) -> None:
    """Take the remaining steps of the current epoch."""
    done, part = run.progress, run.recipe.train
    run.model.train()
    for norm in run.frozen:
        norm.eval()
    saved = began = time.monotonic()
    for micro_batches in run.feeds.steps_of(done.epoch, done.position):
        micro_batches = _drop_unreadable(run, micro_batches)
        loss, correct, clips = _step(run, micro_batches)
        now = time.monotonic()
        done.count(loss=loss, correct=correct, clips=clips, seconds=now - began)
        watcher.step(
            done.epoch, loss=loss / max(clips, 1), clips_per_second=done.clips / done.seconds
        )
        minutes, began = (now - saved) / 60, now
        if done.position < run.feeds.order.steps and _is_due(part, done.step, minutes):
            _save(run)
            saved = time.monotonic()


def _is_due(part: TrainPart, step: int, minutes: float) -> bool:
    """Whether to save a state in the middle of an epoch."""
    by_steps = part.checkpoint_steps and step % part.checkpoint_steps == 0
    by_time = part.checkpoint_minutes and minutes >= part.checkpoint_minutes
    return bool(by_steps or by_time)


def _drop_unreadable(run: _Run, micro_batches: list[Batch]) -> list[Batch]:
    """Stop at, or record, unreadable videos; drop micro-batches that some process lacks."""
    bad = [video for micro_batch in micro_batches for video in micro_batch.bad]
    empty = [float(not micro_batch.indices) for micro_batch in micro_batches]
    some_bad, *some_empty = all_reduce_sum(run.fabric, [len(bad), *empty])
    if some_bad:
        _record_bad(run, all_gather(run.fabric, bad))
    # Every process must call backward equally often, so a micro-batch counts only if all processes
    # have clips of it.
    return [micro_batch for micro_batch, n in zip(micro_batches, some_empty, strict=True) if n == 0]


def _record_bad(run: _Run, bad: Sequence[BadVideo]) -> None:
    faults = [video for video in bad if isinstance(video, Fault)]
    if faults:
        raise faults[0].error
    if run.recipe.train.on_bad_video == "stop":
        raise bad[0].error
    run.progress.skipped.update({video.path: video.problem for video in bad})


def _step(run: _Run, micro_batches: Sequence[Batch]) -> tuple[float, float, float]:
    """Take one step; return the sums of loss, correct predictions and clips over all processes."""
    fabric, part, optim, done = run.fabric, run.recipe.train, run.recipe.optim, run.progress
    set_lr(run.bare_optimizer, _lr(run, done.step))
    rng = np.random.default_rng([part.seed, done.step, fabric.global_rank])
    torch.manual_seed(int(rng.integers(2**63)))  # dropout
    (total,) = all_reduce_sum(
        fabric, [sum(len(micro_batch.indices) for micro_batch in micro_batches)]
    )
    if total == 0:
        return 0.0, 0.0, 0.0
    loss = correct = 0.0
    for number, micro_batch in enumerate(micro_batches, start=1):
        with fabric.no_backward_sync(run.model, enabled=number < len(micro_batches)):
            logits, targets = _forward(run, micro_batch, rng)
            micro_loss = loss_sum(
                logits,
                targets,
                multi_label=part.multi_label,
                label_smoothing=part.label_smoothing,
            )
            # DDP averages gradients over processes: multiply by their number, and divide by the
            # clips of the whole step, so that the gradient is that of the mean over the batch.
            fabric.backward(micro_loss * (fabric.world_size / total))
        loss += float(micro_loss.detach())
        correct += float((logits.argmax(1) == targets.argmax(1)).sum())
    loss_all, correct_all = all_reduce_sum(fabric, [loss, correct])
    if not math.isfinite(loss_all):
        _stop_at_loss(run, micro_batches, loss)
    if optim.clip_grad:
        fabric.clip_gradients(
            run.model, run.optimizer, max_norm=optim.clip_grad, error_if_nonfinite=False
        )
    run.optimizer.step()
    run.optimizer.zero_grad()
    if run.ema is not None:
        run.ema.update(run.network, done.step)
    return loss_all, correct_all, total


def _forward(run: _Run, micro_batch: Batch, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Logits (B, K) and targets (B, K) of a micro-batch."""
    inputs = map_inputs(micro_batch.inputs, run.fabric.device, run.memory_format)  # (B, C, T, S, S)
    targets = targets_of(micro_batch.labels, len(run.config.labels)).to(run.fabric.device)  # (B, K)
    inputs, targets = mixup(inputs, targets, alpha=run.recipe.train.mixup, rng=rng)
    logits: Tensor = run.model(*inputs)
    return logits, targets


def _stop_at_loss(run: _Run, micro_batches: Sequence[Batch], loss: float) -> None:
    """Raise an error that names the clips whose loss is not finite."""
    samples = run.feeds.order.samples
    mine = (
        []
        if math.isfinite(loss)
        else [i for micro_batch in micro_batches for i in micro_batch.indices]
    )
    names = ", ".join(samples[i].name for i in all_gather(run.fabric, mine))
    done = run.progress
    raise TrainingError(
        f"the loss is {loss} at epoch {done.epoch + 1}, step {done.position + 1}, on {names}",
        "lower optim.lr, set optim.clip_grad, or look at these videos",
    )


def _end_epoch(run: _Run, watcher: Watcher, log: EpochLog) -> None:
    """Validate, keep the best weights, write the logs and the state."""
    done, part = run.progress, run.recipe.train
    if not done.clips:
        _stop_at_nothing(done)
    broadcast_buffers(run.fabric, run.network)
    row = _train_row(run)
    if run.ema is not None:
        run.ema.swap(run.network)
    row |= _validated(run, watcher)
    value = row.get(_metric(run.recipe))
    best = value is not None and (done.best is None or value > done.best)
    if best:
        done.best, done.best_epoch = value, done.epoch + 1
        _keep(run, "best.safetensors")
    if done.epoch + 1 == part.epochs:
        _keep(run, "final.safetensors")
    if run.ema is not None:
        run.ema.swap(run.network)
    done.close_epoch(row)
    watcher.epoch(row, epochs=part.epochs, best=best)
    log.write(done.history)
    _save(run)


def _stop_at_nothing(done: Progress) -> None:
    """Raise an error that says why an epoch had no clip to train on."""
    path, problem = next(iter(done.skipped.items()))
    raise TrainingError(
        f"no training video of epoch {done.epoch + 1} could be read: all {len(done.skipped)} are "
        f"skipped, the first {path}: {problem}",
        "look at these videos; train.on_bad_video=stop stops at the first",
    )


def _train_row(run: _Run) -> Row:
    """Training columns of an epoch's row of log.csv."""
    done = run.progress
    clips = max(done.clips, 1.0)
    row = {"epoch": done.epoch + 1.0, "step": float(done.step), "lr": _lr(run, done.step - 1)}
    row["train_loss"] = done.loss / clips
    if not run.recipe.train.multi_label:
        row["train_top1"] = done.correct / clips
    row["clips_per_second"] = done.clips / max(done.seconds, 1e-9)
    row["seconds"] = done.seconds
    row["skipped"] = float(len(done.skipped))
    return row


def _lr(run: _Run, step: int) -> float:
    """Learning rate of a step (from 0), for parameters without a factor of their own."""
    optim = run.recipe.optim
    at = (step + 0.5) / run.feeds.order.steps  # in epochs, at the middle of the step
    return optim.lr * lr_factor(at, optim, epochs=run.recipe.train.epochs)


def _validated(run: _Run, watcher: Watcher) -> Row:
    """Validation columns of an epoch's row of log.csv; empty without validation."""
    if run.feeds.val is None or run.feeds.val_samples is None:
        return {}
    watcher.doing("validating")
    broadcast_buffers(run.fabric, run.network)
    run.network.eval()
    row, bad = validate(
        run.fabric,
        run.network,
        run.feeds.val,
        samples=run.feeds.val_samples,
        multi_label=run.recipe.train.multi_label,
        memory_format=run.memory_format,
    )
    if bad:
        _record_bad(run, bad)
    return row


def _metric(recipe: Recipe) -> str:
    return "val_map" if recipe.train.multi_label else "val_top1"


def _keep(run: _Run, name: str) -> None:
    """Write the current weights."""
    if run.fabric.is_global_zero:
        save_model(run.out / name, run.network, run.config)


def _result(out: Path, recipe: Recipe, done: Progress, *, main_process: bool) -> RunResult:
    return RunResult(
        out=out,
        final=out / "final.safetensors",
        best=out / "best.safetensors" if done.best is not None else None,
        best_epoch=done.best_epoch,
        metric=_metric(recipe),
        history=tuple(done.history),
        skipped=done.skipped,
        main_process=main_process,
    )
