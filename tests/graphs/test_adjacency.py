"""Normalised adjacencies and Laplacians: numbers by hand, sparse and dense, spectra, errors."""

import pytest
import torch

from zoopraxis.errors import DataError, ShapeError
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

SYMMETRIC = [
    renormalise,
    symmetric_normalise,
    combinatorial_laplacian,
    symmetric_laplacian,
    first_order_chebyshev,
]
ALL = [*SYMMETRIC, row_normalise]

pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR")


def random_graph(num_nodes=12, *, edges=0.3, seed=0, isolated=(3,)):
    """Weighted graph in float64 with nodes that have no edges."""
    generator = torch.Generator().manual_seed(seed)
    present = torch.rand(num_nodes, num_nodes, generator=generator) < edges
    weights = torch.rand(num_nodes, num_nodes, generator=generator, dtype=torch.float64) * present
    weights = weights.triu(1) + weights.triu(1).mT
    weights[list(isolated)] = 0
    weights[:, list(isolated)] = 0
    return weights


def test_two_nodes_and_a_lonely_one_by_hand():
    adjacency = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])

    assert renormalise(adjacency).allclose(
        torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    )
    assert row_normalise(adjacency).equal(adjacency)
    laplacian = torch.tensor([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    assert combinatorial_laplacian(adjacency).equal(laplacian)
    assert symmetric_laplacian(adjacency).equal(laplacian)
    assert first_order_chebyshev(adjacency).equal(
        torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    )


def test_renormalisation_is_equation_2_written_out():
    adjacency = random_graph()
    loops = adjacency + torch.eye(12)
    root = torch.diag(loops.sum(dim=1) ** -0.5)

    assert renormalise(adjacency).allclose(root @ loops @ root)


def test_a_self_loop_counts_as_in_the_authors_code():
    # A + I puts 2 on the diagonal of a node that cites itself
    assert add_self_loops(torch.ones(1, 1)).equal(torch.full((1, 1), 2.0))


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
@pytest.mark.parametrize("function", [*ALL, add_self_loops])
def test_sparse_equals_dense(function, layout):
    adjacency = random_graph()

    got = function(adjacency.to_sparse(layout=layout))

    assert got.layout == layout
    assert got.to_dense().allclose(function(adjacency), atol=1e-15)


@pytest.mark.parametrize("function", [*ALL, add_self_loops])
def test_a_batch_equals_one_by_one(function):
    graphs = torch.stack([random_graph(seed=seed) for seed in range(4)])

    got = function(graphs.view(2, 2, 12, 12))

    wanted = torch.stack([function(graph) for graph in graphs])
    assert got.view(4, 12, 12).equal(wanted)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("function", ALL)
def test_permuted_nodes_give_the_permuted_matrix(function, sparse):
    adjacency, order = random_graph(), torch.randperm(12)

    def run(matrix):
        return function(matrix.to_sparse()).to_dense() if sparse else function(matrix)

    permuted = run(adjacency[order][:, order])
    assert permuted.allclose(run(adjacency)[order][:, order], atol=1e-15)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("function", ALL)
def test_no_edges_give_no_nan(function, sparse):
    adjacency = torch.zeros(3, 3, requires_grad=not sparse)

    out = function(adjacency.to_sparse() if sparse else adjacency)

    assert out.to_dense().isfinite().all()
    if not sparse:
        out.sum().backward()
        assert adjacency.grad.isfinite().all()


@pytest.mark.parametrize("function", ALL)
def test_gradients_with_respect_to_the_weights_of_edges(function):
    def weighted(weights):
        return function(weights + weights.mT)

    weights = torch.rand(5, 5, dtype=torch.float64) + 0.1  # away from 0: steps stay positive
    assert torch.autograd.gradcheck(weighted, weights.requires_grad_())


def test_gradients_pass_through_sparse_weights():
    weights = torch.tensor([2.0, 2.0, 3.0, 3.0], dtype=torch.float64, requires_grad=True)
    indices = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])

    def run(weights):
        sparse = torch.sparse_coo_tensor(indices, weights, (3, 3), check_invariants=True)
        return renormalise(sparse).to_dense()

    assert torch.autograd.gradcheck(lambda w: run((w + w[[1, 0, 3, 2]]) / 2), weights)


def test_duplicate_entries_of_a_sparse_matrix_are_summed():
    indices = torch.tensor([[0, 0, 1], [1, 1, 0]])
    values = torch.tensor([1.0, 1.0, 2.0])
    sparse = torch.sparse_coo_tensor(indices, values, (2, 2), check_invariants=True)

    assert renormalise(sparse).to_dense().equal(renormalise(sparse.to_dense()))


