"""MFNet: fibers have no channel in common, and the multiplexer mixes them."""

import pytest
import torch
from torch import nn

from zoopraxis.checkpoints.create import create_model
from zoopraxis.models import model_size
from zoopraxis.models.multi_fiber import MultiFiberUnit, Multiplexer, PreConv


def changed_channels(module, channels, poked):
    """Output channels that change with one input channel."""
    torch.manual_seed(0)
    x = torch.randn(1, channels, 3, 3, 3)
    other = x.clone()
    other[:, poked] += 1.0
    with torch.no_grad():
        changed = (module.eval()(x) != module(other)).flatten(2).any(dim=2)[0]
    return changed.nonzero().flatten().tolist()


def test_a_fiber_sees_only_its_own_channels():
    fibers = PreConv(8, 8, kernel=(3, 3), fibers=4)

    assert changed_channels(fibers, 8, poked=5) == [4, 5]  # the third fiber's two


def test_the_multiplexer_mixes_all_fibers():
    assert changed_channels(Multiplexer(8, 2), 8, poked=5) == list(range(8))


@torch.no_grad()
def test_the_multiplexer_has_an_identity_shortcut():
    multiplexer = Multiplexer(2, 1).eval()
    nn.init.zeros_(multiplexer.scatter.conv.weight)
    x = torch.tensor([-3.0, 5.0]).reshape(1, 2, 1, 1, 1)

    assert torch.equal(multiplexer(x), x)


@torch.no_grad()
def test_the_shortcut_of_a_unit_starts_before_the_multiplexer():
    unit = MultiFiberUnit(2, 4, fibers=2, stride=(1, 1)).eval()
    nn.init.zeros_(unit.conv2.conv.weight)
    x = torch.randn(1, 2, 2, 2, 2)

    assert torch.equal(unit(x), unit.shortcut(x))


def test_costs_are_those_of_the_paper():
    size = model_size("mfnet")

    assert size.params_m == pytest.approx(8.0, abs=0.05)
    assert size.gmacs == pytest.approx(11.1, abs=0.1)


def test_units_have_sixteen_fibers():
    with torch.device("meta"):
        model = create_model("mfnet")

    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        assert [u.conv1.conv.groups for u in stage] == [16] * len(stage)
        assert [u.conv2.conv.groups for u in stage] == [1] + [16] * (len(stage) - 1)
        assert stage[0].conv1.conv.kernel_size == (3, 3, 3)
        assert stage[1].conv2.conv.kernel_size == (1, 3, 3)
