"""One step of a run: forward, backward, update, over micro-batches and processes."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from zoopraxis.data.dataset import BadVideo, Batch
from zoopraxis.errors import TrainingError
from zoopraxis.inputs.base import map_inputs
from zoopraxis.training.build import Fault
from zoopraxis.training.distributed import all_gather, all_reduce_sum
from zoopraxis.training.loss import loss_sum, mixup, targets_of
from zoopraxis.training.optim import set_lr
from zoopraxis.training.run import Run

__all__ = ["drop_unreadable", "record_bad", "take_step"]


def drop_unreadable(run: Run, micro_batches: list[Batch]) -> list[Batch]:
    """Stop at, or record, unreadable videos; drop micro-batches that some process lacks."""
    bad = [video for micro_batch in micro_batches for video in micro_batch.bad]
    empty = [float(not micro_batch.indices) for micro_batch in micro_batches]
    some_bad, *some_empty = all_reduce_sum(run.fabric, [len(bad), *empty])
    if some_bad:
        record_bad(run, all_gather(run.fabric, bad))
    # Every process must call backward equally often, so a micro-batch counts only if all processes
    # have clips of it.
    return [micro_batch for micro_batch, n in zip(micro_batches, some_empty, strict=True) if n == 0]


def record_bad(run: Run, bad: Sequence[BadVideo]) -> None:
    """Stop at unreadable videos, or record them: the recipe says which."""
    faults = [video for video in bad if isinstance(video, Fault)]
    if faults:
        raise faults[0].error
    if run.recipe.train.on_bad_video == "stop":
        raise bad[0].error
    run.progress.skipped.update({video.path: video.problem for video in bad})


def take_step(run: Run, micro_batches: Sequence[Batch]) -> tuple[float, float, float]:
    """Take one step; return the sums of loss, correct predictions and clips over all processes."""
    fabric, part, optim, done = run.fabric, run.recipe.train, run.recipe.optim, run.progress
    set_lr(run.bare_optimizer, run.lr(done.step))
    rng = np.random.default_rng([part.seed, done.step, fabric.global_rank])
    torch.manual_seed(int(rng.integers(2**63)))  # dropout
    (total,) = all_reduce_sum(
        fabric, [sum(len(micro_batch.indices) for micro_batch in micro_batches)]
    )
    if total == 0:
        return 0.0, 0.0, 0.0
    sums = torch.zeros(2, device=fabric.device)  # of losses, of correct predictions
    for number, micro_batch in enumerate(micro_batches, start=1):
        with fabric.no_backward_sync(run.model, enabled=number < len(micro_batches)):
            logits, targets = _forward(run, micro_batch, rng)
            micro_loss = loss_sum(
                logits,
                targets,
                multi_label=part.multi_label,
                label_smoothing=part.label_smoothing,
                focal=part.focal,
                weights=run.class_weights,
                offsets=run.class_offsets,
            )
            # DDP averages gradients over processes: multiply by their number, and divide by the
            # clips of the whole step, so that the gradient is that of the mean over the batch.
            fabric.backward(micro_loss * (fabric.world_size / total))
        right = (logits.argmax(1) == targets.argmax(1)).sum()
        sums += torch.stack([micro_loss.detach(), right])
    loss, correct = sums.tolist()  # the one place of a step that waits for the device
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


def _forward(run: Run, micro_batch: Batch, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Logits (B, K) and targets (B, K) of a micro-batch."""
    kind, device = run.config.clip.input, run.fabric.device
    inputs = map_inputs(micro_batch.inputs, device, run.memory_format, packed=kind)  # (B, C, ...)
    targets = targets_of(micro_batch.labels, len(run.config.labels)).to(device)  # (B, K)
    inputs, targets = mixup(inputs, targets, alpha=run.recipe.train.mixup, rng=rng)
    logits: Tensor = run.model(*inputs)
    return logits, targets


def _stop_at_loss(run: Run, micro_batches: Sequence[Batch], loss: float) -> None:
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
