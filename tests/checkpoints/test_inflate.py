"""Inflation: a video that repeats one image has the activations of the image network everywhere."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from zoopraxis.checkpoints.create import create_model
from zoopraxis.checkpoints.inflate import (
    average_channels,
    cubic,
    first_convolution,
    inflate_network,
    inflate_state_dict,
    inflate_weight,
    start_from,
)
from zoopraxis.errors import ConversionError
from zoopraxis.layers.bninception import BNInception
from zoopraxis.layers.inception_v1 import GoogLeNet
from zoopraxis.models.tsn import TSN
from zoopraxis.testing import fill, noise_clip, relative_error

GOLDEN = Path(__file__).parent.parent / "golden"
LAYERS = (nn.Conv2d, nn.Conv3d, nn.BatchNorm2d, nn.BatchNorm3d, nn.MaxPool2d, nn.MaxPool3d)


def with_weights(network):
    state = network.state_dict()
    filled = {k: torch.from_numpy(fill(k, tuple(v.shape))) for k, v in state.items() if v.ndim}
    network.load_state_dict({**state, **filled})
    return network.eval()


@torch.no_grad()
def activations(network, x):
    """Outputs of every convolution, batch norm and pooling, by name."""
    seen = {}
    for name, layer in network.named_modules():
        if isinstance(layer, LAYERS):
            layer.register_forward_hook(lambda _l, _i, out, name=name: seen.update({name: out}))
    network(x)
    return seen


def without_time_strides(name, layer):
    """Filters of at most three frames, as in inflated ResNets, without strides in time."""
    return min(cubic(name, layer)[0], 3), 1


def assert_interior_equals(image, video, *, num_frames):
    """Compare the activations of every layer at the middle frame, which no padding reaches."""
    assert image.keys() == video.keys()
    for name, expected in image.items():
        assert relative_error(video[name][:, :, num_frames // 2], expected) < 1e-5, name


@pytest.mark.parametrize("init", ["repeat", "centre"])
def test_resnet50_has_its_image_activations_on_a_boring_video(init):
    image = noise_clip((1, 3, 32, 32))
    # 18 layers of three frames see 18 frames to either side
    num_frames = 39
    resnet = with_weights(torchvision.models.resnet50())
    inflated = inflate_network(resnet, lengths=without_time_strides, init=init).eval()
    boring = image[:, :, None].expand(-1, -1, num_frames, -1, -1)

    expected = activations(resnet, image)

    assert len(expected) == 53 + 53 + 1
    assert_interior_equals(expected, activations(inflated, boring), num_frames=num_frames)


def test_inception_has_its_image_activations_on_a_boring_video():
    image = noise_clip((1, 3, 32, 32))
    num_frames = 29  # ten convolutions and four poolings of three frames see 14 to either side
    inception = with_weights(GoogLeNet())
    inflated = inflate_network(inception, lengths=without_time_strides).eval()
    boring = image[:, :, None].expand(-1, -1, num_frames, -1, -1)

    expected = activations(inception, image)

    assert len(expected) == 57 + 57 + 13
    assert_interior_equals(expected, activations(inflated, boring), num_frames=num_frames)


@torch.no_grad()
def test_zero_padding_changes_the_first_and_last_frame():
    image = noise_clip((1, 3, 16, 16))
    conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
    boring = image[:, :, None].expand(-1, -1, 7, -1, -1)

    expected = conv(image)
    out = inflate_network(conv)(boring)

    # the first and last frame see two frames of three
    torch.testing.assert_close(out[:, :, 0], expected * 2 / 3)
    torch.testing.assert_close(out[:, :, -1], expected * 2 / 3)
    torch.testing.assert_close(out[:, :, 1:-1], expected[:, :, None].expand(-1, -1, 5, -1, -1))


@torch.no_grad()
def test_poolings_and_strides_are_inflated_too():
    image = noise_clip((1, 2, 8, 8))
    network = nn.Sequential(
        nn.MaxPool2d(3, stride=2, padding=1), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1)
    )
    boring = image[:, :, None].expand(-1, -1, 8, -1, -1)

    inflated = inflate_network(network)

    assert [inflated[0].kernel_size, inflated[0].stride] == [(3, 3, 3), (2, 2, 2)]
    assert inflated[1](inflated[0](boring)).shape == (1, 2, 2, 2, 2)
    torch.testing.assert_close(inflated(boring)[:, :, 0], network(image))


@torch.no_grad()
def test_layers_keep_their_options():
    image = noise_clip((1, 2, 9, 9)).double()
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=2, dilation=2, groups=2),
        nn.BatchNorm2d(4, affine=False),
        nn.MaxPool2d(2, stride=1, dilation=3),
        nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
        nn.AvgPool2d(2, divisor_override=3),
    )
    network = network.double().eval()
    boring = image[:, :, None].expand(-1, -1, 3, -1, -1)

    inflated = inflate_network(network, lengths=lambda _name, _layer: (1, 1))

    expected = network(image)[:, :, None].expand(-1, -1, 3, -1, -1)
    torch.testing.assert_close(inflated(boring), expected)
    # the mean of two frames, each of four pixels, has twice the divisor
    assert inflate_network(network[4])(boring).shape == (1, 2, 1, 4, 4)
    torch.testing.assert_close(inflate_network(network[4])(boring)[:, :, 0], network[4](image))


class NormAndMore(nn.BatchNorm2d):
    """Like timm's batch norms with an activation inside."""


