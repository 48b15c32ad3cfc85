"""Canonical orders: the same matrix for isomorphic graphs, different ones for others."""

import networkx as nx
import numpy as np
import pytest

from zoopraxis.graphs.canonical import canonical_order, refine_colours

REGULAR = {
    "complete": nx.complete_graph(10),
    "without edges": nx.empty_graph(10),
    "cycle": nx.cycle_graph(10),
    "Petersen": nx.petersen_graph(),
    "cube": nx.hypercube_graph(3),
    "complete bipartite": nx.complete_bipartite_graph(5, 5),
    "two cycles": nx.disjoint_union(nx.cycle_graph(5), nx.cycle_graph(5)),
    "prism": nx.circular_ladder_graph(5),
}


def form(edges, colours):
    """Canonical matrix and colours."""
    order = canonical_order(edges, colours)
    assert sorted(order) == list(range(len(edges)))
    assert (np.diff(colours[order]) >= 0).all()
    return edges[order][:, order].tolist(), colours[order].tolist()


def labelled(net, rng, *, edge_labels=1, colours=1):
    """Matrix of a graph with drawn labels of edges and colours of nodes."""
    upper = np.triu(nx.to_numpy_array(net) > 0) * rng.integers(1, edge_labels + 1, (len(net),) * 2)
    return (upper + upper.T).astype(np.int64), rng.integers(0, colours, len(net))


def renumbered(edges, colours, rng):
    """The same graph with its nodes in another order."""
    order = rng.permutation(len(edges))
    return edges[order][:, order], colours[order]


@pytest.mark.parametrize("name", REGULAR)
def test_the_form_of_a_regular_graph_does_not_depend_on_its_numbers(name):
    rng = np.random.default_rng(0)
    edges, colours = labelled(REGULAR[name], rng)
    expected = form(edges, colours)
    for _ in range(5):
        assert form(*renumbered(edges, colours, rng)) == expected


def test_regular_graphs_that_refinement_confuses_have_different_forms():
    rng = np.random.default_rng(0)
    cycle, pair = (labelled(REGULAR[name], rng) for name in ("cycle", "two cycles"))
    assert (refine_colours(*cycle) == 0).all()
    assert (refine_colours(*pair) == 0).all()
    assert form(*cycle) != form(*pair)


def test_forms_are_equal_exactly_for_isomorphic_graphs():
    rng = np.random.default_rng(0)
    equal = 0
    for _ in range(300):  # four to six nodes: many of the pairs are isomorphic
        size = int(rng.integers(4, 7))
        first, second = (
            labelled(nx.gnm_random_graph(size, size, seed=int(rng.integers(2**31))), rng, colours=2)
            for _ in range(2)
        )
        isomorphic = nx.is_isomorphic(*map(net_of, (first, second)), node_match=same_colour)
        assert (form(*first) == form(*second)) == isomorphic
        equal += isomorphic
    assert 5 < equal < 295


def net_of(graph):
    """A graph as networkx has it, with its colours."""
    edges, colours = graph
    net = nx.from_numpy_array(edges)
    nx.set_node_attributes(net, dict(enumerate(colours.tolist())), "colour")
    return net


def same_colour(first, second):
    return first["colour"] == second["colour"]


def test_random_graphs_with_labels_have_one_form():
    rng = np.random.default_rng(0)
    for _ in range(50):
        net = nx.gnp_random_graph(10, 0.4, seed=int(rng.integers(2**31)))
        edges, colours = labelled(net, rng, edge_labels=3, colours=2)
        assert form(*renumbered(edges, colours, rng)) == form(edges, colours)


def test_the_label_of_an_edge_tells_graphs_apart():
    path = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    other = np.array([[0, 2, 0], [2, 0, 1], [0, 1, 0]])
    colours = np.zeros(3, np.int64)
    assert form(path, colours) != form(other, colours)


def test_refinement_keeps_the_order_of_colours():
    path = np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]])
    assert refine_colours(path, np.array([0, 0, 0, 1])).tolist() == [0, 1, 2, 3]
    assert refine_colours(path, np.array([5, 5, 5, 5])).tolist() == [0, 1, 1, 0]


def test_no_nodes_have_an_empty_order():
    assert canonical_order(np.zeros((0, 0), np.int64), np.zeros(0, np.int64)).tolist() == []
