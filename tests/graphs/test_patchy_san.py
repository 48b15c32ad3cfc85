"""Receptive fields, their labels, and a network that learns from them."""

import networkx as nx
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from zoopraxis.errors import DataError
from zoopraxis.graphs import (
    FieldSettings,
    LabelledGraph,
    PatchySan,
    receptive_fields,
    stack_fields,
)


def graph_of(net, nodes=None):
    """A graph whose nodes have labels, all 0 by default."""
    edges = nx.to_numpy_array(net, dtype=np.int64)
    return LabelledGraph(np.zeros(len(edges), np.int64) if nodes is None else nodes, edges)


def renumbered(graph, rng):
    order = rng.permutation(len(graph.nodes))
    return LabelledGraph(graph.nodes[order], graph.edges[order][:, order])


def test_fields_of_a_path():
    # 0 - 1 - 2 - 3 - 4: the middle has the highest betweenness, the ends the lowest
    fields = receptive_fields(graph_of(nx.path_graph(5)), FieldSettings(width=6, size=3))
    assert fields[:, 0].tolist()[:1] == [2]
    assert set(fields[0].tolist()) == {1, 2, 3}
    assert sorted(fields[1:3, 0].tolist()) == [1, 3]
    assert sorted(fields[3:5, 0].tolist()) == [0, 4]
    assert sorted(fields[fields[:, 0].tolist().index(0)].tolist()) == [0, 1, 2]
    assert fields[5].tolist() == [-1, -1, -1]  # no sixth node


def test_a_field_holds_nearer_nodes_first():
    fields = receptive_fields(graph_of(nx.star_graph(6)), FieldSettings(width=7, size=4))
    hub = fields[:, 0].tolist().index(0)
    assert hub == 0
    for row in fields[1:]:
        assert row[1] == 0  # a leaf, the hub, then other leaves
        assert len(set(row.tolist())) == 4


def test_a_small_component_leaves_places_empty():
    net = nx.disjoint_union(nx.path_graph(2), nx.complete_graph(4))
    fields = receptive_fields(graph_of(net), FieldSettings(width=6, size=3))
    pair = [row for row in fields.tolist() if row[0] in (0, 1)]
    assert [row[2] for row in pair] == [-1, -1]


@pytest.mark.parametrize("labelling", ["betweenness", "degree"])
def test_inputs_do_not_depend_on_the_numbers_of_nodes(labelling):
    rng = np.random.default_rng(0)
    settings = FieldSettings(width=12, size=6, labelling=labelling)
    for _ in range(20):
        net = nx.gnp_random_graph(14, 0.25, seed=int(rng.integers(2**31)))
        graph = graph_of(net, rng.integers(0, 3, 14))
        expected = stack_fields((graph,), settings, num_node_labels=3, num_edge_labels=1)
        got = stack_fields(
            (renumbered(graph, rng),), settings, num_node_labels=3, num_edge_labels=1
        )
        assert all(map(torch.equal, got, expected))


def test_labels_stand_at_their_places():
    graph = LabelledGraph(np.array([1, 0]), np.array([[0, 2], [2, 0]]))
    settings = FieldSettings(width=2, size=3)
    nodes, edges = stack_fields((graph,), settings, num_node_labels=2, num_edge_labels=2)
    fields = receptive_fields(graph, settings)
    assert nodes.shape == (1, 2, 6)
    assert edges.shape == (1, 2, 18)
    for place, node in enumerate(fields.reshape(-1)):
        expected = [0.0, 0.0] if node < 0 else F.one_hot(torch.tensor(graph.nodes[node]), 2)
        assert torch.equal(nodes[0, :, place], torch.as_tensor(expected).float())
    assert edges[0, 0].sum() == 0  # no edge has the first label
    assert edges[0, 1].reshape(2, 3, 3).tolist() == 2 * [[[0, 1, 0], [1, 0, 0], [0, 0, 0]]]


def test_an_empty_graph_has_empty_fields():
    graph = LabelledGraph(np.zeros(0, np.int64), np.zeros((0, 0), np.int64))
    settings = FieldSettings(width=2, size=3)
    nodes, edges = stack_fields((graph,), settings, num_node_labels=1, num_edge_labels=1)
    assert nodes.sum() == edges.sum() == 0
    model = PatchySan(settings, num_node_labels=1, num_edge_labels=1, num_classes=2)
    assert torch.isfinite(model(nodes, edges)).all()


@pytest.mark.parametrize(("width", "size"), [(0, 3), (3, 0), (3, 13)])
def test_sizes_that_cannot_be_are_refused(width, size):
    with pytest.raises(DataError, match="cannot be made"):
        FieldSettings(width=width, size=size)


def test_it_learns_cycles_from_trees():
    rng = np.random.default_rng(0)
    nets = [
        net
        for _ in range(20)
        for net in (nx.cycle_graph(int(rng.integers(6, 12))), tree(int(rng.integers(6, 12)), rng))
    ]
    graphs = tuple(graph_of(net) for net in nets)
    settings = FieldSettings(width=8, size=5)
    nodes, edges = stack_fields(graphs, settings, num_node_labels=1, num_edge_labels=1)
    classes = torch.arange(len(graphs)) % 2
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = PatchySan(settings, num_node_labels=1, num_edge_labels=1, num_classes=2)
        optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
        for _ in range(60):
            optimiser.zero_grad()
            F.cross_entropy(model(nodes[:30], edges[:30]), classes[:30]).backward()
            optimiser.step()
    model.eval()
    held_out = model(nodes[30:], edges[30:]).argmax(dim=1) == classes[30:]
    assert held_out.float().mean() >= 0.9


def tree(size, rng):
    return nx.from_edgelist([(node, int(rng.integers(node))) for node in range(1, size)])