def test_weights_of_googlenet_become_those_of_i3d():
    googlenet = with_weights(GoogLeNet(num_classes=400))
    i3d = create_model("i3d_inception")
    shapes = {k: v.shape for k, v in i3d.backbone.state_dict().items()}

    state = inflate_state_dict(googlenet.backbone.state_dict(), shapes)

    i3d.backbone.load_state_dict(state)
    weight = googlenet.backbone.conv_1a.conv.weight
    torch.testing.assert_close(i3d.backbone.conv_1a.conv.weight.sum(dim=2), weight)
    torch.testing.assert_close(i3d.backbone.conv_1a.conv.weight[:, :, 3], weight / 7)


def test_inflated_filters_by_hand():
    weight = torch.tensor([[[[3.0, 6.0]]]])

    repeated = inflate_weight(weight, 3)
    centred = inflate_weight(weight, 3, init="centre")

    assert repeated[0, 0, :, 0].tolist() == [[1, 2], [1, 2], [1, 2]]
    assert centred[0, 0, :, 0].tolist() == [[0, 0], [3, 6], [0, 0]]


def test_the_error_says_what_does_not_fit():
    state = {"conv.weight": torch.zeros(4, 3, 3, 3)}
    with pytest.raises(ConversionError, match="1 keys missing, 1 keys unknown"):
        inflate_state_dict(state, {"conv1.weight": (4, 3, 3, 3, 3)})
    with pytest.raises(ConversionError, match="cannot be inflated to"):
        inflate_state_dict(state, {"conv.weight": (4, 3, 3, 5, 5)})
    with pytest.raises(ConversionError, match="no inflated form of InstanceNorm2d"):
        inflate_network(nn.Sequential(nn.InstanceNorm2d(3)))
    with pytest.raises(ConversionError, match="no inflated form of NormAndMore at '1'"):
        inflate_network(nn.Sequential(nn.Conv2d(3, 3, 1), NormAndMore(3)))
    with pytest.raises(ConversionError, match="padded with 'same'"):
        inflate_network(nn.Conv2d(3, 3, 3, padding="same"))


def test_cross_modality_weights_are_those_of_the_two_stream_code():
    with np.load(GOLDEN / "twostream_cross_modality.npz") as arrays:
        weight, expected = (torch.from_numpy(arrays[name]) for name in ("input", "output"))

    assert relative_error(average_channels(weight, 20), expected) < 1e-6


@pytest.mark.parametrize("channels", [1, 2, 20])
def test_cross_modality_by_hand(channels):
    weight = torch.tensor([1.0, 2.0, 6.0])[None, :, None, None]

    assert average_channels(weight, channels).flatten().tolist() == [3.0] * channels


def test_the_first_convolution_is_found():
    assert first_convolution(GoogLeNet()) == "backbone.conv_1a.conv.weight"
    with pytest.raises(ConversionError, match="Linear has no convolution"):
        first_convolution(nn.Linear(2, 2))


def test_only_named_tensors_may_be_missing():
    gated = create_model("test_gsm")
    flat = TSN(partial(BNInception, divide=8), num_classes=12)
    gates = {key for key in gated.state_dict() if ".shift." in key}

    with pytest.raises(ConversionError, match=f"{len(gates)} tensors missing, the first"):
        start_from(gated, flat.state_dict())
    start_from(gated, flat.state_dict(), new=r"\.shift\.")

    for key, tensor in flat.state_dict().items():
        assert torch.equal(gated.state_dict()[key], tensor)
