"""Loss and accuracy on the validation clips, one centre clip of each video."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from zoopraxis.data.dataset import BadVideo, Batch
from zoopraxis.data.samples import SampleList
from zoopraxis.errors import TrainingError
from zoopraxis.inputs.base import Input, map_inputs
from zoopraxis.metrics import mean_average_precision, top_k_accuracy
from zoopraxis.training.distributed import all_gather
from zoopraxis.training.loss import loss_sum, targets_of
from zoopraxis.training.state import Row

__all__ = ["validate"]


@torch.no_grad()
def validate(
    fabric: Fabric,
    network: nn.Module,
    batches: Iterable[Batch],
    *,
    kind: Input[Any, Any],
    samples: SampleList,
    multi_label: bool,
    memory_format: torch.memory_format,
) -> tuple[Row, list[BadVideo]]:
    """Measure a network in evaluation mode.

    Parameters
    ----------
    fabric : Fabric
        Device, precision and processes.
    network : nn.Module
        Bare, not wrapped for gradients: processes may have different numbers of batches.
    batches : iterable of Batch
        This process's shard.
    kind : Input
        The network's kind of input, which unpacks the clips.
    samples : SampleList
        The validation list.
    multi_label : bool
        Whether clips have several labels.
    memory_format : torch.memory_format
        Of the clips.

    Returns
    -------
    row : dict of str to float
        ``val_loss`` with ``val_top1`` and, where there are more than five classes, ``val_top5``;
        or ``val_map``. Fractions of 1.
    bad : list of BadVideo
        Videos of all processes that could not be read and are in none of the numbers.

    Raises
    ------
    TrainingError
        The loss of a batch is not finite; the message names its clips.
    """
    num_classes = len(samples.labels)
    bad: list[BadVideo] = []
    not_finite: list[str] = []
    measured: list[tuple[float, Tensor, Tensor]] = []  # loss, logits (B, K), targets (B, K)
    for batch in batches:
        bad += batch.bad
        if not batch.indices:
            continue
        inputs = map_inputs(batch.inputs, fabric.device, memory_format, packed=kind)
        with fabric.autocast():
            logits = network(*inputs).float()  # (B, K)
        targets = targets_of(batch.labels, num_classes).to(fabric.device)  # (B, K)
        loss = float(loss_sum(logits, targets, multi_label=multi_label))
        if not math.isfinite(loss):
            not_finite += [samples[i].name for i in batch.indices]
        measured.append((loss, logits.cpu(), targets.cpu()))
    not_finite = all_gather(fabric, not_finite)
    if not_finite:
        raise TrainingError(
            f"the validation loss is not finite on {', '.join(not_finite)}",
            "lower optim.lr, set optim.clip_grad, or look at these videos",
        )
    return _row(all_gather(fabric, measured), multi_label=multi_label), all_gather(fabric, bad)


def _row(measured: list[tuple[float, Tensor, Tensor]], *, multi_label: bool) -> Row:
    """Loss and metrics over the batches of all processes."""
    if not measured:
        raise TrainingError("no validation video could be read", "look at the list of skipped ones")
    losses, logits, targets = zip(*measured, strict=True)
    scores = torch.cat(logits).double().numpy()  # (N, K)
    truth = torch.cat(targets).numpy()  # (N, K)
    row = {"val_loss": sum(losses) / len(scores)}
    if multi_label:
        return row | {"val_map": mean_average_precision(scores, truth.astype(bool))}
    labels = truth.argmax(axis=1).astype(np.int64)  # (N,)
    row["val_top1"] = top_k_accuracy(scores, labels)
    if scores.shape[1] > 5:  # of five classes all are among the first five
        row["val_top5"] = top_k_accuracy(scores, labels, k=5)
    return row
