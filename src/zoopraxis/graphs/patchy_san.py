"""PATCHY-SAN: Learning Convolutional Neural Networks for Graphs.

Niepert, Ahmed and Kutzkov, ICML 2016. arXiv:1605.05273
The authors' code is not published; we follow the paper.

An image is read by a filter that visits pixels in order and finds each pixel's neighbours in their
places. A graph has neither order nor places, so both are made: w nodes are selected in the order of
a labelling (betweenness centrality, Algorithm 1); around each, nodes are gathered until there are k
(Algorithm 3); these are put in order, nearer ones first, then by the labelling, and by a canonical
labelling of their subgraph where that leaves ties (Algorithm 4). The fields, w rows of k nodes, are
the input of a one-dimensional convolution whose kernel and stride are k; edges go through a second
one, of kernel and stride k * k.

Section 4 asks for the canonical labelling of nauty; ours is `zoopraxis.graphs.canonical`. Where
more than k nodes are gathered, nodes that colour refinement cannot tell apart are exchangeable, and
the first of them is kept.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zoopraxis.errors import DataError
from zoopraxis.graphs.canonical import canonical_order, refine_colours, single_out
from zoopraxis.graphs.graph_sets import LabelledGraph

__all__ = ["FieldSettings", "PatchySan", "receptive_fields", "stack_fields"]


@dataclass(frozen=True, kw_only=True)
class FieldSettings:
    """How receptive fields are made.

    Parameters
    ----------
    width : int
        w: fields of a graph; the paper takes the mean number of nodes. A graph with fewer nodes has
        empty fields at the end, one with more leaves out its last nodes.
    size : int, default=10
        k: nodes of a field.
    labelling : {"betweenness", "degree"}, default="betweenness"
        Which nodes come first: those of the higher centrality.
    """

    width: int
    size: int = 10
    labelling: Literal["betweenness", "degree"] = "betweenness"

    def __post_init__(self) -> None:
        if self.width < 1 or not 1 <= self.size <= 12:
            raise DataError(
                f"{self.width} fields of {self.size} nodes cannot be made",
                "give at least 1 field, of 1 to 12 nodes: each is ordered canonically",
            )


def receptive_fields(graph: LabelledGraph, settings: FieldSettings) -> NDArray[np.int64]:
    """Select nodes in order, and put their neighbours in order.

    Parameters
    ----------
    graph : LabelledGraph
        N nodes.
    settings : FieldSettings
        How many fields, of how many nodes.

    Returns
    -------
    int64 ndarray of shape (w, k)
        Numbers of nodes, the root of a field first; -1 where there is none.
    """
    fields = np.full((settings.width, settings.size), -1, np.int64)
    if not len(graph.nodes):
        return fields
    first = -_centrality(graph, settings.labelling)  # lower comes first
    # nodes of one centrality differ in their labels and in what is around them
    colours = np.unique(np.column_stack([first, graph.nodes]), axis=0, return_inverse=True)[1]
    ranks = refine_colours(graph.edges, colours.reshape(-1).astype(np.int64))
    for row, root in enumerate(np.argsort(ranks, kind="stable")[: settings.width]):
        field = _field(graph.edges, ranks, int(root), settings.size)
        fields[row, : len(field)] = field
    return fields


def _centrality(graph: LabelledGraph, labelling: str) -> NDArray[np.float64]:
    """Centrality of each node, rounded: equal ones are equal whatever the order of summation."""
    import networkx as nx  # loading it takes a third of a second

    net = nx.from_numpy_array(graph.edges > 0)
    values = nx.betweenness_centrality(net) if labelling == "betweenness" else dict(net.degree())
    return np.round([float(values[node]) for node in range(len(graph.nodes))], 9)


def _field(
    edges: NDArray[np.int64], ranks: NDArray[np.int64], root: int, size: int
) -> NDArray[np.int64]:
    """Nodes of one field in canonical order, the root first."""
    distances = _distances(edges, root, size)
    around = np.flatnonzero(distances >= 0)
    subgraph = edges[np.ix_(around, around)]  # (M, M)
    # nearer first, then by the rank in the whole graph
    colours = distances[around] * len(edges) + ranks[around]
    colours = refine_colours(subgraph, colours)
    while (straddling := _straddling(colours, size)) is not None:
        colours = single_out(subgraph, colours, straddling)
    kept = np.argsort(colours, kind="stable")[:size]
    subgraph = subgraph[np.ix_(kept, kept)]  # (k, k)
    nodes: NDArray[np.int64] = around[kept[canonical_order(subgraph, colours[kept])]]
    return nodes


def _distances(edges: NDArray[np.int64], root: int, size: int) -> NDArray[np.int64]:
    """Distance of each node from the root, -1 beyond the ring in which `size` nodes are reached."""
    distances = np.full(len(edges), -1, np.int64)
    distances[root] = 0
    ring = np.array([root])
    while len(ring) and (distances >= 0).sum() < size:
        reached = (edges[ring] > 0).any(axis=0) & (distances < 0)
        distances[reached] = distances[ring[0]] + 1
        ring = np.flatnonzero(reached)
    return distances


def _straddling(colours: NDArray[np.int64], size: int) -> int | None:
    """A node whose colour is on both sides of the cut after `size` nodes; None if there is none."""
    order = np.argsort(colours, kind="stable")
    if len(order) <= size or colours[order[size - 1]] != colours[order[size]]:
        return None
    return int(np.flatnonzero(colours == colours[order[size]])[0])


def stack_fields(
    graphs: tuple[LabelledGraph, ...],
    settings: FieldSettings,
    *,
    num_node_labels: int,
    num_edge_labels: int,
) -> tuple[Tensor, Tensor]:
    """Gather the labels of the receptive fields of graphs, one-hot.

    Parameters
    ----------
    graphs : tuple of LabelledGraph
        N graphs.
    settings : FieldSettings
        How fields are made: w fields of k nodes.
    num_node_labels, num_edge_labels : int
        A and E.

    Returns
    -------
    nodes : Tensor of shape (N, A, w * k)
        Labels of the nodes of each field, node by node; zeros where there is no node.
    edges : Tensor of shape (N, E, w * k * k)
        Labels of the edges within each field, row by row of its matrix.
    """
    w, k = settings.width, settings.size
    nodes = torch.zeros(len(graphs), num_node_labels, w * k)
    edges = torch.zeros(len(graphs), num_edge_labels, w * k * k)
    for number, graph in enumerate(graphs):
        if not len(graph.nodes):
            continue
        fields = receptive_fields(graph, settings)  # (w, k)
        there = fields.reshape(-1) >= 0
        labels = graph.nodes[fields.reshape(-1)[there]]
        nodes[number, torch.from_numpy(labels), torch.from_numpy(np.flatnonzero(there))] = 1.0
        within = graph.edges[fields[:, :, None], fields[:, None, :]]  # (w, k, k)
        within[(fields[:, :, None] < 0) | (fields[:, None, :] < 0)] = 0
        places = np.flatnonzero(within)
        labels = within.reshape(-1)[places] - 1
        edges[number, torch.from_numpy(labels), torch.from_numpy(places)] = 1.0
    return nodes, edges


class PatchySan(nn.Module):
    """Two convolutions, a hidden layer and a linear classifier (section 5.3).

    Parameters
    ----------
    settings : FieldSettings
        w fields of k nodes.
    num_node_labels, num_edge_labels : int
        A and E; without edges (E = 0) the second branch is left out.
    num_classes : int
        K.
    channels : tuple of int, default=(16, 8)
        Output channels of the convolutions.
    hidden : int, default=128
        Units of the hidden layer.
    kernel : int, default=10
        Fields that the second convolution sees at once.
    dropout : float, default=0.5
        Before the classifier.
    """

    def __init__(
        self,
        settings: FieldSettings,
        *,
        num_node_labels: int,
        num_edge_labels: int,
        num_classes: int,
        channels: tuple[int, int] = (16, 8),
        hidden: int = 128,
        kernel: int = 10,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        k = settings.size
        self.nodes = nn.Conv1d(num_node_labels, channels[0], k, stride=k)
        self.edges = (
            nn.Conv1d(num_edge_labels, channels[0], k * k, stride=k * k)
            if num_edge_labels
            else None
        )
        merged = channels[0] * (1 if self.edges is None else 2)
        kernel = min(kernel, settings.width)
        self.conv = nn.Conv1d(merged, channels[1], kernel)
        self.hidden = nn.Linear(channels[1] * (settings.width - kernel + 1), hidden)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden, num_classes)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        """Map nodes (N, A, w * k) and edges (N, E, w * k * k) to logits (N, K)."""
        x = self.nodes(nodes)  # (N, C, w)
        if self.edges is not None:
            x = torch.cat([x, self.edges(edges)], dim=1)  # (N, 2C, w)
        x = self.conv(x.relu()).relu()  # (N, C', w - kernel + 1)
        x = self.hidden(x.flatten(1)).relu()  # (N, hidden)
        out: Tensor = self.classifier(self.dropout(x))
        return out  # (N, K)
