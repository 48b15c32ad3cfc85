"""The camera's motion is found, people are left out of it, and frames are warped back."""

import cv2
import numpy as np
import pytest

from moving import drifting, texture
from zoopraxis.errors import DataError
from zoopraxis.theatre.film import film
from zoopraxis.trajectories.camera import (
    background,
    find_features,
    find_homography,
    find_people,
    read_boxes,
    stabilise,
)


def homography_of(first, second, flow, mask=None):
    return find_homography(
        first, mask, flow=flow, first=find_features(first, mask), second=find_features(second, mask)
    )


def test_a_pan_is_found_and_undone():
    first, second = drifting(120, 160, step=(6, -3), frames=2)
    flow = np.stack([np.full((120, 160), v, np.float32) for v in (6, -3)])

    found = homography_of(first, second, flow)
    still = stabilise(first, second, found)

    np.testing.assert_allclose(found, [[1, 0, 6], [0, 1, -3], [0, 0, 1]], atol=0.02)
    difference = np.abs(still.astype(int) - first)
    assert difference.max() <= 3


def test_local_features_find_what_flow_misses():
    first, second = drifting(120, 160, step=(20, 0), frames=2)
    noise = np.random.default_rng(0).normal(0, 30, (2, 120, 160)).astype(np.float32)

    found = homography_of(first, second, noise)

    np.testing.assert_allclose(found, [[1, 0, 20], [0, 1, 0], [0, 0, 1]], atol=0.1)


def test_without_structure_the_camera_is_still():
    grey = np.full((64, 64), 100, np.uint8)

    found = homography_of(grey, grey, np.zeros((2, 64, 64), np.float32))

    np.testing.assert_array_equal(found, np.eye(3))
    np.testing.assert_array_equal(stabilise(grey, grey, found), grey)


def test_at_rest_a_frame_stays_as_it_is_but_for_its_edges():
    first, second = texture(40, 50), texture(40, 50, seed=1)

    warped = stabilise(first, second, np.eye(3))

    np.testing.assert_array_equal(warped[6:-6, 6:-6], second[6:-6, 6:-6])
    np.testing.assert_array_equal(warped[:5], first[:5])
    np.testing.assert_array_equal(warped[:, -6:], first[:, -6:])


def test_a_warp_that_leaves_the_frame_takes_the_first():
    first, second = texture(40, 50), texture(40, 50, seed=1)
    away = np.array([[1, 0, 500], [0, 1, 0], [0, 0, 1.0]])
    degenerate = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0.0]])

    np.testing.assert_array_equal(stabilise(first, second, away), first)
    np.testing.assert_array_equal(stabilise(first, second, degenerate), first)


def test_the_background_is_without_the_boxes():
    mask = background((10, 12), [(2.5, 3, 4.5, 6), (-5, -5, 0, 0), (11, 8, 40, 40), (-9, 0, -2, 9)])

    expected = np.full((10, 12), 255, np.uint8)
    expected[3:7, 3:5] = 0  # from 2.5 up to 4.5, both rounded inwards
    expected[0, 0] = 0
    expected[8:, 11:] = 0
    np.testing.assert_array_equal(mask, expected)
    assert background((4, 4), []).all()


def test_features_are_where_the_mask_lets_them():
    grey = texture(120, 160)
    mask = background((120, 160), [(0, 0, 79, 119)])

    points = find_features(grey, mask).points

    assert len(points) > 10
    assert points[:, 0].min() > 78


def test_features_of_a_large_frame_are_where_they_are_in_a_smaller_one():
    small = texture(150, 700)
    large = cv2.resize(small, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)  # 1400 wide
    mask = background(large.shape, [(700, 0, 1400, 300)])

    here = find_features(large, mask).points
    there = find_features(small, None).points

    assert len(here) > 50
    assert here[:, 0].max() < 702
    expected = (there + 0.5) * 2 - 0.5
    nearest = np.linalg.norm(here[:, None] - expected[None], axis=2).min(axis=1)
    assert np.median(nearest) < 0.3


def test_a_person_is_found():
    clip = film("walk", seed=3, performer=5, size=(320, 240))
    x0, y0, x1, y1 = clip.person_box[5]

    (box,) = find_people(np.ascontiguousarray(clip.frames[5]))

    width = min(x1, box[2]) - max(x0, box[0])
    height = min(y1, box[3]) - max(y0, box[1])
    assert width * height > 0.7 * (x1 - x0) * (y1 - y0)


def test_nobody_is_found_in_a_frame_of_one_colour():
    assert find_people(np.full((48, 64, 3), 90, np.uint8)).shape == (0, 4)


def test_boxes_are_read(tmp_path):
    path = tmp_path / "boxes.txt"
    path.write_text("0 1 2 3 4 0.5 10 20 30.5 40 0.9\n1\n\n2\t5 6 7 8 1\n")

    frames = read_boxes(path)

    assert [f.tolist() for f in frames] == [
        [[1, 2, 3, 4], [10, 20, 30.5, 40]], [], [[5, 6, 7, 8]],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"0 1 2 3\n", "line 1"),
        (b"0\n1 a b c d e\n", "line 2"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_a_bad_file_of_boxes_is_named(tmp_path, content, problem):
    path = tmp_path / "boxes.txt"
    path.write_bytes(content)

    with pytest.raises(DataError, match=problem) as error:
        read_boxes(path)

    assert str(path) in str(error.value)


def test_a_missing_file_of_boxes_is_named(tmp_path):
    with pytest.raises(DataError, match=r"boxes\.txt: cannot be read"):
        read_boxes(tmp_path / "boxes.txt")
