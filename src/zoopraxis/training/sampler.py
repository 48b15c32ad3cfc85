"""Which clips each process takes at each step: a pure function of seed, epoch and step."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from zoopraxis.data.samples import SampleList
from zoopraxis.errors import RecipeError

__all__ = ["Share", "TrainOrder", "ValOrder", "epoch_order"]

Key = tuple[int, int]  # (epoch, number of the sample)


@dataclass(frozen=True, kw_only=True)
class Share:
    """The part of the work that one process does.

    Parameters
    ----------
    rank : int
        Its number.
    world : int
        How many there are.
    """

    rank: int = 0
    world: int = 1


def epoch_order(
    samples: SampleList, *, seed: int, epoch: int, balanced: bool
) -> npt.NDArray[np.int64]:
    """Numbers of an epoch's samples in their order, (N,).

    Parameters
    ----------
    samples : SampleList
        N samples.
    seed, epoch : int
        All that the order depends on.
    balanced : bool
        Draw N with replacement, every class equally often, instead of each once. A sample of
        several labels weighs as its rarest.
    """
    rng = np.random.default_rng([seed, epoch])
    if not balanced:
        return rng.permutation(len(samples))
    label_sets = [s.label if isinstance(s.label, tuple) else (s.label,) for s in samples]
    counts = np.bincount([label for labels in label_sets for label in labels])
    weights = np.array([max((1 / counts[k] for k in labels), default=0) for labels in label_sets])
    return rng.choice(len(samples), size=len(samples), p=weights / weights.sum())


class TrainOrder(Sampler[list[Key]]):
    """Pieces of this process's share of every step, from a step of an epoch on.

    A step takes the next ``batch`` samples of the epoch's order, whatever the number of
    processes; each process takes its ``accumulate`` pieces of them. What is left over at the end
    of an epoch and fills no batch waits for another epoch's order.

    Parameters
    ----------
    samples : SampleList
        The training list.
    batch, accumulate : int
        Clips of a step in all, and pieces of each process's share.
    seed : int
        Of the order.
    balanced : bool
        See `epoch_order`.
    share : Share
        Which process this is.

    Raises
    ------
    RecipeError
        The batch does not divide by processes and pieces, or there are fewer samples.
    """

    def __init__(
        self,
        samples: SampleList,
        *,
        batch: int,
        accumulate: int,
        seed: int,
        balanced: bool,
        share: Share,
    ) -> None:
        if batch % (share.world * accumulate):
            raise RecipeError(
                f"train.batch = {batch} does not divide into {share.world} devices "
                f"with train.accumulate = {accumulate} pieces each",
                f"choose a multiple of {share.world * accumulate}",
            )
        if len(samples) < batch:
            raise RecipeError(
                f"train.batch = {batch} is more than the {len(samples)} training videos",
                f"set train.batch={len(samples)} or less",
            )
        self.samples = samples
        self.batch = batch
        self.accumulate = accumulate
        self.seed = seed
        self.balanced = balanced
        self.share = share
        self.epoch, self.first_step = 0, 0

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return len(self.samples) // self.batch

    def start(self, epoch: int, step: int) -> None:
        """Choose the epoch, and the step in it, at which the next iteration begins."""
        self.epoch, self.first_step = epoch, step

    def __len__(self) -> int:
        return (self.steps - self.first_step) * self.accumulate

    def __iter__(self) -> Iterator[list[Key]]:
        order = epoch_order(self.samples, seed=self.seed, epoch=self.epoch, balanced=self.balanced)
        size = self.batch // (self.share.world * self.accumulate)
        for step in range(self.first_step, self.steps):
            mine = order[step * self.batch : (step + 1) * self.batch][
                self.share.rank :: self.share.world
            ]
            for piece in range(0, len(mine), size):
                yield [(self.epoch, int(i)) for i in mine[piece : piece + size]]


class ValOrder(Sampler[list[Key]]):
    """Batches of this process's share of the validation samples, each once.

    Parameters
    ----------
    count : int
        Validation samples.
    batch : int
        Clips at once.
    share : Share
        Which process this is.
    """

    def __init__(self, count: int, *, batch: int, share: Share) -> None:
        self.batch = batch
        self.mine = range(share.rank, count, share.world)

    def __len__(self) -> int:
        return -(-len(self.mine) // self.batch)

    def __iter__(self) -> Iterator[list[Key]]:
        for first in range(0, len(self.mine), self.batch):
            yield [(0, i) for i in self.mine[first : first + self.batch]]
