"""LRCN: the frames seen by each step of the LSTM, and the steps that are classified."""

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.models.lrcn import LRCN
from zoopraxis.testing import count_params, noise_clip


def steps_changed(model, frame):
    """Outputs that change with one frame of a clip of 4, (F, T)."""
    clip = noise_clip((1, 3, 4, 64, 64))
    other = clip.clone()
    other[:, :, frame] += 1.0
    changed = (model.forward_features(other) - model.forward_features(clip)).abs() > 1e-6
    return changed[0, :, :, 0, 0]  # (F, T)


@torch.no_grad()
def test_one_direction_sees_the_past_and_two_see_the_future_too():
    torch.manual_seed(0)
    forward = create_model("test_lrcn", directions=1, layers=1).eval()
    both = create_model("test_lrcn", directions=2, layers=1).eval()

    assert steps_changed(forward, 2).any(dim=0).tolist() == [False, False, True, True]
    changed = steps_changed(both, 2)
    assert changed[:16].any(dim=0).tolist() == [False, False, True, True]
    assert changed[16:].any(dim=0).tolist() == [True, True, True, False]


@torch.no_grad()
def test_the_paper_averages_the_steps_and_the_port_takes_the_last():
    last = create_model("test_lrcn").eval()
    mean = LRCN(lambda *, in_channels: last.encoder, cells=16, directions=2, num_classes=12).eval()
    mean.head = last.head
    features = noise_clip((2, 32, 4, 1, 1))
    weight, bias = last.head.linear.weight, last.head.linear.bias

    torch.testing.assert_close(
        last.forward_head(features), features[:, :, 3, 0, 0] @ weight.T + bias
    )
    every = features[:, :, :, 0, 0].mean(dim=2) @ weight.T + bias
    torch.testing.assert_close(mean.forward_head(features), every)


def test_size_is_that_of_the_resnet_code():
    with torch.device("meta"):
        assert count_params(create_model("lrcn_r152_bilstm")) == 62_398_629


@torch.no_grad()
def test_the_authors_network_expects_227_pixels():
    with torch.device("meta"):
        encoder = create_model("lrcn_hybrid").encoder
    sizes = []
    for layer in (encoder.conv1, encoder.conv2, encoder.conv5):
        layer.register_forward_hook(lambda _layer, _args, out: sizes.append(tuple(out.shape[1:])))

    assert encoder(torch.zeros(1, 3, 227, 227, device="meta")).shape == (1, 4096, 1, 1)
    assert sizes == [(96, 111, 111), (384, 26, 26), (384, 13, 13)]


@pytest.mark.parametrize("num_frames", [1, 7])
@torch.no_grad()
def test_clips_may_have_any_length(num_frames):
    model = create_model("test_lrcn").eval()

    assert model(noise_clip((1, 3, num_frames, 64, 64))).shape == (1, 12)
