"""The 3D CNN of 2010: its hard-wired layer by hand, its maps and parameters as published."""

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ShapeError
from zoopraxis.models.cnn3d import gradients, hardwired, lucas_kanade
from zoopraxis.testing import count_params, noise_clip


def test_parameters_are_the_papers_layer_by_layer():
    model = create_model("cnn3d")

    layers = {name: count_params(layer) for name, layer in model.named_children()}

    assert layers == {
        "c2": 1480,
        "s3": 92,
        "c4": 3810,
        "s5": 156,
        "c6": 289_536,
        "output": 384,
    }
    assert count_params(model) == 295_458


@torch.no_grad()
def test_maps_are_the_papers():
    model = create_model("cnn3d")
    seen = {}
    for name, layer in model.named_children():
        layer.register_forward_hook(lambda _l, _i, out, name=name: seen.update({name: out}))

    model(noise_clip((1, 1, 7, 60, 40)))

    for name, maps, size in [
        ("c2", 46, (54, 34)),  # 23 in each of two sets
        ("s3", 46, (27, 17)),
        ("c4", 78, (21, 12)),  # 13 in each of six sets
        ("s5", 78, (7, 4)),
    ]:
        assert sum(kind.shape[1] * kind.shape[2] for kind in seen[name]) == maps
        assert {tuple(kind.shape[3:]) for kind in seen[name]} == {size}
    assert seen["c6"].shape == (1, 128, 1, 1)


def test_gradients_are_central_differences():
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij")

    dx, dy = gradients((3 * x + 10 * y)[None, None])

    assert (dx[..., 1:-1] == 3).all()
    assert (dy[..., 1:-1, :] == 10).all()
    assert (dx[..., 0] == 1.5).all()  # at the border a pixel is its own neighbour


def test_flow_finds_a_small_motion():
    y, x = torch.meshgrid(torch.arange(60.0), torch.arange(40.0), indexing="ij")
    frames = [torch.sin((x - 0.3 * t) / 4) + torch.cos((y + 0.2 * t) / 5) for t in range(7)]

    flow = lucas_kanade(torch.stack(frames)[None])

    inside = flow[0, :, :, 5:-5, 5:-5].mean(dim=(1, 2, 3))
    torch.testing.assert_close(inside, torch.tensor([0.3, -0.2]), atol=0.01, rtol=0)


def test_flow_is_zero_without_texture():
    assert (lucas_kanade(torch.ones(1, 7, 10, 10)) == 0).all()


def test_the_33_channels_are_in_order():
    clip = torch.arange(7.0)[None, None, :, None, None].expand(1, 1, 7, 4, 4)
    flow = torch.stack([torch.full((6, 4, 4), 50.0), torch.full((6, 4, 4), 60.0)])[None]

    channels = hardwired(clip, flow)[0, :, 0, 0].tolist()

    assert channels == [0, 1, 2, 3, 4, 5, 6, *[0] * 14, *[50] * 6, *[60] * 6]


@torch.no_grad()
def test_sets_and_kinds_do_not_mix_before_c6():
    model = create_model("cnn3d")
    channels = noise_clip((1, 33, 60, 40))
    other = channels.clone()
    other[:, 21:27] += 1  # horizontal flow
    seen = []
    model.s5.register_forward_hook(lambda _l, _i, out: seen.append(out))

    model.convolve(channels)
    model.convolve(other)

    same = [torch.equal(a, b) for a, b in zip(*seen, strict=True)]
    assert same == [True, True, True, False, True]


@torch.no_grad()
def test_larger_clips_average_their_positions():
    model = create_model("cnn3d").eval()
    wide = noise_clip((1, 1, 7, 60, 46))  # two positions of C6, 6 pixels apart in the input

    features = model.forward_features(wide)

    assert features.shape == (1, 128, 1, 1, 2)
    expected = (
        model.output(features[..., 0].flatten(1)) + model.output(features[..., 1].flatten(1))
    ) / 2
    torch.testing.assert_close(model(wide), expected)


def test_says_what_it_expects():
    with pytest.raises(ShapeError, match=r"expected \(B, 1, 7, H, W\)"):
        hardwired(torch.zeros(1, 3, 7, 60, 40))
    with pytest.raises(ShapeError, match="flow of shape"):
        hardwired(torch.zeros(1, 1, 7, 60, 40), torch.zeros(1, 2, 7, 60, 40))
