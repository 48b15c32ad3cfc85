"""Citation graphs Cora, Citeseer and Pubmed as Planetoid distributes them.

Yang, Cohen and Salakhutdinov, Revisiting Semi-Supervised Learning with Graph Embeddings, ICML
2016. arXiv:1603.08861. Files: https://github.com/kimiyoung/planetoid, and
https://github.com/tkipf/gcn

Nodes are documents, features bags of words, edges citations. Eight files ``ind.<name>.<part>``:

=============  =====================================================================
``x``, ``y``   features and one-hot labels of the labelled nodes, the first of all
``allx, ally`` the same of all nodes that are not for testing
``tx, ty``     the same of the test nodes, in the order of ``test.index``
``graph``      the neighbours of each node
``test.index`` numbers of the test nodes, as text
=============  =====================================================================

All but the last are pickles of Python 2 with arrays of NumPy and matrices of SciPy. They are
decoded here without running anything of them: `_Decoder` knows a few names, and makes inert
records of our own of them, never objects of NumPy or SciPy; any other name is refused.
"""

import pickle
import pickletools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import DataError, did_you_mean

__all__ = ["NAMES", "NUM_VAL", "CitationGraph", "read_planetoid"]

NAMES = ("cora", "citeseer", "pubmed")
"""Graphs that Planetoid distributes."""

NUM_VAL = 500
"""Nodes after the labelled ones that are for validation."""


@dataclass(frozen=True)
class CitationGraph:
    """A graph with labelled nodes, and the nodes to train, validate and test on.

    Attributes
    ----------
    features : Tensor of shape (N, F)
        Float32, sparse COO or dense; as in the files, not normalised.
    adjacency : Tensor of shape (N, N)
        Float32, sparse COO or dense, symmetric, of 0 and 1; without the self-loops of the model.
    labels : Tensor of shape (N,)
        Int64; -1 where a node has none.
    train, val, test : int64 Tensors
        Numbers of nodes.
    num_classes : int
        Classes.
    """

    features: Tensor
    adjacency: Tensor
    labels: Tensor
    train: Tensor
    val: Tensor
    test: Tensor
    num_classes: int


def read_planetoid(folder: str | Path, name: str, *, num_val: int = NUM_VAL) -> CitationGraph:
    """Read a citation graph with Planetoid's split.

    Test nodes are put where ``test.index`` says. Citeseer has test nodes that are in no file but
    ``graph``: between the others in number, without features and labels, and not tested on; they
    get rows of zeros and the label -1, as in the code of Kipf and Welling.

    Parameters
    ----------
    folder : str or Path
        Folder with ``ind.<name>.x`` and the seven others.
    name : str
        Such as ``"cora"``; see `NAMES`.
    num_val : int, default=500
        Nodes after the labelled ones to validate on.

    Returns
    -------
    CitationGraph

    Raises
    ------
    DataError
        A file is missing, is not what Planetoid distributes, asks to run code, or does not fit
        the others.
    """
    base = Path(folder) / f"ind.{name}"
    x, y = _matrix(_part(base, "x")), _one_hot(_part(base, "y"))
    all_x, all_y = _matrix(_part(base, "allx")), _one_hot(_part(base, "ally"))
    test_x, test_y = _matrix(_part(base, "tx")), _one_hot(_part(base, "ty"))
    order = _test_index(_part(base, "test.index"))
    edges, graph_nodes = _edges(_part(base, "graph"))

    known = all_x.num_rows
    _fit(base, "y", y.shape, (x.num_rows, all_y.shape[1]))
    _fit(base, "ally", all_y.shape, (known, all_y.shape[1]))
    _fit(base, "ty", test_y.shape, (len(order), all_y.shape[1]))
    _fit(base, "tx", (test_x.num_rows, test_x.num_columns), (len(order), all_x.num_columns))
    if x.num_rows + num_val > known:
        raise DataError(
            f"{base}.allx has {known} nodes; expected {x.num_rows} to train and {num_val} to "
            "validate on",
            "give a smaller num_val",
        )
    if not len(order) or order.min() < known or len(np.unique(order)) < len(order):
        raise DataError(
            f"{base}.test.index does not number each test node once, from {known} on",
            "the files are of different graphs or damaged: get them anew",
        )

    # file:    allx 0 1 2 3 | tx of nodes 6 4      nodes: 0 1 2 3 4 5 6, where 5 has no features
    num_nodes = int(order.max()) + 1
    _fit(base, "graph", (graph_nodes,), (num_nodes,))
    labels = np.full(num_nodes, -1)
    labels[:known] = _classes(all_y)
    labels[order] = _classes(test_y)
    rows = np.concatenate([all_x.rows, order[test_x.rows]])
    columns = np.concatenate([all_x.columns, test_x.columns])
    values = np.concatenate([all_x.values, test_x.values])
    return CitationGraph(
        features=_coo(rows, columns, values, (num_nodes, all_x.num_columns)),
        adjacency=_adjacency(edges, num_nodes, base),
        labels=torch.from_numpy(labels),
        train=torch.arange(x.num_rows),
        val=torch.arange(x.num_rows, x.num_rows + num_val),
        test=torch.from_numpy(np.sort(order)),
        num_classes=all_y.shape[1],
    )


