"""Representation flow: the authors' layer and block number for number, and what learning needs."""

from pathlib import Path

import numpy as np
import pytest
import torch

from devices import DEVICES
from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ShapeError
from zoopraxis.flow._tvl1_numba import solve
from zoopraxis.flow._tvl1_parameters import TVL1Parameters
from zoopraxis.models.representation_flow import (
    FlowLayer,
    FlowOfFlow,
    RepFlow2Plus1d,
    RepresentationFlow,
    flow_over_time,
    stretch,
)
from zoopraxis.testing import fill, noise_clip, read_golden, relative_error
from zoopraxis.weights.representation_flow import MixingFlowLayer

GOLDEN = read_golden("repflow_layer", Path(__file__).parent.parent / "golden")
OF_BLOCK = {
    "flow_cmp": "reduce1",
    "flow_layer": "flow1",
    "flow_conv": "conv1",
    "flow_cmp2": "reduce2",
    "flow_layer2": "flow2",
    "flow_conv2": "conv2",
    "bnf": "norm",
}
OF_LAYER = {
    "img_grad": ("gradient", 0),
    "img_grad2": ("gradient", 1),
    "f_grad": ("derivative", 0),
    "f_grad2": ("derivative", 1),
    "div": ("divergence", 0),
    "div2": ("divergence", 1),
}
WEIGHTS = {"t": "theta", "l": "lambda_", "a": "tau"}


def load_filled(module, entries):
    """Load the authors' state dict of a layer or of the block, filled as in the golden."""
    state = module.state_dict()
    for key, entry in entries.items():
        *where, name = key.split(".")
        prefix = "".join(f"{OF_BLOCK[part]}." for part in where)
        value = torch.from_numpy(fill(key, tuple(entry["shape"])))
        if name in OF_LAYER:  # (C, 1, 1, tap) or (C, 1, tap, 1)
            ours, direction = OF_LAYER[name]
            state[f"{prefix}{ours}"][:, direction] = value.flatten(1)
        elif name in WEIGHTS:
            state[f"{prefix}{WEIGHTS[name]}"][()] = GOLDEN.record["weights"][name]
        elif name != "num_batches_tracked":
            state[f"{prefix}{name}"] = value
    module.load_state_dict(state)
    return module.double().eval()


@torch.no_grad()
@pytest.mark.parametrize("name", ["filled", "initial"])
def test_the_layer_is_the_authors(name):
    layer = FlowLayer(6, iterations={"filled": 7, "initial": 20}[name])
    if name == "filled":
        load_filled(layer, GOLDEN.record["state_dict"])
    maps = GOLDEN.record["input"]["scale"] * GOLDEN.input().double()

    flow = layer.double()(maps[:2], maps[2:])  # (2, 6, 2, 9, 11)

    wanted = torch.from_numpy(GOLDEN.arrays[name])  # (2, 12, 9, 11), x before y
    assert relative_error(flow.transpose(1, 2).flatten(1, 2), wanted) < 1e-6


@torch.no_grad()
def test_flow_of_flow_is_the_authors():
    record = GOLDEN.record["block"]
    block = load_filled(FlowOfFlow(128, iterations=3), record["state_dict"])

    out = block(noise_clip(tuple(record["input"]["shape"])).abs().double())

    assert relative_error(out, torch.from_numpy(GOLDEN.arrays["block"])) < 1e-6


