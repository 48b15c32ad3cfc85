"""The padding of two ports of the video networks on Inception-v1."""

import torch
from torch import nn

from zoopraxis.layers.inception_v1 import same_pool
from zoopraxis.weights.keys.inception_v1 import DivisiblePad, pad_as_divisible


def test_axes_that_are_not_measured_are_padded_as_even():
    x = torch.ones(1, 1, 5, 5, 5)

    assert DivisiblePad((3, 3, 3), (2, 2, 2), measured=1)(x).shape == (1, 1, 7, 6, 6)
    assert DivisiblePad((3, 3, 3), (2, 2, 2), measured=0)(x).shape == (1, 1, 6, 6, 6)


def test_every_padding_of_a_model_is_replaced():
    model = nn.Sequential(same_pool((3, 3, 3), (2, 2, 2)), nn.Identity())

    pad_as_divisible(model, measured=1)

    assert isinstance(model[0][0], DivisiblePad)
    assert isinstance(model[0][1], nn.MaxPool3d)
