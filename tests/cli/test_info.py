"""zoopraxis info: a model, and a checkpoint, with licences and addresses."""

import json

import pytest
from typer.testing import CliRunner

from zoopraxis.checkpoints.hub import cached_file
from zoopraxis.cli import app
from zoopraxis.errors import ModelNotFoundError
from zoopraxis.inputs import clip_from_dict
from zoopraxis.models import FAMILIES, list_models, model_size, model_spec
from zoopraxis.spec import Weights
from zoopraxis.weights import sources_of, weights_of


def call(*words):
    done = CliRunner().invoke(app, ["info", *words])
    if done.exception:
        raise done.exception
    return done.stdout


def test_a_model():
    text = call("tsn_r50_8")

    size = model_size("tsn_r50_8")
    lines = text.splitlines()
    assert lines[0] == "tsn_r50_8"
    assert lines[1].startswith("  Temporal Segment Networks")
    assert "Official code: https://github.com/yjxiong/temporal-segment-networks" in text
    assert "input    (B, 3, 8, 224, 224), rgb" in lines
    assert "clip     8 segments, one sample from each" in lines
    assert (
        f"size     {size.params_m:.2f} M parameters, {size.gmacs:.2f} GMACs for one clip" in lines
    )
    assert f"sources  {', '.join(sources_of('tsn_r50_8'))}" in lines


def test_dense_clips_and_flow():
    sampling = model_spec("r2plus1d_18").clip.sampling
    expected = f"clip     {sampling.num_frames} frames, stride {sampling.stride}"
    assert expected in call("r2plus1d_18")
    assert "consecutive items per sample" in call("tsn_bninception_flow_3")


def test_checkpoints_come_with_licence_and_every_address():
    text = call("tsn_r50_8")

    for weights in weights_of("tsn_r50_8"):
        assert f"weights  {weights.model}.{weights.tag}" in text
        assert f"licence: {weights.licence}" in text
        for address in weights.urls:
            assert address in text
    assert "68.8 % top-1" in text


def test_a_tag_shows_that_checkpoint_alone():
    text = call("tsn_r50_8.tsm_k400")

    assert text.splitlines()[0] == "weights  tsn_r50_8.tsm_k400"
    assert "mmaction2" not in text


def test_how_an_accuracy_was_measured():
    text, facts = call("slow_r50_8x8.k400"), json.loads(call("slow_r50_8x8.k400", "--json"))

    sentence = (
        "10 clips x 3 crops of 256 pixels, frames by pyslowfast, fully convolutional from 224, "
        "mean of the probabilities"
    )
    assert f"published accuracy: 74.8 % top-1, 91.6 % top-5 ({sentence})" in text
    assert facts["protocol"] == sentence
    assert (facts["tested"]["views"], facts["tested"]["fully_convolutional"]) == (10, 224)
    assert "38.9 % mAP (" in call("slowfast_r50_16x8.k400_ft_charades")
    assert json.loads(call("eco_lite_16", "--json"))["weights"][0]["tested"] is None
    assert "93.8 % mean class (10 clips, mean over the classes" in call(
        "posec3d_slowonly_r50.gym99"
    )


@pytest.fixture
def odd(monkeypatch):
    """A checkpoint with everything that is rare."""
    weights = Weights(
        model="test_r2plus1d",
        tag="k400",
        page="https://example.invalid/folder",
        file="net.pth",
        source="torchvision",
        dataset="kinetics400",
        num_classes=400,
        licence="CC BY-NC 4.0",
        clip=model_spec("test_r2plus1d").clip.change(num_frames=5, stride=3, fps=15.0),
    )
    monkeypatch.setattr("zoopraxis.weights.registry.weights_of", lambda _: (weights,))
    return weights


def test_what_a_person_must_do_is_said(odd, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOOPRAXIS_HOME", str(tmp_path))

    text = call("test_r2plus1d.k400")

    assert "licence: CC BY-NC 4.0; to be accepted with --accept-licence" in text
    assert "net.pth from https://example.invalid/folder" in text
    assert "order of labels not published" in text
    assert "clip     5 frames, stride 3, at 15 fps" in text
    assert "downloaded" not in text

    cached_file(odd).parent.mkdir()
    cached_file(odd).touch()

    assert f"downloaded: {cached_file(odd)}" in call("test_r2plus1d.k400")


def test_json_of_a_model():
    facts = json.loads(call("tsn_r50_8", "--json"))

    spec = model_spec("tsn_r50_8")
    assert clip_from_dict(facts["clip"]) == spec.clip
    assert facts["input"] == ["B", *spec.clip.shape]
    assert (facts["params_m"], facts["gmacs"]) == model_size("tsn_r50_8")
    assert facts["sources"] == list(sources_of("tsn_r50_8"))
    assert facts["order_sensitive"] is False
    for found, weights in zip(facts["weights"], weights_of("tsn_r50_8"), strict=True):
        assert found["urls"] == list(weights.urls)
        assert (found["licence"], found["top1"]) == (weights.licence, weights.top1)


def test_json_of_a_checkpoint(odd):
    facts = json.loads(call("test_r2plus1d.k400", "--json"))

    assert facts["non_commercial"] is True
    assert clip_from_dict(facts["clip"]) == odd.clip
    assert (facts["page"], facts["file"], facts["urls"]) == (odd.page, odd.file, [])


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_page_to_show(family):
    text = call(list_models(family=family)[0])

    assert text.count("\ninput    ") >= 1
    assert "  \n" not in text


@pytest.mark.parametrize("name", ["tsn_r5O_8", "tsn_r50_8.tsm_k4OO"])
def test_unknown_names_are_answered_with_near_ones(name):
    with pytest.raises(ModelNotFoundError) as caught:
        call(name)
    assert "did you mean" in caught.value.hint
