"""GCN: Semi-Supervised Classification with Graph Convolutional Networks.

Kipf and Welling, ICLR 2017. arXiv:1609.02907
Official code: https://github.com/tkipf/gcn (TensorFlow, MIT), https://github.com/tkipf/pygcn
(PyTorch, MIT)

A layer multiplies the features of every node by the same weights and sums them over the node and
its neighbours, weighted by the normalised adjacency (`zoopraxis.graphs.adjacency.renormalise`):
H' = ReLU(A' H W), equation 2. It is a spectral filter of first order, and k layers look k edges
far. Two of them classify the nodes of a graph of which a few are labelled (equation 9).

The equations and the TensorFlow code have no biases, the PyTorch port has them (`bias=True`), and
normalises rows (`row_normalise`). We return logits where the port returns their log-softmax.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.graphs.adjacency import is_sparse

__all__ = ["GCN", "GraphConvolution"]


class GraphConvolution(nn.Module):
    """Graph convolution A' X W: the same weights for every node, then the sum over neighbours.

    Weights are Glorot-uniform, biases 0 (Kipf and Welling, section 5.2 and its code).

    Parameters
    ----------
    in_features, out_features : int
        Input and output features of a node.
    bias : bool, default=False
        Whether to add a bias to the output.
    """

    def __init__(self, in_features: int, out_features: int, *, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_features, out_features))
        self.bias = nn.Parameter(torch.empty(out_features)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Re-initialise weights and biases."""
        nn.init.xavier_uniform_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def extra_repr(self) -> str:
        """Say the sizes when printed."""
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}, bias={self.bias is not None}"

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Map the features of the nodes of one graph, or of a batch of graphs.

        Parameters
        ----------
        x : Tensor of shape (N, F) or (B, N, F)
            Features of the nodes; (N, F) may be sparse.
        adjacency : Tensor of shape (N, N) or (B, N, N)
            Normalised adjacency; (N, N) may be sparse, and is shared by the batch.

        Returns
        -------
        Tensor of shape (N, F') or (B, N, F')

        Raises
        ------
        ShapeError
            Nodes or features do not fit.
        """
        self._check(x, adjacency)
        # (N, F) (F, F') first: F' is smaller than F, and the sum over neighbours cheaper
        x = x @ self.weight  # (B, N, F')
        out = aggregate(x, adjacency)  # (B, N, F')
        return out if self.bias is None else out + self.bias

    def _check(self, x: Tensor, adjacency: Tensor) -> None:
        features, nodes = self.weight.shape[0], x.shape[-2] if x.ndim > 1 else None
        if x.ndim not in (2, 3) or x.shape[-1] != features:
            raise ShapeError(
                f"the features are of shape {tuple(x.shape)}; expected (N, {features}) or "
                f"(B, N, {features})",
                "give one row per node, and make the layer for as many features",
            )
        if is_sparse(x) and x.ndim != 2:
            raise ShapeError(
                f"the sparse features are of shape {tuple(x.shape)}; expected (N, {features})",
                "batches are dense: convert them with `to_dense()`",
            )
        fits = adjacency.shape[-2:] == (nodes, nodes) and (
            adjacency.ndim == 2 or (adjacency.ndim == x.ndim == 3 and len(adjacency) == len(x))
        )
        if not fits or (is_sparse(adjacency) and adjacency.ndim != 2):
            raise ShapeError(
                f"the adjacency is {tuple(adjacency.shape)} ({adjacency.layout}) for features of "
                f"shape {tuple(x.shape)}; expected ({nodes}, {nodes}), or a dense one per graph",
                "the rows of the features are the nodes of the graph",
            )


def aggregate(x: Tensor, adjacency: Tensor) -> Tensor:
    """Sum features (N, F) or (B, N, F) over neighbours; see `GraphConvolution.forward`."""
    if not is_sparse(adjacency) or x.ndim == 2:
        return adjacency @ x
    batch, nodes, features = x.shape
    x = x.transpose(0, 1).reshape(nodes, batch * features)  # (N, B * F)
    x = adjacency @ x  # (N, B * F)
    return x.view(nodes, batch, features).transpose(0, 1)  # (B, N, F)


class GCN(nn.Module):
    """Two graph convolutions with a ReLU between them, dropout before each (equation 9).

    Parameters
    ----------
    in_features : int
        Features of a node.
    num_classes : int
        Classes.
    hidden : int, default=16
        Features of a node between the layers.
    dropout : float, default=0.5
        Fraction of the features dropped in training, of the input too.
    bias : bool, default=False
        Whether the layers have biases; see `zoopraxis.graphs.gcn`.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        hidden: int = 16,
        dropout: float = 0.5,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = GraphConvolution(in_features, hidden, bias=bias)
        self.conv2 = GraphConvolution(hidden, num_classes, bias=bias)
        self.dropout = dropout

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Map features (N, F) or (B, N, F) to logits (N, K) or (B, N, K).

        See `GraphConvolution.forward` for the parameters and errors.
        """
        x = self._drop(x)
        x = F.relu(self.conv1(x, adjacency))  # (B, N, hidden)
        x = self._drop(x)
        out: Tensor = self.conv2(x, adjacency)  # (B, N, K)
        return out

    def _drop(self, x: Tensor) -> Tensor:
        if not is_sparse(x):
            return F.dropout(x, self.dropout, self.training)
        # zeros stay zeros: only the others are drawn
        x = x.to_sparse(layout=torch.sparse_coo).coalesce()
        kept = F.dropout(x.values(), self.dropout, self.training)
        return torch.sparse_coo_tensor(
            x.indices(), kept, x.shape, is_coalesced=True, check_invariants=False
        )
