"""Normalised adjacency matrices and Laplacians, dense, batched or sparse.

Kipf and Welling, Semi-Supervised Classification with Graph Convolutional Networks, ICLR 2017,
section 2. arXiv:1609.02907

A is the adjacency matrix (N, N) of a graph of N nodes, D the diagonal matrix of its degrees, the
sums of its rows. Every function maps a dense matrix (N, N), a batch (..., N, N), or one sparse
matrix in the layout COO or CSR to another one of the same layout, and gradients pass through the
weights of the edges. D^-1 and D^-1/2 are 0 where the degree is 0, so that nodes without edges give
zeros and never NaN.
"""

import torch
from torch import Tensor

from zoopraxis.errors import DataError, ShapeError

__all__ = [
    "add_self_loops",
    "chebyshev",
    "combinatorial_laplacian",
    "first_order_chebyshev",
    "is_sparse",
    "renormalise",
    "row_normalise",
    "symmetric_laplacian",
    "symmetric_normalise",
]


def is_sparse(matrix: Tensor) -> bool:
    """Whether a matrix has a sparse layout, of which COO and CSR are supported.

    Raises
    ------
    ShapeError
        It has another sparse layout.
    """
    if matrix.layout not in (torch.strided, torch.sparse_coo, torch.sparse_csr):
        raise ShapeError(
            f"the layout of the matrix is {matrix.layout}; expected dense, COO or CSR",
            "convert it with `to_sparse_coo()`",
        )
    return matrix.layout != torch.strided


def renormalise(adjacency: Tensor) -> Tensor:
    """Add self-loops, then normalise: D'^-1/2 (A + I) D'^-1/2, the renormalisation trick.

    D' are the degrees of A + I. Eigenvalues are in [-1, 1], so that layers can be stacked; those
    of I + D^-1/2 A D^-1/2 (`first_order_chebyshev`) reach 2. Kipf and Welling, equation 2.

    Parameters
    ----------
    adjacency : Tensor of shape (..., N, N)
        Symmetric, not negative, of any scale; sparse: (N, N). Weights on the diagonal are kept,
        and 1 is added to them.

    Returns
    -------
    Tensor of shape (..., N, N)
        In the layout of `adjacency`.

    Raises
    ------
    ShapeError
        The matrix is not square, or of another layout.
    DataError
        It is not floating-point, asymmetric, negative, or not finite.
    """
    return symmetric_normalise(add_self_loops(adjacency))


def symmetric_normalise(adjacency: Tensor) -> Tensor:
    """Divide each edge by the roots of the degrees of its ends: D^-1/2 A D^-1/2.

    Parameters, returns and errors are those of `renormalise`, which adds self-loops before.
    """
    _check(adjacency, symmetric=True)
    return _scale(adjacency, _inverse(_degrees(adjacency), -0.5), both=True)


def row_normalise(matrix: Tensor) -> Tensor:
    """Divide each row by its sum: D^-1 A.

    Row-stochastic and asymmetric: each node takes the mean of its neighbours. The PyTorch port of
    the authors (tkipf/pygcn) has D'^-1 (A + I), `row_normalise(add_self_loops(A))`, where the
    paper has `renormalise`. Both repositories also divide bags of words by it, (N, F).

    Parameters
    ----------
    matrix : Tensor of shape (..., N, F)
        Not negative; asymmetric and rectangular ones are accepted. Rows of zeros stay.

    Returns
    -------
    Tensor of shape (..., N, F)
        In the layout of `matrix`.

    Raises
    ------
    ShapeError
        It is not a matrix, or of another layout.
    DataError
        It is not floating-point, negative, or not finite.
    """
    _check(matrix, symmetric=False)
    return _scale(matrix, _inverse(_degrees(matrix), -1), both=False)


def add_self_loops(adjacency: Tensor) -> Tensor:
    """Add 1 to the diagonal of a square matrix: A + I; see `renormalise`.

    Asymmetric matrices are accepted.
    """
    _check_square(adjacency)
    return _add_identity(adjacency)


