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
from numpy.typing import NDArray

from zoopraxis.errors import DataError
from zoopraxis.matlab import read_matlab

__all__ = ["GraphSet", "LabelledGraph", "read_graph_set"]

WHOLE = "give the file whole"


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
    content = read_matlab(path)
    name = next((name for name in content if f"l{name.lower()}" in content), "")
    entries, classes = content.get(name), content.get(f"l{name.lower()}")
    if not isinstance(entries, tuple) or not isinstance(classes, np.ndarray) or not classes.size:
        raise DataError(
            f"{path} has {', '.join(content) or 'nothing'}; expected a struct array of graphs and "
            "the vector of their classes",
            "the files of graph kernels have `MUTAG` and `lmutag`",
        )
    classes = classes.reshape(-1)
    if len(entries) < len(classes):
        raise DataError(f"{path} has {len(entries)} graphs and {len(classes)} classes", WHOLE)
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
    fields = entry if isinstance(entry, dict) else {}
    adjacency = fields.get("am")
    if not isinstance(adjacency, np.ndarray) or adjacency.ndim != 2:
        raise DataError(f"graph {number} of {path} has no adjacency matrix `am`", WHOLE)
    adjacency = adjacency != 0  # (N, N)
    size = len(adjacency)
    if adjacency.shape != (size, size) or not np.array_equal(adjacency, adjacency.T):
        raise DataError(
            f"graph {number} of {path} has an adjacency matrix of shape {adjacency.shape} that is "
            "not square and symmetric",
            "edges of these graphs have no direction",
        )
    np.fill_diagonal(adjacency, val=False)  # no edge joins a node to itself
    nodes = _values(fields.get("nl"))
    if nodes is None:
        nodes = np.zeros(size, np.int64)
    if nodes.size != size:
        raise DataError(
            f"graph {number} of {path} has {size} nodes and labels of {nodes.size}", WHOLE
        )
    edges, rows = adjacency.astype(np.int64), _values(fields.get("el"))
    if rows is not None and edges.any():
        edges = np.zeros_like(edges)
        if rows.ndim == 2 and rows.shape[1] == 3 and rows.min() >= 0:
            a, b = rows[:, 0] - 1, rows[:, 1] - 1  # nodes count from 1
            inside = (a >= 0) & (b >= 0) & (a < size) & (b < size)
            edges[a[inside], b[inside]] = edges[b[inside], a[inside]] = rows[inside, 2] + 1
        if not np.array_equal(edges > 0, adjacency):
            raise DataError(
                f"graph {number} of {path} has labels of other edges than it has", WHOLE
            )
    return LabelledGraph(nodes.reshape(-1), edges)


def _values(field: Any) -> NDArray[np.int64] | None:
    """Labels of nodes or edges, the field `values` of a struct; None where there are none."""
    values = field[0].get("values") if isinstance(field, tuple) and field else None
    if not isinstance(values, np.ndarray) or not values.size:
        return None
    return np.nan_to_num(values).clip(-1, 2**31).astype(np.int64)  # of a damaged number
