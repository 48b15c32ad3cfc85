"""Keys of the 3D ResNet-18 in the authors' PyTorch code of ECO; the goldens cover the rest."""

import torch

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model

BLOCKS = ("2a", "2b", "3a", "3b", "4a", "4b", "5a", "5b")
WIDTHS = (4, 4, 8, 8, 16, 16, 32, 32)  # of test_eco_r3d


def conv(name, in_channels, out_channels, kernel=(3, 3, 3)):
    return {
        f"{name}.weight": torch.zeros(out_channels, in_channels, *kernel),
        f"{name}.bias": torch.zeros(out_channels),
    }


def norm(name, channels):
    kinds = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{kind}": torch.zeros(channels) for kind in kinds}


def authors_state(head):
    """State dict of test_eco_r3d with the authors' names: a batch norm is named after its input."""
    state = conv("conv1", 3, 4, (3, 7, 7)) | norm("conv1_bn", 4)
    channels = 4
    for block, width in zip(BLOCKS, WIDTHS, strict=True):
        state |= conv(f"res{block}_1", channels, width) | norm(f"res{block}_1_bn", width)
        state |= conv(f"res{block}_2", width, width) | norm(f"res{block}_bn", width)
        if width != channels:
            state |= conv(f"res{block}_down", channels, width)
        channels = width
    state = {f"base_model.{key}": tensor for key, tensor in state.items()}
    return state | {f"{head}.weight": torch.zeros(12, 32), f"{head}.bias": torch.zeros(12)}


def test_keys_of_the_3d_resnet_are_renamed():
    state = authors_state("new_fc")
    for number, key in enumerate(state):
        state[key] += number
    model = create_model("test_eco_r3d")

    ours = convert_state_dict("test_eco_r3d", state, source="eco")

    model.load_state_dict(ours)
    for key, theirs in {
        "block2a.norm1.weight": "base_model.conv1_bn.weight",
        "block2b.norm1.bias": "base_model.res2a_bn.bias",
        "block3a.norm1.running_mean": "base_model.res2b_bn.running_mean",
        "block3a.norm2.weight": "base_model.res3a_1_bn.weight",
        "block3a.down.weight": "base_model.res3a_down.weight",
        "block5b.conv2.bias": "base_model.res5b_2.bias",
        "norm.running_var": "base_model.res5b_bn.running_var",
        "head.linear.weight": "new_fc.weight",
    }.items():
        assert torch.equal(ours[key], state[theirs])


def test_a_network_trained_without_dropout_keeps_its_classifier_inside():
    state = authors_state("base_model.fc8")

    ours = convert_state_dict("test_eco_r3d", state, source="eco")

    assert ours["head.linear.weight"].shape == (12, 32)
