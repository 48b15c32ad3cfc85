"""TensorFlow's padding, by tables worked out from its rule."""

import pytest
import torch
from torch import nn

from zoopraxis.layers.same import SamePad, same_padding


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pads"),
    [
        (224, 7, 2, (2, 3)),
        (225, 7, 2, (3, 3)),
        (112, 3, 2, (0, 1)),
        (113, 3, 2, (1, 1)),
        (14, 2, 2, (0, 0)),
        (15, 2, 2, (0, 1)),
        (9, 3, 3, (0, 0)),
        (10, 3, 3, (1, 1)),
        (11, 3, 3, (0, 1)),
        (9, 3, 1, (1, 1)),
        (9, 1, 2, (0, 0)),
    ],
)
def test_zeros_before_and_after(size, kernel, stride, pads):
    assert same_padding(size, kernel, stride) == pads
    assert (size + sum(pads) - kernel) // stride + 1 == -(-size // stride)


def test_each_axis_gets_its_own_zeros():
    x = torch.ones(1, 1, 5, 4, 3)

    out = SamePad((3, 3, 2), (2, 2, 2))(x)

    # 5 -> (1, 1), 4 -> (0, 1), 3 -> (0, 1)
    assert out.shape == (1, 1, 7, 5, 4)
    assert out[0, 0, :, 0, 0].tolist() == [0, 1, 1, 1, 1, 1, 0]
    assert out[0, 0, 1, :, 0].tolist() == [1, 1, 1, 1, 0]
    assert out[0, 0, 1, 0].tolist() == [1, 1, 1, 0]


def test_images_are_padded_too():
    conv = nn.Conv2d(1, 1, 7, stride=2)
    pad = SamePad((7, 7), (2, 2))

    assert conv(pad(torch.zeros(1, 1, 225, 224))).shape == (1, 1, 113, 112)
