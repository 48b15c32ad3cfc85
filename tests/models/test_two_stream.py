"""Two streams: stacked flow, cross-modality initialisation, sizes."""

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.checkpoints.inflate import cross_modality
from zoopraxis.models.two_stream import CNNM2048
from zoopraxis.testing import count_params


def only_sees(channel):
    """A tiny flow stream whose first layer reads one channel of its stack of 3 fields."""
    model = create_model("test_two_stream_flow").eval()
    weight = model.backbone.stem.conv.weight.data
    weight[:, :channel] = 0
    weight[:, channel + 1 :] = 0
    return model


@pytest.mark.parametrize(
    ("channel", "axis", "field"), [(0, 0, 0), (1, 1, 0), (2, 0, 1), (3, 1, 1), (4, 0, 2), (5, 1, 2)]
)
@torch.no_grad()
def test_horizontal_and_vertical_flow_alternate(channel, axis, field):
    model = only_sees(channel)
    clip = torch.randn(1, 2, 3, 64, 64)  # one stack of three fields

    moved = [(a, f) for a in range(2) for f in range(3) if changes(model, clip, a, f)]

    assert moved == [(axis, field)]


def changes(model, clip, axis, field):
    other = clip.clone()
    other[:, axis, field] += 1.0 + clip[:, axis, field]
    return not torch.equal(model(other), model(clip))


def test_flow_filters_are_the_mean_of_rgb_filters_and_the_rest_is_kept():
    flow = create_model("test_two_stream_flow")
    rgb = create_model("test_two_stream").state_dict()

    state = cross_modality(flow, rgb)

    flow.load_state_dict(state)
    first = "backbone.stem.conv.weight"
    expected = (rgb[first][:, 0] + rgb[first][:, 1] + rgb[first][:, 2]) / 3
    for channel in range(6):
        torch.testing.assert_close(state[first][:, channel], expected)
    assert all(torch.equal(state[key], rgb[key]) for key in rgb if key != first)


@pytest.mark.parametrize(
    ("name", "params"), [("two_stream_r101_rgb", 42_707_109), ("two_stream_r101_flow", 42_760_421)]
)
def test_size_is_that_of_the_resnet_code(name, params):
    with torch.device("meta"):
        assert count_params(create_model(name)) == params


@torch.no_grad()
def test_cnn_m_has_the_map_sizes_of_the_paper():
    with torch.device("meta"):
        backbone = CNNM2048()
    sizes = []
    for layer in (backbone.conv1, backbone.conv2, backbone.conv5):
        layer.register_forward_hook(lambda _layer, _args, out: sizes.append(tuple(out.shape[1:])))

    assert backbone(torch.zeros(1, 3, 224, 224, device="meta")).shape == (1, 2048, 1, 1)
    assert sizes == [(96, 109, 109), (256, 26, 26), (512, 13, 13)]
