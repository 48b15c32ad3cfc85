"""MiCT: a 3D convolution in parallel with each 2D block, by hand."""

import pytest
import torch
from torch import nn

from zoopraxis.checkpoints.create import create_model
from zoopraxis.models.mict import ForwardConv, Tube
from zoopraxis.models.registry import model_size


@torch.no_grad()
def test_a_tube_sees_later_frames_and_zeros_after_the_end():
    conv = ForwardConv(1, 1, kernel=3, stride=(1, 1)).eval()
    conv.norm.eps = 1e-30
    conv.conv.weight.zero_()
    conv.conv.weight[0, 0, :, 1, 1] = torch.tensor([1.0, 10.0, 100.0])
    x = torch.arange(1.0, 5.0).reshape(1, 1, 4, 1, 1)

    assert conv(x).flatten().tolist() == [321.0, 432.0, 43.0, 4.0]


@torch.no_grad()
def test_the_2d_block_processes_every_second_frame_alone():
    tube = Tube(2, 2, blocks=2, stride=(2, 1)).eval()
    nn.init.zeros_(tube.motion.conv.weight)
    x = torch.randn(1, 2, 4, 3, 3)
    later = x.clone()
    later[:, :, 1] += 1.0  # skipped
    later[:, :, 2] += 1.0  # the second of those processed

    changed = (tube(x) != tube(later)).flatten(3).any(dim=3)[0].any(dim=0)

    assert changed.tolist() == [False, True]


@torch.no_grad()
def test_motion_is_added_after_the_first_2d_block():
    tube = Tube(2, 2, blocks=1, stride=(1, 1)).eval()
    x = torch.randn(1, 2, 4, 3, 3)

    torch.testing.assert_close(tube(x), tube.motion(x) + tube.blocks[0](x))


@pytest.mark.parametrize(("version", "num_frames"), [("v1", 1), ("v2", 4)])
def test_versions_stride_in_time_by_sixteen_and_four(version, num_frames):
    with torch.device("meta"):
        model = create_model(f"mict_18_{version}")
        clip = torch.zeros(1, 3, 16, 160, 160)

    assert model.forward_features(clip).shape == (1, 512, num_frames, 5, 5)


def test_sizes_are_those_the_port_publishes():
    assert model_size("mict_18_v1").params_m == pytest.approx(16.1, abs=0.051)
    assert model_size("mict_34_v2").params_m == pytest.approx(26.2, abs=0.051)


@torch.no_grad()
def test_dropping_channels_of_the_mean_equals_dropping_them_in_every_frame():
    # the port: Dropout3d, classify each frame, average
    torch.manual_seed(0)
    model = create_model("test_mict", dropout=0.5)
    features = torch.rand(3, model.num_features, 2, 2, 2)

    torch.manual_seed(1)
    ours = model.train().forward_head(features)
    torch.manual_seed(1)
    dropped = nn.functional.dropout(torch.ones(3, model.num_features), 0.5)[..., None, None, None]
    frames = (features * dropped).mean(dim=(3, 4)).transpose(1, 2)  # (B, T, C)
    theirs = model.head.linear(frames).mean(dim=1)

    torch.testing.assert_close(ours, theirs)
