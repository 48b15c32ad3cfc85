"""P3D: the three units of the paper, and the authors' list of layers."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from zoopraxis.checkpoints.create import create_model
from zoopraxis.models.p3d import KINDS, P3DA, P3DB, P3DC, SpatialOnly
from zoopraxis.testing import count_macs, count_params

GOLDEN = Path(__file__).parent.parent / "golden"


def constant_unit(kind, *, spatial, temporal):
    """A unit of one channel whose convolutions multiply by these numbers."""
    unit = kind(1).eval()
    with torch.no_grad():
        for conv, value in ((unit.conv_s, spatial), (unit.conv_t, temporal)):
            conv.weight.zero_()
            conv.weight[tuple(size // 2 for size in conv.weight.shape)] = value
    return unit


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (P3DA, 3 * 2),  # T(S(1))
        (P3DB, 2 + 3),  # S(1) + T(1)
        (P3DC, 2 + 3 * 2),  # S(1) + T(S(1))
    ],
)
@torch.no_grad()
def test_kinds_join_space_and_time_in_three_ways(kind, expected):
    unit = constant_unit(kind, spatial=2.0, temporal=3.0)

    assert unit(torch.ones(1, 1, 1, 1, 1)).item() == pytest.approx(expected, rel=1e-4)


@torch.no_grad()
def test_both_summands_are_rectified_before_the_sum():
    unit = constant_unit(P3DB, spatial=-2.0, temporal=3.0)

    assert unit(torch.ones(1, 1, 1, 1, 1)).item() == pytest.approx(3.0, rel=1e-4)  # not 1


@pytest.mark.parametrize("kind", KINDS.values())
@torch.no_grad()
def test_s_sees_one_frame_and_t_sees_one_pixel(kind):
    torch.manual_seed(0)
    unit = kind(2).eval()
    x = torch.randn(1, 2, 5, 5, 5)
    poked = x.clone()
    poked[:, :, 0, 0, 0] += 1.0

    changed = unit.spatial(x) != unit.spatial(poked)
    assert not changed[:, :, 1:].any()
    changed = unit.temporal(x) != unit.temporal(poked)
    assert not changed[..., 1:, 1:].any()


def caffe_net():
    return json.loads((GOLDEN / "p3d199_caffe_layers.json").read_text())["nets"]["kinetics"]


def caffe_block_names(stage, count):
    """res2a, res2b, res2c; but res3a, res3b1, ..., res3b7."""
    if count == 3:
        return [f"res{stage}{letter}" for letter in "abc"]
    return [f"res{stage}a", *(f"res{stage}b{i}" for i in range(1, count))]


def our_convs(model):
    """By Caffe name, each convolution's kernel, stride, padding, input channels, output shape."""
    names = {"conv": "conv1"}
    parts = {
        "shortcut.conv": "branch1",
        "conv1": "branch2a",
        "unit.conv_s": "branch2b",
        "unit.conv_t": "branch2b_t",
        "conv2": "branch2c",
    }
    for stage in range(1, 5):
        layer = getattr(model, f"layer{stage}")
        for index, block in enumerate(caffe_block_names(stage + 1, len(layer))):
            for ours, theirs in parts.items():
                names[f"layer{stage}.{index}.{ours}"] = f"{block}_{theirs}"
    found = {}

    def record(name):
        def hook(conv, inputs, output):
            found[names[name]] = (
                *(conv.kernel_size, conv.stride, conv.padding),
                *(conv.in_channels, tuple(output.shape[1:])),
            )

        return hook

    for name, module in model.named_modules():
        if isinstance(module, nn.Conv3d):
            module.register_forward_hook(record(name))
    model(torch.zeros(1, 3, 16, 160, 160, device="meta"))
    return found


def three(values, first):
    """Caffe's 2D entries of the last stage as 3D ones, with the entry for time first."""
    return tuple(values) if len(values) == 3 else (first, *values)


def test_every_convolution_is_that_of_the_authors_prototxt():
    with torch.device("meta"):
        ours = our_convs(create_model("p3d_199").eval())

    theirs = {}
    for layer in caffe_net()["layers"]:
        if layer["type"] == "conv":
            channels, *rest = layer["out_shape"][1:]
            theirs[layer["name"]] = (
                three(layer["kernel"], 1),
                three(layer["stride"], 1),
                three(layer["pad"], 0),
                layer["in_shape"][1],
                (channels, *three(rest, 1)),
            )
    assert len(theirs) == 202
    assert ours == theirs


def test_kinds_cycle_over_all_stages_as_in_the_authors_prototxt():
    with torch.device("meta"):
        model = create_model("p3d_199")

    kinds = {}
    for stage in range(1, 5):
        layer = getattr(model, f"layer{stage}")
        for name, block in zip(caffe_block_names(stage + 1, len(layer)), layer, strict=True):
            kinds[name] = type(block.unit)
    theirs = {name: KINDS[kind.lower()] for name, kind in caffe_net()["block_kinds"].items()}
    last = dict.fromkeys(("res5a", "res5b", "res5c"), SpatialOnly)
    assert kinds == theirs | last


def test_size_and_cost_are_those_of_the_authors_prototxt():
    with torch.device("meta"):
        model = create_model("p3d_199")

    assert count_params(model) == caffe_net()["params"]
    assert count_macs(model, (1, 3, 16, 160, 160)) == caffe_net()["conv_fc_macs"]


def test_depth_counts_convolutions_and_the_classifier():
    for depth in (63, 131, 199):
        with torch.device("meta"):
            model = create_model(f"p3d_{depth}")
        convs = [
            n for n, m in model.named_modules() if isinstance(m, nn.Conv3d) and "shortcut" not in n
        ]
        assert len(convs) + 1 == depth


@torch.no_grad()
def test_the_last_stage_sees_every_frame_alone():
    torch.manual_seed(0)
    model = create_model("test_p3d").eval()
    x = torch.randn(1, 128, 3, 4, 4)

    torch.testing.assert_close(model.layer4(x)[:, :, 1:2], model.layer4(x[:, :, 1:2]))
