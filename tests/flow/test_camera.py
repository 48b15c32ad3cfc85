"""The motion of the camera is found, and flow without it is the motion of things."""

import json

import cv2
import numpy as np
import pytest

from zoopraxis.flow import DIS, Warped, estimate_homography, flow_method
from zoopraxis.flow.camera import warp_back
from zoopraxis.theatre.film import film
from zoopraxis.theatre.render import compose, invert

SIZE = (240, 320)
MOTIONS = {
    "pan": [[1, 0, 6.4], [0, 1, -3.3], [0, 0, 1]],
    "zoom": [[1.03, 0, -4.8], [0, 1.03, -3.6], [0, 0, 1]],
    "roll": [[0.9994, -0.0349, 4.3], [0.0349, 0.9994, -5.5], [0, 0, 1]],
    "tilt": [[1.01, 0.004, 2.0], [0.002, 1.02, -2.0], [1e-5, 4e-5, 1]],
}
BOX = np.array([130, 90, 190, 150])


def texture(seed, size, sigma=2.0):
    noise = np.random.default_rng(seed).uniform(0, 255, (*size, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigma)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)


def scene(motion, thing=(0, 0)):
    """Two frames of a wall that a camera films, and a square before it that moves by itself."""
    height, width = SIZE
    edge = 60
    wall = texture(0, (height + 2 * edge, width + 2 * edge))
    shift = np.array([[1, 0, edge], [0, 1, edge], [0, 0, 1]], float)
    frames = []
    for matrix, step in ((np.eye(3), (0, 0)), (np.array(motion, float), thing)):
        # the square is on the wall: in wall coordinates it moves by ``step``
        painted = wall.copy()
        x0, y0, x1, y1 = BOX + edge
        square = texture(1, (y1 - y0, x1 - x0))
        painted[y0 + step[1] : y1 + step[1], x0 + step[0] : x1 + step[0]] = square
        view = cv2.warpPerspective(
            painted, matrix @ np.linalg.inv(shift), (width, height), flags=cv2.INTER_CUBIC
        )
        frames.append(np.clip(view + 0.5, 0, 255).astype(np.uint8))
    return frames


def apart(a, b):
    """Mean distance in pixels between where two homographies move the pixels of a frame."""
    grid = np.stack(np.mgrid[: SIZE[0], : SIZE[1]][::-1], axis=-1).astype(np.float64)
    moved = [cv2.perspectiveTransform(grid, np.asarray(m, np.float64)) for m in (a, b)]
    return np.linalg.norm(moved[0] - moved[1], axis=-1).mean()


@pytest.mark.parametrize("name", MOTIONS)
def test_the_motion_of_the_camera_is_found(name):
    first, second = scene(MOTIONS[name], thing=(4, 3))

    flow = DIS().between(first, second)

    for matches in (None, flow):
        found = estimate_homography(first, second, flow=matches)
        assert apart(found, MOTIONS[name]) < 0.3
        assert np.array_equal(found, estimate_homography(first, second, flow=matches))


@pytest.mark.parametrize("name", MOTIONS)
def test_warped_flow_is_the_motion_of_things(name):
    first, second = scene(MOTIONS[name], thing=(4, 3))

    plain, warped = (flow_method(m).between(first, second) for m in ("dis", "warped:dis"))

    x0, y0, x1, y1 = BOX
    wall = np.ones(SIZE, bool)
    wall[y0 - 12 : y1 + 12, x0 - 12 : x1 + 12] = False
    wall[:16] = wall[-16:] = wall[:, :16] = wall[:, -16:] = False
    assert np.hypot(*plain)[wall].mean() > 1.5
    assert np.hypot(*warped)[wall].mean() < 0.3
    inside = warped[:, y0 + 10 : y1 - 10, x0 + 10 : x1 - 10].mean(axis=(1, 2))
    np.testing.assert_allclose(inside, (4, 3), atol=0.3)


