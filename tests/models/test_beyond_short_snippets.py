"""Beyond short snippets: where features are pooled, checked by hand on frames of one pixel."""

import pytest
import torch
from torch import nn

from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ShapeError
from zoopraxis.models.beyond_short_snippets import (
    ConvPooling,
    DeepLSTM,
    LatePooling,
    LocalPooling,
    SlowPooling,
    TimeConvolution,
    windows,
)


class Pixels(nn.Module):
    """Features are the frames themselves."""

    num_features = 3

    def __init__(self, *, in_channels):
        super().__init__()

    def forward(self, x, _num_frames):
        return x


def clip_of(values):
    """Frame t, one pixel, holds values[t] in its first channel: (1, 3, T, 1, 1)."""
    clip = torch.zeros(1, 3, len(values), 1, 1)
    clip[0, 0, :, 0, 0] = torch.tensor(values)
    return clip


def build(kind, **options):
    """A network of one hidden unit in each layer: y = 2 relu(x + 1) after both."""
    model = kind(Pixels, side=1, hidden=1, num_classes=1, **options).eval()
    model.fc1.weight.data[:] = torch.tensor([[1.0, 0.0, 0.0]][: model.fc1.in_features])
    model.fc1.bias.data[:] = 1.0
    model.fc2.weight.data[:] = 2.0
    model.fc2.bias.data[:] = 0.0
    return model


RISING = [float(t) for t in range(20)]  # windows from 0, 5 and 10; their maxima 9, 14 and 19


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(ConvPooling, [40]), (LatePooling, [40]), (SlowPooling, [40]), (LocalPooling, [20, 30, 40])],
)
@torch.no_grad()
def test_features_of_a_rising_clip(kind, expected):
    options = {"num_frames": 20} if kind is LocalPooling else {}
    model = build(kind, **options)

    assert model.forward_features(clip_of(RISING))[0, 0, :, 0, 0].tolist() == expected


@torch.no_grad()
def test_the_position_of_the_pooling_decides_which_frames_are_combined():
    # two channels are high, but never in the same frame; the hidden unit needs both at once
    clip = torch.zeros(1, 3, 20, 1, 1)
    clip[0, 0, 2] = clip[0, 1, 4] = 1.0

    def answer(kind):
        model = build(kind)
        model.fc1.weight.data[:] = torch.tensor([[1.0, 1.0, 0.0]])
        model.fc1.bias.data[:] = -1.0
        return model.forward_features(clip).flatten().tolist()

    assert answer(ConvPooling) == [2]  # 2 * (1 + 1 - 1): the maximum is first
    assert answer(LatePooling) == [0]  # no frame has both
    assert answer(SlowPooling) == [2]  # both are in the first window


@torch.no_grad()
def test_filters_over_time_span_ten_frames_five_apart():
    model = TimeConvolution(Pixels, side=1, num_classes=2)
    model.conv.weight.zero_()[0, 0, 3, 1, 1] = 1.0  # the fourth frame of each window
    model.conv.bias.zero_()

    out = model.conv(clip_of(RISING))[0, 0, :, 0, 0]

    assert out.tolist() == [3, 8, 13]


@torch.no_grad()
def test_later_predictions_of_the_lstm_have_more_weight():
    model = DeepLSTM(Pixels, cells=2, num_classes=1).eval()
    model.head.linear.weight[:] = torch.tensor([[1.0, 0.0]])
    model.head.linear.bias.zero_()
    features = torch.zeros(1, 2, 4, 1, 1)
    features[0, 0, :, 0, 0] = torch.tensor([1000.0, 100.0, 10.0, 0.0])

    # weights 1/4, 2/4, 3/4, 4/4 over their sum
    assert model.forward_head(features).item() == pytest.approx((1000 + 200 + 30) / 10)


def test_windows_need_ten_frames():
    with pytest.raises(ShapeError, match="9 frames do not fill a window of 10"):
        windows(torch.zeros(1, 1, 9, 1, 1))


def test_the_classifier_of_local_pooling_sees_every_window():
    with torch.device("meta"):
        model = create_model("snippets_alexnet_local_120")

    assert model.linear.in_features == 23 * 4096


@torch.no_grad()
def test_a_new_classifier_of_local_pooling_sees_every_window_too():
    model = build(LocalPooling, num_frames=20)

    model.reset_classifier(5)

    assert model.num_classes == 5
    assert model(clip_of(RISING)).shape == (1, 5)
