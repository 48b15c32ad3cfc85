"""Training on a graph: two clusters are learnt, runs repeat, the protocol's parts act."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from planetoid_files import planetoid_parts, write_planetoid
from zoopraxis.errors import DataError, TrainingError
from zoopraxis.graphs.adjacency import first_order_chebyshev
from zoopraxis.graphs.planetoid import CitationGraph
from zoopraxis.graphs.train import Protocol, should_stop, train_gcn

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "gcn_planetoid.py"


def two_clusters(*, size=8, sparse=True):
    """Two cliques that one edge joins; features say nothing, but which node it is."""
    clique = torch.ones(size, size) - torch.eye(size)
    adjacency = torch.block_diag(clique, clique)
    adjacency[size - 1, size] = adjacency[size, size - 1] = 1
    features = torch.eye(2 * size)
    nodes = torch.arange(2 * size).view(2, size)
    return CitationGraph(
        features=features.to_sparse() if sparse else features,
        adjacency=adjacency.to_sparse() if sparse else adjacency,
        labels=torch.arange(2).repeat_interleave(size),
        train=nodes[:, 0],
        val=nodes[:, 1],
        test=nodes[:, 2:].flatten(),
        num_classes=2,
    )


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_two_clusters_are_learnt_of_one_label_each(seed, sparse):
    trained = train_gcn(two_clusters(sparse=sparse), seed=seed)

    assert trained.test_accuracy == 1
    assert trained.val_accuracy == 1
    assert not trained.model.training


def test_without_edges_nothing_is_learnt():
    graph = two_clusters()

    trained = train_gcn(replace(graph, adjacency=torch.zeros(16, 16)), Protocol(window=0))

    assert trained.test_accuracy < 0.8  # features say nothing


def test_a_seed_repeats_and_leaves_the_global_state_as_it_was():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)

    first, second, other = (train_gcn(two_clusters(), seed=seed) for seed in (1, 1, 2))

    assert torch.rand(3).equal(wanted)
    assert first.model.conv1.weight.equal(second.model.conv1.weight)
    assert not first.model.conv1.weight.equal(other.model.conv1.weight)


def test_stopping_is_that_of_the_authors_code():
    falling = [1 / n for n in range(1, 30)]

    assert not should_stop(falling, 10)
    assert should_stop([*falling, 1.0], 10)
    assert not should_stop([*falling, 1.0], 0)
    assert not should_stop([1.0] * 30, 10)  # equal to the mean is not above it
    assert not should_stop([1.0] * 10 + [2.0], 10)  # the code wants epoch > 10, counted from 0
    assert should_stop([1.0] * 11 + [2.0], 10)


def test_training_stops_early_or_runs_all_epochs():
    graph = two_clusters()
    wrong = replace(graph, labels=graph.labels.clone())
    wrong.labels[wrong.val] = 1 - wrong.labels[wrong.val]  # validation loss rises from the start

    assert train_gcn(wrong, Protocol(learning_rate=0.1)).epochs == 12
    assert train_gcn(wrong, Protocol(window=0, epochs=30)).epochs == 30


def test_weight_decay_acts_on_the_first_layer():
    plain, decayed = (
        train_gcn(two_clusters(), Protocol(weight_decay=decay, window=0)).model
        for decay in (0.0, 0.5)
    )

    assert decayed.conv1.weight.norm() < 0.1 * plain.conv1.weight.norm()
    assert decayed.conv2.weight.norm() > 0.1 * plain.conv2.weight.norm()


def test_the_normalisation_is_a_choice():
    renormalised = train_gcn(two_clusters())
    first_order = train_gcn(two_clusters(), normalise=first_order_chebyshev)

    assert first_order.test_accuracy == 1
    assert not first_order.model.conv1.weight.equal(renormalised.model.conv1.weight)


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_nodes_without_labels(part):
    graph = two_clusters()
    graph.labels[getattr(graph, part)[-1]] = -1

    with pytest.raises(DataError, match=f"{part} has .* without a label"):
        train_gcn(graph)
    with pytest.raises(DataError, match=f"{part} has 0 nodes"):
        train_gcn(replace(two_clusters(), **{part: torch.arange(0)}))


def test_a_loss_that_is_not_finite():
    with pytest.raises(TrainingError, match=r"the loss of epoch \d+ is (nan|inf)\n.*learning rate"):
        train_gcn(two_clusters(), Protocol(learning_rate=1e30, window=0))


@pytest.mark.slow
def test_the_benchmark_prints_a_table(tmp_path):
    # even and odd nodes, each joined to 30 hubs of its kind; the last 20 nodes are to test
    graph = {node: [n for n in range(node % 2, 600, 20) if n != node] for node in range(600)}
    order = [*range(599, 579, -1)]
    parts = planetoid_parts(
        np.eye(600, dtype=np.float32),
        np.arange(600) % 2,
        graph,
        order,
        num_train=20,
        num_known=580,
        num_classes=2,
    )
    write_planetoid(tmp_path, "tiny", parts, order)
    command = [sys.executable, str(BENCHMARK), str(tmp_path), "--names", "tiny", "--seeds", "2"]

    done = subprocess.run([*command, "--epochs", "50"], capture_output=True, text=True, check=True)

    _, _, row = done.stdout.splitlines()
    assert row.startswith("| tiny | renormalised | 100.0 ± 0.0 | 50.0 |")