def combinatorial_laplacian(adjacency: Tensor) -> Tensor:
    """Degrees minus adjacency: D - A. Parameters and errors are those of `renormalise`."""
    _check(adjacency, symmetric=True)
    return _diagonal_minus(_degrees(adjacency), adjacency)


def symmetric_laplacian(adjacency: Tensor) -> Tensor:
    """Symmetric normalised Laplacian D^-1/2 (D - A) D^-1/2. Its eigenvalues are in [0, 2].

    It equals I - D^-1/2 A D^-1/2 (Kipf and Welling, section 2.1), except that a node without
    edges has 0 on the diagonal (Chung, Spectral Graph Theory, 1997), so that there are as many
    eigenvalues 0 as connected components. Parameters and errors are those of `renormalise`.
    """
    normalised = symmetric_normalise(adjacency)
    connected = (_degrees(adjacency) > 0).to(normalised.dtype)  # (..., N)
    return _diagonal_minus(connected, normalised)


def first_order_chebyshev(adjacency: Tensor) -> Tensor:
    """Filter of first order with one parameter: I + D^-1/2 A D^-1/2.

    The Chebyshev expansion up to T_1, with the largest eigenvalue taken as 2 and theta_0 =
    -theta_1 = 1. Eigenvalues are in [0, 2]. Kipf and Welling, equation 7; Table 3 calls it
    "1st-order model, single parameter". Parameters and errors are those of `renormalise`.
    """
    return _add_identity(symmetric_normalise(adjacency))


def chebyshev(laplacian: Tensor, order: int, *, largest: float = 2.0) -> Tensor:
    """Chebyshev polynomials T_0 ... T_K of the rescaled Laplacian 2 L / largest - I.

    T_k(x) = 2 x T_{k-1}(x) - T_{k-2}(x), T_0 = 1, T_1 = x. A filter is their weighted sum, and its
    output at a node depends on nodes at most K edges away (Kipf and Welling, equation 5).

    Parameters
    ----------
    laplacian : Tensor of shape (..., N, N)
        Dense, as from `symmetric_laplacian`.
    order : int
        K, at least 0.
    largest : float, default=2
        Largest eigenvalue, which the rescaling brings to 1; 2 bounds it.

    Returns
    -------
    Tensor of shape (K+1, ..., N, N)

    Raises
    ------
    ShapeError
        The matrix is not square or not dense, or `order` is negative.
    """
    _check_square(laplacian)
    if laplacian.layout != torch.strided or order < 0:
        raise ShapeError(
            f"layout {laplacian.layout} and order {order}; expected a dense Laplacian and an "
            "order of at least 0",
            "convert a sparse Laplacian with `to_dense()`",
        )
    identity = torch.eye(laplacian.shape[-1], dtype=laplacian.dtype, device=laplacian.device)
    x = 2 / largest * laplacian - identity
    terms = [identity.expand_as(x), x]
    while len(terms) <= order:
        terms.append(2 * x @ terms[-1] - terms[-2])
    return torch.stack(terms[: order + 1])


def _check(matrix: Tensor, *, symmetric: bool) -> None:
    """Refuse what `renormalise`, or else `row_normalise`, says that it refuses."""
    if symmetric:
        _check_square(matrix)
    elif matrix.ndim < 2:
        raise ShapeError(
            f"the shape is {tuple(matrix.shape)}; expected a matrix (..., N, F)",
            "give one row per node",
        )
    if not matrix.is_floating_point():
        raise DataError(
            f"the matrix is of {matrix.dtype}; expected floating-point numbers",
            "convert it with `float()`",
        )
    entries = _values(matrix).detach()
    if not bool(torch.isfinite(entries).all()):
        raise DataError(
            "the matrix has NaN or infinite entries; expected finite ones",
            "look for a division by 0 where it was made",
        )
    if bool((entries < 0).any()):
        raise DataError(
            f"the matrix has negative entries, such as {float(entries.min()):g}, and a degree may "
            "be 0 or less; expected weights of at least 0",
            "shift or clamp the weights of the edges",
        )
    if symmetric:
        _check_symmetric(matrix.detach())


