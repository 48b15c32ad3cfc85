"""What networks cost: counts by hand, memory, other clips."""

import math

import pytest
import torch
from torch import nn

from zoopraxis import create_model, model_spec
from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.saved import save_model
from zoopraxis.errors import ShapeError, ZoopraxisError
from zoopraxis.explain.account import account, count_activations
from zoopraxis.models import list_models, model_size

FLOAT = 4  # bytes


@pytest.mark.parametrize("name", list_models("test_*"))
def test_every_tiny_network(name):
    check_account(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", list_models())
def test_every_network(name):
    check_account(name)


def check_account(name):
    found, size = account(name), model_size(name)

    assert found.params / 1e6 == pytest.approx(size.params_m, abs=0.00501)
    assert found.macs / 1e9 == pytest.approx(size.gmacs, abs=0.00501)
    assert found.weight_bytes >= FLOAT * found.params
    assert found.activation_bytes > FLOAT * sum(map(math.prod, found.shapes))


def test_activations_and_memory_by_hand():
    model = nn.Sequential(nn.Conv3d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv3d(8, 2, 1))
    for device in ("meta", "cpu"):
        elements, peak = count_activations(model.to_empty(device=device), (1, 3, 4, 10, 10))

        assert elements == (8 + 2) * 400
        # the input, what the first convolution gives, and its positive part; the second gives less
        assert peak == FLOAT * (3 + 8 + 8) * 400


def test_views_and_changes_in_place_hold_nothing_more():
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv3d(1, 4, 1)

        def forward(self, x):
            return self.conv(x).relu_().transpose(1, 2).flatten(3)[:, :1]

    # flattening the two last axes of a transposed map needs no copy
    _, peak = count_activations(InPlace(), (1, 1, 5, 6, 7))
    assert peak == FLOAT * (1 + 4) * 210


def test_interactions_are_those_of_3d_convolutions():
    assert account("test_tsn").interactions is None
    for name in ("ir_csn_50", "ip_csn_50", "r2plus1d_18"):
        with torch.device("meta"):
            convs = [m for m in create_model(name).modules() if isinstance(m, nn.Conv3d)]
        # each output channel mixes the channels of its group, two at a time
        pairs = sum(c.out_channels * math.comb(c.weight.shape[1], 2) for c in convs)
        assert account(name).interactions == pairs > 0
    # the 1x1x1 convolutions before the depth-wise ones restore what the others have lost
    assert account("ir_csn_50").interactions < account("ip_csn_50").interactions


def test_another_clip_is_counted_anew():
    frames = model_spec("test_tsn").clip.sampling.num_frames
    once, twice = account("test_tsn"), account("test_tsn", num_frames=2 * frames)

    assert twice.params == once.params
    assert twice.activations == 2 * once.activations


def test_clips_that_a_network_does_not_take():
    with pytest.raises(ShapeError, match="test_c3d does not take clips of"):
        account("test_c3d", size=112)
    with pytest.raises(ZoopraxisError, match="'skeleton' input has no size"):
        account("test_stgcn", size=112)


def test_a_file_of_ours(tmp_path):
    model, clip = create_model("test_tsn", num_classes=7), model_spec("test_tsn").clip
    config = ModelConfig(name="test_tsn", clip=clip, labels=tuple("abcdefg"))
    path = save_model(tmp_path / "best.safetensors", model, config)

    found = account(path)

    assert found.params == sum(p.numel() for p in model.parameters())
    assert found.activations == account("test_tsn").activations
