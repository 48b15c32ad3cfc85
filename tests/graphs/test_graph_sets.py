"""Sets of graphs are read from MATLAB files; damaged ones are refused by name."""

import numpy as np
import pytest
import scipy.io

from damage import CAMPAIGN, Counts, damaged
from zoopraxis.errors import DataError
from zoopraxis.graphs import read_graph_set

TRIANGLE = np.ones((3, 3)) - np.eye(3)
PAIR = np.array([[0, 1], [1, 0]])


def entry(adjacency, nodes, edges):
    """A graph as the files have it."""
    return {
        "am": adjacency,
        "nl": {"values": np.array(nodes)[:, None]},
        "el": {"values": np.array(edges)},
    }


def written(path, entries, classes, name="TOY"):
    """Write a struct array and its classes."""
    graphs = np.empty((1, len(entries)), object)
    graphs[0] = entries
    dtype = [(field, object) for field in entries[0]]
    array = np.array([[tuple(graph[field] for field in entries[0]) for graph in entries]], dtype)
    scipy.io.savemat(path, {name: array, f"l{name.lower()}": np.array(classes)[:, None]})
    return path


GRAPHS = [
    entry(TRIANGLE, [6, 6, 8], [[1, 2, 10], [2, 3, 10], [1, 3, 20]]),
    entry(PAIR, [8, 7], [[1, 2, 20], [2, 1, 20]]),
]


def test_labels_and_classes_are_renumbered(tmp_path):
    graphs = read_graph_set(written(tmp_path / "toy.mat", GRAPHS, [-1, 1]))
    assert graphs.classes.tolist() == [0, 1]
    assert graphs.graphs[0].nodes.tolist() == [0, 0, 2]
    assert graphs.graphs[0].edges.tolist() == [[0, 1, 2], [1, 0, 1], [2, 1, 0]]
    assert graphs.graphs[1].edges.tolist() == [[0, 2], [2, 0]]
    assert (graphs.num_node_labels, graphs.num_edge_labels, graphs.num_classes) == (3, 2, 2)


def test_graphs_beyond_the_classes_are_left_out(tmp_path):
    assert len(read_graph_set(written(tmp_path / "toy.mat", GRAPHS, [1])).graphs) == 1


def test_graphs_without_labels_have_one(tmp_path):
    graphs = read_graph_set(written(tmp_path / "toy.mat", [{"am": TRIANGLE}, {"am": PAIR}], [1, 2]))
    assert graphs.graphs[0].nodes.tolist() == [0, 0, 0]
    assert graphs.graphs[0].edges.tolist() == TRIANGLE.tolist()
    assert (graphs.num_node_labels, graphs.num_edge_labels) == (1, 1)


@pytest.mark.parametrize(
    ("graph", "problem"),
    [
        (entry(np.ones((2, 3)), [1, 2], [[1, 2, 1]]), "not square"),
        (entry(np.array([[0, 1], [0, 0]]), [1, 2], [[1, 2, 1]]), "symmetric"),
        (entry(PAIR, [1, 2, 3], [[1, 2, 1]]), "labels of 3"),
        (entry(PAIR, [1, 2], [[1, 9, 1]]), "other edges"),
        (entry(TRIANGLE, [1, 2, 3], [[1, 2, 1]]), "other edges"),
    ],
)
def test_a_graph_that_is_none_is_refused(tmp_path, graph, problem):
    path = written(tmp_path / "toy.mat", [graph], [1])
    with pytest.raises(DataError, match=problem) as caught:
        read_graph_set(path)
    assert "graph 0" in caught.value.problem
    assert "toy.mat" in caught.value.problem


def test_other_files_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"missing\.mat"):
        read_graph_set(tmp_path / "missing.mat")
    (tmp_path / "text.mat").write_text("no graphs here")
    with pytest.raises(DataError, match=r"text\.mat"):
        read_graph_set(tmp_path / "text.mat")
    scipy.io.savemat(tmp_path / "other.mat", {"x": np.ones(3)})
    with pytest.raises(DataError, match="struct array"):
        read_graph_set(tmp_path / "other.mat")
    whole = written(tmp_path / "toy.mat", GRAPHS, [1, 2]).read_bytes()
    for size in (10, 130, 200, len(whole) // 2, len(whole) - 3):
        (tmp_path / "cut.mat").write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"cut\.mat"):
            read_graph_set(tmp_path / "cut.mat")


@pytest.mark.parametrize("times", [120, pytest.param(6000, marks=pytest.mark.slow)])
def test_a_damaged_file_is_refused_or_read(tmp_path, record_property, times):
    counts = Counts()
    path = written(tmp_path / "toy.mat", GRAPHS, [1, 2])
    for data in damaged(path.read_bytes(), times):
        path.write_bytes(data)
        try:
            read_graph_set(path)
            counts.read += 1
        except DataError as error:
            counts.refusal(error, path.name)
    record_property(CAMPAIGN, f"sets of graphs: {counts}")
    assert counts.refused > times // 10
