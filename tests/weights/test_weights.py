"""The published checkpoints: that each can be asked for, downloaded, converted and used."""

import re
from collections import Counter
from urllib.parse import urlsplit

import pytest
import torch

from zoopraxis.checkpoints.hub import cached_file, file_of
from zoopraxis.checkpoints.layout import without_values
from zoopraxis.data.labels import label_names
from zoopraxis.inputs.conventions import check_views
from zoopraxis.inputs.images import ImageInput
from zoopraxis.models import FAMILIES, list_models, model_spec
from zoopraxis.prediction.aggregate import MODES
from zoopraxis.prediction.fully_convolutional import map_size
from zoopraxis.spec import _AGGREGATED, Protocol
from zoopraxis.weights import sources_of, weights_of
from zoopraxis.weights.registry import _module, build_network

NAMES = [*list_models(), *list_models("test_*")]
WEIGHTS = [weights for name in NAMES for weights in weights_of(name)]


def by_name(weights):
    return weights.name


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
    assert all(0 < value < 100 for value in weights.published.values())
    assert not weights.published or str(weights.protocol)


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


# How they were tested

TESTED = [weights for weights in WEIGHTS if weights.protocol]


@pytest.mark.parametrize("weights", TESTED, ids=by_name)
def test_a_protocol_is_one_that_can_be_followed(weights):
    protocol = weights.protocol
    clip = weights.clip or model_spec(weights.model).clip

    assert str(protocol)
    assert protocol.views is None or 1 <= protocol.views <= 30
    assert protocol.crops in (None, 1, 3, 5, 10)
    assert protocol.mode in (None, *MODES)
    assert all(100 <= side <= 400 for side in (protocol.size, protocol.resize) if side)
    changed = clip.change(**protocol.clip)  # refuses what is no convention
    check_views(changed.sampling.convention, protocol.views or 1)
    if isinstance(changed.input, ImageInput):
        resize = changed.input.resize
        assert changed.input.size <= min(resize if isinstance(resize, tuple) else (resize,))


def ways_of_testing():
    """One checkpoint of each network and each shape of clip that some protocol asks of it."""
    ways = {}
    for weights in TESTED:
        protocol = weights.protocol
        shape = protocol.fully_convolutional, protocol.size, protocol.num_frames
        if any(shape):
            ways[weights.model, weights.source, weights.clip, *shape] = weights
    return ways.values()


@pytest.mark.parametrize("weights", ways_of_testing(), ids=by_name)
def test_a_network_takes_the_clips_of_its_protocol(weights):
    protocol = weights.protocol
    clip = (weights.clip or model_spec(weights.model).clip).change(**protocol.clip)
    with without_values():
        network = build_network(
            weights.model, source=weights.source, num_classes=weights.num_classes
        ).eval()
    if protocol.fully_convolutional is None:
        with torch.no_grad():
            logits = network(*(x.to("meta") for x in [clip.example()]))
        assert logits.shape == (1, weights.num_classes)
    else:
        window = map_size(network, clip.change(size=protocol.fully_convolutional))
        assert (1, 1) < window < map_size(network, clip)  # the crops hold several windows


def test_modes_have_words():
    assert set(_AGGREGATED) == set(MODES)


def test_a_protocol_says_what_it_is():
    protocol = Protocol(
        views=10, crops=3, size=256, fully_convolutional=224, mode="mean_probability"
    )
    assert str(protocol) == (
        "10 clips x 3 crops of 256 pixels, fully convolutional from 224, mean of the probabilities"
    )
    assert str(Protocol(views=1, num_frames=25, crops=1, convention="coviar", note="split 1")) == (
        "1 clip of 25 frames, centre crop, frames by coviar; split 1"
    )
    assert str(Protocol(crops=10, resize=340)) == "10 crops, frames resized to 340"
    assert str(Protocol(size=224)) == "crops of 224 pixels"
    assert str(Protocol(views=2, metric="mean_class")) == "2 clips, mean over the classes"
    assert str(Protocol(note="not stated")) == "not stated"
