"""ECO: the input of each half, the two streams, and the sizes of the authors' networks."""

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.models.eco import ECOLite, LowerInception, PreActivated, TwoLevelInception
from zoopraxis.testing import count_macs, count_params


@torch.no_grad()
def test_the_lower_half_is_bninception_up_to_block_3c():
    torch.manual_seed(0)
    whole = TwoLevelInception(divide=16).eval()
    half = LowerInception(divide=16).eval()
    half.load_state_dict({key: whole.state_dict()[key] for key in half.state_dict()})
    x = torch.randn(2, 3, 64, 64)

    low, flat = whole.forward_levels(x, 2)

    torch.testing.assert_close(half(x, 2), low)
    torch.testing.assert_close(whole(x, 2), flat)  # the tap changes nothing


@torch.no_grad()
def test_projections_see_the_activated_input_and_identities_the_raw_one():
    same, halved = PreActivated(1, 1).eval(), PreActivated(1, 2).eval()
    for block in (same, halved):
        block.conv2.weight.zero_()
        block.conv2.bias.zero_()
    halved.down.weight.zero_()[:, :, 1, 1, 1] = 1.0
    halved.down.bias.zero_()
    x = torch.full((1, 1, 2, 2, 2), -3.0)

    assert same(x).unique().tolist() == [-3.0]
    assert halved(x).shape == (1, 2, 1, 1, 1)
    assert halved(x).unique().tolist() == [0.0]


@torch.no_grad()
def test_frames_do_not_mix_before_the_3d_network():
    torch.manual_seed(0)
    model = ECOLite(divide=16, num_classes=3).eval()
    x = torch.randn(4, 3, 64, 64)  # four frames
    poked = x.clone()
    poked[0] += 1.0

    changed = (model.lower(poked, 4) != model.lower(x, 4)).flatten(1).any(dim=1)

    assert changed.tolist() == [True, False, False, False]


@torch.no_grad()
def test_full_averages_the_2d_features_over_all_frames():
    torch.manual_seed(0)
    model = create_model("test_eco").eval()
    x = torch.randn(1, 3, 8, 64, 64)

    _, flat = model.lower.forward_levels(x[0].transpose(0, 1), 8)
    features = model.forward_features(x)

    assert features.shape[2] == 2  # the 3D stream halves eight frames twice
    torch.testing.assert_close(
        features[0, : flat.shape[1]].mean(dim=(1, 2, 3)), flat.mean(dim=(0, 2, 3))
    )


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("eco_lite_4", 37_503_856, 11_621_769_216),
        ("eco_full_16", 47_502_128, 64_412_950_528),  # published: 47.5 M, 64 G
    ],
)
def test_size_and_cost_are_those_of_the_authors_code(name, params, macs):
    with torch.device("meta"):
        model = create_model(name)

    assert count_params(model) == params
    assert count_macs(model, (1, 3, int(name.rsplit("_", 1)[1]), 224, 224)) == macs
