"""3D ResNets and DenseNet: the parts that distinguish the study's families, by hand."""

import pytest
import torch
from torch import nn

from zoopraxis.checkpoints.create import create_model
from zoopraxis.layers.conv3d import conv_spatiotemporal
from zoopraxis.layers.resnet3d import project
from zoopraxis.models.densenet3d import DenseLayer
from zoopraxis.models.resnet3d import PaddedShortcut, PreActivationBasic, pad


def test_shortcut_a_keeps_every_second_sample_and_appends_zeros():
    x = torch.arange(16.0).reshape(1, 1, 4, 2, 2)  # frame t begins with 4t

    out = PaddedShortcut(2, stride=(2, 2))(x)

    assert out.shape == (1, 3, 2, 1, 1)
    assert out[0, 0].flatten().tolist() == [0.0, 8.0]
    assert not out[0, 1:].any()


def test_shortcut_a_lets_gradients_through():
    x = torch.ones(1, 1, 2, 2, 2, requires_grad=True)

    pad(1, 2, stride=(2, 2))(x).sum().backward()

    assert x.grad is not None
    assert x.grad.flatten().tolist() == [1.0] + 7 * [0.0]


def test_shortcuts_of_type_a_have_no_parameters():
    with torch.device("meta"):
        model = create_model("resnet3d_18_a")

    shortcuts = [m for n, m in model.named_modules() if n.endswith("shortcut")]
    assert sum(isinstance(m, PaddedShortcut) for m in shortcuts) == 3
    assert not [p for m in shortcuts for p in m.parameters()]


@torch.no_grad()
def test_no_activation_follows_the_sum_of_a_pre_activation_block():
    block = PreActivationBasic(
        2, 2, conv=conv_spatiotemporal, stride=(1, 1), shortcut=nn.Identity()
    ).eval()
    block.conv2.weight.zero_()
    x = torch.tensor([-3.0, 5.0]).reshape(1, 2, 1, 1, 1)

    assert torch.equal(block(x), x)  # a block that ends in a ReLU would give 0 for -3


@torch.no_grad()
def test_pre_activation_shortcut_sees_the_raw_input():
    shortcut = project(1, 1, stride=(1, 1)).eval()
    nn.init.constant_(shortcut.conv.weight, 1.0)
    block = PreActivationBasic(
        1, 1, conv=conv_spatiotemporal, stride=(1, 1), shortcut=shortcut
    ).eval()
    block.conv2.weight.zero_()
    x = torch.full((1, 1, 1, 1, 1), -2.0)

    assert block(x).item() == pytest.approx(-2.0, rel=1e-4)


@torch.no_grad()
def test_a_dense_layer_keeps_its_input_and_adds_to_it():
    layer = DenseLayer(3, 2).eval()
    nn.init.zeros_(layer.conv2.weight)
    layer.conv2.weight[:, :, 1, 1, 1] = 1.0
    nn.init.constant_(layer.conv1.weight, 1.0)
    x = torch.tensor([1.0, -1.0, 2.0]).reshape(1, 3, 1, 1, 1)

    out = layer(x).flatten()

    assert out[:3].tolist() == [1.0, -1.0, 2.0]
    # each of the 8 inner channels is relu(1 + 2) = 3; their sum is 24
    assert out[3:].tolist() == pytest.approx([24.0, 24.0], rel=1e-4)


@pytest.mark.parametrize("name", ["resnext3d_101", "wide_resnet3d_101"])
def test_bottlenecks_of_expansion_two(name):
    with torch.device("meta"):
        model = create_model(name)

    block = model.layer4[0]
    assert block.conv2.weight.shape[0] == 1024
    assert block.conv3.weight.shape[:2] == (2048, 1024)
    assert block.conv2.groups == (32 if name.startswith("resnext") else 1)


def test_stem_t3s2_halves_time_by_its_stride_only():
    with torch.device("meta"):
        model, short = create_model("resnet3d_18"), create_model("resnet3d_18_t3s2")
        clip = torch.zeros(1, 3, 16, 112, 112)

    assert model.stem(clip).shape == (1, 64, 8, 28, 28)
    assert short.stem(clip).shape == (1, 64, 8, 56, 56)
    assert model.forward_features(clip).shape == (1, 512, 1, 4, 4)


def test_networks_of_2018_have_a_stem_of_64_channels():
    with torch.device("meta"):
        old, new = create_model("resnext3d_101_stem64"), create_model("resnext3d_101")

    assert old.stem.conv.weight.shape[0] == 64
    assert new.stem.conv.weight.shape[0] == 128
    assert [p.shape for p in old.layer2.parameters()] == [p.shape for p in new.layer2.parameters()]
