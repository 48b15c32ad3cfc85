"""Colours of flow: those of the field, at a scale that is fixed."""

import numpy as np
import pytest
import torch
from torchvision.utils import flow_to_image

from zoopraxis.flow.picture import flow_picture, side_by_side, wheel


def test_the_colours_are_those_of_torchvision():
    flow = torch.randn(2, 40, 50, generator=torch.Generator().manual_seed(0))
    longest = float(flow.norm(dim=0).max())

    ours = flow_picture(flow.numpy(), full=longest)

    theirs = flow_to_image(flow).permute(1, 2, 0).numpy()  # its scale is the longest flow
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_the_scale_is_fixed():
    flow = np.zeros((2, 1, 4), np.float32)
    flow[0, 0] = (0, 4, 8, 80)

    none, half, full, more = flow_picture(flow)[0].astype(int)

    assert none.tolist() == [255, 255, 255]
    assert full.tolist() == more.tolist() == [255, 0, 0]  # to the right is red
    assert half.tolist() == pytest.approx([255, 127, 127], abs=1)


def test_the_legend_shows_each_direction():
    drawn = wheel(81)
    assert drawn.shape == (101, 81, 3)
    for (row, column), flow in {(40, 80): (8, 0), (0, 40): (0, -8), (80, 40): (0, 8)}.items():
        colour = flow_picture(np.array(flow, np.float32).reshape(2, 1, 1))[0, 0]
        assert drawn[row, column].tolist() == colour.tolist()
    assert drawn[40, 40].tolist() == drawn[0, 0].tolist() == [255, 255, 255]
    assert (drawn[81:] < 128).any()  # the scale


@pytest.mark.parametrize("size", [(240, 320), (17, 33), (1, 1), (241, 17), (2, 4000), (2160, 3840)])
def test_every_size_has_a_picture(size):
    drawn = side_by_side(np.full((*size, 3), 7, np.uint8), np.zeros((2, *size), np.float32))

    height, width = drawn.shape[:2]
    assert height % 2 == width % 4 == 0
    assert 40 <= height <= 1920
    assert 80 <= width <= 3840
    assert (drawn[:, : width // 2] == 7).all()
    assert drawn[0, width // 2].tolist() == [255, 255, 255]
