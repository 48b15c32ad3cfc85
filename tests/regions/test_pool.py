"""Features of regions, by hand: maps whose values name their cells."""

import pytest
import torch

from zoopraxis.errors import ShapeError
from zoopraxis.regions import pyramid_pool, pyramid_pool_regions, roi_align, roi_max_pool

# a map of 8x8 cells of 4 pixels, whose value is 10 y + x
MAP = (10 * torch.arange(8.0)[:, None] + torch.arange(8.0))[None, None]


def test_regions_are_aligned_without_rounding():
    # the cells (y, x) have their centres at 4 (y + 0.5), 4 (x + 0.5) pixels
    box = torch.tensor([[[8.0, 4.0, 16.0, 12.0], [9.0, 4.0, 17.0, 12.0]]])

    out = roi_align(MAP, box, stride=4, size=2)

    assert out.shape == (1, 2, 1, 2, 2)
    torch.testing.assert_close(out[0, 0, 0], torch.tensor([[12.0, 13.0], [22.0, 23.0]]))
    torch.testing.assert_close(out[0, 1, 0], out[0, 0, 0] + 0.25)  # one pixel to the right


def test_regions_are_max_pooled_in_whole_cells():
    box = torch.tensor(
        [[[8.0, 4.0, 12.0, 8.0], [9.0, 4.0, 13.0, 8.0]]]
    )  # both corners belong to it

    out = roi_max_pool(MAP, box, stride=4, size=1)

    assert out.flatten().tolist() == [23, 23]


def test_regions_come_from_their_own_map():
    maps = torch.cat([MAP, MAP + 100])
    boxes = torch.tensor([[[0.0, 0.0, 4.0, 4.0]], [[0.0, 0.0, 4.0, 4.0]]])

    difference = torch.diff(roi_align(maps, boxes, stride=4, size=1), dim=0)

    torch.testing.assert_close(difference.flatten(), torch.tensor([100.0]))


def test_a_pyramid_has_one_length_for_every_size():
    maps = torch.rand(2, 3, 13, 9)

    out = pyramid_pool(maps, (2, 1))

    assert out.shape == (2, 3 * 5) == pyramid_pool(maps[..., :5, :6], (2, 1)).shape
    torch.testing.assert_close(out[:, -3:], maps.amax(dim=(2, 3)))
    torch.testing.assert_close(out[:, 0], maps[:, 0, :7, :5].amax(dim=(1, 2)))


def test_a_pyramid_of_the_whole_frame_is_that_of_the_map():
    maps = torch.rand(1, 3, 12, 12)
    whole = torch.tensor([[[0.0, 0.0, 44.0, 44.0]]])  # cells 0 to 11, the last one included

    pooled = pyramid_pool_regions(maps, whole, stride=4)[:, 0]

    torch.testing.assert_close(pooled, pyramid_pool(maps))


@pytest.mark.parametrize(
    "box", [[5.0, 5.0, 5.0, 5.0], [-99.0, -99.0, -50.0, -50.0], [30.0, 30.0, 900.0, 900.0]]
)
def test_boxes_without_area_or_outside_give_finite_features(box):
    boxes = torch.tensor([[box]])
    for pool in (roi_align, roi_max_pool):
        assert pool(MAP, boxes, stride=4).isfinite().all()


def test_boxes_of_another_number_of_maps_are_refused():
    with pytest.raises(ShapeError, match=r"boxes of shape \(2, 1, 4\) for maps of shape \(1, 1, 8"):
        roi_align(MAP, torch.zeros(2, 1, 4), stride=4)
