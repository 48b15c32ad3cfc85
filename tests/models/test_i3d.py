"""I3D: the authors' TensorFlow variables, the ports' paddings, the two streams."""

import json
import math
from pathlib import Path

import pytest
import torch

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.errors import ConversionError
from zoopraxis.layers.head import WindowHead
from zoopraxis.models import create_model, model_spec
from zoopraxis.testing import count_params, fill, noise_clip, read_golden, relative_error

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


@torch.no_grad()
def test_odd_sizes_give_the_references_logits_at_every_position():
    golden = read_golden("i3d_piergiaj_rgb_small", GOLDEN)
    state = convert_state_dict("i3d_inception", golden.state_dict(), source="i3d_piergiaj")
    model = create_model("i3d_inception").eval()
    model.load_state_dict(state)

    positions = model.head.positions(model.forward_features(golden.input()[:1]))

    assert positions.shape == (1, 400, 2, 2, 1)
    assert relative_error(positions, golden.output[:1]) < golden.tolerance


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
    wanted = convert_state_dict(name, ones, source="i3d_piergiaj")
    assert ours.keys() == wanted.keys()
    assert all(torch.equal(ours[key], wanted[key]) for key in wanted)


def test_kinetics_600_has_other_shapes_and_momenta():
    state = convert_state_dict(
        "i3d_inception", variables("rgb_scratch_kin600"), source="kinetics_i3d"
    )

    assert state["head.linear.weight"].shape == (600, 1024)
    beta = fill("Conv3d_1a_7x7/batch_norm/beta", (1, 1, 1, 1, 64))
    assert torch.equal(state["trunk.conv_1a.norm.bias"], torch.from_numpy(beta).flatten())


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


def test_sizes_are_the_papers():
    values = sum(
        math.prod(entry["shape"])
        for name, entry in CHECKPOINTS["rgb_imagenet"].items()
        if "moving" not in name
    )
    with torch.device("meta"):
        rgb, flow = create_model("i3d_inception"), create_model("i3d_inception_flow")

    scales = sum(len(p) for n, p in rgb.named_parameters() if n.endswith("norm.weight"))
    assert count_params(rgb) - scales == values == 12_689_984
    assert round((count_params(rgb) + count_params(flow)) / 1e6) == 25  # Table 1


@torch.no_grad()
def test_streams_are_added_and_see_only_their_channels():
    torch.manual_seed(0)
    model = create_model("test_i3d_two_stream").eval()
    clip = noise_clip((1, *model_spec("test_i3d_two_stream").clip.shape))

    logits = model(clip)

    torch.testing.assert_close(logits, model.rgb(clip[:, :3]) + model.flow(clip[:, 3:]))


@torch.no_grad()
def test_ports_part_only_where_space_is_odd():
    torch.manual_seed(0)
    exact = create_model("test_i3d").eval()
    port = create_model("test_i3d", measured=1).eval()
    port.load_state_dict(exact.state_dict())

    even, odd_time = noise_clip((1, 3, 8, 64, 64)), noise_clip((1, 3, 9, 64, 64))
    odd_space = noise_clip((1, 3, 8, 63, 64))

    assert torch.equal(port(even), exact(even))
    assert torch.equal(port(odd_time), exact(odd_time))
    assert not torch.allclose(port(odd_space), exact(odd_space), rtol=1e-3)


@torch.no_grad()
def test_the_classifier_slides_and_counts_inner_frames_twice():
    head = WindowHead(1, 1)
    torch.nn.init.ones_(head.linear.weight)
    torch.nn.init.zeros_(head.linear.bias)
    x = torch.tensor([1.0, 2.0, 4.0])[None, None, :, None, None].expand(1, 1, 3, 7, 7)

    assert head.eval().positions(x).flatten().tolist() == [1.5, 3.0]
    assert head(x).item() == pytest.approx(2.25)  # the mean of all frames is 2.33