def _check_square(matrix: Tensor) -> None:
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ShapeError(
            f"the adjacency matrix is of shape {tuple(matrix.shape)}; expected (..., N, N)",
            "give one row and one column per node",
        )
    if is_sparse(matrix) and matrix.ndim != 2:
        raise ShapeError(
            f"the sparse matrix is of shape {tuple(matrix.shape)}; expected (N, N)",
            "batches are dense: convert it with `to_dense()`",
        )


def _check_symmetric(matrix: Tensor) -> None:
    """Refuse a matrix whose entries differ from those of its transpose by more than rounding."""
    if is_sparse(matrix):
        coo = _coo(matrix)
        off = (coo - coo.t()).coalesce().values().abs()
    else:
        off = (matrix - matrix.mT).abs()
    scale = _values(matrix).abs()
    if off.numel() and scale.numel() and float(off.max()) > 1e-5 * float(scale.max()):
        raise DataError(
            f"the adjacency matrix is not symmetric: an edge and its reverse differ by "
            f"{float(off.max()):g}",
            "give undirected edges, (A + A.mT) / 2, or use `row_normalise` for directed ones",
        )


def _coo(matrix: Tensor) -> Tensor:
    return matrix.to_sparse(layout=torch.sparse_coo).coalesce()


def _make_coo(indices: Tensor, values: Tensor, matrix: Tensor) -> Tensor:
    """Make a sparse matrix of the size and layout of another one."""
    coo = torch.sparse_coo_tensor(indices, values, matrix.shape, check_invariants=True).coalesce()
    return coo.to_sparse_csr() if matrix.layout == torch.sparse_csr else coo


def _values(matrix: Tensor) -> Tensor:
    return _coo(matrix).values() if is_sparse(matrix) else matrix


def _degrees(matrix: Tensor) -> Tensor:
    """Sums of the rows (..., N)."""
    if not is_sparse(matrix):
        return matrix.sum(dim=-1)
    coo = _coo(matrix)
    zeros = coo.values().new_zeros(coo.shape[0])
    return zeros.index_add(0, coo.indices()[0], coo.values())


def _inverse(degrees: Tensor, power: float) -> Tensor:
    """Degrees to a negative power, 0 where they are 0; no gradient of such a node is NaN."""
    present = degrees > 0
    return degrees.where(present, torch.ones_like(degrees)).pow(power) * present


def _scale(matrix: Tensor, factors: Tensor, *, both: bool) -> Tensor:
    """Multiply rows, or rows and columns, by factors (..., N)."""
    if not is_sparse(matrix):
        scaled = factors.unsqueeze(-1) * matrix
        return scaled * factors.unsqueeze(-2) if both else scaled
    coo = _coo(matrix)
    rows, columns = coo.indices()
    values = factors[rows] * coo.values()
    return _make_coo(coo.indices(), values * factors[columns] if both else values, matrix)


def _add_identity(matrix: Tensor) -> Tensor:
    """Add 1 to the diagonal."""
    if not is_sparse(matrix):
        return matrix + torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    coo = _coo(matrix)
    return _with_diagonal(coo.values().new_ones(coo.shape[0]), coo.values(), matrix)


def _diagonal_minus(diagonal: Tensor, matrix: Tensor) -> Tensor:
    """Subtract a matrix from a diagonal (..., N)."""
    if not is_sparse(matrix):
        return torch.diag_embed(diagonal) - matrix
    return _with_diagonal(diagonal, -_coo(matrix).values(), matrix)


def _with_diagonal(diagonal: Tensor, values: Tensor, matrix: Tensor) -> Tensor:
    """Add a diagonal (N,) to a sparse matrix with the pattern of another one."""
    indices = _coo(matrix).indices()
    nodes = torch.arange(matrix.shape[0], device=indices.device).expand(2, -1)
    return _make_coo(torch.cat([indices, nodes], 1), torch.cat([values, diagonal]), matrix)
