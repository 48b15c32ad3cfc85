"""TVNet: the authors' numbers, TV-L1 at initialisation, and what learning needs."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from devices import DEVICES
from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ShapeError
from zoopraxis.flow._tvl1_numba import solve
from zoopraxis.flow._tvl1_parameters import TVL1Parameters
from zoopraxis.models.tvnet import TVNet
from zoopraxis.testing import fill, noise_clip, read_golden, relative_error

GOLDEN = read_golden("tvnet_flow", Path(__file__).parent.parent / "golden")


@pytest.fixture(scope="module")
def frames():
    """The golden's pairs of RGB frames (2, 3, 36, 44)."""
    return [torch.from_numpy(GOLDEN.arrays[k]).permute(0, 3, 1, 2) for k in ("first", "second")]


def shifted(dx, dy, *, size=(48, 64)):
    """A pair of RGB frames (1, 3, H, W) whose texture moves by dx and dy pixels."""
    noise = np.random.default_rng(0).uniform(0, 255, (size[0] + 32, size[1] + 32, 3))
    smooth = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2.5), None, 0, 255, cv2.NORM_MINMAX)
    moved = cv2.warpAffine(smooth, np.array([[1.0, 0, dx], [0, 1.0, dy]]), smooth.shape[1::-1])
    views = (torch.from_numpy(x[16:-16, 16:-16]) for x in (smooth, moved))
    return [x.permute(2, 0, 1).unsqueeze(0) for x in views]


def from_tensorflow(record):
    """TVNet with the weights of the record of a TensorFlow network, filled."""
    arguments = record["arguments"]
    scales, warps = arguments["max_scales"], arguments["warps"]
    count = arguments["max_iterations"]
    net = TVNet((36, 44), scales=scales, warps=warps, iterations=count)
    if not record["filled"]:
        return net

    def variable(name):
        shape = record["state_dict"][f"tvl1_flow/{name}"]["shape"]
        return torch.from_numpy(fill(f"tvl1_flow/{name}", tuple(shape))).squeeze()

    state = net.state_dict()
    for component in (0, 1):
        state["initial_flow"][component] = variable(f"scale{scales - 1}/u{component + 1}")
        for scale, k in itertools.product(range(scales), range(warps * count - 1)):
            before, after = (
                f"scale{scale}/warping{i // count}/iter{i % count}" for i in (k, k + 1)
            )
            for direction, axis in enumerate("xy"):
                place = scale, k, component, direction
                name = f"{before}/forward_gradient/u{component + 1}_diff_{axis}/kernel"
                state["derivative"][place] = variable(name)
                name = f"{after}/divergence/div_p{component + 1}_diff_{axis}/kernel"
                state["divergence"][place] = variable(name)
    net.load_state_dict(state)
    return net


@torch.no_grad()
@pytest.mark.parametrize("name", GOLDEN.record["networks"])
def test_flow_is_that_of_the_authors_code(name, frames):
    net = from_tensorflow(GOLDEN.record["networks"][name]).double()

    flow = net(*(x.double() for x in frames))

    wanted = torch.from_numpy(GOLDEN.arrays[f"flow_{name}"])
    assert relative_error(flow, wanted) < 1e-4  # theirs is computed in float32
    torch.testing.assert_close(net.float()(*frames), flow.float(), rtol=0, atol=2e-3)


@torch.no_grad()
@pytest.mark.parametrize("iterations", [1, 10, 50])
def test_at_initialisation_it_is_tv_l1(iterations, frames):
    """The paper's network, of one scale and one warp, on frames that it has prepared."""
    net = TVNet((36, 44), iterations=iterations)
    parameters = TVL1Parameters(
        epsilon=0,
        scales=1,
        warps=1,
        outer_iterations=1,
        inner_iterations=iterations,
        median_filtering=1,
    )

    flow = net(*frames)

    prepared = (x.squeeze(1).numpy() for x in net.prepare(*frames))
    wanted = np.stack([solve(*pair, parameters=parameters) for pair in zip(*prepared, strict=True)])
    np.testing.assert_allclose(flow, wanted, atol=1e-4, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shift", [(0.75, -0.5), (3.0, 2.0)], ids=str)
def test_more_iterations_find_more_of_a_shift(shift, device):
    first, second = (x.to(device) for x in shifted(*shift))
    truth = torch.tensor(shift, device=device).view(2, 1, 1)
    scales = 1 if max(shift) < 1 else 2

    errors = []
    for count in (1, 5, 50):
        net = TVNet((48, 64), iterations=count, scales=scales, warps=3).to(device)
        away = (net(first, second) - truth)[..., 8:-8, 8:-8]
        errors.append(float(away.square().sum(dim=1).sqrt().mean()))

    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.2 * errors[0]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("after", [90, 91])
def test_frames_of_one_colour_have_finite_gradients(device, dtype, after):
    """Two greys are stretched to black and white, and move at the edge, where smoothing sees 0."""
    net = TVNet((16, 20), iterations=5, scales=2, warps=2).to(device, dtype)
    first, second = (
        torch.full((2, 3, 16, 20), value, device=device, dtype=dtype) for value in (90, after)
    )

    flow = net(first, second)
    flow.square().sum().backward()

    assert bool(flow.any()) == (after != 90)
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_gradients_reach_every_parameter_at_initialisation(frames):
    net = TVNet((36, 44), iterations=6, warps=2, scales=2)

    net(*frames).square().mean().backward()

    assert (net.initial_flow.grad != 0).float().mean() > 0.9
    for taps in (net.derivative.grad, net.divergence.grad):
        assert (taps != 0).all()


@torch.no_grad()
def test_autocast_does_not_round_the_flow(frames):
    net = TVNet((36, 44), iterations=10)

    with torch.autocast("cpu", torch.bfloat16):
        flow = net(*frames)

    assert torch.equal(flow, net(*frames))


@torch.no_grad()
def test_another_size_starts_from_the_initial_flow_at_that_size(frames):
    net = TVNet((36, 44), iterations=2)
    net.initial_flow[0] = torch.linspace(0, 2, 44)
    first = frames[0][:, :, :18, :22].float()

    flow = net(first, first)

    moved = TVNet((18, 22), iterations=2)
    moved.initial_flow[0] = torch.linspace(0, 2, 22)
    torch.testing.assert_close(flow, moved(first, first), rtol=0, atol=1e-4)


@torch.no_grad()
def test_the_classifier_sees_the_flow_between_the_frames_of_each_segment():
    model = create_model("test_tvnet").eval()
    clip = 20 * noise_clip((2, 3, 6, 64, 64)) + 128  # 2 clips of 2 segments of 3 frames

    flow = model.forward_flow(clip)

    assert flow.shape == (2, 2, 4, 64, 64)  # fields between frames 0, 1, 2 and 3, 4, 5
    for b, (field, before) in itertools.product(range(2), enumerate((0, 1, 3, 4))):
        pair = clip[b : b + 1, :, before], clip[b : b + 1, :, before + 1]
        torch.testing.assert_close(flow[b, :, field], model.flow(*pair)[0], rtol=0, atol=1e-3)


def test_what_has_no_flow_is_refused():
    model = create_model("test_tvnet")
    with pytest.raises(ShapeError, match="7 frames do not split into segments of 3"):
        model(torch.zeros(1, 3, 7, 64, 64))
    with pytest.raises(ShapeError, match="2x64 are too small for flow at 2 scales"):
        model(torch.zeros(1, 3, 6, 2, 64))
