"""GST: which channels see which frames, and the sizes of the authors' networks."""

import pytest
import torch

from zoopraxis.models import create_model
from zoopraxis.models.gst import GroupedConv
from zoopraxis.testing import count_macs, count_params


def clip_of_numbered_frames(frames, channels):
    """Frame t is filled with t + 1: (T, C, 1, 1)."""
    return torch.arange(1.0, frames + 1)[:, None, None, None].expand(-1, channels, 1, 1)


@torch.no_grad()
def test_three_quarters_see_one_frame_and_a_quarter_sees_three():
    conv = GroupedConv(4, stride=1, alpha=4, beta=2)
    conv.spatial.weight.zero_()[:, 0, 1, 1] = 1.0
    conv.temporal.weight.zero_()[:, 0, :, 1, 1] = torch.tensor([100.0, 10.0, 1.0])

    out = conv(clip_of_numbered_frames(3, 4), frames=3)[:, :, 0, 0].T  # (C, T)

    assert out[:3].tolist() == [[1, 2, 3]] * 3
    assert out[3].tolist() == [12, 123, 230]  # before, now, after; zero beyond the clip


@pytest.mark.parametrize(
    ("beta", "spatial_sees", "temporal_sees"),
    [(1, [True, True], [True, True]), (2, [True, False], [False, True])],
)
@torch.no_grad()
def test_beta_splits_the_input_in_halves(beta, spatial_sees, temporal_sees):
    torch.manual_seed(0)
    conv = GroupedConv(8, stride=2, alpha=4, beta=beta)
    x = torch.randn(2, 8, 4, 4)

    for half, (spatial, temporal) in enumerate(zip(spatial_sees, temporal_sees, strict=True)):
        poked = x.clone()
        poked[:, 4 * half : 4 * half + 4] += 1.0
        changed = (conv(poked, 2) - conv(x, 2)).abs().amax(dim=(0, 2, 3)) > 1e-6  # (C,)
        assert changed.tolist() == [spatial] * 6 + [temporal] * 2


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("gst_r50_8", 21_035_246, 29_000_564_736),  # the paper: 21.0 M, 29.5 G with the norms
        ("gst_large_r50_8", 29_523_182, 40_098_693_120),  # 29.6 M
    ],
)
def test_size_and_cost_are_those_of_the_authors_code(name, params, macs):
    with torch.device("meta"):
        model = create_model(name)

    assert count_params(model) == params
    assert count_macs(model, (1, 3, 8, 224, 224)) == macs
