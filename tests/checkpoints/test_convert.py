"""The door for foreign checkpoints: what fits goes through, what does not is named."""

import pytest
import torch

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ConversionError, ModelNotFoundError
from zoopraxis.testing import read_golden
from zoopraxis.weights.keys import replace_norm_eps, transpose_kernels

GOLDEN = "tests/golden"


@pytest.fixture
def state(request):
    return read_golden("tv_r3d_18", request.config.rootpath / GOLDEN).state_dict()


def test_the_number_of_classes_is_read_off_the_state(state):
    state["fc.weight"], state["fc.bias"] = state["fc.weight"][:7], state["fc.bias"][:7]

    ours = convert_state_dict("r3d_18", state, source="torchvision")

    create_model("r3d_18", num_classes=7).load_state_dict(ours)
    assert ours["head.linear.weight"].shape == (7, 512)


def test_what_a_training_script_puts_around_a_state_is_opened(state):
    wrapped = {f"module.{key}": tensor for key, tensor in state.items()}

    ours = convert_state_dict("r3d_18", {"epoch": 3, "state_dict": wrapped}, source="torchvision")

    plain = convert_state_dict("r3d_18", state, source="torchvision")
    assert all(torch.equal(ours[key], plain[key]) for key in plain)


def test_a_state_of_another_model_names_the_first_of_each(state):
    with pytest.raises(ConversionError, match=r"\d+ shapes differ, the first '.+': \(") as caught:
        convert_state_dict("mc3_18", state, source="torchvision")

    assert "torchvision" in caught.value.hint


def test_a_missing_and_an_unknown_key_are_named(state):
    state["layer9.weight"] = state.pop("stem.0.weight")

    with pytest.raises(ConversionError, match=r"missing, the first 'stem.conv.weight'") as caught:
        convert_state_dict("r3d_18", state, source="torchvision")
    assert "unknown, the first 'layer9.weight'" in caught.value.problem


def test_two_keys_may_not_become_one(state):
    state["stem.conv.weight"] = state["stem.0.weight"]

    with pytest.raises(ConversionError, match=r"two keys are renamed to 'stem\.conv\.weight'"):
        convert_state_dict("r3d_18", state, source="torchvision")


def test_an_unknown_source_lists_those_there_are(state):
    with pytest.raises(ModelNotFoundError, match="no source called 'caffe'") as caught:
        convert_state_dict("r3d_18", state, source="caffe")
    assert caught.value.hint == "known: torchvision, vmz"


@torch.no_grad()
def test_another_eps_goes_into_the_variance_exactly():
    theirs, ours = torch.nn.BatchNorm1d(4, eps=1e-3).eval(), torch.nn.BatchNorm1d(4).eval()
    theirs.running_var.uniform_(1e-4, 1)

    ours.load_state_dict(replace_norm_eps(theirs=1e-3, ours=1e-5)(theirs.state_dict()))

    x = torch.randn(8, 4)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-6)


def test_kernels_of_tensorflow_are_transposed():
    kernel = torch.arange(2 * 3 * 4 * 5 * 6.0).reshape(2, 3, 4, 5, 6)  # T, H, W, in, out

    ours = transpose_kernels({"w": kernel, "b": torch.ones(6)})

    assert ours["w"].shape == (6, 5, 2, 3, 4)
    assert ours["w"][5, 4, 1, 2, 3] == kernel[1, 2, 3, 4, 5]
    assert ours["b"].shape == (6,)
