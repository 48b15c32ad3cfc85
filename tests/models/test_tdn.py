"""TDN: differences within and between segments by hand, and the sizes of the paper."""

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.models.tdn import DifferenceResNet, LongTermDifference, ShiftFilters
from zoopraxis.testing import count_macs, count_params, noise_clip


def numbered(num_frames, channels, values):
    """Frame t is filled with values[t]: (T, C, 2, 2)."""
    return torch.tensor(values)[:, None, None, None].expand(num_frames, channels, 2, 2)


@torch.no_grad()
def test_differences_to_the_next_and_the_previous_segment():
    block = LongTermDifference(16).eval()
    block.reduce.weight[:] = 1 / 16  # the mean, of one channel
    block.filters.weight.zero_()[:, :, 1, 1] = 10.0  # ten times itself

    to_next, to_previous = block.differences(numbered(3, 16, [1.0, 2.0, 5.0]), 3)

    scale = (1 + block.reduce_norm.eps) ** -0.5
    torch.testing.assert_close(to_next[:, 0, 0, 0], scale * torch.tensor([19.0, 48.0, 0.0]))
    torch.testing.assert_close(to_previous[:, 0, 0, 0], scale * torch.tensor([0.0, 8.0, 15.0]))


@torch.no_grad()
def test_without_motion_the_gate_is_zero():
    torch.manual_seed(0)
    block = LongTermDifference(32).eval()
    block.filters.weight.zero_()[:, :, 1, 1] = 1.0
    x = noise_clip((1, 32, 4, 4)).expand(3, -1, -1, -1)

    torch.testing.assert_close(block(x, 3), x)
    moving = noise_clip((3, 32, 4, 4))
    assert not torch.allclose(block(moving, 3), moving)


@torch.no_grad()
def test_filters_start_as_a_shift_of_an_eighth_each_way():
    filters = ShiftFilters(8)

    out = filters(numbered(3, 8, [1.0, 2.0, 3.0]), 3)[:, :, 0, 0].T  # (C, T)

    assert out[0].tolist() == [2, 3, 0]
    assert out[1].tolist() == [0, 1, 2]
    assert out[2:].tolist() == [[1, 2, 3]] * 6


@torch.no_grad()
def test_short_term_sees_changes_within_a_segment_and_nothing_of_what_stays():
    torch.manual_seed(0)
    backbone = DifferenceResNet(50, width=8).eval()
    still = noise_clip((1, 1, 3, 64, 64)).expand(1, 5, -1, -1, -1)
    moving = still.clone()
    moving[:, 4] += noise_clip((3, 64, 64), seed=1)
    seen = []
    backbone.difference_stem.register_forward_pre_hook(lambda _module, args: seen.append(args[0]))

    backbone(still.flatten(1, 2), 1), backbone(moving.flatten(1, 2), 1)

    assert not seen[0].any()
    assert [bool(part.any()) for part in seen[1].split(3, dim=1)] == [False, False, False, True]


@torch.no_grad()
def test_blend_enlarges_the_differences():
    backbone = DifferenceResNet(50, width=8, alpha=0.75)

    out = backbone.blend(
        torch.full((1, 1, 4, 4), 4.0), torch.tensor([[[[0.0, 8.0], [16.0, 24.0]]]])
    )

    assert out[0, 0].tolist() == [[3, 3, 5, 5]] * 2 + [[7, 7, 9, 9]] * 2


@pytest.mark.parametrize(("name", "published"), [("tdn_r50_8", 36.0), ("tdn_r50_16", 72.0)])
def test_cost_is_that_of_the_paper(name, published):
    with torch.device("meta"):
        model = create_model(name)
    num_frames = int(name.split("_")[-1])

    macs = count_macs(model, (1, 3, 5 * num_frames, 224, 224)) / 1e9
    assert macs == pytest.approx(published, rel=0.015)  # the paper prints whole numbers


def test_size_is_the_authors_less_biases_and_the_unused_stem():
    with torch.device("meta"):
        ours = count_params(create_model("tdn_r50_8", num_classes=10))
    theirs = 24_084_010  # of their code, with 10 classes
    assert 0.03e6 < theirs - ours < 0.06e6
