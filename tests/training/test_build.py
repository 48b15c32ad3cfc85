"""What a run starts from."""

import pytest
import torch

from zoopraxis.errors import ConversionError
from zoopraxis.checkpoints.hub import convert_file, save_model
from zoopraxis.models import create_model, model_spec
from zoopraxis.models.tsm import TSM
from zoopraxis.training.recipe import ModelPart
from zoopraxis.training.build import build_network, clip_before


def test_clips_are_those_of_the_weights_a_run_starts_from():
    row = model_spec("r2plus1d_34").clip

    assert clip_before(ModelPart(name="r2plus1d_34")) == row
    assert clip_before(ModelPart(name="r2plus1d_34", weights="ig65m_32f")) == row
    assert clip_before(ModelPart(name="r2plus1d_34", weights="run/best.safetensors")) == row
    assert clip_before(ModelPart(name="r2plus1d_34", weights="ig65m_8f")).frames == 8


def as_the_authors_save(model):
    """State dict of a two-stream ResNet with the keys of its authors."""
    names = (
        ("trunk.stem.conv.", "conv1_custom."),
        ("trunk.stem.norm.", "bn1."),
        ("trunk.", ""),
        (".norm", ".bn"),
        ("shortcut.conv.", "downsample.0."),
        ("shortcut.bn.", "downsample.1."),
        ("head.linear.", "fc_custom."),
    )
    state = {}
    for key, tensor in model.state_dict().items():
        for ours, theirs in names:
            key = key.replace(ours, theirs)
        state[key] = tensor
    return state


def test_a_flow_stream_starts_from_a_converted_rgb_stream(tmp_path):
    rgb = create_model("test_two_stream")
    torch.save({"epoch": 3, "state_dict": as_the_authors_save(rgb)}, tmp_path / "rgb.pth.tar")
    file = tmp_path / "rgb.safetensors"
    convert_file(tmp_path / "rgb.pth.tar", model="test_two_stream", source="two_stream", out=file)

    part = ModelPart(name="test_two_stream_flow", weights=str(file))
    same, fewer = (build_network(part, num_classes=k).state_dict() for k in (12, 5))

    first = "trunk.stem.conv.weight"
    mean = rgb.state_dict()[first].mean(dim=1)
    assert same[first].shape[1] == 6
    assert all(torch.equal(same[first][:, channel], mean) for channel in range(6))
    for key, tensor in rgb.state_dict().items():
        assert key == first or torch.equal(same[key], tensor)
    assert fewer["head.linear.weight"].shape[0] == 5


def test_a_network_that_shifts_starts_from_one_that_does_not(tmp_path):
    still = create_model("test_tsn")
    spec = model_spec("test_tsn")
    labels = [str(k) for k in range(12)]
    file = save_model(
        tmp_path / "a.safetensors", still, name="test_tsn", args={}, clip=spec.clip, labels=labels
    )

    shifting = build_network(ModelPart(name="test_tsm", weights=str(file)), num_classes=12)

    assert type(shifting) is TSM
    for key, tensor in still.state_dict().items():
        assert torch.equal(shifting.state_dict()[key], tensor)


def test_a_stranger_is_refused(tmp_path):
    file = tmp_path / "a.safetensors"
    spec = model_spec("test_off")
    save_model(
        file, create_model("test_off"), name="test_off", args={}, clip=spec.clip, labels=["a"] * 12
    )

    with pytest.raises(ConversionError, match="not of a relative of this network"):
        build_network(ModelPart(name="test_tsm", weights=str(file)), num_classes=12)
