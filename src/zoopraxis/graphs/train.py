"""Training and testing a GCN on a graph of which a few nodes are labelled.

Kipf and Welling, ICLR 2017, section 5.2, and its code (https://github.com/tkipf/gcn): full-batch
Adam; weight decay on the first layer; training stops when the validation loss, which includes the
weight decay, exceeds the mean of the ten before it, and the weights of that epoch are tested.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from zoopraxis.errors import DataError, TrainingError
from zoopraxis.graphs.adjacency import renormalise, row_normalise
from zoopraxis.graphs.gcn import GCN
from zoopraxis.graphs.planetoid import CitationGraph

__all__ = ["Protocol", "Trained", "should_stop", "train_gcn"]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How to train: the paper's values for citation graphs.

    Parameters
    ----------
    hidden : int, default=16
        Features of a node between the layers.
    dropout : float, default=0.5
        Fraction of the features dropped before each layer.
    learning_rate : float, default=0.01
        Of Adam.
    weight_decay : float, default=5e-4
        Factor of half the sum of squares of the weights of the first layer, added to the loss.
    epochs : int, default=200
        At most; an epoch is one step on the whole graph.
    window : int, default=10
        Validation losses to average for early stopping; 0 trains for all epochs.
    """

    hidden: int = 16
    dropout: float = 0.5
    learning_rate: float = 0.01
    weight_decay: float = 5e-4
    epochs: int = 200
    window: int = 10


@dataclass(frozen=True)
class Trained:
    """A trained network and how well it does.

    Attributes
    ----------
    model : GCN
        In evaluation mode.
    epochs : int
        Epochs trained.
    val_accuracy, test_accuracy : float
        Fraction of the nodes classified correctly, 0 to 1.
    """

    model: GCN
    epochs: int
    val_accuracy: float
    test_accuracy: float


def should_stop(losses: list[float], window: int) -> bool:
    """Whether the last validation loss exceeds the mean of the ``window`` losses before it.

    Never before epoch ``window + 2`` (the authors' code), and never with ``window=0``.
    """
    if window == 0 or len(losses) < window + 2:
        return False
    return losses[-1] > sum(losses[-window - 1 : -1]) / window


def train_gcn(
    graph: CitationGraph,
    protocol: Protocol | None = None,
    *,
    seed: int = 0,
    normalise: Callable[[Tensor], Tensor] = renormalise,
) -> Trained:
    """Train a GCN on the labelled nodes of a graph, and test it on its test nodes.

    Parameters
    ----------
    graph : CitationGraph
        Features are row-normalised here, and the adjacency by `normalise`.
    protocol : Protocol, optional
        How to train; the paper's by default.
    seed : int, default=0
        Of the weights and of dropout. The global random state is left as it was.
    normalise : callable, default=`renormalise`
        Maps the adjacency to the one of the layers, such as `first_order_chebyshev` (Table 3).

    Returns
    -------
    Trained

    Raises
    ------
    DataError
        A node of the split has no label.
    TrainingError
        The loss is not finite.
    """
    protocol = protocol or Protocol()
    for part in ("train", "val", "test"):
        nodes = getattr(graph, part)
        if not len(nodes) or bool((graph.labels[nodes] < 0).any()):
            raise DataError(
                f"{part} has {len(nodes)} nodes, or one without a label; expected labels of all",
                "leave nodes with the label -1 out of the split",
            )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _train(graph, row_normalise(graph.features), normalise(graph.adjacency), protocol)


def _train(graph: CitationGraph, x: Tensor, adjacency: Tensor, protocol: Protocol) -> Trained:
    model = GCN(x.shape[1], graph.num_classes, hidden=protocol.hidden, dropout=protocol.dropout).to(
        x.device
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=protocol.learning_rate)

    def loss_on(nodes: Tensor) -> Tensor:
        """Cross-entropy on nodes, and the weight decay."""
        logits = model(x, adjacency)[nodes]  # (M, K)
        decay = model.conv1.weight.square().sum() / 2
        return F.cross_entropy(logits, graph.labels[nodes]) + protocol.weight_decay * decay

    losses: list[float] = []
    while len(losses) < protocol.epochs and not should_stop(losses, protocol.window):
        model.train()
        optimiser.zero_grad()
        loss = loss_on(graph.train)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        model.eval()
        with torch.no_grad():
            losses.append(float(loss_on(graph.val)))
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss of epoch {len(losses)} is {float(loss.detach())}",
                "lower the learning rate",
            )
    model.eval()
    with torch.no_grad():
        correct = model(x, adjacency).argmax(dim=1) == graph.labels  # (N,)
    return Trained(
        model=model,
        epochs=len(losses),
        val_accuracy=float(correct[graph.val].float().mean()),
        test_accuracy=float(correct[graph.test].float().mean()),
    )
