"""The attentive probe: a learned query that looks at all cells of a frozen network's map.

Bardes et al., "Revisiting Feature Prediction for Learning Visual Representations from Video"
(V-JEPA), arXiv:2404.08471: one block of cross-attention (layer norm of the tokens, attention, MLP
of four times the width with a layer norm before it, both added to the query) pools the tokens of
the last layer into one learned query, and a linear classifier reads the result. They train it
with AdamW at a rate of 1e-3 and a weight decay of 0.01. Where we differ: tokens are standardised
by channel, since the maps of convolutional networks end in no layer norm; the layers are
initialised as PyTorch's; and the learning rate is one of a grid around theirs, chosen on held-out
training videos.
"""

import copy
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from zoopraxis.metrics import Scores

__all__ = ["RATES", "AttentiveProbe", "attentive_scores"]

RATES = (3e-3, 1e-3, 3e-4, 1e-4)
"""Learning rates of the grid."""
_EPOCHS, _BATCH, _WEIGHT_DECAY = 40, 32, 0.01
_HELD_OUT = 5  # one of so many training videos of a class chooses the learning rate


class AttentiveProbe(nn.Module):
    """Cross-attention of a learned query over tokens, an MLP, and a classifier.

    Parameters
    ----------
    channels : int
        C of the tokens.
    num_classes : int
        K.
    heads : int, default=16
        At most; the largest number that divides C is taken.
    """

    def __init__(self, channels: int, num_classes: int, *, heads: int = 16) -> None:
        super().__init__()
        heads = max(n for n in range(1, heads + 1) if channels % n == 0)
        self.query = nn.Parameter(torch.zeros(1, 1, channels))
        self.norm1 = nn.LayerNorm(channels)
        self.attention = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )
        self.linear = nn.Linear(channels, num_classes)
        nn.init.trunc_normal_(self.query, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (B, N, C) to logits (B, K)."""
        query = self.query.expand(len(tokens), -1, -1)  # (B, 1, C)
        tokens = self.norm1(tokens)
        x = query + self.attention(query, tokens, tokens, need_weights=False)[0]  # (B, 1, C)
        x = x + self.mlp(self.norm2(x))  # (B, 1, C)
        logits: Tensor = self.linear(x[:, 0])  # (B, K)
        return logits


def attentive_scores(
    train: NDArray[np.float32], classes: NDArray[np.int64], test: NDArray[np.float32], seed: int
) -> Scores:
    """Give the probabilities of an attentive probe.

    Parameters
    ----------
    train, test : ndarray of shape (N, V, C, T', H', W') and (M, V, C, T', H', W')
        Maps of V clips of each video; their cells are the tokens.
    classes : ndarray of shape (N,)
        0 to K - 1, each of which occurs.
    seed : int
        Of the initialisation, and of the order of the videos.

    Returns
    -------
    ndarray of shape (M, K)
    """
    tokens, unknown = _tokens(train), _tokens(test)  # (N, V T' H' W', C)
    mean, std = tokens.mean(dim=(0, 1)), tokens.std(dim=(0, 1)) + 1e-6
    tokens, unknown = (tokens - mean) / std, (unknown - mean) / std
    truth = torch.from_numpy(classes)
    rate = _choose_rate(tokens, truth, seed)
    (best,) = _train(tokens, truth, [rate], seed)
    with torch.inference_mode():
        logits = torch.cat([best(batch) for batch in torch.split(unknown, _BATCH)])
    scores: Scores = logits.double().softmax(dim=1).numpy()
    return scores


def _tokens(maps: NDArray[np.float32]) -> Tensor:
    """View maps (N, V, C, T', H', W') as tokens (N, V T' H' W', C)."""
    return torch.from_numpy(maps).flatten(3).transpose(2, 3).flatten(1, 2)


def _choose_rate(tokens: Tensor, truth: Tensor, seed: int) -> float:
    """Learning rate with the lowest loss on every fifth video of each class."""
    held = torch.zeros(len(truth), dtype=torch.bool)
    order = torch.randperm(len(truth), generator=torch.Generator().manual_seed(seed))
    for k in range(int(truth.max()) + 1):
        held[order[truth[order] == k][_HELD_OUT - 1 :: _HELD_OUT]] = True
    if not held.any():  # fewer than five videos of each class
        return RATES[1]
    probes = _train(tokens[~held], truth[~held], RATES, seed)
    with torch.inference_mode():
        losses = [float(F.cross_entropy(probe(tokens[held]), truth[held])) for probe in probes]
    return RATES[int(np.argmin(losses))]


def _train(
    tokens: Tensor, truth: Tensor, rates: Sequence[float], seed: int
) -> list[AttentiveProbe]:
    """Train a probe with each learning rate, from the same weights and on the same batches."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        first = AttentiveProbe(tokens.shape[2], int(truth.max()) + 1)
    probes = [copy.deepcopy(first) for _ in rates]
    steps = _EPOCHS * -(-len(tokens) // _BATCH)
    generator = torch.Generator().manual_seed(seed)
    optimisers = [
        torch.optim.AdamW(probe.parameters(), lr=rate, weight_decay=_WEIGHT_DECAY)
        for probe, rate in zip(probes, rates, strict=True)
    ]
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(o, steps) for o in optimisers]
    for _ in range(_EPOCHS):
        order = torch.randperm(len(tokens), generator=generator)
        for batch in torch.split(order, _BATCH):
            for probe, optimiser, schedule in zip(probes, optimisers, schedules, strict=True):
                loss = F.cross_entropy(probe(tokens[batch]), truth[batch])
                optimiser.zero_grad()
                torch.autograd.backward(loss)
                optimiser.step()
                schedule.step()
    return [probe.eval() for probe in probes]
