"""TDN: the authors' keys and biases."""

import torch

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model
from zoopraxis.weights.tdn import absorb_biases

THEIRS = {  # ours, and the name in the authors' code
    "head.linear.": "new_fc.",
    "backbone.resnet.stem.conv.": "base_model.conv1.",
    "backbone.resnet.stem.norm.": "base_model.bn1.",
    "backbone.difference_stem.conv.": "base_model.conv1_5.0.",
    "backbone.difference_stem.norm.": "base_model.conv1_5.1.",
    "backbone.difference_layer1.": "base_model.resnext_layer1.",
    **{f"backbone.resnet.layer{n}.": f"base_model.layer{n}_bak." for n in (1, 2, 3, 4)},
    ".difference.reduce.": ".mse.conv1.",
    ".difference.reduce_norm.": ".mse.bn1.",
    ".difference.filters.": ".mse.conv2.",
    ".difference.coarse.": ".mse.conv3_smallscale2.",
    ".difference.coarse_norm.": ".mse.bn3_smallscale2.",
    ".difference.fine.": ".mse.conv3_smallscale4.",
    ".difference.fine_norm.": ".mse.bn3_smallscale4.",
    ".difference.restore.": ".mse.conv3.",
    ".difference.restore_norm.": ".mse.bn3.",
    ".temporal.": ".shift.",
    ".shortcut.conv.": ".downsample.0.",
    ".shortcut.norm.": ".downsample.1.",
    ".norm": ".bn",
}


def authors_key(key):
    for ours, theirs in THEIRS.items():
        key = key.replace(ours, theirs)
    return key


def test_every_key_lands_where_it_belongs():
    ours = create_model("test_tdn").state_dict()
    theirs = {authors_key(key): tensor for key, tensor in ours.items()}
    theirs["base_model.conv1_temp.weight"] = torch.zeros(64, 12, 7, 7)

    converted = convert_state_dict("test_tdn", theirs, source="tdn")

    assert not set(theirs) & set(ours)
    assert set(converted) == set(ours)
    assert all(torch.equal(converted[key], ours[key]) for key in ours)


def test_biases_before_batch_norms_go_into_the_means():
    state = {"a.conv1.bias": torch.tensor([2.0]), "a.norm1.running_mean": torch.tensor([5.0])}

    assert absorb_biases(state) == {"a.norm1.running_mean": torch.tensor([3.0])}
