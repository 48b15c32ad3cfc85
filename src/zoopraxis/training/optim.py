"""Optimisers, learning-rate schedules, frozen batch norms, and the average of the weights."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from zoopraxis.errors import RecipeError
from zoopraxis.training.recipe import OptimPart

__all__ = ["Ema", "build_optimizer", "freeze_norms", "lr_factor", "set_lr"]

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def build_optimizer(model: nn.Module, optim: OptimPart) -> torch.optim.Optimizer:
    """Optimiser over the parameters that train, grouped by learning rate and weight decay.

    Parameters
    ----------
    model : nn.Module
        Its parameters that require gradients.
    optim : OptimPart
        The recipe's section.

    Returns
    -------
    torch.optim.Optimizer
        Each group has ``scale``, its factor on the learning rate.

    Raises
    ------
    RecipeError
        A pattern of ``lr_scale`` matches no parameter.
    """
    groups = _groups(model, optim)
    if optim.name == "sgd":
        return torch.optim.SGD(
            groups, lr=optim.lr, momentum=optim.momentum, nesterov=optim.nesterov
        )
    return torch.optim.AdamW(groups, lr=optim.lr, betas=optim.betas)


def _groups(model: nn.Module, optim: OptimPart) -> list[dict[str, Any]]:
    """Group parameters by (factor on the learning rate, weight decay)."""
    groups: dict[tuple[float, float], list[Tensor]] = {}
    unused = set(optim.lr_scale)
    for name, parameter in model.named_parameters():
        pattern = next((p for p in optim.lr_scale if re.search(p, name)), None)
        unused.discard(pattern or "")
        if parameter.requires_grad:
            scale = 1.0 if pattern is None else optim.lr_scale[pattern]
            decays = parameter.ndim > 1 or optim.decay_norms
            key = (scale, optim.weight_decay if decays else 0.0)
            groups.setdefault(key, []).append(parameter)
    if unused:
        names = [name for name, _ in model.named_parameters()]
        raise RecipeError(
            f"optim.lr_scale: {min(unused)!r} matches no parameter",
            f"names are {names[0]} ... {names[-1]}",
        )
    return [
        {"params": parameters, "scale": scale, "weight_decay": decay}
        for (scale, decay), parameters in groups.items()
    ]


def lr_factor(epoch: float, optim: OptimPart, *, epochs: int) -> float:
    """Factor on the learning rate at a point in training.

    Parameters
    ----------
    epoch : float
        Epochs done, with the fraction of the current one: 1.5 is half of the second epoch.
    optim : OptimPart
        The recipe's section.
    epochs : int
        Total number of epochs.
    """
    if epoch < optim.warmup_epochs:
        return epoch / optim.warmup_epochs
    if optim.schedule == "step":
        return optim.gamma ** sum(epoch >= m for m in optim.milestones)
    if optim.schedule == "cosine" and epochs > optim.warmup_epochs:
        done = (epoch - optim.warmup_epochs) / (epochs - optim.warmup_epochs)
        return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
    return 1.0


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of every group."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["scale"]


def freeze_norms(model: nn.Module, *, but_first: bool) -> list[nn.Module]:
    """Freeze parameters and statistics of batch norms; return those that must stay in eval mode.

    Parameters
    ----------
    model : nn.Module
        Changed in place.
    but_first : bool
        Leave the first, in the order of definition, as it is: "partial BN" of Wang et al.,
        Temporal Segment Networks, ECCV 2016, section 3.2.
    """
    norms = [m for m in model.modules() if isinstance(m, BATCH_NORMS)][1 if but_first else 0 :]
    for norm in norms:
        norm.eval()
        norm.requires_grad_(False)
    return list(norms)


class Ema:
    """Exponential moving average of a model's weights and statistics.

    Parameters
    ----------
    model : nn.Module
        Where the average starts.
    decay : float
        Weight of the average in one update; the model's is ``1 - decay``. During the first
        updates it is at most (1 + n) / (10 + n), so that the initial weights are soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: t.detach().clone() for name, t in _state(model)}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model after optimiser step number ``step`` (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, tensor in _state(model):
            if tensor.is_floating_point():
                self.weights[name].lerp_(tensor, 1 - decay)
            else:
                self.weights[name].copy_(tensor)

    @torch.no_grad()
    def swap(self, model: nn.Module) -> None:
        """Exchange the average and the model's weights; call it twice to have them back."""
        for name, tensor in _state(model):
            kept = tensor.clone()
            tensor.copy_(self.weights[name])
            self.weights[name].copy_(kept)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Restore a saved average."""
        for name, tensor in self.weights.items():
            tensor.copy_(weights[name])


def _state(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers by name, as they are in the model."""
    pairs: Iterable[tuple[str, Tensor]] = model.state_dict(keep_vars=False).items()
    yield from pairs
