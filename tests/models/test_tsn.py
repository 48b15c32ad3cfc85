"""Consensus of segments by hand, and the published sizes of TSN."""

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ShapeError
from zoopraxis.models.tsn import CONSENSUS, TopK
from zoopraxis.testing import count_macs, count_params, noise_clip

SCORES = torch.tensor([[[1.0, 8.0], [2.0, 6.0], [6.0, 4.0], [3.0, 2.0]]])  # (1, T = 4, K = 2)
FEATURES = torch.tensor([[[0.0], [1.0], [0.0], [0.0]]])  # (1, T, F = 1)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("average", [3.0, 5.0]),
        ("max", [6.0, 8.0]),
        ("top_k", [11 / 3, 6.0]),
        ("weighted", [3.0, 5.0]),  # before training
    ],
)
def test_consensus_of_four_segments(name, wanted):
    out = CONSENSUS[name](4, 1)(SCORES, FEATURES)

    torch.testing.assert_close(out, torch.tensor([wanted]))


def test_attention_weighs_segments_by_their_features():
    attention = CONSENSUS["attention"](4, 1)
    torch.nn.init.constant_(attention.weigh.weight, torch.tensor(3.0).log().item())

    # the second segment weighs 3 / (3 + 1 + 1 + 1)
    torch.testing.assert_close(attention(SCORES, FEATURES), torch.tensor([[16 / 6, 32 / 6]]))


def test_top_k_needs_k_segments():
    with pytest.raises(ShapeError, match="2 segments have no top 3"):
        TopK(3)(SCORES[:, :2], FEATURES[:, :2])


@pytest.mark.parametrize("consensus", ["average", "max", "top_k", "attention"])
@torch.no_grad()
def test_order_of_segments_has_no_effect(consensus):
    model = create_model("test_tsn", consensus=consensus).eval()
    clip = noise_clip((1, 3, 4, 64, 64))

    torch.testing.assert_close(model(clip), model(clip[:, :, [2, 0, 3, 1]]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        # of the authors' and the baselines' code, counted by another tool at 224 pixels
        ("tsn_bninception_3", 10373765, 6095038464),
        ("tsn_bninception_flow_3", 10395717, 6921136128),
        ("tsn_bninception_8", 10448590, 16254033920),
        ("tsn_r50_8", 24327632, 32703643648),
    ],
)
def test_parameters_and_multiply_adds_of_the_authors_code(name, params, macs):
    with torch.device("meta"):
        model = create_model(name)
    channels, frames = (2, 15) if "flow" in name else (3, int(name.split("_")[-1]))

    assert count_params(model) == params
    assert count_macs(model, (1, channels, frames, 224, 224)) == macs
