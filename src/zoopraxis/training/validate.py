"""Loss and accuracy on the validation clips, one centre clip of each video."""

import math
from collections.abc import Iterable

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torchmetrics.aggregation import SumMetric
from torchmetrics.classification import MulticlassAccuracy, MultilabelAveragePrecision

from zoopraxis.data.dataset import BadVideo, Batch
from zoopraxis.data.samples import SampleList
from zoopraxis.errors import TrainingError
from zoopraxis.training.loss import loss_sum, targets_of
from zoopraxis.training.state import Row
from zoopraxis.training.distributed import gathered

__all__ = ["validate"]


class _Scores:
    """Loss, and top-1 and top-5 accuracy or mean average precision, over all processes."""

    def __init__(self, num_classes: int, *, multi_label: bool, device: torch.device) -> None:
        self.multi_label = multi_label
        self.loss = SumMetric(nan_strategy="disable").to(device)
        self.clips = SumMetric(nan_strategy="disable").to(device)
        self.metrics = (
            {"val_map": MultilabelAveragePrecision(num_classes, average="macro").to(device)}
            if multi_label
            else {
                f"val_top{k}": MulticlassAccuracy(
                    num_classes, top_k=min(k, num_classes), average="micro"
                ).to(device)
                for k in (1, 5)
            }
        )

    def update(self, logits: Tensor, targets: Tensor) -> float:
        """Add a batch of logits (B, K) and targets (B, K); give its loss."""
        loss = loss_sum(logits, targets, multi_label=self.multi_label)
        self.loss.update(loss)
        self.clips.update(len(logits))
        truth = targets.long() if self.multi_label else targets.argmax(dim=1)
        for metric in self.metrics.values():
            metric.update(logits.float(), truth)
        return float(loss)

    def row(self) -> Row:
        """Sum up over all processes."""
        clips = float(self.clips.compute())
        if clips == 0:
            raise TrainingError("no validation video could be read", "look at the list of skipped")
        loss = float(self.loss.compute()) / clips
        return {"val_loss": loss, **{n: float(m.compute()) for n, m in self.metrics.items()}}


@torch.no_grad()
def validate(
    fabric: Fabric,
    network: nn.Module,
    batches: Iterable[Batch],
    *,
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
        This process's share.
    samples : SampleList
        The validation list.
    multi_label : bool
        Whether clips have several labels.
    memory_format : torch.memory_format
        Of the clips.

    Returns
    -------
    row : dict of str to float
        ``val_loss`` with ``val_top1`` and ``val_top5``, or ``val_map``, as shares of 1.
    bad : list of BadVideo
        Videos of all processes that could not be read and are in none of the numbers.

    Raises
    ------
    TrainingError
        The loss of a batch is not finite; the message names its clips.
    """
    num_classes = len(samples.labels)
    scores = _Scores(num_classes, multi_label=multi_label, device=fabric.device)
    bad: list[BadVideo] = []
    lost: list[str] = []
    for batch in batches:
        bad += batch.bad
        if len(batch.numbers) == 0:
            continue
        clips = batch.clips.to(fabric.device, memory_format=memory_format)  # (B, C, T, S, S)
        with fabric.autocast():
            logits = network(clips)  # (B, K)
        targets = targets_of(batch.labels, num_classes).to(fabric.device)  # (B, K)
        if not math.isfinite(scores.update(logits, targets)):
            lost += [samples[i].name for i in batch.numbers]
    lost = gathered(fabric, lost)
    if lost:
        raise TrainingError(
            f"the validation loss is not finite on {', '.join(lost)}",
            "lower optim.lr, set optim.clip_grad, or look at these videos",
        )
    return scores.row(), gathered(fabric, bad)
