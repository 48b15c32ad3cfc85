"""Partitions of a joint's neighbours, as matrices (K, J, J).

Yan, Xiong and Lin, Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action
Recognition, AAAI 2018, section 3.3; official code: yysijie/st-gcn, ``net/utils/graph.py``. A graph
convolution has one kernel for each subset of a partition. Entry [k, v, w] is the weight with which
joint v enters the sum of joint w by kernel k. The sum over k is A D^-1: of the N(w) neighbours of
joint w, itself counted, each has the weight 1 / N(w). The networks after ST-GCN have one more
partition, ``directed``, whose subsets are normalised each by itself (Shi et al., CVPR 2019;
official code: lshiwjx/2s-AGCN, ``graph/tools.py``; the same in pyskl).
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import ZoopraxisError
from zoopraxis.skeletons.layouts import Layout

__all__ = ["Strategy", "hop_distances", "partition_matrices"]

Strategy = Literal["uniform", "distance", "spatial", "directed"]


def hop_distances(layout: Layout, *, max_hop: int) -> NDArray[np.float64]:
    """Edges on the shortest way between every two joints, (J, J).

    Infinite where the way is longer than ``max_hop``.
    """
    joined = np.eye(layout.num_joints, dtype=bool)
    for v, w in layout.edges:
        joined[v, w] = joined[w, v] = True
    hops = np.full(joined.shape, np.inf)
    reached = np.eye(layout.num_joints, dtype=bool)
    for hop in range(max_hop + 1):
        hops[reached & np.isinf(hops)] = hop
        reached = reached @ joined  # booleans: who is reached by one edge more
    return hops


def partition_matrices(
    layout: Layout, strategy: Strategy, *, max_hop: int = 1
) -> NDArray[np.float64]:
    """Matrices (K, J, J) of a partition of the joints within ``max_hop`` edges.

    Parameters
    ----------
    layout : Layout
        The skeleton.
    strategy : {"uniform", "distance", "spatial", "directed"}
        ``uniform``: one subset (K = 1). ``distance``: a subset for each number of edges from the
        joint (K = max_hop + 1). ``spatial``: the joint itself; then, for each number of edges, the
        neighbours that are as far from the skeleton's centre or farther, and those that are nearer
        (K = 2 max_hop + 1). ``directed``: the joint itself, its neighbour on the way to the centre,
        and the mean of those on the way from it (K = 3, one hop).
    max_hop : int, default=1
        Edges from a joint to its farthest neighbours.

    Raises
    ------
    ZoopraxisError
        Another strategy, or a ``max_hop`` below 1, or above 1 where it is directed.

    Notes
    -----
    The spatial partition is the official code's, which differs from the paper in two ways.
    Neighbours as far from the centre as the joint are with the farther ones; in the paper they are
    with the joint itself. And distances from the centre are known up to ``max_hop`` only: joints
    that lie beyond count as equally far, so with one hop the third subset has the joints within
    one edge of the centre alone.
    """
    known = get_args(Strategy)
    if strategy not in known or max_hop < 1 or (strategy == "directed" and max_hop > 1):
        raise ZoopraxisError(
            f"no partition {strategy!r:.40} of {max_hop} hops",
            f"choose one of {', '.join(known)}, and max_hop of 1 or more; directed has 1",
        )
    if strategy == "directed":
        return _directed(layout)
    hops = hop_distances(layout, max_hop=max_hop)  # (J, J)
    adjacency = np.isfinite(hops).astype(np.float64)
    normalised: NDArray[np.float64] = adjacency / adjacency.sum(axis=0)  # A D^-1, (J, J)
    if strategy == "uniform":
        return normalised[None]
    rings = [np.where(hops == hop, normalised, 0.0) for hop in range(max_hop + 1)]
    if strategy == "distance":
        return np.stack(rings)
    from_centre = hops[layout.centre]  # (J,)
    v, w = from_centre[:, None], from_centre[None, :]
    subsets = [rings[0]]
    for ring in rings[1:]:
        subsets += [np.where(v >= w, ring, 0.0), np.where(v < w, ring, 0.0)]
    return np.stack(subsets)


def _directed(layout: Layout) -> NDArray[np.float64]:
    """Every joint itself, its parent, and the mean of its children: (3, J, J)."""
    parents = np.zeros((layout.num_joints, layout.num_joints))
    for joint, parent in enumerate(layout.parents):
        if joint != layout.centre:
            parents[parent, joint] = 1.0
    children = parents.T / np.maximum(parents.sum(axis=1), 1.0)  # column w: 1 / children of w
    return np.stack([np.eye(layout.num_joints), parents, children])
