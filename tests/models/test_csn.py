"""CSN: the costs in the study, and its block designs by hand."""

import pytest
import torch
from torch import nn

from zoopraxis.checkpoints.create import create_model
from zoopraxis.layers.conv3d import channel_interactions
from zoopraxis.models.csn import BottleneckDG, PointThenDepth, depthwise
from zoopraxis.models.registry import model_size
from zoopraxis.testing import count_macs, count_params

# Table 2: GMACs at 8 x 224 x 224, parameters (M), channel interactions (G)
TABLE_2 = {
    "csn_bottleneck_26": (14.3, 20.4, 0.42),
    "ir_csn_26": (4.0, 1.7, 0.27),
    "ip_csn_26": (5.0, 2.4, 0.42),
    "csn_bottleneck_50": (29.5, 46.9, 5.68),
    "ir_csn_50": (10.6, 13.1, 5.42),
    "ip_csn_50": (11.9, 14.3, 5.68),
    "csn_bottleneck_101": (44.7, 85.9, 8.67),
    "ir_csn_101": (14.1, 22.1, 8.27),
    "ip_csn_101": (15.9, 24.5, 8.67),
}


def on_meta(name):
    with torch.device("meta"):
        return create_model(name)


def params_without_norms(model):
    norms = (m for m in model.modules() if isinstance(m, nn.BatchNorm3d))
    return count_params(model) - sum(count_params(norm) for norm in norms)


@pytest.mark.parametrize(("name", "published"), TABLE_2.items())
def test_costs_are_those_of_table_2(name, published):
    model = on_meta(name)
    macs, params, interactions = published

    assert count_macs(model, (1, 3, 8, 224, 224)) / 1e9 == pytest.approx(macs, abs=0.051)
    assert params_without_norms(model) / 1e6 == pytest.approx(params, abs=0.051)
    assert channel_interactions(model) / 1e9 == pytest.approx(interactions, abs=0.0051)


@pytest.mark.parametrize(
    ("name", "params", "published_g"), [("ir_csn_152", 29.6, 96.7), ("ip_csn_152", 32.8, 108.8)]
)
def test_published_costs_of_depth_152_are_counted_at_256_pixels(name, params, published_g):
    model = on_meta(name)

    assert params_without_norms(model) / 1e6 == pytest.approx(params, abs=0.051)
    assert model_size(name).gmacs * (256 / 224) ** 2 == pytest.approx(published_g, abs=0.051)


def test_interactions_are_pairs_of_inputs_of_one_output():
    # 2 groups of 3 channels: pairs (0,1) (0,2) (1,2) in each of the 2 outputs of each group
    assert channel_interactions(nn.Conv3d(6, 4, 3, groups=2)) == 4 * 3
    assert channel_interactions(nn.Conv3d(6, 6, 3, groups=6)) == 0


def test_the_preserved_network_has_the_interactions_of_resnet3d():
    for depth in (26, 50, 101, 152):
        plain = channel_interactions(on_meta(f"csn_bottleneck_{depth}"))
        assert channel_interactions(on_meta(f"ip_csn_{depth}")) == plain
        assert channel_interactions(on_meta(f"ir_csn_{depth}")) < plain


@torch.no_grad()
def test_depth_wise_channels_do_not_interact():
    conv = depthwise(3, 3, stride=(1, 1))
    x = torch.randn(1, 3, 3, 3, 3)
    poked = x.clone()
    poked[:, 0] += 1.0

    changed = (conv(x) != conv(poked)).flatten(2).any(dim=2)[0]

    assert changed.tolist() == [True, False, False]


@torch.no_grad()
def test_point_then_depth_is_a_3d_convolution_of_rank_one_kernels():
    torch.manual_seed(0)
    separated = PointThenDepth(3, 4, stride=(1, 1)).eval()
    separated.norm.eps = 1e-30
    x = torch.randn(1, 3, 4, 5, 5)

    whole = nn.Conv3d(3, 4, 3, padding=1, bias=False)
    whole.weight.copy_(separated.pointwise.weight * separated.depthwise.weight)

    torch.testing.assert_close(separated(x), whole(x), rtol=1e-5, atol=1e-6)


def test_simple_d_has_a_pointwise_convolution_only_where_channels_change():
    model = on_meta("csn_simple_d_18")

    where = [name for name, m in model.named_modules() if isinstance(m, PointThenDepth)]
    assert where == ["layer2.0.conv1", "layer3.0.conv1", "layer4.0.conv1"]


def test_bottleneck_dg_groups_all_its_convolutions():
    block = BottleneckDG(256, 64, conv=depthwise, stride=(1, 1), shortcut=nn.Identity())

    assert [c.groups for c in (block.conv1, block.conv2, block.conv3)] == [16, 64, 4]


def test_bottlenecks_lose_interactions_from_plain_to_dg():
    names = ("csn_bottleneck_50", "csn_bottleneck_g_50", "ir_csn_50", "csn_bottleneck_dg_50")
    counts = [channel_interactions(on_meta(name)) for name in names]

    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) == len(counts)