def test_a_film_of_the_theatre():
    clip = film("stand_up", seed=3, performer=5, size=(320, 240))
    first, second = clip.frames[26:28]
    background = clip.tops[26] == 0
    a, b = clip.layers[26][0].transform, clip.layers[27][0].transform
    truth = np.vstack([compose(b, invert(a)), [0, 0, 1]])

    flow = DIS().between(first, second)
    found = estimate_homography(first, second, flow=flow)
    warped = Warped().between(first, second)

    assert apart(np.eye(3), truth) > 2
    assert apart(found, truth) < 0.3
    assert np.median(np.hypot(*flow)[background]) > 2
    assert np.median(np.hypot(*warped)[background]) < 0.3


def test_boxes_are_left_out():
    # the square covers most of the frame, and moves; the camera does not
    rng = np.random.default_rng(2)
    first = texture(3, SIZE).astype(np.uint8)
    second = first.copy()
    x0, y0, x1, y1 = 40, 30, 300, 220
    second[y0 + 4 : y1 + 4, x0 + 6 : x1 + 6] = first[y0:y1, x0:x1]
    second = np.clip(second + rng.normal(0, 2, second.shape), 0, 255).astype(np.uint8)
    flow = DIS().between(first, second)

    fooled = estimate_homography(first, second, flow=flow)
    boxes = [[np.nan] * 4, [x0 - 8, y0 - 8, x1 + 8, y1 + 8]]
    told = estimate_homography(first, second, flow=flow, boxes=np.array(boxes))

    assert apart(fooled, np.eye(3)) > 4
    assert apart(told, np.eye(3)) < 0.3


def test_nothing_is_corrected_without_matches_or_where_it_brings_nothing_nearer():
    grey = np.full((*SIZE, 3), 128, np.uint8)
    still = texture(3, SIZE).astype(np.uint8)
    for first, second in ((grey, grey), (still, still), (still[:17, :33], still[:17, :33])):
        flow = DIS().between(first, second)
        assert np.array_equal(estimate_homography(first, second, flow=flow), np.eye(3))
        assert np.array_equal(Warped().between(first, second), flow)


def test_large_frames_are_reduced_and_the_answer_is_not():
    matrix = np.array([[1.01, 0.002, 20.0], [-0.002, 1.01, -14.0], [0, 0, 1]])
    large = cv2.resize(texture(4, (540, 960)), (1920, 1080), interpolation=cv2.INTER_CUBIC)
    moved = cv2.warpPerspective(large, matrix, (1920, 1080), flags=cv2.INTER_CUBIC)
    first, second = (np.clip(x, 0, 255).astype(np.uint8) for x in (large, moved))

    assert apart(estimate_homography(first, second), matrix) < 0.5


def test_what_left_the_second_frame_is_that_of_the_first():
    first = np.full((40, 60, 3), 10, np.uint8)
    second = np.full((40, 60, 3), 200, np.uint8)

    warped = warp_back(first, second, np.array([[1.0, 0, 20], [0, 1, 0], [0, 0, 1]]))

    # x + 20 must lie between 5 and 54, y between 5 and 34: the edge of 5 pixels is not used
    assert set(np.flatnonzero((warped == 200).all(axis=(0, 2)))) == set()
    columns = np.flatnonzero((warped[20] == 200).all(axis=-1))
    assert (columns.min(), columns.max()) == (0, 33)
    rows = np.flatnonzero((warped[:, 10] == 200).all(axis=-1))
    assert (rows.min(), rows.max()) == (6, 33)
    assert set(np.unique(warped)) == {10, 200}


def test_the_key_has_the_method_that_is_used():
    keys = {flow_method(name).key for name in ("dis", "warped:dis", "warped:tvl1", "tvl1")}
    assert len(keys) == 4
    assert json.loads(flow_method("warped:dis").key)["of"]["preset"] == "medium"
