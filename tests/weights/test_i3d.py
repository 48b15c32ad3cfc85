"""I3D's sources: the authors' TensorFlow variables, and the ports' paddings."""

import json
from pathlib import Path

import pytest
import torch

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ConversionError
from zoopraxis.models import model_spec
from zoopraxis.testing import fill, noise_clip, read_golden
from zoopraxis.weights.i3d import hasson_i3d

GOLDEN = Path(__file__).parent.parent / "golden"
CHECKPOINTS = json.loads((GOLDEN / "i3d_tf_variables.json").read_text())["checkpoints"]


def variables(checkpoint):
    """The authors' variables, with values that follow from their names."""
    return {
        name: torch.from_numpy(fill(name, tuple(entry["shape"])))
        for name, entry in CHECKPOINTS[checkpoint].items()
    }


def from_port(state, prefix):
    """Name and lay out the PyTorch port's tensors as TensorFlow does, dropping the scales.

    Written from the authors' code, independently of the conversion under test.
    """
    out = {}
    endings = {
        "bn.bias": "batch_norm/beta",
        "bn.running_mean": "batch_norm/moving_mean",
        "bn.running_var": "batch_norm/moving_variance",
        "conv3d.weight": "conv_3d/w",
        "conv3d.bias": "conv_3d/b",
    }
    branches = {
        "b0": "Branch_0/Conv3d_0a_1x1",
        "b1a": "Branch_1/Conv3d_0a_1x1",
        "b1b": "Branch_1/Conv3d_0b_3x3",
        "b2a": "Branch_2/Conv3d_0a_1x1",
        "b2b": "Branch_2/Conv3d_0b_3x3",
        "b3b": "Branch_3/Conv3d_0b_1x1",
    }
    for key, tensor in state.items():
        layer, *branch, kind, what = key.split(".")
        if f"{kind}.{what}" not in endings:
            continue  # scales and counters
        place = [{"logits": "Logits/Conv3d_0c_1x1"}.get(layer, layer)]
        place += [branches[b] for b in branch]
        name = "/".join([prefix, *place, endings[f"{kind}.{what}"]])
        name = name.replace("Mixed_5b/Branch_2/Conv3d_0b_3x3", "Mixed_5b/Branch_2/Conv3d_0a_3x3")
        out[name] = tensor.permute(2, 3, 4, 1, 0) if tensor.ndim == 5 else tensor
    return out


@pytest.mark.parametrize("stream", ["RGB", "Flow"])
def test_the_authors_variables_are_those_of_the_port(stream):
    name = {"RGB": "i3d_inception", "Flow": "i3d_inception_flow"}[stream]
    port = {"RGB": "i3d_piergiaj_rgb", "Flow": "i3d_piergiaj_rgb"}[stream]
    state = read_golden(port, GOLDEN).state_dict()
    if stream == "Flow":
        state["Conv3d_1a_7x7.conv3d.weight"] = state["Conv3d_1a_7x7.conv3d.weight"][:, :2]
    foreign = from_port(state, f"{stream}/inception_i3d")
    listed = CHECKPOINTS[{"RGB": "rgb_imagenet", "Flow": "flow_imagenet"}[stream]]
    assert {k: list(v.shape) for k, v in foreign.items()} == {
        k: v["shape"] for k, v in listed.items()
    }

    ours = convert_state_dict(name, foreign, source="kinetics_i3d")

    ones = {k: torch.ones_like(v) if k.endswith("bn.weight") else v for k, v in state.items()}
    expected = convert_state_dict(name, ones, source="i3d_piergiaj")
    assert ours.keys() == expected.keys()
    assert all(torch.equal(ours[key], expected[key]) for key in expected)


def test_kinetics_600_has_other_shapes_and_momenta():
    state = convert_state_dict(
        "i3d_inception", variables("rgb_scratch_kin600"), source="kinetics_i3d"
    )

    assert state["head.linear.weight"].shape == (600, 1024)
    beta = fill("Conv3d_1a_7x7/batch_norm/beta", (1, 1, 1, 1, 64))
    assert torch.equal(state["backbone.conv_1a.norm.bias"], torch.from_numpy(beta).flatten())


def test_both_streams_checkpoints_make_the_two_stream_network():
    both = {**variables("rgb_imagenet"), **variables("flow_imagenet")}

    state = convert_state_dict("i3d_inception_two_stream", both, source="kinetics_i3d")

    flow = convert_state_dict(
        "i3d_inception_flow", variables("flow_imagenet"), source="kinetics_i3d"
    )
    assert all(torch.equal(state[f"flow.{key}"], flow[key]) for key in flow)


def test_a_checkpoint_of_the_other_stream_is_refused():
    with pytest.raises(ConversionError, match=r"keys unknown, the first 'Flow\.inception_i3d"):
        convert_state_dict("i3d_inception", variables("flow_imagenet"), source="kinetics_i3d")


@torch.no_grad()
def test_hassons_padding_differs_only_where_space_is_odd():
    torch.manual_seed(0)
    exact = create_model("test_i3d").eval()
    port = hasson_i3d(**model_spec("test_i3d").args).eval()
    port.load_state_dict(exact.state_dict())

    even, odd_time = noise_clip((1, 3, 8, 64, 64)), noise_clip((1, 3, 9, 64, 64))
    odd_space = noise_clip((1, 3, 8, 63, 64))

    assert torch.equal(port(even), exact(even))
    assert torch.equal(port(odd_time), exact(odd_time))
    assert not torch.allclose(port(odd_space), exact(odd_space), rtol=1e-3)
