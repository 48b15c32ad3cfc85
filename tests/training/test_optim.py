"""Learning rates, parameter groups, frozen norms and the moving average."""

import math

import pytest
import torch
from torch import nn

from zoopraxis.errors import RecipeError
from zoopraxis.training.optim import Ema, build_optimizer, freeze_norms, lr_factor, set_lr
from zoopraxis.training.recipe import OptimPart


def network() -> nn.Module:
    layers = {"stem": nn.Conv3d(3, 4, 1), "norm": nn.BatchNorm3d(4), "head": nn.Linear(4, 2)}
    return nn.Sequential(nn.ModuleDict(layers))


@pytest.mark.parametrize(
    ("epoch", "expected"), [(0.0, 0.0), (0.5, 0.25), (2.0, 1.0), (6.0, 0.5), (10.0, 0.0)]
)
def test_warm_up_then_cosine(epoch, expected):
    optim = OptimPart(warmup_epochs=2, schedule="cosine")
    assert math.isclose(lr_factor(epoch, optim, epochs=10), expected, abs_tol=1e-12)


@pytest.mark.parametrize(("epoch", "expected"), [(0, 1), (3.9, 1), (4, 0.1), (7.5, 0.01)])
def test_steps(epoch, expected):
    optim = OptimPart(schedule="step", milestones=(4, 7), gamma=0.1)
    assert math.isclose(lr_factor(epoch, optim, epochs=10), expected)


def test_constant_and_a_warm_up_of_the_whole_length():
    assert lr_factor(9.5, OptimPart(schedule="constant"), epochs=10) == 1
    assert lr_factor(5, OptimPart(warmup_epochs=10), epochs=10) == 0.5
    assert lr_factor(10, OptimPart(warmup_epochs=10), epochs=10) == 1


def names_by_group(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[tuple]:
    name_of = {id(p): n.removeprefix("0.") for n, p in model.named_parameters()}
    return [
        (g["scale"], g["weight_decay"], [name_of[id(p)] for p in g["params"]])
        for g in optimizer.param_groups
    ]


def test_head_learns_faster_and_norms_do_not_decay():
    model = network()
    optim = OptimPart(lr=0.2, lr_scale={r"\bhead": 10.0}, weight_decay=0.5, decay_norms=False)

    optimizer = build_optimizer(model, optim)
    set_lr(optimizer, 0.1)

    assert names_by_group(model, optimizer) == [
        (1.0, 0.5, ["stem.weight"]),
        (1.0, 0.0, ["stem.bias", "norm.weight", "norm.bias"]),
        (10.0, 0.5, ["head.weight"]),
        (10.0, 0.0, ["head.bias"]),
    ]
    assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.1, 1.0, 1.0]


def test_adamw_takes_its_settings():
    optimizer = build_optimizer(network(), OptimPart(name="adamw", betas=(0.8, 0.9)))
    assert isinstance(optimizer, torch.optim.AdamW)
    assert optimizer.param_groups[0]["betas"] == (0.8, 0.9)


def test_pattern_that_fits_nothing():
    with pytest.raises(RecipeError, match=r"'\^classifier' matches no parameter"):
        build_optimizer(network(), OptimPart(lr_scale={"^classifier": 10.0}))


def test_frozen_norms_keep_statistics_and_do_not_train():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2), nn.BatchNorm1d(2)).train()

    frozen = freeze_norms(model, but_first=True)

    assert frozen == [model[2]]
    assert [m.training for m in model] == [True, True, False]
    assert [p.requires_grad for p in model.parameters()] == [True] * 4 + [False] * 2
    assert freeze_norms(model, but_first=False) == [model[0], model[2]]
    optimizer = build_optimizer(model, OptimPart())
    assert sum(len(g["params"]) for g in optimizer.param_groups) == 2  # the linear layer's


def test_ema_by_hand():
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    ema = Ema(model, decay=0.5)
    nn.init.constant_(model.weight, 3.0)

    ema.update(model, step=0)  # decay min(0.5, 1 / 10)
    assert ema.weights["weight"].item() == pytest.approx(0.1 * 1 + 0.9 * 3)
    ema.update(model, step=1000)
    assert ema.weights["weight"].item() == pytest.approx(0.5 * 2.8 + 0.5 * 3)


def test_ema_swaps_in_place_and_back():
    model = nn.BatchNorm1d(1)
    ema = Ema(model, decay=0.9)
    with torch.no_grad():
        model.weight.fill_(5.0)
        model.num_batches_tracked.fill_(7)

    ema.swap(model)
    assert (model.weight.item(), model.num_batches_tracked.item()) == (1.0, 0)
    ema.swap(model)
    assert (model.weight.item(), model.num_batches_tracked.item()) == (5.0, 7)
