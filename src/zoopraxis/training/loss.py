"""Targets and losses: one label or several, smoothing, mixup, and classes of unequal size."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoopraxis.data.samples import Label, SampleList
from zoopraxis.errors import DataError, RecipeError

__all__ = ["class_offsets", "class_weights", "loss_sum", "mixup", "targets_of"]


def targets_of(labels: Sequence[Label], num_classes: int) -> Tensor:
    """Targets (B, K): 1 at each label of a clip, 0 elsewhere."""
    targets = torch.zeros(len(labels), num_classes)  # (B, K)
    for row, label in zip(targets, labels, strict=True):
        row[list(label) if isinstance(label, tuple) else label] = 1
    return targets


def mixup(
    inputs: tuple[Tensor, ...], targets: Tensor, *, alpha: float, rng: np.random.Generator
) -> tuple[tuple[Tensor, ...], Tensor]:
    """Mix each clip, and its target, with another of the batch.

    Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018, arXiv:1710.09412,
    equation 2: one lambda from Beta(alpha, alpha) for the batch, partners by a permutation.

    Parameters
    ----------
    inputs : tuple of Tensor
        What the network takes, the B clips in the first axis of each.
    targets : Tensor of shape (B, K)
        Their targets.
    alpha : float
        Of the beta distribution; 0 mixes nothing.
    rng : numpy.random.Generator
        Draws lambda, then the permutation.

    Raises
    ------
    RecipeError
        The network takes more than the clips: what lies between two boxes shows nothing.
    """
    if alpha == 0:
        return inputs, targets
    if len(inputs) > 1:
        raise RecipeError(
            f"train.mixup = {alpha:g} mixes clips, and this model takes {len(inputs)} tensors",
            "set train.mixup to 0",
        )
    weight = float(rng.beta(alpha, alpha))
    partner = torch.from_numpy(rng.permutation(len(targets))).to(targets.device)

    def mix(x: Tensor) -> Tensor:
        return weight * x + (1 - weight) * x[partner]

    return tuple(map(mix, inputs)), mix(targets)


def loss_sum(
    logits: Tensor,
    targets: Tensor,
    *,
    multi_label: bool,
    label_smoothing: float = 0.0,
    focal: float = 0.0,
    weights: Tensor | None = None,
    offsets: Tensor | None = None,
) -> Tensor:
    """Loss summed over the clips of a batch, in float32.

    Parameters
    ----------
    logits : Tensor of shape (B, K)
        Of the network.
    targets : Tensor of shape (B, K)
        Probabilities of the classes; with several labels each between 0 and 1.
    multi_label : bool
        Whether the targets are several labels: mean over the classes of the binary cross
        entropies, instead of the cross entropy.
    label_smoothing : float, default=0
        Fraction of the target that is spread over all classes; only without ``focal``.
    focal : float, default=0
        Gamma of the focal loss: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017,
        arXiv:1708.02002, equation 4. Each term of the cross entropy is multiplied by
        ``(1 - p) ** gamma``, with p the probability that the model gives to the target.
    weights : Tensor of shape (K,), optional
        Factors on the terms of the classes; only with one label per clip.
    offsets : Tensor of shape (K,), optional
        Added to the logits; only with one label per clip. See `class_offsets`.
    """
    logits = logits.float()
    if offsets is not None:
        logits = logits + offsets
    if focal and multi_label:
        signs = torch.stack([F.logsigmoid(logits), F.logsigmoid(-logits)])  # (2, B, K)
        shares = torch.stack([targets, 1 - targets])  # (2, B, K)
        return -(shares * (1 - signs.exp()) ** focal * signs).sum(dim=0).mean(dim=1).sum()
    if focal:
        log_p = logits.log_softmax(dim=1)  # (B, K)
        terms = targets * (1 - log_p.exp()) ** focal * log_p  # (B, K)
        return -(terms if weights is None else terms * weights).sum()
    if multi_label:
        losses = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")  # (B, K)
        return losses.mean(dim=1).sum()
    return F.cross_entropy(
        logits, targets, weight=weights, reduction="sum", label_smoothing=label_smoothing
    )


def class_weights(samples: SampleList) -> Tensor:
    """Weights (K,) inversely proportional to the clips of each class; their mean over clips is 1.

    # 3 clips of the first class and 1 of the second: 2/3 and 2
    """
    counts = _class_counts(samples)
    return counts.sum() / (len(counts) * counts)


def class_offsets(samples: SampleList, *, tau: float) -> Tensor:
    """Tau times the logarithm of the fraction of clips that each class has, (K,).

    Added to the logits in training alone, they make the network learn logits that are right where
    all classes are equally frequent: Menon et al., Long-tail learning via logit adjustment,
    ICLR 2021, arXiv:2007.07314, equation 10.
    """
    counts = _class_counts(samples)
    return tau * (counts / counts.sum()).log()


def _class_counts(samples: SampleList) -> Tensor:
    """Clips of each class (K,), which all must have some."""
    counts = np.bincount([s.label for s in samples], minlength=len(samples.labels))
    if not counts.all():
        raise DataError(
            f"{samples.root} has no video of the class {samples.labels[counts.argmin()]!r}, whose "
            "weight would be infinite",
            "leave the class out of data.labels, or set train.class_weights=none and "
            "train.logit_adjustment=0",
        )
    return torch.from_numpy(counts).float()
