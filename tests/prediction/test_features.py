"""Maps and descriptors of layers: right in shape, in order, and before anything changes them."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ShapeError, ZoopraxisError
from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.models import model_spec
from zoopraxis.prediction.features import LayerDescriptors, features_only, stages

CLIP = ClipSpec(sampling=Sampling(num_frames=4), input=RGB(resize=8, size=8))


class Small(nn.Module):
    """Halves time and space, and changes the result in place afterwards."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(3, 5, 2, stride=2)
        self.twice = nn.Identity()
        self.unused = nn.Identity()
        self.head = nn.Linear(5, 2)

    def forward_features(self, x):
        return self.twice(self.twice(F.relu(self.conv(x), inplace=True)))

    def forward(self, x):
        return self.head(self.forward_features(x).mean(dim=(2, 3, 4)))


@pytest.mark.parametrize(
    ("name", "layer"),
    [("test_r2plus1d", "layer4"), ("test_p3d", "layer4"), ("test_tsn", "backbone.layer4")],
)
def test_strides_are_those_of_the_zoo(name, layer):
    spec, model = model_spec(name), create_model(name)

    view = features_only(model, [layer], clip=spec.clip)

    time, space = spec.strides
    assert view.strides == ((time, space, space),)
    assert view.channels == (model.num_features,)
    assert layer in stages(model, spec.clip)


def test_the_last_stage_is_the_features():
    spec, model = model_spec("test_tsn"), create_model("test_tsn").eval()
    clips = spec.clip.example(batch=2)

    with torch.no_grad():
        early, last = features_only(model, ["backbone.layer2", "backbone.layer4"], clip=spec.clip)(
            clips
        )
        expected = model.forward_features(clips)

    torch.testing.assert_close(last, expected)
    assert early.shape[2] == last.shape[2]  # one map for each frame
    assert early.shape[3] == 4 * last.shape[3]


def test_maps_can_be_trained_on():
    view = features_only(Small(), ["conv"], clip=CLIP)

    (found,) = view(CLIP.example())
    found.sum().backward()

    assert view.model.conv.weight.grad.abs().sum() > 0


def test_a_map_is_what_the_module_gave_before_it_was_changed_in_place():
    model, clips = Small(), CLIP.example(batch=2)

    with torch.no_grad():
        (found,) = features_only(model, ["conv"], clip=CLIP)(clips)
        expected = model.conv(clips)

    assert (expected < 0).any()
    torch.testing.assert_close(found, expected)


def test_descriptors_side_by_side():
    model = create_model("test_r2plus1d").eval()
    clips = model_spec("test_r2plus1d").clip.example(batch=3)
    network = LayerDescriptors(model, ["prob", "layer3", "pooled"])

    with torch.no_grad():
        found = network.split(network(clips))
        features = model.forward_features(clips)
        (layer3,) = features_only(model, ["layer3"], clip=model_spec("test_r2plus1d").clip)(clips)
        logits = model(clips)

    assert list(found) == ["prob", "layer3", "pooled"]
    torch.testing.assert_close(found["pooled"], features.mean(dim=(2, 3, 4)))
    torch.testing.assert_close(found["layer3"], layer3.mean(dim=(2, 3, 4)))
    torch.testing.assert_close(found["prob"], logits.softmax(dim=1))


def test_whole_maps():
    model, clips = Small(), CLIP.example(batch=2)
    network = LayerDescriptors(model, ["conv"], keep="map")

    with torch.no_grad():
        found = network.split(network(clips))["conv"]
        expected = model.conv(clips)

    torch.testing.assert_close(found, expected)


def test_the_mode_of_the_network_stays():
    model = Small().train()
    model.conv.eval()

    features_only(model, ["conv"], clip=CLIP)

    assert model.training
    assert not model.conv.training


def test_no_hook_stays():
    model = Small()
    features_only(model, ["conv"], clip=CLIP)(CLIP.example())
    stages(model, CLIP)

    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (["convv"], "no layer 'convv'\ndid you mean conv"),
        (["twice"], "runs more than once"),
        (["unused"], "does not run by itself"),
        (["conv", "conv"], "name each once"),
        ([], "name each once"),
    ],
)
def test_layers_that_cannot_be_had(layers, said):
    with pytest.raises(ZoopraxisError, match=said):
        features_only(Small(), layers, clip=CLIP)


def test_a_module_that_gives_no_map():
    class Pair(nn.Module):
        def forward(self, x):
            return x, x

    class Network(Small):
        def __init__(self):
            super().__init__()
            self.pair = Pair()

        def forward_features(self, x):
            return self.pair(super().forward_features(x))[0]

    with pytest.raises(ShapeError, match="type tuple"):
        features_only(Network(), ["pair"], clip=CLIP)
    assert "pair" not in stages(Network(), CLIP)
