"""Networks by name: nothing that was asked for is dropped on the way."""

from types import SimpleNamespace

import pytest
import torch

from zoopraxis.checkpoints.create import create_model
from zoopraxis.checkpoints.saved import open_model
from zoopraxis.errors import ConversionError, ModelNotFoundError
from zoopraxis.models import model_spec
from zoopraxis.spec import Source, Weights
from zoopraxis.weights import registry

TINY = "test_r2plus1d"


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A checkpoint of a tiny network, and two sources that take its keys."""
    monkeypatch.setenv("ZOOPRAXIS_HOME", str(tmp_path / "cache"))
    state = registry.build_network(TINY, num_classes=5).state_dict()
    torch.save(state, tmp_path / "tiny.pth")
    weights = Weights(
        model=TINY,
        tag="k400",
        urls=((tmp_path / "tiny.pth").as_uri(),),
        source="theirs",
        dataset="noise",
        num_classes=5,
        clip=model_spec(TINY).clip.change(num_frames=4),
    )
    sources = {"theirs": Source(), "others": Source(args={"dropout": 0.75})}
    module = SimpleNamespace(SOURCES={TINY: sources}, WEIGHTS=(weights,))
    monkeypatch.setattr(registry, "_module", lambda family: module)
    return state


def test_weights_by_tag(published):
    for model in (create_model(f"{TINY}.k400"), create_model(TINY, weights="k400")):
        assert all(torch.equal(model.state_dict()[key], published[key]) for key in published)
        assert model.head.dropout.p == 0


def test_a_source_beside_weights_builds_the_network(published):
    model = create_model(TINY, weights="k400", source="others")

    assert model.head.dropout.p == 0.75
    assert torch.equal(model.state_dict()["head.linear.weight"], published["head.linear.weight"])


def test_arguments_beside_weights_build_the_network(published):
    assert create_model(TINY, weights="k400", dropout=0.25).head.dropout.p == 0.25
    with pytest.raises(ConversionError, match="shapes differ"):
        create_model(TINY, weights="k400", width=8)


def test_other_classes_re_initialise_the_classifier_alone(published):
    model = create_model(TINY, weights="k400", num_classes=3)

    assert model.num_classes == 3
    kept = [key for key in published if not key.startswith("head.")]
    assert all(torch.equal(model.state_dict()[key], published[key]) for key in kept)


def test_an_unknown_source_beside_weights(published):
    with pytest.raises(ModelNotFoundError, match="no source called 'mine'"):
        create_model(TINY, weights="k400", source="mine")


def test_an_opened_checkpoint_knows_its_source_and_clip(published):
    config = open_model(f"{TINY}.k400").config

    assert (config.source, config.clip.sampling.num_frames) == ("theirs", 4)
    assert config.origin["weights"] == f"{TINY}.k400"
    assert len(config.labels) == 5
