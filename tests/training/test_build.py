"""What a run starts from."""

from dataclasses import replace

import pytest
import torch

from zoopraxis.checkpoints.config import ModelConfig
from zoopraxis.checkpoints.create import create_model
from zoopraxis.checkpoints.saved import convert_file, save_model
from zoopraxis.errors import ConversionError, DataError, ModelNotFoundError
from zoopraxis.models import model_spec
from zoopraxis.models.tsm import TSM
from zoopraxis.training.build import read_lists, start_network
from zoopraxis.training.recipe import DataPart, ModelPart


def config_of(name):
    spec = model_spec(name)
    return ModelConfig(name=name, clip=spec.clip, labels=tuple(str(k) for k in range(12)))


def started(**part):
    return start_network(ModelPart(**part), labels=tuple(str(k) for k in range(12)))


def test_a_run_from_scratch_takes_the_clip_of_its_entry():
    model, config = started(name="test_tsm", source="mmaction2")

    assert config.clip == model_spec("test_tsm").clip
    assert config.source == "mmaction2"
    assert model.num_classes == 12


def test_weights_that_are_neither_tag_nor_file():
    with pytest.raises(ModelNotFoundError, match="no weights called 'ig65m_9f'") as caught:
        started(name="r2plus1d_34", weights="ig65m_9f")
    assert "ig65m_8f" in caught.value.hint


def as_the_authors_save(model):
    """State dict of a two-stream ResNet with the keys of its authors."""
    names = (
        ("backbone.stem.conv.", "conv1_custom."),
        ("backbone.stem.norm.", "bn1."),
        ("backbone.", ""),
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
    same, fewer = (
        start_network(part, labels=tuple(str(n) for n in range(k)))[0].state_dict() for k in (12, 5)
    )

    first = "backbone.stem.conv.weight"
    mean = rgb.state_dict()[first].mean(dim=1)
    assert same[first].shape[1] == 6
    assert all(torch.equal(same[first][:, channel], mean) for channel in range(6))
    for key, tensor in rgb.state_dict().items():
        assert key == first or torch.equal(same[key], tensor)
    assert fewer["head.linear.weight"].shape[0] == 5


def test_a_network_that_shifts_starts_from_one_that_does_not(tmp_path):
    still = create_model("test_tsn")
    file = save_model(tmp_path / "a.safetensors", still, config_of("test_tsn"))

    shifting, config = started(name="test_tsm", weights=str(file))

    assert type(shifting) is TSM
    assert config.clip == model_spec("test_tsm").clip
    for key, tensor in still.state_dict().items():
        assert torch.equal(shifting.state_dict()[key], tensor)


def test_a_stranger_is_refused(tmp_path):
    file = save_model(tmp_path / "a.safetensors", create_model("test_off"), config_of("test_off"))

    with pytest.raises(ConversionError, match="not of a related architecture"):
        started(name="test_tsm", weights=str(file))


@pytest.mark.parametrize(("first", "expected"), [(0, [2, 3]), (1, [1, 2])])
def test_lists_of_numbers_count_from_where_the_recipe_says(tmp_path, first, expected):
    file = tmp_path / "list.txt"
    file.write_text("a.mp4 2\nb.mp4 3\n")
    data = DataPart(train=str(file), val=str(file))
    with pytest.raises(DataError, match=r"data\.first_label=1"):
        read_lists(data, multi_label=False)

    for samples in read_lists(replace(data, first_label=first), multi_label=False):
        assert [sample.label for sample in samples] == expected
