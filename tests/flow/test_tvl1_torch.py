"""TV-L1 in PyTorch: the numbers of numba, for a batch, on every device, with gradients."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from devices import DEVICES
from zoopraxis.errors import ShapeError, ZoopraxisError
from zoopraxis.flow import TVL1, TVL1Torch, compute_flow, tvl1_flow
from zoopraxis.flow._tvl1_parameters import TVL1Parameters
from zoopraxis.flow.base import grey
from zoopraxis.flow.tvl1_torch import _median, _warp
from zoopraxis.theatre.film import film

ONE_WARP = {"epsilon": 0, "scales": 1, "warps": 1}


@pytest.fixture(params=DEVICES)
def device(request):
    return request.param


@pytest.fixture(scope="module")
def clip():
    return film("stand_up", seed=3, performer=5)


@pytest.fixture(scope="module")
def pairs(clip):
    """Two pairs of grey frames of the theatre: (2, H, W) before, (2, H, W) after."""
    before, after = (np.stack([grey(clip.frames[t + k]) for t in (0, 20)]) for k in (0, 1))
    return torch.from_numpy(before), torch.from_numpy(after)


def texture(*, dx, dy, size=(48, 64), seed=0):
    """A pair of grey frames (1, H, W) whose texture moves by dx and dy pixels."""
    height, width = size
    noise = np.random.default_rng(seed).uniform(0, 255, (height + 32, width + 32))
    smooth = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2.5), None, 0, 255, cv2.NORM_MINMAX)
    moved = cv2.warpAffine(smooth, np.array([[1.0, 0, dx], [0, 1.0, dy]]), smooth.shape[::-1])
    frames = [torch.from_numpy(x[16:-16, 16:-16]).unsqueeze(0) for x in (smooth, moved)]
    return frames[0], frames[1]


def endpoint_errors(a, b):
    return (a - b).square().sum(dim=-3).sqrt()


def by_numba(before, after, parameters):
    method = TVL1(**vars(parameters))
    frames = [
        [np.stack([x.numpy()] * 3, axis=-1) for x in pair]
        for pair in zip(before, after, strict=True)
    ]
    return torch.from_numpy(np.stack([method.between(*pair) for pair in frames]))


@pytest.mark.parametrize(
    ("changed", "mean", "most"),
    [
        ({**ONE_WARP, "inner_iterations": 1, "outer_iterations": 1}, 1e-5, 2e-3),
        ({**ONE_WARP, "inner_iterations": 10, "outer_iterations": 2}, 2e-5, 2e-3),
        ({**ONE_WARP, "outer_iterations": 1, "median_filtering": 1}, 2e-5, 2e-3),
        ({**ONE_WARP, "tau": 0.2, "lambda_": 0.1, "theta": 0.2}, 5e-5, 5e-3),
    ],
    ids=str,
)
def test_a_warp_has_the_numbers_of_numba(pairs, device, changed, mean, most):
    """Rounding is largest where the gradient is smallest, by which the residual is divided."""
    parameters = TVL1Parameters(**changed)

    flow = tvl1_flow(*(x.to(device) for x in pairs), parameters=parameters).cpu()

    errors = endpoint_errors(flow, by_numba(*pairs, parameters))
    assert errors.mean() < mean
    assert errors.max() < most


@pytest.mark.parametrize(
    "changed",
    [
        {"scales": 1, "warps": 3},
        {"scales": 3, "warps": 1},
        {"scales": 5, "warps": 2, "scale_step": 0.7, "median_filtering": 3},
    ],
    ids=str,
)
def test_warps_and_scales_have_the_numbers_of_numba(pairs, device, changed):
    """OpenCV 4 rounds the places it warps from to 1/32 pixel, hence hundredths of a pixel here."""
    parameters = TVL1Parameters(epsilon=0, inner_iterations=5, outer_iterations=1, **changed)

    flow = tvl1_flow(*(x.to(device) for x in pairs), parameters=parameters).cpu()

    wanted = by_numba(*pairs, parameters)
    assert endpoint_errors(flow, wanted).median() < 0.01
    assert endpoint_errors(flow, wanted).mean() < 0.02
    assert wanted.abs().mean() > 0.1


def test_the_whole_run_is_as_near_the_truth_as_numba(pairs, clip, device):
    """Rounding can end a warp one iteration earlier or later, which moves the flow by epsilon."""
    flow = tvl1_flow(*(x.to(device) for x in pairs)).cpu()

    wanted = by_numba(*pairs, TVL1Parameters())
    assert endpoint_errors(flow, wanted).median() < 0.02
    truth = torch.from_numpy(clip.flow()[[0, 20]].astype(np.float32))
    error = endpoint_errors(wanted, truth).mean()
    assert endpoint_errors(flow, truth).mean() < 1.02 * error
    assert endpoint_errors(flow, wanted).mean() < 0.1 * error


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (7, 5), (17, 33), (101, 16)])
def test_frames_of_every_size_have_the_flow_of_numba(size, device):
    rng = np.random.default_rng(0)
    frames = torch.from_numpy(rng.integers(0, 256, (2, 1, *size), dtype=np.uint8))
    parameters = TVL1Parameters(epsilon=0, warps=1, scales=1, inner_iterations=5)

    flow = tvl1_flow(*frames.to(device), parameters=parameters).cpu()

    assert flow.dtype == torch.float32
    assert endpoint_errors(flow, by_numba(*frames, parameters)).max() < 1e-3


def test_warping_is_opencvs_bicubic_with_zeros_outside(device):
    rng = np.random.default_rng(0)
    image = rng.uniform(0, 255, (20, 31, 3)).astype(np.float32)
    flow = rng.integers(-128, 129, (2, 20, 31)).astype(np.float32) / 32  # exact in OpenCV 4 too
    ys, xs = np.mgrid[:20, :31].astype(np.float32)
    wanted = cv2.remap(image, xs + flow[0], ys + flow[1], cv2.INTER_CUBIC)

    images = torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0).to(device)
    got = _warp(images, torch.from_numpy(flow).unsqueeze(0).to(device))

    np.testing.assert_allclose(got[0].permute(1, 2, 0).cpu(), wanted, atol=2e-2)


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (9, 14)])
def test_the_median_filter_is_opencvs(side, size, device):
    image = np.random.default_rng(0).integers(0, 30, size).astype(np.float32)  # with ties

    median = _median(torch.from_numpy(image).to(device)[None, None], side)

    np.testing.assert_array_equal(median[0, 0].cpu(), cv2.medianBlur(image, side))


def test_pairs_of_a_batch_do_not_see_each_other(pairs, device):
    """The second pair moves less, and stops earlier."""
    before, after = (x.to(device) for x in pairs)
    parameters = TVL1Parameters(scales=2, warps=2, outer_iterations=2)

    together = tvl1_flow(before, after, parameters=parameters)

    for k in range(2):
        alone = tvl1_flow(before[k : k + 1], after[k : k + 1], parameters=parameters)
        torch.testing.assert_close(together[k : k + 1], alone, rtol=0, atol=1e-4)


def test_more_iterations_find_more_of_a_shift(device):
    before, after = (x.to(device) for x in texture(dx=1.25, dy=-0.75))
    truth = torch.tensor([1.25, -0.75], device=device, dtype=torch.float64).view(2, 1, 1)

    errors = []
    for count in (1, 5, 30, 100):
        parameters = TVL1Parameters(
            **{**ONE_WARP, "warps": 3}, inner_iterations=count, outer_iterations=1
        )
        flow = tvl1_flow(before, after, parameters=parameters)
        errors.append(float(endpoint_errors(flow, truth)[:, 8:-8, 8:-8].mean()))

    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.1 < 0.5 < errors[0]


def test_gradients_are_those_of_finite_differences():
    before, after = texture(dx=0.5, dy=0.25, size=(12, 14))
    parameters = TVL1Parameters(
        epsilon=0, scales=1, warps=2, inner_iterations=3, outer_iterations=1, median_filtering=3
    )

    def function(x, y):
        return tvl1_flow(x, y, parameters=parameters).mean(dim=(2, 3))

    inputs = before.requires_grad_(), after.requires_grad_()
    assert torch.autograd.gradcheck(function, inputs, eps=1e-5, fast_mode=True, rtol=1e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_frames_of_one_colour_have_no_flow_and_finite_gradients(device, dtype):
    before, after = (
        torch.full((2, 24, 32), value, device=device, dtype=dtype, requires_grad=True)
        for value in (90, 91)
    )

    flow = tvl1_flow(before, after, parameters=TVL1Parameters(warps=2))
    flow.square().sum().backward()

    assert flow.dtype == torch.float32
    assert not flow.any()
    assert before.grad.isfinite().all()
    assert after.grad.isfinite().all()


def test_as_a_method_it_takes_many_frames_at_once(clip, device):
    frames = torch.from_numpy(clip.frames[:6].copy()).permute(0, 3, 1, 2)
    method = TVL1Torch(device=device, scales=1, warps=1, outer_iterations=1)
    one_by_one = type("OneByOne", (TVL1Torch,), {"at_once": 1})(**json_arguments(method))

    together = compute_flow(frames, method)

    assert together.shape == (5, 2, *frames.shape[2:])
    torch.testing.assert_close(compute_flow(frames, one_by_one), together, rtol=0, atol=1e-4)
    two = type("Two", (TVL1Torch,), {"at_once": 2})(**json_arguments(method))  # 2, 2 and 1 pair
    torch.testing.assert_close(compute_flow(frames, two), together, rtol=0, atol=1e-4)


def json_arguments(method):
    return {name: value for name, value in json.loads(method.key).items() if name != "method"}


def test_what_cannot_be_done_is_refused(clip):
    with pytest.raises(ShapeError, match="no pairs of grey frames"):
        tvl1_flow(torch.zeros(2, 8, 8), torch.zeros(2, 8, 9))
    with pytest.raises(ShapeError, match="no pairs of grey frames"):
        tvl1_flow(torch.zeros(8, 8), torch.zeros(8, 8))
    method = replace(TVL1Torch(), device="tpu")
    with pytest.raises(ZoopraxisError, match="no device 'tpu'"):
        method.between(*clip.frames[:2])
