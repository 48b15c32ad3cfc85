"""P3D: the three ways of joining space and time, and the authors' list of layers."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from zoopraxis.models import create_model
from zoopraxis.models.p3d import KINDS, P3DA, P3DB, P3DC, SpatialOnly
from zoopraxis.testing import count_macs, count_params, golden_error, read_golden

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
    """Every convolution by its Caffe name: kernel, stride, padding, channels in, shape out."""
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


def three(values, front):
    """Caffe's 2D entries of the last stage, as ours: one frame in front."""
    return tuple(values) if len(values) == 3 else (front, *values)


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


@torch.no_grad()
def test_the_authors_pool_without_padding_and_round_up():
    x = torch.arange(6.0).expand(1, 1, 2, 6, 6)  # column i holds i

    authors, port = (create_model("test_p3d", pooling=name).pool for name in ("caffe", "port"))

    assert authors(x)[0, 0, 0, 0].tolist() == [2.0, 4.0, 5.0]  # windows 0-2, 2-4, 4-5
    assert port(x)[0, 0, 0, 0].tolist() == [1.0, 3.0, 5.0]  # windows 0-1, 1-3, 3-5


def test_source_p3d_caffe_keeps_the_authors_pooling():
    golden = read_golden("p3d_p3d199_caffepool", GOLDEN)

    assert golden_error(golden, "p3d_199", "p3d_caffe") < golden.tolerance
    assert golden_error(golden, "p3d_199", "p3d_pytorch") > 1e-3


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
