"""GST: which channels see which frames, the plain 3D form, and the authors' sizes."""

import pytest
import torch
import torch.nn.functional as F

from zoopraxis.checkpoints.create import create_model
from zoopraxis.layers.frames import merge_time
from zoopraxis.models.gst import GroupedConv
from zoopraxis.testing import count_macs, count_params, noise_clip


def clip_of_numbered_frames(num_frames, channels):
    """Frame t is filled with t + 1: (T, C, 1, 1)."""
    return torch.arange(1.0, num_frames + 1)[:, None, None, None].expand(-1, channels, 1, 1)


@torch.no_grad()
def test_three_quarters_see_one_frame_and_a_quarter_sees_three():
    conv = GroupedConv(4, stride=1, alpha=4, beta=2)
    conv.spatial.weight.zero_()[:, 0, 1, 1] = 1.0
    conv.temporal.weight.zero_()[:, 0, :, 1, 1] = torch.tensor([100.0, 10.0, 1.0])

    out = conv(clip_of_numbered_frames(3, 4), 3)[:, :, 0, 0].T  # (C, T)

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


@pytest.mark.parametrize(("stride", "beta"), [(1, 1), (2, 2)])
@torch.no_grad()
def test_equals_the_papers_3d_convolutions(stride, beta):
    conv = GroupedConv(8, stride=stride, alpha=4, beta=beta)
    clips = noise_clip((2, 8, 3, 6, 6))  # (B, C, T, H, W)

    steps = (1, stride, stride)
    still = conv.spatial.weight.unsqueeze(2)  # (6, 8/beta, 1, 3, 3)
    still = F.conv3d(clips[:, : 8 // beta], still, stride=steps, padding=(0, 1, 1))
    moving = F.conv3d(clips[:, -8 // beta :], conv.temporal.weight, stride=steps, padding=1)

    expected = merge_time(torch.cat((still, moving), dim=1))
    torch.testing.assert_close(conv(merge_time(clips), 3), expected)


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("gst_r50_8", 21_035_246, 29_000_564_736),  # the paper: 21.0 M, 29.5 G with the batch norms
        ("gst_large_r50_8", 29_523_182, 40_098_693_120),  # 29.6 M
    ],
)
def test_size_and_cost_are_those_of_the_authors_code(name, params, macs):
    with torch.device("meta"):
        model = create_model(name)

    assert count_params(model) == params
    assert count_macs(model, (1, 3, 8, 224, 224)) == macs
