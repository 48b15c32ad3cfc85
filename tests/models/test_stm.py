"""STM: temporal filters, motion between frames, and the size of the paper."""

import pytest
import torch
import torch.nn.functional as F

from zoopraxis.checkpoints.create import create_model
from zoopraxis.models.stm import CMM, STMBottleneck, TemporalFilters
from zoopraxis.testing import count_macs, count_params, noise_clip


def numbered_frames(num_frames, channels, size=1):
    """Frame t is filled with t + 1: (T, C, H, W)."""
    return torch.arange(1.0, num_frames + 1)[:, None, None, None].repeat(1, channels, size, size)


@torch.no_grad()
def test_filters_over_time_start_as_shifts():
    out = TemporalFilters(4)(numbered_frames(3, 4), 3)[:, :, 0, 0].T  # (C, T)

    assert out.tolist() == [[0, 1, 2], [1, 2, 3], [1, 2, 3], [2, 3, 0]]


@torch.no_grad()
def test_a_new_network_starts_with_shifts_too():
    model = create_model("test_stm")

    filters = model.backbone.layer3[1].temporal.conv.weight[:, 0, :, 0]  # (C, 3)
    assert filters.sum(dim=0).tolist() == [8, 16, 8]
    assert filters.sum(dim=1).eq(1).all()


@torch.no_grad()
def test_every_channel_has_its_own_filter_over_time():
    filters = TemporalFilters(2)
    filters.conv.weight[:, 0, :, 0] = torch.tensor([[100.0, 10.0, 1.0], [0.0, 0.0, -1.0]])

    out = filters(numbered_frames(3, 2, size=2), 3)  # (T, C, 2, 2)

    assert out[:, 0, 1, 0].tolist() == [12, 123, 230]
    assert out[:, 1, 0, 1].tolist() == [-2, -3, 0]


@torch.no_grad()
def test_filters_equal_a_1d_convolution_at_every_pixel():
    filters = TemporalFilters(4)
    torch.nn.init.normal_(filters.conv.weight)
    clip = noise_clip((5, 4, 2, 3))  # (T, C, H, W)

    pixels = clip.permute(2, 3, 1, 0).flatten(0, 1)  # (H * W, C, T)
    expected = F.conv1d(pixels, filters.conv.weight.squeeze(3), padding=1, groups=4)
    expected = expected.unflatten(0, (2, 3)).permute(3, 2, 0, 1)  # (T, C, H, W)

    torch.testing.assert_close(filters(clip, 5), expected)


def motion_of_one_channel(*, stride, tap):
    """CMM that reduces and restores by ones and whose filter is `tap` at its centre."""
    motion = CMM(1, stride=stride).eval()
    with torch.no_grad():
        motion.reduce.weight.fill_(1.0)
        motion.filters.weight.zero_()[0, 0, 1, 1] = tap
        motion.restore.weight.fill_(1.0)
    return motion


@torch.no_grad()
def test_motion_is_the_filtered_next_frame_less_this_one():
    frames = torch.tensor([1.0, 4.0, 9.0, 5.0, 5.0, 7.0])[:, None, None, None]  # two clips of three

    out = motion_of_one_channel(stride=1, tap=2.0)(frames, 3).flatten()

    assert out.tolist() == pytest.approx(
        [2 * 4 - 1, 2 * 9 - 4, 0, 2 * 5 - 5, 2 * 7 - 5, 0], rel=1e-4
    )


@torch.no_grad()
def test_a_stride_takes_corners():
    frames = torch.zeros(2, 1, 2, 2)
    frames[1, 0] = torch.tensor([[1.0, 2.0], [3.0, 4.0]])

    out = motion_of_one_channel(stride=2, tap=1.0)(frames, 2)

    assert out.flatten().tolist() == pytest.approx([1, 0], rel=1e-4)


@torch.no_grad()
def test_the_block_sums_both_modules_before_it_restores_the_width():
    torch.manual_seed(0)
    block = STMBottleneck(64, 16, stride=1, shortcut=torch.nn.Identity()).eval()
    x = torch.randn(4, 64, 5, 5)
    inner = block.norm1(block.conv1(x)).relu()

    middle = block.norm2(block.conv2(block.temporal(inner, 4))).relu() + block.motion(inner, 4)
    expected = (block.norm3(block.conv3(middle)) + x).relu()

    torch.testing.assert_close(block(x, 4), expected)


@torch.no_grad()
def test_clip_logits_are_the_mean_of_the_frames():
    model = create_model("test_stm").eval()
    clip = torch.randn(2, 3, 4, 32, 32)

    torch.testing.assert_close(model.forward_frames(clip).mean(dim=1), model(clip))


def test_size_and_cost_are_those_of_the_paper():
    with torch.device("meta"):
        model = create_model("stm_r50_8")

    assert round(count_params(model) / 1e6, 1) == 24.0
    # 33.3 G in the paper; poolings, batch norms and sums are not counted here
    assert count_macs(model, (1, 3, 8, 224, 224)) / 1e9 == pytest.approx(33.3, rel=0.01)
