"""Sets of labelled graphs, such as MUTAG and PTC, read from the MATLAB files of graph kernels.

The files are those of Shervashidze et al., Weisfeiler-Lehman graph kernels, JMLR 2011: a struct
array with a graph in each entry (`am` its adjacency matrix, `nl.values` the labels of its nodes,
`el.values` the labels of its edges as rows of two nodes, counted from 1, and a label), and a vector
whose name is `l` and the set's, with the class of each graph.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

from zoopraxis.errors import DataError

__all__ = ["GraphSet", "LabelledGraph", "read_graph_set"]


@dataclass(frozen=True, eq=False)
class LabelledGraph:
    """A graph of N nodes whose nodes and edges have labels.

    Attributes
    ----------
    nodes : int64 ndarray of shape (N,)
        Label of each node, from 0.
    edges : int64 ndarray of shape (N, N)
        Symmetric; label of each edge, from 1, and 0 where there is none.
    """

    nodes: NDArray[np.int64]
    edges: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class GraphSet:
    """Graphs and their classes.

    Attributes
    ----------
    graphs : tuple of LabelledGraph
        N graphs.
    classes : int64 ndarray of shape (N,)
        Class of each graph, from 0.
    num_node_labels, num_edge_labels, num_classes : int
        How many different ones there are.
    """

    graphs: tuple[LabelledGraph, ...]
    classes: NDArray[np.int64]
    num_node_labels: int
    num_edge_labels: int
    num_classes: int


def read_graph_set(path: str | Path) -> GraphSet:
    """Read a set of graphs from a MATLAB file.

    Graphs beyond the number of classes are left out: the file of PTC has others after its 344.

    Parameters
    ----------
    path : str or Path
        File with a struct array of graphs and a vector of classes.

    Returns
    -------
    GraphSet
        Labels and classes are renumbered in their numeric order. Without `el`, all edges have one
        label.

    Raises
    ------
    DataError
        The file is missing or damaged, or a graph in it is not one.
    """
    try:
        content = scipy.io.loadmat(path)
    except (OSError, ValueError, TypeError, NotImplementedError, scipy.io.matlab.MatReadError) as e:
        raise DataError(f"{path} is not a MATLAB file: {e}", "give a .mat file of graphs") from e
    structs = {n: v for n, v in content.items() if getattr(v, "dtype", np.dtype(int)).names}
    name = next((name for name in structs if f"l{name.lower()}" in content), None)
    if name is None or "am" not in structs[name].dtype.names:
        raise DataError(
            f"{path} has {', '.join(n for n in content if n[:2] != '__') or 'nothing'}; expected a "
            "struct array of graphs and the vector of their classes",
            "the files of graph kernels have `MUTAG` and `lmutag`",
        )
    classes = content[f"l{name.lower()}"].reshape(-1)
    entries = structs[name].reshape(-1)
    if len(entries) < len(classes):
        raise DataError(
            f"{path} has {len(entries)} graphs and {len(classes)} classes",
            "give the file whole",
        )
    raw = [_graph(path, number, entry) for number, entry in enumerate(entries[: len(classes)])]
    node_labels = np.unique(np.concatenate([graph.nodes for graph in raw]))
    edge_labels = np.unique(np.concatenate([graph.edges[graph.edges > 0] for graph in raw]))
    labels, indices = np.unique(classes, return_inverse=True)
    return GraphSet(
        tuple(
            LabelledGraph(
                np.searchsorted(node_labels, graph.nodes),
                np.where(graph.edges > 0, np.searchsorted(edge_labels, graph.edges) + 1, 0),
            )
            for graph in raw
        ),
        indices.astype(np.int64),
        len(node_labels),
        len(edge_labels),
        len(labels),
    )


def _graph(path: str | Path, number: int, entry: Any) -> LabelledGraph:
    """One graph, with the file's own labels plus 1 on its edges."""
    adjacency = np.asarray(entry["am"]) != 0  # (N, N)
    size = len(adjacency)
    if adjacency.shape != (size, size) or not np.array_equal(adjacency, adjacency.T):
        raise DataError(
            f"graph {number} of {path} has an adjacency matrix of shape {adjacency.shape} that is "
            "not square and symmetric",
            "edges of these graphs have no direction",
        )
    np.fill_diagonal(adjacency, val=False)  # no edge joins a node to itself
    nodes = np.zeros(size, np.int64)
    if "nl" in entry.dtype.names and entry["nl"].dtype.names:
        nodes = np.asarray(entry["nl"]["values"][0, 0], np.int64).reshape(-1)
    edges = adjacency.astype(np.int64)
    if "el" in entry.dtype.names and entry["el"].dtype.names and edges.any():
        rows = np.asarray(entry["el"]["values"][0, 0], np.int64).reshape(-1, 3)
        inside = ((rows[:, :2] >= 1) & (rows[:, :2] <= size)).all() and (rows[:, 2] >= 0).all()
        edges = np.zeros_like(edges)
        if inside:
            a, b = rows[:, 0] - 1, rows[:, 1] - 1
            edges[a, b] = edges[b, a] = rows[:, 2] + 1
        if not inside or not np.array_equal(edges > 0, adjacency):
            raise DataError(
                f"graph {number} of {path} has labels of other edges than it has",
                "give the file whole",
            )
    if nodes.shape != (size,):
        raise DataError(
            f"graph {number} of {path} has {size} nodes and labels of {len(nodes)}",
            "give the file whole",
        )
    return LabelledGraph(nodes, edges)
