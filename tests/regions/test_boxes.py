"""Boxes: overlap, clipping, scaling, padding."""

import numpy as np
import torch
from torchvision import ops

from zoopraxis.regions import box_iou, clip_boxes, pad_boxes, scale_boxes


def random_boxes(*shape, seed):
    corners = np.random.default_rng(seed).uniform(0, 50, (*shape, 2, 2))
    return torch.from_numpy(np.sort(corners, axis=-2)).flatten(-2).float()


def test_overlap_by_hand():
    a = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    b = torch.tensor([[1.0, 1.0, 3.0, 3.0], [0.0, 0.0, 2.0, 2.0], [2.0, 0.0, 4.0, 2.0]])

    torch.testing.assert_close(box_iou(a, b), torch.tensor([[1 / 7, 1.0, 0.0]]))


def test_overlap_is_torchvisions_for_every_frame():
    a, b = random_boxes(3, 5, seed=0), random_boxes(3, 4, seed=1)

    expected = torch.stack([ops.box_iou(x, y) for x, y in zip(a, b, strict=True)])

    torch.testing.assert_close(box_iou(a, b), expected)


def test_boxes_without_area_overlap_nothing():
    point = torch.tensor([[5.0, 5.0, 5.0, 5.0]])
    assert box_iou(point, point).tolist() == [[0.0]]


def test_boxes_are_clipped_to_the_frame():
    boxes = torch.tensor([[-5.0, 2.0, 8.0, 99.0], [30.0, 1.0, 40.0, 3.0]])
    assert clip_boxes(boxes, (10, 20)).tolist() == [[0, 2, 8, 10], [20, 1, 20, 3]]


def test_boxes_are_scaled_to_the_map():
    boxes = torch.tensor([16.0, 32.0, 64.0, 64.0])
    assert scale_boxes(boxes, (224, 448), (14, 14)).tolist() == [0.5, 2, 2, 4]


def test_the_first_boxes_are_kept_and_the_rest_is_zero():
    many, none = np.arange(40.0).reshape(10, 4), np.zeros((0, 4))

    boxes, mask = pad_boxes([many[:2], none, many], 3)

    assert mask.tolist() == [[1, 1, 0], [0, 0, 0], [1, 1, 1]]
    assert boxes[2].tolist() == many[:3].tolist()
    assert not boxes[1].any()
    assert not boxes[0, 2].any()
