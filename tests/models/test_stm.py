"""STM: filters over time, motion between frames, and the two public files."""

import pytest
import torch

from zoopraxis.models import create_model
from zoopraxis.models.stm import (
    Motion,
    PooledMotion,
    STMBottleneck,
    TemporalFilters,
    add_identity_norms,
)
from zoopraxis.testing import count_macs, count_params


def numbered_frames(frames, channels, size=1):
    """Frame t is filled with t + 1: (T, C, H, W)."""
    return torch.arange(1.0, frames + 1)[:, None, None, None].repeat(1, channels, size, size)


@torch.no_grad()
def test_filters_over_time_start_as_shifts():
    out = TemporalFilters(4)(numbered_frames(3, 4), frames=3)[:, :, 0, 0].T  # (C, T)

    assert out.tolist() == [[0, 1, 2], [1, 2, 3], [1, 2, 3], [2, 3, 0]]


@torch.no_grad()
def test_a_new_network_starts_with_shifts_too():
    model = create_model("test_stm")

    filters = model.trunk.layer3[1].temporal.conv.weight[:, 0, :, 0]  # (C, 3)
    assert filters.sum(dim=0).tolist() == [8, 16, 8]
    assert filters.sum(dim=1).eq(1).all()


@torch.no_grad()
def test_every_channel_has_its_own_filter_over_time():
    filters = TemporalFilters(2)
    filters.conv.weight[:, 0, :, 0] = torch.tensor([[100.0, 10.0, 1.0], [0.0, 0.0, -1.0]])

    out = filters(numbered_frames(3, 2, size=2), frames=3)  # (T, C, 2, 2)

    assert out[:, 0, 1, 0].tolist() == [12, 123, 230]
    assert out[:, 1, 0, 1].tolist() == [-2, -3, 0]


def motion_of_one_channel(kind, *, stride, tap):
    """A module that reduces and restores by ones and whose filter is `tap` at its centre."""
    motion = kind(1, stride=stride).eval()
    with torch.no_grad():
        motion.reduce.weight.fill_(1.0)
        motion.filters.weight.zero_()[0, 0, 1, 1] = tap
        motion.restore.weight.fill_(1.0)
    return motion


@torch.no_grad()
def test_motion_is_the_filtered_next_frame_less_this_one():
    frames = torch.tensor([1.0, 4.0, 9.0, 5.0, 5.0, 7.0])[:, None, None, None]  # two clips of three

    out = motion_of_one_channel(Motion, stride=1, tap=2.0)(frames, 3).flatten()

    assert out.tolist() == pytest.approx(
        [2 * 4 - 1, 2 * 9 - 4, 0, 2 * 5 - 5, 2 * 7 - 5, 0], rel=1e-4
    )


@torch.no_grad()
def test_a_stride_takes_corners_and_the_authors_file_a_maximum():
    frames = torch.zeros(2, 1, 2, 2)
    frames[1, 0] = torch.tensor([[1.0, 2.0], [3.0, 4.0]])

    strided = motion_of_one_channel(Motion, stride=2, tap=1.0)(frames, 2)
    pooled = motion_of_one_channel(PooledMotion, stride=2, tap=1.0)(frames, 2)

    assert strided.flatten().tolist() == pytest.approx([1, 0], rel=1e-4)
    assert pooled.flatten().tolist() == pytest.approx([4, 0], rel=1e-4)


@torch.no_grad()
def test_the_block_sums_both_modules_before_it_restores_the_width():
    torch.manual_seed(0)
    block = STMBottleneck(64, 16, stride=1, shortcut=torch.nn.Identity()).eval()
    x = torch.randn(4, 64, 5, 5)
    inner = block.norm1(block.conv1(x)).relu()

    middle = block.norm2(block.conv2(block.temporal(inner, 4))).relu() + block.motion(inner, 4)
    wanted = (block.norm3(block.conv3(middle)) + x).relu()

    torch.testing.assert_close(block(x, 4), wanted)


@torch.no_grad()
def test_identity_norms_change_nothing():
    state = add_identity_norms(behind="conv", norm="norm", eps=1e-5)(
        {"a.conv.weight": torch.ones(3, 2)}
    )
    norm = torch.nn.BatchNorm2d(3).eval()
    made = {k.removeprefix("a.norm."): v for k, v in state.items() if k.startswith("a.norm.")}
    norm.load_state_dict({**made, "num_batches_tracked": torch.tensor(0)})
    x = torch.randn(2, 3, 4, 4)

    torch.testing.assert_close(norm(x), x, rtol=1e-6, atol=0)


@torch.no_grad()
def test_clip_logits_are_the_mean_of_the_frames():
    model = create_model("test_stm").eval()
    clip = torch.randn(2, 3, 4, 32, 32)

    torch.testing.assert_close(model.forward_frames(clip).mean(dim=1), model(clip))


def test_size_and_cost_are_those_of_the_paper():
    with torch.device("meta"):
        model = create_model("stm_r50_8")

    assert round(count_params(model) / 1e6, 1) == 24.0
    # 33.3 G in the paper; poolings, norms and sums are not counted here
    assert count_macs(model, (1, 3, 8, 224, 224)) / 1e9 == pytest.approx(33.3, rel=0.01)


@pytest.mark.parametrize(
    ("source", "params"), [("stm_author", 24_035_666), ("stm_port", 24_050_770)]
)
def test_sizes_of_the_public_files(source, params):
    with torch.device("meta"):
        model = create_model("stm_r50_8", source=source)

    # of the norms behind CMM, which the author's file lacks: 3 x 64 + 4 x 128 + 6 x 256 + 3 x 512
    assert count_params(model) - params == {"stm_author": 2 * 3776, "stm_port": 0}[source]
