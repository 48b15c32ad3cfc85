"""zoopraxis convert: the file it writes is the network of the foreign checkpoint."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model
from zoopraxis.checkpoints.hub import cached_file
from zoopraxis.checkpoints.saved import open_model
from zoopraxis.cli import app
from zoopraxis.errors import CheckpointError, ConversionError, ModelNotFoundError
from zoopraxis.models import model_spec
from zoopraxis.spec import Weights
from zoopraxis.testing import read_golden, relative_error
from zoopraxis.weights import find_weights

GOLDEN = Path(__file__).parent.parent / "golden"


def convert(*words):
    done = CliRunner().invoke(app, ["convert", *map(str, words)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """The checkpoint of a reference, its weights filled by the rule, under its published name."""
    golden = read_golden("tv_r3d_18", GOLDEN)
    path = tmp_path_factory.mktemp("foreign") / "r3d_18-b3b3357e.pth"
    torch.save(golden.state_dict(), path)
    return golden, path


@torch.no_grad()
def test_what_is_converted_computes_what_the_reference_computes(tmp_path):
    golden = read_golden("hara_resnet10", GOLDEN)
    torch.save(golden.state_dict(), tmp_path / "save_200.pth")
    out = tmp_path / "ours.safetensors"

    done = convert(
        tmp_path / "save_200.pth", "--model", "resnet3d_10", "--source", "hara", "--out", out
    )

    assert done.stdout == f"{out}\n"
    classes = golden.logits.shape[1]
    direct = create_model("resnet3d_10", source="hara", num_classes=classes).eval()
    direct.load_state_dict(convert_state_dict("resnet3d_10", golden.state_dict(), source="hara"))
    logits = open_model(out).model(golden.input())
    assert torch.equal(logits, direct(golden.input()))
    assert relative_error(logits, golden.logits) < golden.tolerance


def test_a_published_file_brings_its_labels_licence_and_address(foreign, tmp_path):
    path, out = foreign[1], tmp_path / "ours.safetensors"
    convert(path, "--model", "r3d_18", "--source", "torchvision", "--out", out)

    net = open_model(out)

    weights = find_weights("r3d_18", "torchvision_k400")
    assert net.labels[0] == "abseiling"
    assert net.config.source == "torchvision"
    origin = json.loads(out.with_suffix(".json").read_text())["origin"]
    assert origin["file"] == "r3d_18-b3b3357e.pth"
    assert origin["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert origin["licence"] == weights.licence
    assert origin["url"] == weights.urls[0]


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("net.pkl", "k400"),
        ("rgb_scratch/model.ckpt.index", "k600"),
        ("rgb_imagenet/model.ckpt.index", None),  # the name alone is that of many
        ("other.pkl", None),
        ("twins.pkl", None),  # it may be either of two
    ],
)
def test_a_file_is_known_by_its_name_and_what_is_inside(
    path, known, foreign, tmp_path, monkeypatch
):
    def published(tag, address, num_classes=400, **fields):
        return Weights(
            model="r3d_18",
            tag=tag,
            urls=(f"https://example.invalid/{address}",),
            source="torchvision",
            dataset="d",
            num_classes=num_classes,
            **fields,
        )

    weights = (
        published("k400", "s/a/net.pkl?dl=1"),
        published("charades", "s/b/net.pkl?dl=1", num_classes=157),
        published("k600", "folder", file="rgb_scratch/model.ckpt.index"),
        published("ssv1", "a/twins.pkl"),
        published("ssv2", "b/twins.pkl"),
    )
    monkeypatch.setattr("zoopraxis.checkpoints.saved.weights_of", lambda _: weights)
    state = foreign[0].state_dict()
    monkeypatch.setattr("zoopraxis.checkpoints.saved.read_state_dict", lambda _: state)
    file = tmp_path / path
    file.parent.mkdir(exist_ok=True)
    file.touch()
    out = tmp_path / "ours.safetensors"

    convert(file, "--model", "r3d_18", "--source", "torchvision", "--out", out)

    origin = open_model(out).config.origin
    assert origin.get("weights") == (known and f"r3d_18.{known}")


def test_another_file_has_numbers_for_labels(foreign, tmp_path):
    unknown = tmp_path / "mine.pth"
    shutil.copy(foreign[1], unknown)
    out = tmp_path / "ours.safetensors"

    convert(unknown, "--model", "r3d_18", "--source", "torchvision", "--out", out)

    assert open_model(out).labels[:2] == ("0", "1")


def test_a_training_run_of_another_code_base_with_classes_of_its_own(tmp_path, monkeypatch):
    state = read_golden("hara_resnet10", GOLDEN).state_dict()
    state |= {key: state[key][:5] for key in ("fc.weight", "fc.bias")}
    monkeypatch.chdir(tmp_path)
    wrapped = {f"module.{key}": tensor for key, tensor in state.items()}
    torch.save({"epoch": 3, "state_dict": wrapped}, "save_200.pth")

    done = convert("save_200.pth", "--model", "resnet3d_10", "--source", "hara")

    assert done.stdout == "resnet3d_10.safetensors\n"
    net = open_model(tmp_path / "resnet3d_10.safetensors")
    expected = convert_state_dict("resnet3d_10", state, source="hara")
    assert len(net.labels) == 5
    assert all(torch.equal(value, expected[key]) for key, value in net.model.state_dict().items())


def test_a_checkpoint_that_was_trained_on_another_clip_brings_it(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOOPRAXIS_HOME", str(tmp_path))
    weights = find_weights("ir_csn_50", "mmaction2_ig65m_ft_k400")
    file = cached_file(weights)
    file.parent.mkdir()
    torch.save({"state_dict": read_golden("mm_ircsn_50", GOLDEN).state_dict()}, file)
    out = tmp_path / "ours.safetensors"

    convert(file, "--model", "ir_csn_50", "--source", "mmaction2", "--out", out)

    assert weights.clip is not None
    assert weights.clip != model_spec("ir_csn_50").clip
    for net in (open_model("ir_csn_50.mmaction2_ig65m_ft_k400"), open_model(out)):
        assert net.clip == weights.clip
        assert net.labels[0] == "abseiling"


def test_what_is_wrong_is_said(foreign, tmp_path):
    path, out = foreign[1], tmp_path / "ours.safetensors"

    with pytest.raises(CheckpointError, match="no file"):
        convert(tmp_path / "absent.pth", "--model", "r3d_18", "--source", "torchvision")
    with pytest.raises(ModelNotFoundError, match="no model called 'r3d_19'"):
        convert(path, "--model", "r3d_19", "--source", "torchvision", "--out", out)
    with pytest.raises(ModelNotFoundError, match="no source called 'torch'"):
        convert(path, "--model", "r3d_18", "--source", "torch", "--out", out)
    with pytest.raises(ConversionError):
        convert(path, "--model", "r2plus1d_18", "--source", "torchvision", "--out", out)
    assert not list(tmp_path.iterdir())


def test_model_and_source_must_be_named(foreign):
    assert convert(foreign[1], "--model", "r3d_18").exit_code == 2
    assert convert(foreign[1], "--source", "torchvision").exit_code == 2
