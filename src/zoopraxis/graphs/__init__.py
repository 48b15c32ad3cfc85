"""Convolution on graphs: GCN on the nodes of one, PATCHY-SAN on sets of them, and their data."""

from zoopraxis.graphs.adjacency import (
    add_self_loops,
    chebyshev,
    combinatorial_laplacian,
    first_order_chebyshev,
    renormalise,
    row_normalise,
    symmetric_laplacian,
    symmetric_normalise,
)
from zoopraxis.graphs.gcn import GCN, GraphConvolution
from zoopraxis.graphs.graph_sets import GraphSet, LabelledGraph, read_graph_set
from zoopraxis.graphs.patchy_san import FieldSettings, PatchySan, receptive_fields, stack_fields
from zoopraxis.graphs.planetoid import CitationGraph, read_planetoid
from zoopraxis.graphs.train import Protocol, Trained, train_gcn

__all__ = [
    "GCN",
    "CitationGraph",
    "FieldSettings",
    "GraphConvolution",
    "GraphSet",
    "LabelledGraph",
    "PatchySan",
    "Protocol",
    "Trained",
    "add_self_loops",
    "chebyshev",
    "combinatorial_laplacian",
    "first_order_chebyshev",
    "read_graph_set",
    "read_planetoid",
    "receptive_fields",
    "renormalise",
    "row_normalise",
    "stack_fields",
    "symmetric_laplacian",
    "symmetric_normalise",
    "train_gcn",
]
