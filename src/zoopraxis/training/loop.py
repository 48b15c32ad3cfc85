"""The training loop: `run` says how a run starts, `step` what one step is.

No random generator carries state from step to step: the order of the videos is a function of
(seed, epoch), frames and augmentation of (seed, epoch, video), dropout and mixup of (seed, step).
So a run that is killed at any moment and resumes from its last saved state ends with the weights
it would have had, and neither the number of loader workers nor (except for dropout and mixup) of
processes changes what is learned. This holds to the bit on a CPU; a GPU adds up in an order that
varies.
"""

import time
from pathlib import Path

from lightning_fabric import Fabric

from zoopraxis.data.quarantine import LeftOut, without_quarantined
from zoopraxis.errors import TrainingError
from zoopraxis.training.build import describe, launch, read_lists
from zoopraxis.training.checkpoint import load_state
from zoopraxis.training.checks import (
    check_classes,
    check_files,
    check_left_right,
    warn_left_right,
    warn_overlap,
)
from zoopraxis.training.distributed import broadcast_buffers
from zoopraxis.training.failures import named_failures
from zoopraxis.training.logs import EpochLog, Silent, Watcher
from zoopraxis.training.recipe import Recipe, TrainPart
from zoopraxis.training.run import Run, check_folder, claim, start_run, starting_network
from zoopraxis.training.state import Progress, Row, RunResult
from zoopraxis.training.step import drop_unreadable, record_bad, take_step
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
    check_folder(out, recipe, resume=resume)
    state, epochs = load_state(out / "last"), recipe.train.epochs
    if state is not None and state.progress.epoch >= epochs:
        watcher.say(f"{out} is finished: all {epochs} epochs are done")
        return _result(out, recipe, state.progress, main_process=fabric.is_global_zero)
    train_list, val_list = read_lists(recipe.data, multi_label=recipe.train.multi_label)
    left_out: list[LeftOut] = []
    if recipe.data.quarantine:
        file = Path(recipe.data.quarantine)
        train_list, left = without_quarantined(train_list, file)
        left_out = [left]
        if val_list is not None:
            val_list, left = without_quarantined(val_list, file)
            left_out.append(left)
    check_classes(train_list)
    check_left_right(recipe.augment, train_list.labels)
    network, config = starting_network(fabric, recipe, train_list.labels)
    for line in (
        *(line for left in left_out for line in left.lines()),
        *describe(train_list, val_list, recipe.train, config),
        *warn_left_right(recipe.augment, train_list.labels),
        *warn_overlap(train_list, val_list),
        *check_files(train_list, val_list, clip=config.clip, part=recipe.train),
    ):
        watcher.say(line)
    run = start_run(
        fabric,
        recipe,
        out,
        network=network,
        config=config,
        train_list=train_list,
        val_list=val_list,
        state=state,
    )
    claim(out, recipe, fabric=fabric, left_out=left_out)
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


def _train_epoch(run: Run, watcher: Watcher) -> None:
    """Take the remaining steps of the current epoch."""
    done, part = run.progress, run.recipe.train
    run.model.train()
    for norm in run.frozen:
        norm.eval()
    saved = began = time.monotonic()
    for micro_batches in run.feeds.steps_of(done.epoch, done.position):
        micro_batches = drop_unreadable(run, micro_batches)
        loss, correct, clips = take_step(run, micro_batches)
        now = time.monotonic()
        done.count(loss=loss, correct=correct, clips=clips, seconds=now - began)
        watcher.step(
            done.epoch, loss=loss / max(clips, 1), clips_per_second=done.clips / done.seconds
        )
        minutes, began = (now - saved) / 60, now
        if done.position < run.feeds.order.steps and _is_due(part, done.step, minutes):
            run.save()
            saved = time.monotonic()


def _is_due(part: TrainPart, step: int, minutes: float) -> bool:
    """Whether to save a state in the middle of an epoch."""
    by_steps = part.checkpoint_steps and step % part.checkpoint_steps == 0
    by_time = part.checkpoint_minutes and minutes >= part.checkpoint_minutes
    return bool(by_steps or by_time)


def _end_epoch(run: Run, watcher: Watcher, log: EpochLog) -> None:
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
        run.keep("best.safetensors")
    if done.epoch + 1 == part.epochs:
        run.keep("final.safetensors")
    if run.ema is not None:
        run.ema.swap(run.network)
    done.close_epoch(row)
    watcher.epoch(row, epochs=part.epochs, best=best)
    log.write(done.history)
    run.save()


def _stop_at_nothing(done: Progress) -> None:
    """Raise an error that says why an epoch had no clip to train on."""
    path, problem = next(iter(done.skipped.items()))
    raise TrainingError(
        f"no training video of epoch {done.epoch + 1} could be read: all {len(done.skipped)} are "
        f"skipped, the first {path}: {problem}",
        "look at these videos; train.on_bad_video=stop stops at the first",
    )


def _train_row(run: Run) -> Row:
    """Training columns of an epoch's row of log.csv."""
    done = run.progress
    clips = max(done.clips, 1.0)
    row = {"epoch": done.epoch + 1.0, "step": float(done.step), "lr": run.lr(done.step - 1)}
    row["train_loss"] = done.loss / clips
    if not run.recipe.train.multi_label:
        row["train_top1"] = done.correct / clips
    row["clips_per_second"] = done.clips / max(done.seconds, 1e-9)
    row["seconds"] = done.seconds
    row["skipped"] = float(len(done.skipped))
    return row


def _validated(run: Run, watcher: Watcher) -> Row:
    """Validation columns of an epoch's row of log.csv; empty without validation."""
    part, epoch = run.recipe.train, run.progress.epoch + 1
    due = epoch % part.val_interval == 0 or epoch == part.epochs
    if run.feeds.val is None or run.feeds.val_samples is None or not due:
        return {}
    watcher.doing("validating")
    broadcast_buffers(run.fabric, run.network)
    run.network.eval()
    row, bad = validate(
        run.fabric,
        run.network,
        run.feeds.val,
        kind=run.config.clip.input,
        samples=run.feeds.val_samples,
        multi_label=part.multi_label,
        memory_format=run.memory_format,
    )
    if bad:
        record_bad(run, bad)
    return row


def _metric(recipe: Recipe) -> str:
    return "val_map" if recipe.train.multi_label else "val_top1"


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
