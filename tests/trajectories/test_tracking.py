"""Where tracks start, when they end, and which of them are trajectories."""

import numpy as np
import pytest

from moving import texture
from zoopraxis.trajectories.sampling import candidates, new_points, scales_of
from zoopraxis.trajectories.tracking import Tracks

GREY = texture(60, 400)


def followed(steps, *, min_motion=0.0, scale=1.0):
    """Rows of one point, from (52, 32), that moves by the given steps."""
    tracks = Tracks(scale=scale, stride=5, min_motion=min_motion)
    structured = np.zeros((12, 80), bool)
    structured[6, 10] = True
    tracks.start(structured)
    for dx, dy in steps:
        flow = np.empty((2, *GREY.shape), np.float32)
        flow[0], flow[1] = dx, dy
        tracks.advance(GREY, flow, flow)
    return tracks.finish(20), tracks


def test_scales_shrink_by_the_root_of_two_down_to_a_patch():
    scales = scales_of(320, 240, count=8, smallest=32)

    assert [(s.width, s.height) for s in scales] == [
        (320, 240), (226, 170), (160, 120), (113, 85), (80, 60), (57, 42),
    ]  # fmt: skip
    np.testing.assert_allclose([s.factor for s in scales], 2 ** (np.arange(6) / 2), rtol=1e-6)
    assert len(scales_of(64, 64, count=8, smallest=32)) == 3  # 64, 45 and 32
    assert len(scales_of(4000, 4000, count=8, smallest=32)) == 8
    assert scales_of(200, 31, count=8, smallest=32) == []


def test_points_are_sampled_where_there_is_structure_and_no_track():
    grey = np.full((23, 31), 50, np.uint8)
    grey[8:15, 10:20] = texture(7, 10)

    structured = candidates(grey, 5)
    free = new_points(structured, np.array([[12.9, 12.2], [30.9, 22.9]], np.float32), 5)

    assert structured.shape == (4, 6)  # the last column of pixels and 3 rows are in no square
    assert structured[1:3, 2:4].all()
    assert not structured[:, 5].any()
    expected = [[x * 5 + 2, y * 5 + 2] for y, x in np.argwhere(structured)]
    expected.remove([12, 12])
    assert free.tolist() == expected


def test_a_track_has_fifteen_steps_and_its_slot_is_used_again():
    rows, tracks = followed([(2, 0)] * 14)
    assert len(rows) == 0
    assert len(tracks.slots) == 1

    rows, tracks = followed([(2, 0)] * 15)
    assert len(rows) == 1
    assert rows[0, :7].tolist() == pytest.approx(
        [20, 52 + 15, 32, 2 * np.arange(16).std(), 0, 30, 1]
    )
    assert len(tracks.slots) == 0
    slots = len(tracks.steps)
    tracks.start(np.eye(12, 80, dtype=bool)[:1])
    assert len(tracks.steps) == slots
    assert tracks.ends.tolist() == [[2, 2]]


def test_a_scale_counts_in_pixels_of_the_video():
    (row,), _ = followed([(1, 1)] * 15, scale=2.0)

    assert row[1:3].tolist() == [2 * 59.5, 2 * 39.5]
    assert row[5:7].tolist() == pytest.approx([30 * np.sqrt(2), 2])


@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        ([(0.35, 0)] * 15, False),  # deviation 1.6: static
        ([(0.4, 0)] * 15, True),  # 1.8
        ([(0.1, 0.4)] * 15, True),  # one of the two is enough
        ([(12, 0)] * 15, False),  # 55: erratic
        ([(10, 0)] * 15, True),  # 46
        ([(25, 0), *[(0.5, 0)] * 14], False),  # a jump of 25 in 32 pixels
        ([(19, 0), *[(0.5, 0)] * 14], True),  # not more than 20 pixels
        ([(25, 0), *[(1, 0)] * 14], True),  # not more than 70 % of the way
    ],
)
def test_static_erratic_and_jumping_tracks_are_no_trajectories(steps, kept):
    rows, _ = followed(steps)

    assert len(rows) == kept


def test_a_track_that_moves_with_the_camera_is_no_trajectory():
    assert len(followed([(0.9, 0)] * 15, min_motion=1.0)[0]) == 0
    assert len(followed([(0.9, 0)] * 14 + [(1.1, 0)], min_motion=1.0)[0]) == 1
    assert len(followed([(0.9, 0)] * 15)[0]) == 1


def test_a_track_that_leaves_the_frame_ends():
    rows, tracks = followed([(-4, 0)] * 12 + [(0, 0)] * 3)
    assert len(rows) == 1  # it is at x = 4

    rows, tracks = followed([(-4, 0)] * 13 + [(0, 0)] * 2)
    assert len(rows) == 0
    assert len(tracks.slots) == 0
    assert len(tracks.free) == len(tracks.steps)
