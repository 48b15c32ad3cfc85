"""Planetoid's files as its authors' tools lay them out."""

import pickle
from collections import defaultdict

import numpy as np
import scipy.sparse

__all__ = ["planetoid_parts", "write_planetoid"]


def planetoid_parts(features, classes, graph, order, *, num_train, num_known, num_classes):
    """What ``ind.<name>.x`` and so on hold, by their endings.

    The first ``num_train`` nodes are to train, the first ``num_known`` not to test; ``order`` are
    the test nodes in the order of the files.
    """
    one_hot = np.eye(num_classes, dtype=np.int32)[classes]
    sparse = scipy.sparse.csr_matrix
    return {
        "x": sparse(features[:num_train]),
        "y": one_hot[:num_train],
        "allx": sparse(features[:num_known]),
        "ally": one_hot[:num_known],
        "tx": sparse(features[order]),
        "ty": one_hot[order],
        "graph": defaultdict(list, graph),
    }


def write_planetoid(folder, name, parts, order, *, protocol=2):
    """Write the eight files; parts that are bytes are written as they are."""
    for part, value in parts.items():
        data = value if isinstance(value, bytes) else pickle.dumps(value, protocol=protocol)
        (folder / f"ind.{name}.{part}").write_bytes(data)
    lines = "".join(f"{node}\n" for node in order)
    (folder / f"ind.{name}.test.index").write_text(lines)
