"""Canonical order of the nodes of small coloured graphs: the same for isomorphic ones.

Colour refinement (the one-dimensional Weisfeiler-Lehman algorithm) tells nodes apart by the colours
of their neighbours. Where it leaves nodes of one colour, each of them is singled out in turn and
the colours are refined again (McKay and Piperno, Practical graph isomorphism, II, 2014,
arXiv:1301.1493); of all orders that result, the one with the smallest matrix is canonical. The
search is exponential for some regular graphs, so it is for graphs of a dozen nodes.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["canonical_order", "refine_colours", "single_out"]

Matrix = NDArray[np.int64]
Colours = NDArray[np.int64]


def refine_colours(edges: Matrix, colours: Colours) -> Colours:
    """Split colours by the colours of the neighbours until nothing splits.

    Parameters
    ----------
    edges : int64 ndarray of shape (N, N)
        Symmetric; an edge's label, at least 1, or 0 where there is none.
    colours : int64 ndarray of shape (N,)
        Any integers; nodes of a lower colour keep a lower colour.

    Returns
    -------
    int64 ndarray of shape (N,)
        Ranks from 0 without gaps. Renumbering the nodes renumbers these and changes nothing else.
    """
    ranks = _ranks(colours[:, None])
    while len(ranks):
        # each neighbour as one number that holds the edge's label and the neighbour's colour
        seen = np.where(edges > 0, edges * len(ranks) + ranks, -1)  # (N, N)
        refined = _ranks(np.column_stack([ranks, np.sort(seen, axis=1)]))
        if refined.max() == ranks.max():
            break
        ranks = refined
    return ranks


def _ranks(rows: Matrix) -> Colours:
    """Rank of each row among the different ones, in lexicographic order."""
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def single_out(edges: Matrix, ranks: Colours, node: int) -> Colours:
    """Give one node a colour of its own, just below the others of its colour, and refine."""
    colours = 2 * ranks
    colours[node] -= 1
    return refine_colours(edges, colours)


def canonical_order(edges: Matrix, colours: Colours) -> NDArray[np.int64]:
    """Order the nodes of a graph so that isomorphic graphs get the same matrix.

    Parameters
    ----------
    edges : int64 ndarray of shape (N, N)
        Symmetric; an edge's label, at least 1, or 0 where there is none. A dozen nodes at most.
    colours : int64 ndarray of shape (N,)
        The order keeps nodes of a lower colour first.

    Returns
    -------
    int64 ndarray of shape (N,)
        Nodes in order: ``edges[order][:, order]`` is the same for graphs that differ in the numbers
        of their nodes.
    """
    ranks = refine_colours(edges, colours)
    return np.argsort(_smallest(edges, ranks)[1])


def _smallest(edges: Matrix, ranks: Colours) -> tuple[bytes, Colours]:
    """Smallest matrix among the leaves of the search, and the ranks that give it."""
    cell = _first_shared(ranks)
    if not len(cell):
        order = np.argsort(ranks)
        return edges[order][:, order].astype(">i8").tobytes(), ranks
    return min(
        (_smallest(edges, single_out(edges, ranks, node)) for node in _without_twins(edges, cell)),
        key=lambda leaf: leaf[0],
    )


def _first_shared(ranks: Colours) -> NDArray[np.int64]:
    """Nodes of the first colour that several nodes have; empty where there is none."""
    shared = np.flatnonzero(np.bincount(ranks) > 1) if len(ranks) else ranks
    return np.flatnonzero(ranks == shared[0]) if len(shared) else shared


def _without_twins(edges: Matrix, cell: NDArray[np.int64]) -> list[int]:
    """Nodes of a cell, one for each set of twins, which an automorphism exchanges.

    Twins have the same edges to all other nodes. Without this a complete graph of ten nodes, all of
    them twins, has ten factorial leaves.
    """
    kept: list[int] = []
    for node in cell.tolist():
        others = np.ones(len(edges), bool)
        others[node] = False
        for earlier in kept:
            others[earlier] = False
            if np.array_equal(edges[node, others], edges[earlier, others]):
                break
            others[earlier] = True
        else:
            kept.append(node)
    return kept
