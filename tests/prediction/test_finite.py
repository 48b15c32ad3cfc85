"""NaN and infinity are errors that name the video and the module, never predictions."""

import numpy as np
import pytest
import torch
from torch import nn

from colours import RED, MeanColour, colours, opened, painted
from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import CheckpointError, VideoError, ZoopraxisError
from zoopraxis.inputs import ClipSpec, Flow, Media, Sampling
from zoopraxis.models import model_spec
from zoopraxis.prediction.aggregate import Prediction
from zoopraxis.prediction.finite import first_not_finite
from zoopraxis.prediction.pipeline import extract_features, predict, run
from zoopraxis.prediction.timeline import predict_timeline

NAME = "test_r2plus1d"


@pytest.fixture
def damaged():
    """A network of the zoo, one of whose weights is NaN."""
    spec = model_spec(NAME)
    model = create_model(NAME, num_classes=3).eval()
    convolutions = [n for n, m in model.named_modules() if isinstance(m, nn.Conv3d)]
    name = convolutions[len(convolutions) // 2]
    with torch.no_grad():
        model.get_submodule(name).weight.view(-1)[5] = float("nan")
    return opened(model, "damaged", spec.clip, "abc"), name


@pytest.mark.parametrize("answer", [predict, predict_timeline, extract_features])
def test_a_weight_that_is_nan_is_named(answer, damaged):
    net, name = damaged
    with pytest.raises(CheckpointError) as caught:
        answer(painted((20, RED)), net)
    assert "NaN or infinite" in caught.value.problem
    assert caught.value.problem.startswith("array: ")
    assert f"{name}.weight is not finite" in caught.value.problem
    assert name in caught.value.problem.split(";")[1]


class Chain(nn.Module):
    """Three modules, of which one may divide by zero; its own sum is applied without a module."""

    def __init__(self):
        super().__init__()
        self.first, self.middle, self.last = nn.Identity(), nn.Identity(), MeanColour()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.last(self.middle(self.first(x))) * self.scale


class Overflow(nn.Module):
    def forward(self, x):
        return x / torch.zeros_like(x)


def test_the_first_module_is_named_where_the_weights_are_finite():
    model = Chain()
    model.middle = nn.Sequential(nn.Identity(), Overflow(), nn.ReLU())
    with pytest.raises(ZoopraxisError, match=r"clip\.mp4: .* 'middle\.1', whose weights are fin"):
        run(model, torch.ones(1, 3, 2, 4, 4), video="clip.mp4")


def test_a_weight_used_outside_of_any_module():
    model = Chain()
    model.scale.data.fill_(float("inf"))
    with pytest.raises(CheckpointError, match=r"in the network itself, and .* scale is not finite"):
        run(model, torch.ones(1, 3, 2, 4, 4))


def test_only_one_clip_of_many_need_fail():
    inputs = torch.ones(5, 3, 2, 4, 4)
    inputs[3] = 3e38  # finite, and its sum is not
    with pytest.raises(ZoopraxisError, match="NaN or infinite"):
        run(Chain(), inputs, batch_size=2)


def test_half_precision_says_that_it_overflows():
    model = Chain()
    model.middle = Overflow()
    with pytest.raises(ZoopraxisError, match="choose float32, or bfloat16"):
        run(model, torch.ones(1, 3, 2, 4, 4), precision="float16")


def test_an_input_that_is_not_finite_is_the_files_fault(tmp_path):
    flow = np.zeros((4, 2, 24, 32), np.float32)
    flow[2, 0, 12, 16] = np.nan
    np.save(tmp_path / "flow.npy", flow)
    media = Media(path=painted((5, RED)), flow=str(tmp_path / "flow.npy"))
    sampling, kind = Sampling(num_frames=4), Flow(resize=24, size=24)
    net = colours(ClipSpec(sampling=sampling, input=kind), labels=("x", "y"))
    with pytest.raises(VideoError, match=r"flow\.npy"):
        predict(media, net)


def test_two_inputs_are_both_checked():
    class Two(nn.Module):
        def forward(self, first, second):
            return first + 0 * torch.nan_to_num(second)

    with pytest.raises(VideoError, match=r"v\.mp4: 1 of the 4 values"):
        run(Two(), (torch.ones(2, 2), torch.tensor([[1, 2], [3, float("nan")]])), video="v.mp4")


def test_no_hooks_are_left():
    model = Chain()
    assert first_not_finite(model, lambda: model(torch.ones(1, 3, 2, 4, 4))) == ""
    assert not any(m._forward_hooks for m in model.modules())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_prediction_is_never_made_of_them(value):
    logits = torch.tensor([[1.0, value]])
    with pytest.raises(ZoopraxisError, match=r"a\.mp4: m gave logits that are NaN"):
        Prediction.from_logits(logits, video="a.mp4", model="m", labels="ab", times=[(0.0, 1.0)])


def test_a_bare_name_has_random_weights_and_says_so():
    video = torch.randint(0, 256, (20, 3, 40, 48), dtype=torch.uint8)
    assert predict(video, NAME).to_dict()["trained"] is False
    assert predict_timeline(video, NAME).to_dict()["trained"] is False
    assert predict(painted((8, RED)), colours()).to_dict()["trained"] is True
