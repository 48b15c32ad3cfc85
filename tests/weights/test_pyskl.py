"""PYSKL's checkpoints of graph networks: their clips have joints as PYSKL prepares them."""

import pytest

from zoopraxis.weights import aagcn, stgcn_plus


@pytest.mark.parametrize(
    "weights", [*aagcn.WEIGHTS, *stgcn_plus.WEIGHTS], ids=lambda w: f"{w.model}.{w.tag}"
)
def test_joints_are_prepared_as_in_pyskl(weights):
    kind = weights.clip.input
    assert kind.normalise == {"ntu-25": "upright", "coco-17": "image"}[kind.layout]
    ending = weights.tag.removeprefix("pyskl_").split("_", 2)[2:]
    assert kind.streams == tuple(ending or ["joints"])