def _part(base: Path, part: str) -> Path:
    path = base.with_name(f"{base.name}.{part}")
    if path.is_file():
        return path
    near = sorted({p.name.split(".")[1] for p in base.parent.glob("ind.*.x")})
    raise DataError(
        f"there is no {path}",
        did_you_mean(base.name.removeprefix("ind."), near)
        if near and base.name.removeprefix("ind.") not in near
        else "the eight files ind.<name>.* are in the folder gcn/data of github.com/tkipf/gcn",
    )


def _fit(base: Path, part: str, got: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if got != wanted:
        raise DataError(
            f"{base}.{part} is of shape {got}; the other files expect {wanted}",
            "the files are of different graphs or damaged: get them anew",
        )


# the records that the pickles become


@dataclass(frozen=True)
class _Triples:
    """A sparse matrix as rows, columns and values."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float32]
    num_rows: int
    num_columns: int


class _Record:
    """What a name of NumPy or SciPy becomes: it keeps arguments and state, and does nothing."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:  # also: pickles cannot set our attributes
        self.state = state


class _Array(_Record):
    """``numpy.core.multiarray._reconstruct(ndarray, (0,), 'b')``, then its state."""


class _DType(_Record):
    """``numpy.dtype('f4', 0, 1)``, then its state."""


class _NdArray(_Record):
    """``numpy.ndarray``, named as an argument only."""


class _Csr(_Record):
    """``scipy.sparse.csr_matrix``: its state is a dict."""


class _Lists(dict[Any, Any]):
    """``collections.defaultdict(list)``."""

    def __init__(self, *_: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a dictionary with a state of its own")


class _Bytes(bytes):
    """``_codecs.encode(text, 'latin1')``: how Python 3 writes bytes for Python 2."""

    def __new__(cls, text: str, encoding: str) -> "_Bytes":
        if encoding != "latin1":
            raise pickle.UnpicklingError(f"bytes in {encoding!r}")
        return super().__new__(cls, text.encode("latin1"))

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("bytes with a state of their own")


_KNOWN: Mapping[tuple[str, str], type] = {
    ("numpy", "ndarray"): _NdArray,
    ("numpy", "dtype"): _DType,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("scipy.sparse.csr", "csr_matrix"): _Csr,
    ("scipy.sparse._csr", "csr_matrix"): _Csr,
    ("collections", "defaultdict"): _Lists,
    ("__builtin__", "list"): list,
    ("builtins", "list"): list,
    ("_codecs", "encode"): _Bytes,
}


class _Decoder(pickle.Unpickler):
    """Decode pickles of which every name is in `_KNOWN`."""

    def find_class(self, module: str, name: str) -> type:
        """Give the record for a name; nothing is imported."""
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _KNOWN[module, name]


def _decode(path: Path) -> Any:
    data = path.read_bytes()
    try:
        _check_memo(data)
        return _Decoder(BytesIO(data), encoding="latin1").load()
    except (  # what pickle is documented to raise, and what malformed arguments raise
        pickle.UnpicklingError,
        AttributeError,
        EOFError,
        IndexError,
        KeyError,
        MemoryError,
        OverflowError,
        TypeError,
        ValueError,
    ) as error:
        raise _not_planetoid(path, str(error) or type(error).__name__) from error


def _check_memo(data: bytes) -> None:
    """Refuse numbers of the memo that no pickler gives: the decoder allocates up to the largest."""
    for count, (operation, number, _) in enumerate(pickletools.genops(data)):
        puts = operation.name in ("PUT", "BINPUT", "LONG_BINPUT")
        if puts and (number is None or not 0 <= number <= count):
            raise pickle.UnpicklingError(f"it puts entry {number} into the memo too early")


def _not_planetoid(path: Path, why: str) -> DataError:
    return DataError(
        f"{path} is not a file of Planetoid: {why}",
        "pickles with other contents are refused, as they may run code: get the file anew from "
        "the folder gcn/data of github.com/tkipf/gcn",
    )


_DTYPES = {f"{kind}{size}" for kind in "iuf" for size in (1, 2, 4, 8)} - {"f1"} | {"b1"}


def _array(record: Any, path: Path) -> NDArray[Any]:
    """Make an array of the record of one, after checking all of it."""
    match record:
        case _Array(state=(_, tuple(shape), _DType() as dtype, fortran, (str() | bytes()) as raw)):
            pass
        case _:
            raise _not_planetoid(path, f"it has a {type(record).__name__} for an array")
    match dtype:
        case _DType(arguments=(str(code), *_), state=(_, "<" | "|" as order, *_)):
            pass
        case _:
            raise _not_planetoid(path, "an array has an unknown type of numbers")
    if code not in _DTYPES or not all(type(n) is int and n >= 0 for n in shape):
        raise _not_planetoid(path, f"it has an array of {code} and shape {shape}")
    try:
        data = raw.encode("latin1") if isinstance(raw, str) else raw
        flat = np.frombuffer(data, np.dtype(code).newbyteorder(order))
        return flat.reshape(shape, order="F" if fortran else "C")
    except ValueError as error:  # characters above 255, or another number of entries
        raise _not_planetoid(path, str(error)) from error


def _matrix(path: Path) -> _Triples:
    """Read a sparse matrix."""
    record = _decode(path)
    match record:
        case _Csr(state={"_shape": (int(height), int(width)), **parts}):
            pass
        case _:
            raise _not_planetoid(path, "expected a sparse matrix (csr_matrix)")
    data, indices, starts = (_array(parts.get(k), path) for k in ("data", "indices", "indptr"))
    if not (
        data.ndim == indices.ndim == starts.ndim == 1
        and indices.dtype.kind == starts.dtype.kind == "i"
        and len(data) == len(indices)
        and len(starts) == height + 1
        and starts[0] == 0
        and starts[-1] == len(data)
        and (np.diff(starts) >= 0).all()
        and ((indices >= 0) & (indices < width)).all()
    ):
        raise _not_planetoid(path, f"its indices are not those of a {height}x{width} matrix")
    if not np.isfinite(data).all():
        raise _not_planetoid(path, "it has NaN or infinite features")
    return _Triples(
        rows=np.repeat(np.arange(height), np.diff(starts)),
        columns=indices.astype(np.int64),
        values=data.astype(np.float32),
        num_rows=height,
        num_columns=width,
    )


def _one_hot(path: Path) -> NDArray[Any]:
    """Read labels (N, K): 1 for the class of a node, or zeros."""
    labels = _array(_decode(path), path)
    if labels.ndim != 2 or not np.isin(labels, (0, 1)).all() or (labels.sum(axis=1) > 1).any():
        raise _not_planetoid(path, "expected one-hot labels (N, K)")
    return labels


def _classes(one_hot: NDArray[Any]) -> NDArray[np.int64]:
    """Classes (N,) of one-hot labels (N, K); -1 for zeros."""
    return np.where(one_hot.any(axis=1), one_hot.argmax(axis=1), -1)


def _test_index(path: Path) -> NDArray[np.int64]:
    try:
        return np.array([int(line) for line in path.read_text().split()], np.int64)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{path}: {error}", "expected one number of a node per line") from error


def _edges(path: Path) -> tuple[NDArray[np.int64], int]:
    """Read edges (2, E) from nodes to their neighbours, and the number of nodes."""
    graph = _decode(path)
    if not isinstance(graph, dict) or not all(
        isinstance(near, Sequence) and all(type(node) is int for node in (start, *near))
        for start, near in graph.items()
    ):
        raise _not_planetoid(path, "expected a dictionary with the neighbours of each node")
    pairs = [(start, node) for start, near in graph.items() for node in near]
    try:
        return np.array(pairs, np.int64).reshape(-1, 2).T, len(graph)
    except OverflowError as error:
        raise _not_planetoid(path, "it has a node number of more than 64 bits") from error


def _coo(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    values: NDArray[np.float32],
    shape: tuple[int, int],
) -> Tensor:
    indices = torch.from_numpy(np.stack([rows, columns]))
    return torch.sparse_coo_tensor(
        indices, torch.from_numpy(values), shape, check_invariants=True
    ).coalesce()


def _adjacency(edges: NDArray[np.int64], num_nodes: int, base: Path) -> Tensor:
    """Make the adjacency (N, N): each edge in both directions, once, however often it is listed."""
    if edges.size and not (edges.min() >= 0 and edges.max() < num_nodes):
        raise DataError(
            f"{base}.graph has nodes {edges.min()} to {edges.max()}; the other files have "
            f"{num_nodes}",
            "the files are of different graphs or damaged: get them anew",
        )
    both = np.unique(np.concatenate([edges, edges[::-1]], axis=1), axis=1)  # (2, E)
    return _coo(both[0], both[1], np.ones(both.shape[1], np.float32), (num_nodes, num_nodes))
