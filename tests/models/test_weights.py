"""The rows of published checkpoints: that each can be asked for, converted and used."""

import pytest

from zoopraxis.data.labels import label_names
from zoopraxis.checkpoints.hub import cached_file
from zoopraxis.models import list_models, model_spec

SPECS = [spec for name in list_models() if (spec := model_spec(name)).weights]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_checkpoints_fit_their_model(spec):
    tags = [weights.tag for weights in spec.weights]

    assert len(set(tags)) == len(tags)
    for weights in spec.weights:
        assert "." not in weights.tag  # it would part from the model's name
        assert weights.source in spec.sources
        assert weights.url.startswith(("https://", "http://"))
        assert weights.clip is None or weights.clip.channels == spec.clip.channels
        assert not weights.labels or len(label_names(weights.labels)) == weights.num_classes
        assert (weights.top1 or 0) <= (weights.top5 or 100)


def test_no_two_checkpoints_share_a_file():
    # but for one that serves two models, at one address
    files = {(weights.url, cached_file(weights)) for spec in SPECS for weights in spec.weights}

    assert len({path for _, path in files}) == len(files)