def test_spectra_are_where_the_paper_says():
    adjacency = random_graph(isolated=())

    def spectrum(function):
        return torch.linalg.eigvalsh(function(adjacency))

    assert spectrum(combinatorial_laplacian)[0].abs() < 1e-12
    assert spectrum(symmetric_laplacian)[0].abs() < 1e-12
    assert spectrum(symmetric_laplacian)[-1] <= 2
    assert spectrum(first_order_chebyshev)[-1] == pytest.approx(2)
    assert spectrum(renormalise)[-1] == pytest.approx(1)
    assert spectrum(renormalise)[0] > -1


@pytest.mark.parametrize("laplacian", [combinatorial_laplacian, symmetric_laplacian])
def test_zero_eigenvalues_count_the_components(laplacian):
    blocks = torch.block_diag(*[torch.ones(n, n) - torch.eye(n) for n in (3, 4, 1)]).double()

    assert int((torch.linalg.eigvalsh(laplacian(blocks)) < 1e-12).sum()) == 3


def test_chebyshev_polynomials_are_cosines():
    laplacian = symmetric_laplacian(random_graph())
    values, vectors = torch.linalg.eigh(laplacian)

    terms = chebyshev(laplacian, 4)

    for k, term in enumerate(terms):  # T_k(cos t) = cos(k t)
        angles = torch.arccos((values - 1).clamp(-1, 1))
        assert term.allclose(vectors @ torch.diag(torch.cos(k * angles)) @ vectors.mT, atol=1e-7)
    assert chebyshev(laplacian, 0).equal(terms[:1])


def test_first_order_is_the_chebyshev_expansion_cut_off():
    adjacency = random_graph(isolated=())
    zeroth, first = chebyshev(symmetric_laplacian(adjacency), 1)

    assert first_order_chebyshev(adjacency).allclose(zeroth - first, atol=1e-15)


def test_a_filter_of_order_k_looks_k_edges_far():
    path = torch.diag(torch.ones(5), 1)
    terms = chebyshev(symmetric_laplacian(path + path.mT), 3)

    for k, term in enumerate(terms):
        assert term[0, k].abs() > 0
        assert term[0, k + 1 :].equal(torch.zeros(5 - k))


@pytest.mark.parametrize("function", [*SYMMETRIC, add_self_loops])
@pytest.mark.parametrize("shape", [(3,), (3, 4), (2, 3, 4)])
def test_matrices_that_are_not_square(function, shape):
    with pytest.raises(ShapeError, match=r"expected \(\.\.\., N, N\)"):
        function(torch.zeros(shape))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("function", ALL)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_entries_that_are_not_finite(function, bad, sparse):
    adjacency = torch.tensor([[0.0, bad], [bad, 0.0]])

    with pytest.raises(DataError, match="NaN or infinite"):
        function(adjacency.to_sparse() if sparse else adjacency)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("function", SYMMETRIC)
def test_directed_edges(function, sparse):
    adjacency = torch.tensor([[0.0, 1.0], [0.0, 0.0]])

    with pytest.raises(DataError, match=r"not symmetric: .* differ by 1\n.*row_normalise"):
        function(adjacency.to_sparse() if sparse else adjacency)


def test_directed_edges_have_rows():
    assert row_normalise(torch.tensor([[0.0, 3.0], [0.0, 0.0]])).equal(
        torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    )
    with pytest.raises(ShapeError, match=r"expected a matrix \(\.\.\., N, F\)"):
        row_normalise(torch.zeros(3))


@pytest.mark.parametrize("function", ALL)
def test_negative_weights_and_integers(function):
    with pytest.raises(DataError, match="negative entries, such as -2"):
        function(torch.full((2, 2), -2.0))
    with pytest.raises(DataError, match=r"torch.int64.*\n.*float"):
        function(torch.ones(2, 2, dtype=torch.int64))


def test_layouts_and_orders_that_are_not_supported():
    columns = torch.eye(2).to_sparse_csc()

    with pytest.raises(ShapeError, match="expected dense, COO or CSR"):
        renormalise(columns)
    with pytest.raises(ShapeError, match="sparse matrix is of shape"):
        renormalise(torch.zeros(2, 3, 3).to_sparse())
    for laplacian, order in ((torch.eye(2).to_sparse(), 1), (torch.eye(2), -1)):
        with pytest.raises(ShapeError, match="expected a dense Laplacian"):
            chebyshev(laplacian, order)
