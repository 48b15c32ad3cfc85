"""Keys of TSN in other code bases: plain image networks, and the wrapper of the TSN lineage."""

import torch
import torchvision

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model
from zoopraxis.testing import noise_clip


@torch.no_grad()
def test_loads_torchvisions_image_network():
    image = torchvision.models.resnet18(num_classes=7).eval()
    state = convert_state_dict("tsn_r18_3", image.state_dict(), source="torchvision")
    model = create_model("tsn_r18_3", num_classes=7).eval()
    model.load_state_dict(state)
    clip = noise_clip((1, 3, 3, 64, 64))

    frames = image(clip[0].transpose(0, 1))  # (T, K)

    torch.testing.assert_close(model(clip)[0], frames.mean(dim=0), rtol=1e-5, atol=1e-5)


def test_the_lineage_without_dropout_keeps_its_classifier_in_the_image_network():
    model = create_model("test_tsn")
    state = model.state_dict()
    theirs = as_the_lineage_saves(state)
    bare = {key.replace("new_fc.", "base_model.fc."): value for key, value in theirs.items()}

    for saved in (theirs, bare):
        made = convert_state_dict("test_tsn", saved, source="tsm")
        assert all(torch.equal(made[key], state[key]) for key in state)


def as_the_lineage_saves(state):
    """Keys of the TSN lineage, its model wrapped for several devices."""
    names = (
        ("backbone.stem.conv.", "base_model.conv1."),
        ("backbone.stem.norm.", "base_model.bn1."),
        ("backbone.", "base_model."),
        (".norm", ".bn"),
        ("shortcut.conv.", "downsample.0."),
        ("shortcut.bn.", "downsample.1."),
        ("head.linear.", "new_fc."),
    )
    saved = {}
    for key, tensor in state.items():
        for ours, theirs in names:
            key = key.replace(ours, theirs)
        saved[f"module.{key}"] = tensor
    return saved
