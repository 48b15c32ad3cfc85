"""The published checkpoints: that each can be asked for, downloaded, converted and used."""

import re
from collections import Counter
from urllib.parse import urlsplit

import pytest

from zoopraxis.checkpoints.hub import cached_file, file_of
from zoopraxis.data.labels import label_names
from zoopraxis.models import FAMILIES, list_models, model_spec
from zoopraxis.weights import sources_of, weights_of
from zoopraxis.weights.registry import _module

NAMES = [*list_models(), *list_models("test_*")]
WEIGHTS = [weights for name in NAMES for weights in weights_of(name)]


def by_name(weights):
    return f"{weights.model}.{weights.tag}"


@pytest.mark.parametrize("weights", WEIGHTS, ids=by_name)
def test_a_checkpoint_fits_its_model(weights):
    spec = model_spec(weights.model)

    assert weights.source in sources_of(weights.model)
    assert weights.num_classes > 1
    assert weights.dataset
    assert weights.licence
    assert weights.clip is None or weights.clip.channels == spec.clip.channels
    assert not weights.labels or len(label_names(weights.labels)) == weights.num_classes
    assert (weights.top1 or 0) <= (weights.top5 or 100)
    assert weights.top1 is None or (0 < weights.top1 < 100 and weights.protocol)


@pytest.mark.parametrize("weights", WEIGHTS, ids=by_name)
def test_a_checkpoint_can_be_had(weights):
    assert weights.urls or weights.page
    assert len(set(weights.urls)) == len(weights.urls)
    for address in weights.urls:
        parts = urlsplit(address)
        assert parts.scheme in ("https", "hf", "gdrive"), address
        assert parts.netloc, address
        assert parts.scheme != "gdrive" or weights.file  # such an address names no file
        assert parts.scheme != "hf" or parts.path.count("/") >= 2, address
    assert not weights.page or weights.page.startswith("https://")
    assert weights.urls or weights.file  # what a person looks for on the page
    assert not weights.urls or file_of(weights).suffix != ".index"  # its data would not come along
    assert ".." not in file_of(weights).parts
    assert not file_of(weights).is_absolute()
    assert set(weights.sha256) <= set("0123456789abcdef")
    assert not weights.sha256 or len(weights.sha256) >= 8


def test_a_data_set_has_one_name():
    # pictures and tables group checkpoints by it
    names = {part for weights in WEIGHTS for part in re.split(r", then |, | and ", weights.dataset)}
    assert len({re.sub(r"\W", "", name).lower() for name in names}) == len(names)


def test_no_two_checkpoints_share_a_file():
    # but for one that serves two models, at one address
    files = {(weights.urls or weights.page, cached_file(weights)) for weights in WEIGHTS}

    assert len({path for _, path in files}) == len(files)


def test_no_entry_is_lost():
    # a slip in a model's name would hide what stands under it from everybody
    modules = [module for family in FAMILIES if (module := _module(family))]

    written = Counter(by_name(weights) for module in modules for weights in module.WEIGHTS)
    assert written == Counter(map(by_name, WEIGHTS))
    assert {name for module in modules for name in module.SOURCES} <= set(NAMES)
