"""GCN: the authors' numbers, sparse and dense, batches, equivariance, gradients."""

from pathlib import Path

import numpy as np
import pytest
import torch

from zoopraxis.errors import ShapeError
from zoopraxis.graphs.adjacency import add_self_loops, renormalise, row_normalise
from zoopraxis.graphs.gcn import GCN, GraphConvolution
from zoopraxis.testing import count_params, read_golden, read_index, relative_error

GOLDEN = Path(__file__).parent.parent / "golden"
GOLDENS = [row["golden"] for row in read_index(GOLDEN) if row["source"] == "pygcn"]
KEYS = {
    "g.gc1.weight": "conv1.weight",
    "g.gc1.bias": "conv1.bias",
    "g.gc2.weight": "conv2.weight",
    "g.gc2.bias": "conv2.bias",
}

pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR")


def random_graph(num_nodes=10, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    edges = (torch.rand(num_nodes, num_nodes, generator=generator) < 0.3).double().triu(1)
    return renormalise(edges + edges.mT)


@pytest.mark.parametrize("layout", [torch.strided, torch.sparse_coo, torch.sparse_csr])
@pytest.mark.parametrize("name", GOLDENS)
def test_output_equals_the_reference(name, layout):
    golden = read_golden(name, GOLDEN)
    state = golden.state_dict()
    adjacency = state.pop("adj")
    in_features, hidden = state["g.gc1.weight"].shape
    model = GCN(in_features, golden.output.shape[1], hidden=hidden, bias=True).eval()
    model.load_state_dict({KEYS[key]: tensor for key, tensor in state.items()})
    if layout != torch.strided:
        adjacency = adjacency.to_sparse(layout=layout)

    with torch.no_grad():
        got = model(golden.input(), adjacency).log_softmax(dim=1)

    assert count_params(model) == golden.record["params"]
    assert relative_error(got, golden.output) < golden.tolerance


def test_both_goldens_are_run():
    assert GOLDENS == ["gcn_kipf_cora_shape", "gcn_kipf_small"]


def test_the_references_adjacency_is_row_normalised():
    drawn = np.triu(np.random.RandomState(7).uniform(size=(50, 50)) < 0.08, k=1)
    adjacency = torch.from_numpy((drawn | drawn.T).astype(np.float32))
    wanted = read_golden("gcn_kipf_small", GOLDEN).state_dict()["adj"]

    assert row_normalise(add_self_loops(adjacency)).allclose(wanted, atol=1e-7)
    assert not renormalise(adjacency).allclose(wanted, atol=1e-2)


def test_a_layer_is_equation_2():
    layer, adjacency = GraphConvolution(3, 4, bias=True).double(), random_graph()
    x = torch.randn(10, 3, dtype=torch.float64)
    with torch.no_grad():
        layer.bias.normal_()

    assert layer(x, adjacency).allclose(adjacency @ x @ layer.weight + layer.bias)


def test_the_papers_network_has_no_biases():
    assert count_params(GCN(1433, 7)) == 1433 * 16 + 16 * 7
    assert "1433, 16, bias=False" in repr(GCN(1433, 7))


def test_weights_are_glorot_uniform():
    weight = GraphConvolution(300, 100).weight.detach()
    bound = (6 / 400) ** 0.5

    assert bound * 0.99 < weight.abs().max() <= bound
    assert float(weight.std()) == pytest.approx(bound / 3**0.5, rel=0.02)


@pytest.mark.parametrize("sparse_x", [False, True])
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
def test_sparse_equals_dense(layout, sparse_x):
    model, adjacency = GCN(6, 3, bias=True).double().eval(), random_graph()
    x = torch.randn(10, 6, dtype=torch.float64).relu()

    got = model(x.to_sparse() if sparse_x else x, adjacency.to_sparse(layout=layout))

    wanted = model(x, adjacency)
    assert got.allclose(wanted)
    weights = list(model.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(got.square().sum(), weights),
        torch.autograd.grad(wanted.square().sum(), weights),
        strict=True,
    ):
        assert ours.allclose(theirs)


def test_a_batch_equals_one_by_one():
    model = GCN(6, 3).double().eval()
    graphs = torch.stack([random_graph(seed=seed) for seed in range(3)])
    x = torch.randn(3, 10, 6, dtype=torch.float64)

    one_by_one = torch.stack([model(*pair) for pair in zip(x, graphs, strict=True)])
    assert model(x, graphs).allclose(one_by_one)
    shared = torch.stack([model(each, graphs[0]) for each in x])
    assert model(x, graphs[0]).allclose(shared)
    assert model(x, graphs[0].to_sparse()).allclose(shared)


@pytest.mark.parametrize("sparse", [False, True])
def test_permuted_nodes_give_permuted_outputs(sparse):
    model, adjacency = GCN(6, 3).double().eval(), random_graph()
    x, order = torch.randn(10, 6, dtype=torch.float64), torch.randperm(10)

    def run(x, adjacency):
        return model(x, adjacency.to_sparse() if sparse else adjacency)

    assert run(x[order], adjacency[order][:, order]).allclose(run(x, adjacency)[order])
    assert not run(x[order], adjacency).allclose(run(x, adjacency)[order])


def test_gradients_of_a_layer():
    weight = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    x = torch.randn(2, 10, 3, dtype=torch.float64, requires_grad=True)
    adjacency = random_graph().requires_grad_()
    layer = GraphConvolution(3, 4).double()

    def run(x, adjacency, weight):
        return torch.func.functional_call(layer, {"weight": weight}, (x, adjacency))

    assert torch.autograd.gradcheck(run, (x, adjacency, weight))


@pytest.mark.parametrize("sparse", [False, True])
def test_dropout_acts_on_the_input_in_training_only(sparse):
    model = GCN(4000, 2, dropout=0.5).double()
    x = torch.ones(10, 4000, dtype=torch.float64)
    with torch.no_grad():  # the second layer sees the mean of what the first kept
        model.conv1.weight.fill_(1 / 4000)
        model.conv2.weight.fill_(1.0)
    seen = []
    model.conv1.register_forward_pre_hook(lambda _, args: seen.append(args[0].to_dense()))

    model.train()(x.to_sparse() if sparse else x, random_graph())
    model.eval()(x.to_sparse() if sparse else x, random_graph())

    assert set(seen[0].unique().tolist()) == {0.0, 2.0}
    assert float((seen[0] == 0).double().mean()) == pytest.approx(0.5, abs=0.02)
    assert seen[1].equal(x)


def test_features_that_do_not_fit():
    layer, adjacency = GraphConvolution(6, 3).double(), random_graph()

    for shape in ((10, 5), (6,), (1, 2, 10, 6)):
        with pytest.raises(ShapeError, match=r"expected \(N, 6\) or \(B, N, 6\)"):
            layer(torch.zeros(shape, dtype=torch.float64), adjacency)
    with pytest.raises(ShapeError, match="sparse features"):
        layer(torch.zeros(2, 10, 6, dtype=torch.float64).to_sparse(), adjacency)


def test_adjacencies_that_do_not_fit():
    layer = GraphConvolution(6, 3)
    x = torch.zeros(2, 10, 6)

    for shape in ((9, 9), (10, 9), (3, 10, 10), (10,), (1, 2, 10, 10)):
        with pytest.raises(ShapeError, match=r"expected \(10, 10\)"):
            layer(x, torch.zeros(shape))
    with pytest.raises(ShapeError, match=r"expected \(10, 10\)"):
        layer(x[0], torch.zeros(2, 10, 10))
    with pytest.raises(ShapeError, match="a dense one per graph"):
        layer(x, torch.zeros(2, 10, 10).to_sparse())
