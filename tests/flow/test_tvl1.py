"""TV-L1 flow agrees with OpenCV's and scikit-image's solvers, at every size."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from skimage.registration import optical_flow_tvl1

from zoopraxis.errors import ZoopraxisError
from zoopraxis.flow import TVL1
from zoopraxis.flow.base import grey
from zoopraxis.theatre.film import film


def endpoint_error(a, b):
    return float(np.sqrt(((a - b) ** 2).sum(axis=0)).mean())


def opencv(method, first, second):
    """OpenCV's flow (2, H, W) with the parameters of a method."""
    solver = cv2.optflow.DualTVL1OpticalFlow.create(
        method.tau, method.lambda_, method.theta, method.scales, method.warps, method.epsilon,
        method.inner_iterations, method.outer_iterations, method.scale_step, 0.0,
        method.median_filtering,
    )  # fmt: skip
    return solver.calc(grey(first), grey(second), None).transpose(2, 0, 1)


def texture(height, width, *, seed=0):
    """Smooth noise (H, W, 3), from 0 to 255."""
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def shifted(height, width, *, dx=2, dy=1):
    """Two frames of texture that moves dx pixels to the right and dy down."""
    whole = texture(height + dy, width + dx)
    return whole[dy:, dx:], whole[:height, :width]


@pytest.fixture(scope="module")
def clip():
    return film("stand_up", seed=3, performer=5)


def test_it_is_as_near_the_true_flow_as_opencv_and_nearer_to_it(clip):
    """What is left of the difference are rounding and iterations that end one earlier or later."""
    method = TVL1()
    truth = clip.flow().astype(np.float32)
    for t in (0, 20):
        first, second = clip.frames[t], clip.frames[t + 1]
        ours, theirs = method.between(first, second), opencv(method, first, second)

        error = endpoint_error(theirs, truth[t])
        assert endpoint_error(ours, truth[t]) <= 1.03 * error
        assert endpoint_error(ours, theirs) <= 0.3 * error


@pytest.mark.parametrize(
    "changed",
    [
        {"median_filtering": 1},
        {"median_filtering": 3, "outer_iterations": 3},
        {"scales": 1, "warps": 2},
        {"tau": 0.2, "lambda_": 0.1, "theta": 0.2},
        {"scale_step": 0.5, "scales": 3, "inner_iterations": 7},
    ],
    ids=str,
)
def test_every_parameter_means_what_it_means_in_opencv(changed):
    """A fixed number of iterations: no rounding decides when they end.

    Twice the data term (lambda 0.3) would enlarge rounding a hundredfold.
    """
    method = TVL1(epsilon=0, **{"outer_iterations": 2, **changed})
    first, second = shifted(61, 83)

    ours, theirs = method.between(first, second), opencv(method, first, second)

    assert endpoint_error(ours, theirs) < 0.001
    assert endpoint_error(theirs, 0 * theirs) > 0.5
    assert endpoint_error(ours, TVL1(epsilon=0).between(first, second)) > 0.001


def test_it_and_scikit_image_find_a_smooth_shift():
    first, second = shifted(64, 96)
    truth = np.broadcast_to(np.array([2, 1], np.float32)[:, None, None], (2, 64, 96))
    rows_first = optical_flow_tvl1(grey(first) / 255, grey(second) / 255)  # y, then x
    inside = np.s_[:, 8:-8, 8:-8]

    ours, theirs = TVL1().between(first, second)[inside], rows_first[::-1][inside]

    assert endpoint_error(ours, truth[inside]) < 0.15
    assert endpoint_error(theirs, truth[inside]) < 0.15
    assert endpoint_error(ours, theirs) < 0.2


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 9), (9, 1), (2, 2), (7, 5), (17, 33), (16, 64), (101, 16)]
)
def test_frames_of_every_size_have_a_flow(height, width):
    first, second = texture(height, width), texture(height, width, seed=1)

    flow = TVL1().between(first, second)

    assert flow.shape == (2, height, width)
    assert flow.dtype == np.float32
    assert flow.flags.c_contiguous
    assert np.isfinite(flow).all()


@pytest.mark.parametrize(("before", "after"), [(0, 0), (255, 255), (0, 255), (90, 91)])
def test_frames_of_one_colour_have_no_flow(before, after):
    first, second = (np.full((40, 56, 3), value, np.uint8) for value in (before, after))

    assert not TVL1().between(first, second).any()


def test_a_frame_has_no_flow_to_itself(clip):
    frame = clip.frames[0]

    assert np.abs(TVL1().between(frame, frame)).max() < 1e-3


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("tau", -0.25, "a positive number"),
        ("tau", float("nan"), "a positive number"),
        ("lambda_", 0, "a positive number"),
        ("theta", float("inf"), "a positive number"),
        ("epsilon", -1e-3, "zero or a positive number"),
        ("scale_step", 1.0, "between 0 and 1"),
        ("scale_step", 0.0, "between 0 and 1"),
        ("scales", 0, "a whole number, 1 or more"),
        ("warps", 2.5, "a whole number, 1 or more"),
        ("inner_iterations", 0, "a whole number, 1 or more"),
        ("outer_iterations", -1, "a whole number, 1 or more"),
        ("median_filtering", 4, "1, 3 or 5"),
    ],
)
def test_a_parameter_out_of_range_is_refused(name, value, expected):
    with pytest.raises(ZoopraxisError, match=f"{name} of TV-L1 flow is") as caught:
        TVL1(**{name: value})
    assert expected in caught.value.hint


def test_numba_is_imported_by_the_first_flow_only():
    code = "import sys, zoopraxis.flow; sys.exit('numba' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
