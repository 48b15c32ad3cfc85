"""Graph convolution: normalised adjacencies, the GCN of Kipf and Welling, citation graphs."""

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
from zoopraxis.graphs.planetoid import CitationGraph, read_planetoid
from zoopraxis.graphs.train import Protocol, Trained, train_gcn

__all__ = [
    "GCN",
    "CitationGraph",
    "GraphConvolution",
    "Protocol",
    "Trained",
    "add_self_loops",
    "chebyshev",
    "combinatorial_laplacian",
    "first_order_chebyshev",
    "read_planetoid",
    "renormalise",
    "row_normalise",
    "symmetric_laplacian",
    "symmetric_normalise",
    "train_gcn",
]
