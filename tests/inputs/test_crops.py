"""Sizes and boxes, held to numbers worked out by hand."""

import pytest

from zoopraxis.errors import ShapeError, ZoopraxisError
from zoopraxis.inputs.crops import corner_positions, crop_boxes, scaled_size


@pytest.mark.parametrize(
    ("size", "resize", "expected"),
    [
        ((240, 320), 128, (128, 170)),  # 170.67 down
        ((320, 240), 128, (170, 128)),
        ((1080, 1920), 256, (256, 455)),  # 455.1
        ((256, 340), 256, (256, 340)),
        ((240, 320), (128, 171), (128, 171)),
    ],
)
def test_scaled_size(size, resize, expected):
    assert scaled_size(size, resize) == expected


def test_crops_of_a_wide_frame():
    boxes = {n: [b[:2] for b, _ in crop_boxes((128, 171), 112, n)] for n in (1, 3, 5)}
    # 16 rows and 59 columns of room: 29.5 is rounded to 30 by torchvision, and up by PySlowFast
    assert boxes[1] == [(8, 30)]
    assert boxes[3] == [(8, 0), (8, 30), (8, 59)]
    assert boxes[5] == [(0, 0), (0, 59), (16, 0), (16, 59), (8, 30)]


def test_centres_are_rounded_as_their_origin_does():
    # room 57: 28.5 is 28 in torchvision's CenterCrop, 29 in PySlowFast's uniform_crop
    assert crop_boxes((112, 169), 112, 1)[0][0] == (0, 28, 112, 112)
    assert crop_boxes((112, 169), 112, 3)[1][0] == (0, 29, 112, 112)


def test_three_crops_of_a_tall_frame_go_down():
    assert [b[:2] for b, _ in crop_boxes((300, 256), 256, 3)] == [(0, 0), (22, 0), (44, 0)]


def test_ten_crops_are_five_and_their_mirror_images():
    ten = crop_boxes((128, 171), 112, 10)
    assert [box for box, _ in ten[:5]] == [box for box, _ in ten[5:]]
    assert [flip for _, flip in ten] == [False] * 5 + [True] * 5


def test_unknown_crops_and_small_frames_are_refused():
    with pytest.raises(ZoopraxisError, match="crops must be 1, 3, 5 or 10, not 4"):
        crop_boxes((128, 171), 112, 4)
    with pytest.raises(ShapeError, match="100x200 pixels are smaller than the crop of 112"):
        crop_boxes((100, 200), 112, 1)


def test_corner_positions_of_tsn():
    # 256x340 frame, crop 224x192: room 32 and 148, steps 8 and 37
    five = corner_positions((256, 340), (224, 192), 5)
    assert five == [(0, 0), (0, 148), (32, 0), (32, 148), (16, 74)]
    more = corner_positions((256, 340), (224, 192), 13)
    assert more[:5] == five
    assert more[5:] == [
        (16, 0),
        (16, 148),
        (32, 74),
        (0, 74),
        (8, 37),
        (8, 111),
        (24, 37),
        (24, 111),
    ]


def test_corners_may_miss_the_edge():
    assert corner_positions((7, 7), (4, 4), 5)[3] == (0, 0)  # 3 // 4 = 0
