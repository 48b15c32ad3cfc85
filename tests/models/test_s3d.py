"""S3D: what is separable, what is gated, where filters span time."""

import pytest
import torch
from torch import nn

from zoopraxis.checkpoints.create import create_model
from zoopraxis.models import list_models
from zoopraxis.models.s3d import (
    S3D,
    TEMPORAL,
    Gated,
    S3DLayers,
    SpaceToDepth,
    cubic,
    same_stem,
)
from zoopraxis.testing import count_params, noise_clip


def test_self_gating_by_hand():
    gated = Gated(nn.Identity(), 2)
    nn.init.zeros_(gated.gate.bias)
    with torch.no_grad():
        gated.gate.weight.copy_(torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    x = torch.stack([torch.full((2, 1, 1), 8.0), torch.tensor([1.0, 3.0])[:, None, None]])[None]

    out = gated(x)

    # means are (8, 2); the first gate sees the second channel: sigmoid(2), the other sigmoid(0)
    torch.testing.assert_close(out[0, 0, :, 0, 0], 8 * torch.sigmoid(torch.tensor([2.0, 2.0])))
    torch.testing.assert_close(out[0, 1, :, 0, 0], torch.tensor([0.5, 1.5]))


def test_space_to_depth_keeps_the_ports_order():
    # a pixel's value encodes its position: 100 t + 10 h + w
    positions = torch.arange(2.0)
    x = positions[:, None, None] * 100 + positions[:, None] * 10 + positions

    out = SpaceToDepth()(x[None, None])

    assert out.flatten().tolist() == [0, 1, 10, 11, 100, 101, 110, 111]


@torch.no_grad()
def test_space_to_depth_makes_a_stem_of_4_8_8_pixels():
    stem = nn.Conv3d(8, 1, (2, 4, 4))
    x = noise_clip((1, 1, 4, 8, 8))

    out = stem(SpaceToDepth()(x))

    kernel = torch.zeros(1, 1, 4, 8, 8)
    for place in range(8):
        t, h, w = place // 4, place // 2 % 2, place % 2
        kernel[0, 0, t::2, h::2, w::2] = stem.weight[0, place]
    torch.testing.assert_close(out, nn.functional.conv3d(x, kernel, stem.bias))


def temporal_parts(name):
    """Parts of a network that have a filter longer than one frame, the stem left out."""
    with torch.device("meta"):
        backbone = create_model(name).backbone
    return {
        path.split(".")[0]
        for path, layer in backbone.named_modules()
        if isinstance(layer, nn.Conv3d) and layer.kernel_size[0] > 1
    } - {"conv_1a"}


@pytest.mark.parametrize("name", list_models("*_heavy_*"))
def test_filters_span_time_above_or_below_a_part(name):
    kind, part = name.split("_heavy_")
    first = TEMPORAL.index(f"mixed_{part}")

    above, below = set(TEMPORAL[first:]), set(TEMPORAL[1:first])

    assert temporal_parts(name) == (above if kind.endswith("top") else below)


def test_gates_follow_conv_2c_and_every_branch():
    with torch.device("meta"):
        backbone = create_model("s3dg").backbone

    gates = {path for path, layer in backbone.named_modules() if isinstance(layer, Gated)}

    positions = ("branch0", "branch1.1", "branch2.1", "branch3.1")
    modules = [part for part in TEMPORAL if part.startswith("mixed")]
    assert gates == {"conv_2c"} | {f"{m}.{place}" for m in modules for place in positions}


@torch.no_grad()
def test_howto100m_is_its_ports_network_at_sizes_that_strides_divide():
    ours = create_model("s3dg_howto100m").eval()
    port = create_model("s3dg_howto100m", source="s3dg_howto100m").eval()
    port.load_state_dict(ours.state_dict())
    clip = noise_clip((1, 3, 32, 64, 64))

    torch.testing.assert_close(ours(clip), port(clip))


@pytest.mark.parametrize(
    ("name", "params"),
    [("s3d", 8_320_048), ("s3dg_howto100m", 9_670_800)],
)
def test_sizes_are_the_references(name, params):
    with torch.device("meta"):
        assert count_params(create_model(name)) == params


def test_everything_cubic_is_i3d_but_for_the_stem():
    with torch.device("meta"):
        i3d, s3d = create_model("i3d_inception"), S3D(S3DLayers(stem=same_stem, conv3d=cubic))

    stem = "backbone.conv_1a.conv.weight"
    shapes = {key: tensor.shape for key, tensor in s3d.state_dict().items() if key != stem}
    assert shapes == {k: t.shape for k, t in i3d.state_dict().items() if k != stem}
