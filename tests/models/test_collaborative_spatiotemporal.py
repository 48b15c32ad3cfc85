"""CoST: three views with one kernel, their coefficients, and which blocks are replaced."""

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.models.collaborative_spatiotemporal import CoSTa, CoSTb, blend
from zoopraxis.testing import count_macs, count_params


@torch.no_grad()
def test_one_kernel_convolves_three_views():
    conv = CoSTa(1, 1)
    conv.weight.zero_()[0, 0, 0, 0, 1] = 1.0  # one step back along the first axis
    x = torch.arange(27.0).reshape(1, 1, 3, 3, 3)  # 9 t + 3 h + w

    hw, tw, th = conv.views(x)[:, 0, 0]

    assert hw[1, 1, 1] == x[0, 0, 1, 0, 1]  # one row up
    assert tw[1, 1, 1] == x[0, 0, 0, 1, 1]  # one frame back
    assert th[1, 1, 1] == x[0, 0, 0, 1, 1]
    conv.weight.zero_()[0, 0, 0, 1, 0] = 1.0  # one step back along the second axis
    hw, tw, th = conv.views(x)[:, 0, 0]
    assert hw[1, 1, 1] == tw[1, 1, 1] == x[0, 0, 1, 1, 0]  # one column to the left
    assert th[1, 1, 1] == x[0, 0, 1, 0, 1]  # one row up


@torch.no_grad()
def test_views_are_blended_by_fractions_that_sum_to_one():
    views = torch.tensor([1.0, 10.0, 100.0]).reshape(3, 1, 1, 1, 1, 1)
    scores = torch.tensor([0.5, 0.25, 0.25]).log().reshape(3, 1, 1)

    assert blend(views, scores).item() == pytest.approx(0.5 + 2.5 + 25)


@torch.no_grad()
def test_a_starts_with_two_thirds_of_the_spatial_view():
    alpha = CoSTa(2, 2).alpha.softmax(dim=0)

    assert alpha[:, 1].tolist() == pytest.approx([0.670, 0.165, 0.165], abs=5e-4)


@torch.no_grad()
def test_b_scores_the_maximum_of_each_view_over_channels_then_views():
    conv = CoSTb(2, 2)
    conv.weight.zero_()[:, :, 0, 1, 1] = torch.eye(2)  # every view is the input itself
    conv.mix_channels.weight.copy_(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))  # swap the channels
    conv.mix_views.weight.copy_(torch.diag(torch.tensor([1.0, 0.0, 0.0])))
    x = torch.zeros(1, 2, 1, 1, 1)
    x[0, 1] = 3.0
    seen = []
    conv.mix_views.register_forward_hook(lambda _module, _inputs, out: seen.append(out))

    out = conv(x)

    assert seen[0][0].tolist() == [[3.0, 0.0, 0.0], [0.0, 0.0, 0.0]]  # (C, views)
    torch.testing.assert_close(out, x)  # the views are equal, so alpha has no effect


def test_every_other_block_is_replaced_across_the_stages():
    with torch.device("meta"):
        model = create_model("cost_a_r50_8")

    stages = (model.layer1, model.layer2, model.layer3, model.layer4)
    replaced = [[isinstance(block.conv2, CoSTa) for block in stage] for stage in stages]
    assert [[int(is_cost) for is_cost in stage] for stage in replaced] == [
        [0, 1, 0],
        [1, 0, 1, 0],
        [1, 0, 1, 0, 1, 0],
        [1, 0, 1],
    ]


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("cost_i3d_r50_8", 29_013_456, 24_425_693_184),
        ("cost_a_r50_8", 24_333_968, 27_816_787_968),
        ("cost_b_r50_8", 25_085_464, 27_819_080_256),
    ],
)
def test_size_and_cost_are_those_of_the_authors_code(name, params, macs):
    with torch.device("meta"):
        model = create_model(name)

    assert count_params(model) == params
    assert count_macs(model, (1, 3, 8, 224, 224)) == macs
