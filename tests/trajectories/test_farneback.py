"""Flow at every scale agrees with OpenCV's at one, and finds known motion at all."""

import cv2
import numpy as np
import pytest

from moving import drifting
from zoopraxis.trajectories._farneback import expand, flow_pyramid
from zoopraxis.trajectories.sampling import STEP


@pytest.mark.parametrize("size", [(60, 80), (61, 83), (40, 200)], ids=str)
def test_one_scale_is_opencvs_with_a_median_filter(size):
    first, second = drifting(*size, step=(1, -1), frames=2)
    opencv = cv2.calcOpticalFlowFarneback(
        first, second, None, 0.5, 1, 10, 2, 7, 1.5, cv2.OPTFLOW_FARNEBACK_GAUSSIAN
    )  # (H, W, 2)
    filtered = [cv2.medianBlur(np.ascontiguousarray(opencv[..., i]), 5) for i in range(2)]

    # OpenCV blurs the frames by this, even at the finest scale.
    blurred = [cv2.GaussianBlur(frame.astype(np.float32), (3, 3), 0) for frame in (first, second)]
    (flow,) = flow_pyramid([expand(blurred[0])], [expand(blurred[1])], STEP)

    np.testing.assert_allclose(flow, filtered, atol=2e-4)


def test_a_polynomial_is_found_again():
    y, x = np.mgrid[:40, :50].astype(np.float64) - 20
    image = 3 + 0.5 * y - 0.25 * x + 0.02 * y**2 - 0.03 * x**2 + 0.01 * x * y

    coefficients = expand(image.astype(np.float32))

    inner = coefficients[8:-8, 8:-8]  # the neighbourhood reaches 7 pixels
    yi, xi = y[8:-8, 8:-8], x[8:-8, 8:-8]
    # around every pixel: its slopes, and the same curvature everywhere
    expected = [0.5 + 0.04 * yi + 0.01 * xi, -0.25 - 0.06 * xi + 0.01 * yi, 0.02, -0.03, 0.01]
    for number, values in enumerate(expected):
        np.testing.assert_allclose(inner[..., number], np.broadcast_to(values, yi.shape), atol=1e-4)


def test_coarse_scales_find_motion_that_fine_ones_miss():
    frames = [f.astype(np.float32) for f in drifting(120, 160, step=(8, -5), frames=2)]
    sizes = ((160, 120), (113, 85), (80, 60), (57, 42))
    first, second = (
        [expand(cv2.resize(frame, size, interpolation=cv2.INTER_AREA)) for size in sizes]
        for frame in frames
    )

    flows = flow_pyramid(first, second, STEP)
    (alone,) = flow_pyramid(first[:1], second[:1], STEP)

    found = np.median(flows[0][:, 20:-20, 20:-20], axis=(1, 2))
    np.testing.assert_allclose(found, [8, -5], atol=0.02)
    assert abs(np.median(alone[0]) - 8) > 3
    assert [flow.shape for flow in flows] == [(2, 120, 160), (2, 85, 113), (2, 60, 80), (2, 42, 57)]
