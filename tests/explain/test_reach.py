"""How far networks see, by hand."""

import pytest
import torch
from torch import nn

from zoopraxis import create_model, model_spec
from zoopraxis.errors import ZoopraxisError
from zoopraxis.explain.reach import reach
from zoopraxis.inputs import RGB, ClipSpec, Sampling

CLIP = ClipSpec(sampling=Sampling(num_frames=9, stride=1), input=RGB(size=32))


class Layers(nn.Sequential):
    def forward_features(self, x):
        return self(x)


@pytest.mark.parametrize(
    ("layers", "wanted"),
    [
        ([nn.Conv3d(3, 2, (3, 5, 7), padding=(1, 2, 3))], (3, 5, 7)),
        # 3 + (3 - 1) * 2: the second steps over 2 pixels at a time
        ([nn.Conv3d(3, 2, 3, (1, 2, 2), 1), nn.MaxPool3d(3, 1, 1)], (5, 7, 7)),
        ([nn.Conv3d(3, 2, 3, padding=2, dilation=2), nn.ReLU()], (5, 5, 5)),
        ([nn.Conv3d(3, 2, 1), nn.AdaptiveAvgPool3d((None, 1, 1))], (1, "all", "all")),
    ],
)
def test_reach(layers, wanted):
    found = reach(Layers(*layers), CLIP)
    assert (found.frames, found.height, found.width) == wanted


def test_reach_follows_shifts_and_weights_of_zero():
    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate = nn.Parameter(torch.zeros(()))

        def forward_features(self, x):
            return x + self.gate * (x.roll(1, dims=2) + x.roll(-2, dims=2))

    found = reach(Shifted(), CLIP)
    assert (found.frames, found.height, found.width) == (4, 1, 1)


def test_reach_of_frames_alone():
    assert reach(create_model("test_tsn").eval(), model_spec("test_tsn").clip).frames == 1
    assert reach(create_model("test_tsm").eval(), model_spec("test_tsm").clip).frames == "all"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("test_stgcn", "one volume"),
        ("test_space_time_region_graph", "one volume"),
        ("test_tvnet", "cannot be measured"),
    ],
)
def test_networks_without_a_fixed_reach(name, problem):
    with pytest.raises(ZoopraxisError, match=problem):
        reach(create_model(name).eval(), model_spec(name).clip)