@torch.no_grad()
def test_every_channel_has_the_flow_of_tv_l1():
    """Of maps whose edge does not change, as the gradient there is of the first."""
    layer = FlowLayer(3, iterations=12)
    first = 20 * noise_clip((1, 3, 14, 17))
    second = first.clone()
    second[..., 2:-2, 2:-2] += 5
    parameters = TVL1Parameters(
        epsilon=0, scales=1, warps=1, inner_iterations=12, outer_iterations=1, median_filtering=1
    )

    flow = layer(first, second)[0]  # (3, 2, 14, 17)

    for channel, (before, after) in enumerate(
        zip(first[0].numpy(), second[0].numpy(), strict=True)
    ):
        wanted = solve(before, after, parameters=parameters)
        np.testing.assert_allclose(flow[channel], wanted, atol=1e-4, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("device", DEVICES)
def test_flow_points_where_maps_move(device):
    """A smooth bump that moves right and up by half a cell; ten iterations find the direction."""
    ys, xs = torch.meshgrid(torch.arange(20.0), torch.arange(20.0), indexing="ij")
    bumps = [
        255 * torch.exp(-((xs - 9 - dx).square() + (ys - 9 + dx).square()) / 40) for dx in (0, 0.5)
    ]
    first, second = (x.expand(1, 2, 20, 20).to(device) for x in bumps)

    errors = []
    for count in (1, 10, 50):
        flow = FlowLayer(2, iterations=count).to(device)(first, second)[..., 5:14, 5:14]
        truth = torch.tensor([0.5, -0.5], device=device).view(2, 1, 1)
        errors.append(float((flow - truth).square().sum(dim=2).sqrt().mean()))

    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.5 * errors[0]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("build", [RepresentationFlow, FlowOfFlow])
def test_constant_maps_have_finite_gradients(build, dtype, device):
    block = build(8, reduced=4).to(device, dtype)
    maps = torch.full((2, 8, 4, 6, 7), 0.5, device=device, dtype=dtype, requires_grad=True)

    out = block(maps)
    out.sum().backward()

    assert out.isfinite().all()
    assert maps.grad.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in block.parameters())


@pytest.mark.parametrize("layer", [FlowLayer, MixingFlowLayer])
def test_gradients_reach_every_parameter_of_the_layer(layer):
    flow = layer(4, iterations=5)
    maps = 50 * noise_clip((2, 4, 8, 9))

    flow(maps[:1], maps[1:]).square().mean().backward()

    for name, parameter in flow.named_parameters():
        assert (parameter.grad != 0).all(), name


@torch.no_grad()
@pytest.mark.parametrize("layer", [FlowLayer, MixingFlowLayer])
def test_flow_lies_between_neighbours_in_time(layer):
    flow = layer(3, iterations=4).double()
    maps = noise_clip((2, 3, 5, 8, 9)).double()

    out = flow_over_time(flow, maps)  # (2, 6, 4, 8, 9)

    assert out.shape == (2, 6, 4, 8, 9)
    stretched = stretch(maps)
    for b, t in ((0, 0), (0, 3), (1, 2)):
        pair = flow(stretched[b : b + 1, :, t], stretched[b : b + 1, :, t + 1])[0]  # (3, 2, 8, 9)
        torch.testing.assert_close(out[b, :3, t], pair[:, 0])
        torch.testing.assert_close(out[b, 3:, t], pair[:, 1])


def test_maps_are_stretched_by_clip_to_0_to_minus_255():
    maps = noise_clip((2, 3, 4, 5, 6)) * torch.tensor([1.0, 100.0]).view(2, 1, 1, 1, 1)

    x = stretch(maps)

    assert x.amax((1, 2, 3, 4)).tolist() == [0, 0]
    assert x.amin((1, 2, 3, 4)).tolist() == pytest.approx([-255, -255])


@torch.no_grad()
def test_flow_of_flow_starts_as_the_mean_of_three_frames():
    model = create_model("test_repflow_of_flow").eval()
    maps = noise_clip((1, model.num_features // 4, 4, 8, 8)).abs()

    torch.testing.assert_close(
        model.motion(maps), torch.stack([maps[:, :, t : t + 3].mean(dim=2) for t in (0, 1)], dim=2)
    )


def test_what_has_no_flow_is_refused():
    maps = torch.zeros(1, 8, 4, 6, 6)
    with pytest.raises(ShapeError, match="features of one frame have no flow"):
        RepresentationFlow(8)(maps[:, :, :1])
    with pytest.raises(ShapeError, match="features of 2 frames have no flow of flow"):
        FlowOfFlow(8)(maps[:, :, :2])
    with pytest.raises(ShapeError, match="feature maps of 1x6 have no flow"):
        RepresentationFlow(8)(maps[..., :1, :])


def test_the_authors_build_has_their_layer_and_the_papers_its_own():
    with torch.device("meta"):
        theirs = create_model("repflow_r2plus1d_50_32", source="repflow")
        paper = create_model("repflow_r2plus1d_50_32")

    assert isinstance(paper, RepFlow2Plus1d)
    assert paper.motion.flow.gradient.shape == (32, 2, 3)
    assert theirs.motion.flow.gradient.shape == (2, 32, 32, 3)
