"""Published numbers beside measured ones, and networks as a protocol tests them."""

from dataclasses import replace

import pytest
import torch

from videos import write
from zoopraxis.checkpoints.saved import open_model
from zoopraxis.data.samples import Sample, SampleList
from zoopraxis.errors import ModelNotFoundError, ZoopraxisError
from zoopraxis.evaluation.evaluate import evaluate
from zoopraxis.evaluation.published import compare_published, open_parts
from zoopraxis.prediction.fully_convolutional import fully_convolutional
from zoopraxis.prediction.protocol import by_protocol, published
from zoopraxis.spec import Protocol, Weights

TINY = "test_r2plus1d"
PROTOCOL = Protocol(
    views=2,
    crops=3,
    size=64,
    resize=72,
    convention="pyslowfast",
    fully_convolutional=56,
    mode="mean_probability",
)


def weights_with(**fields):
    return Weights(
        model=TINY,
        tag="k400",
        source="torchvision",
        dataset="Kinetics-400",
        num_classes=12,
        **fields,
    )


def open_published(monkeypatch, weights, name=f"{TINY}.k400"):
    """A tiny network that says it is a published checkpoint, which the zoo then has."""
    monkeypatch.setattr("zoopraxis.weights.registry.weights_of", lambda _: (weights,))
    torch.manual_seed(0)
    net = open_model(TINY)
    return replace(net, config=replace(net.config, origin={"weights": name}), trained=True)


def test_a_published_checkpoint_is_tested_by_its_protocol(monkeypatch, tmp_path):
    weights = weights_with(top1=71.2, top5=90.0, protocol=PROTOCOL)
    net = open_published(monkeypatch, weights)
    path = str(write(tmp_path / "a.mp4", frames=40))
    sample = Sample(path=path, label=0, group="", name="a")
    samples = SampleList(samples=(sample,), labels=net.labels, root="")

    found = published(net)
    tested = by_protocol(net, found.protocol)
    result = evaluate(tested, samples, **found.protocol.options)

    assert found is weights
    by_hand = net.with_clip(size=64, resize=72, convention="pyslowfast")
    expected = evaluate(fully_convolutional(by_hand, 56), samples, views=2, crops=3)
    assert result.key == expected.key
    assert result.logits.tolist() == expected.logits.tolist()
    compared = compare_published(result.summary(), found, found.protocol)
    assert [row[0] for row in compared.rows()] == ["top1", "top5"]
    assert compared.remarks == [compared.remarks[-1]]
    assert "resize and re-encode" in compared.remarks[-1]


def test_what_is_no_published_checkpoint_is_refused(monkeypatch):
    with pytest.raises(ZoopraxisError, match="test_tsn is no published checkpoint"):
        published(open_model("test_tsn"))
    bare = open_published(monkeypatch, weights_with())
    with pytest.raises(ZoopraxisError, match=r"for test_r2plus1d\.k400 no accuracy") as caught:
        published(bare)
    assert "--views" in caught.value.hint
    gone = open_published(monkeypatch, weights_with(), name=f"{TINY}.k600")
    with pytest.raises(ModelNotFoundError, match="no weights called 'k600'"):
        published(gone)


def test_an_empty_protocol_changes_nothing():
    net = open_model(TINY)

    assert by_protocol(net, Protocol(views=3, crops=3, mode="mean_logit", note="x")) is net


def test_sigmoids_where_the_views_are_aggregated_by_sigmoids():
    net = open_model(TINY)
    for mode in ("mean_sigmoid", "max_sigmoid"):
        assert by_protocol(net, replace(PROTOCOL, mode=mode)).windows == "56 sigmoid"
    assert by_protocol(net, replace(PROTOCOL, mode=None)).windows == "56 softmax"
    with pytest.raises(ZoopraxisError, match="'mean_given' says"):
        by_protocol(net, replace(PROTOCOL, mode="mean_given"))


def test_joints_have_no_pixels():
    with pytest.raises(ZoopraxisError, match="takes skeleton, which has no size"):
        by_protocol(open_model("test_stgcn"), Protocol(size=224))


# Side by side

SUMMARY = {"videos": 3, "unread": 0, "top1": 0.5, "top5": 0.9, "mean_class": 0.4}


def test_numbers_side_by_side():
    weights = weights_with(top1=51.25, top5=90.0, protocol=PROTOCOL)

    compared = compare_published(SUMMARY, weights, PROTOCOL)

    assert compared.rows() == [("top1", 50.0, 51.25, -1.25), ("top5", 90.0, 90.0, 0.0)]
    facts = compared.to_dict()
    assert facts["weights"] == f"{TINY}.k400"
    assert facts["protocol"] == str(PROTOCOL)
    assert facts["top1"] == {"measured": 50.0, "published": 51.25, "difference": -1.25}


def test_an_accuracy_over_classes_is_compared_with_one():
    protocol = replace(PROTOCOL, metric="mean_class")
    compared = compare_published(SUMMARY, weights_with(top1=93.8, protocol=protocol), protocol)
    assert [row[:3] for row in compared.rows()] == [("mean_class", 40.0, 93.8)]


def test_numbers_of_other_videos_are_not_compared():
    compared = compare_published(SUMMARY, weights_with(map=38.9, protocol=PROTOCOL), PROTOCOL)

    assert compared.rows() == []
    undefined = compare_published({"map": float("nan")}, weights_with(map=38.9), PROTOCOL)
    assert undefined.rows() == []
    assert compared.remarks[0] == "No accuracy is published for such videos."


def test_another_protocol_is_named():
    weights = weights_with(top1=50.0, protocol=PROTOCOL)

    compared = compare_published(SUMMARY, weights, replace(PROTOCOL, views=1))

    assert compared.remarks[0].startswith("Measured by another protocol: 1 clip x 3 crops")
    assert compared.to_dict()["protocol"] == str(PROTOCOL)


@pytest.mark.parametrize(
    ("protocol", "lines"),
    [
        (PROTOCOL, []),
        (Protocol(views=1, crops=1, size=224, convention="tsn"), []),
        (
            Protocol(views=10, size=224, convention="", mode="vote"),
            ["The protocol does not state the crops; as usual here: the centre."],
        ),
        (
            Protocol(crops=1, size=160, convention="pyslowfast", note="the first 300 frames"),
            [
                "The protocol does not state the number of clips, how scores are aggregated; as "
                "usual here: 10, the mean of the probabilities.",
                "The protocol says, for which there is no option: the first 300 frames.",
            ],
        ),
    ],
)
def test_what_is_not_stated_is_named(protocol, lines):
    assert open_parts(protocol) == lines
