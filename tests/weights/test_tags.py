"""The grammar of tags, and that every published checkpoint keeps to it."""

from collections import Counter

import pytest

from zoopraxis.models import list_models
from zoopraxis.weights import sources_of, weights_of
from zoopraxis.weights.tags import DATA, ORIGINS, Tag, parse_tag

NAMES = [*list_models(), *list_models("test_*")]
WEIGHTS = [weights for name in NAMES for weights in weights_of(name)]


def by_name(weights):
    return f"{weights.model}.{weights.tag}"


@pytest.mark.parametrize(
    ("tag", "parts"),
    [
        ("k400", ("", "k400", "")),
        ("k400_dense", ("", "k400", "dense")),
        ("ig65m_ft_k400", ("", "ig65m_ft_k400", "")),
        ("torchvision_k400", ("torchvision", "k400", "")),
        ("mmaction2_ig65m_ft_k400_bnfrozen", ("mmaction2", "ig65m_ft_k400", "bnfrozen")),
        ("ucf101_1", ("", "ucf101_1", "")),  # split 1, not variant "1"
        ("ucf101", ("", "ucf101", "")),
        ("k700_mit_stair", ("", "k700_mit_stair", "")),  # three data sets, no variant
        ("pytorchvideo_mobile_k400", ("pytorchvideo_mobile", "k400", "")),
        ("tsm_k400_8x8", ("tsm", "k400", "8x8")),
    ],
)
def test_the_parts_of_a_tag(tag, parts):
    assert parse_tag(tag) == Tag(*parts)


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "kinetics400",
        "K400",
        "k400.dense",
        "k400_",
        "other_k400",
        "ig65m_ft_kinetics400",
        "ft_k400",
    ],
)
def test_what_is_no_tag(tag):
    with pytest.raises(ValueError, match="is not <data>"):
        parse_tag(tag)


@pytest.mark.parametrize("weights", WEIGHTS, ids=by_name)
def test_every_tag_follows_the_grammar(weights):
    tag = parse_tag(weights.tag)

    assert tag.origin in ("", ORIGINS.get(weights.source))
    assert "_".join(filter(None, tag)) == weights.tag
    assert set(tag.data.split("_ft_")) <= set(DATA)
    assert "." not in weights.tag  # it would part from the model's name


@pytest.mark.parametrize("name", [name for name in NAMES if weights_of(name)])
def test_a_tag_names_one_checkpoint_of_a_model(name):
    tags = Counter(weights.tag for weights in weights_of(name))

    assert max(tags.values()) == 1


def test_every_origin_is_a_source_of_some_model():
    assert set(ORIGINS) <= {source for name in NAMES for source in sources_of(name)}
