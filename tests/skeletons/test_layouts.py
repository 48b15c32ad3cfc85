"""Layouts and partitions against the official code's matrices."""

import json
from pathlib import Path

import numpy as np
import pytest

from zoopraxis.errors import ZoopraxisError
from zoopraxis.skeletons import LAYOUTS, hop_distances, partition_matrices, skeleton_layout
from zoopraxis.testing import read_golden

GOLDEN = Path(__file__).parent.parent / "golden"
GRAPHS = json.loads((GOLDEN / "stgcn_graphs.json").read_text())["graphs"]
OURS = {"openpose": "openpose-18", "ntu-rgb+d": "ntu-25", "ntu_edge": "ntu-24"}


@pytest.mark.parametrize("name", GRAPHS)
def test_partitions_equal_the_official_code(name):
    layout, strategy, *hops = name.split("|")
    max_hop = int(hops[0].removeprefix("max_hop=")) if hops else 1

    ours = partition_matrices(LAYOUTS[OURS[layout]], strategy, max_hop=max_hop)

    assert np.array_equal(ours.astype(np.float32), np.array(GRAPHS[name]["A"], np.float32))


@pytest.mark.parametrize("name", [name for name in GRAPHS if "edge" in GRAPHS[name]])
def test_edges_and_centres_equal_the_official_code(name):
    layout = LAYOUTS[OURS[name.split("|")[0]]]
    loops = [[joint, joint] for joint in range(layout.num_joints)]

    edges = [edge for edge in GRAPHS[name]["edge"] if edge not in loops]

    assert {frozenset(edge) for edge in layout.edges} == {frozenset(edge) for edge in edges}
    assert (layout.centre, layout.num_joints) == (GRAPHS[name]["center"], GRAPHS[name]["num_node"])


def test_the_partition_of_coco_equals_mmaction2():
    buffers = read_golden("mm_stgcn", GOLDEN).arrays

    ours = partition_matrices(LAYOUTS["coco-17"], "spatial").astype(np.float32)

    for block in range(10):
        assert np.array_equal(ours, buffers[f"buffer_backbone.gcn.{block}.gcn.A"])


@pytest.mark.parametrize(
    ("layout", "golden", "block"),
    [
        ("coco-17", "pyskl_aagcn_coco", "backbone.A"),
        ("ntu-25", "directed_graphs", "ntu_rgb_d"),
        ("openpose-18", "directed_graphs", "kinetics"),
    ],
)
def test_the_directed_partition_equals_the_official_codes(layout, golden, block):
    arrays = np.load(GOLDEN / f"{golden}.npz")

    ours = partition_matrices(LAYOUTS[layout], "directed").astype(np.float32)

    assert np.array_equal(ours, arrays[f"buffer_{block}"])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_directed_edges_run_to_the_centre_and_from_it(layout):
    layout = LAYOUTS[layout]
    own, inward, outward = partition_matrices(layout, "directed")

    assert np.array_equal(own, np.eye(layout.num_joints))
    assert np.array_equal(inward > 0, outward.T > 0)
    assert {frozenset(edge) for edge in np.argwhere(inward)} == set(map(frozenset, layout.edges))
    assert not inward[:, layout.centre].any()  # the centre has no parent
    sums = {*inward.sum(axis=0).round(9), *outward.sum(axis=0).round(9)}
    assert sums == {0.0, 1.0}
    with pytest.raises(ZoopraxisError, match="'directed' of 2 hops"):
        partition_matrices(layout, "directed", max_hop=2)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=list(LAYOUTS))
def test_a_layout_is_one_body_with_two_sides(layout):
    assert layout.num_joints == int(layout.name.rsplit("-", 1)[1])
    assert len(set(layout.joints)) == layout.num_joints
    assert len({frozenset(edge) for edge in layout.edges}) == len(layout.edges)
    assert np.isfinite(hop_distances(layout, max_hop=layout.num_joints)).all()
    mirrored = layout.mirrored
    assert [mirrored[joint] for joint in mirrored] == list(range(layout.num_joints))
    assert 2 * len(layout.pairs) == sum(
        name.startswith(("left", "right")) for name in layout.joints
    )
    # edges of the left side are edges of the right side
    edges = {frozenset(edge) for edge in layout.edges}
    assert {frozenset(mirrored[joint] for joint in edge) for edge in edges} == edges


@pytest.mark.parametrize("strategy", ["uniform", "distance", "spatial"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_joint_averages_its_neighbours(layout, strategy):
    total = partition_matrices(LAYOUTS[layout], strategy, max_hop=2).sum(axis=0)

    np.testing.assert_allclose(total.sum(axis=0), 1.0)


def test_other_names_are_refused():
    with pytest.raises(ZoopraxisError, match="unknown layout of skeletons 'openpose'") as caught:
        skeleton_layout("openpose")
    assert "openpose-18" in caught.value.hint
    assert skeleton_layout("coco-17") is LAYOUTS["coco-17"]
    with pytest.raises(ZoopraxisError, match="no partition 'random' of 1 hops"):
        partition_matrices(LAYOUTS["coco-17"], "random")
    with pytest.raises(ZoopraxisError, match="of 0 hops"):
        partition_matrices(LAYOUTS["coco-17"], "spatial", max_hop=0)
