"""Which clips each process reads at each step: a pure function of seed, epoch and step."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from zoopraxis.data.samples import SampleList
from zoopraxis.errors import RecipeError

__all__ = ["Shard", "TrainOrder", "ValOrder", "epoch_order"]

Key = tuple[int, int]  # (epoch, index of the sample)


@dataclass(frozen=True, kw_only=True)
class Shard:
    """The part of the work that one process does.

    Parameters
    ----------
    rank : int
        Rank of the process.
    world : int
        Number of processes.
    """

    rank: int = 0
    world: int = 1


def epoch_order(
    samples: SampleList, *, seed: int, epoch: int, balanced: bool
) -> npt.NDArray[np.int64]:
    """Indices of an epoch's samples in their order, (N,).

    Parameters
    ----------
    samples : SampleList
        N samples.
    seed, epoch : int
        All that the order depends on.
    balanced : bool
        Draw N with replacement, every class equally often, instead of each once. A sample of
        several labels has the weight of its rarest.
    """
    rng = np.random.default_rng([seed, epoch])
    if not balanced:
        return rng.permutation(len(samples))
    label_sets = [s.label if isinstance(s.label, tuple) else (s.label,) for s in samples]
    counts = np.bincount([label for labels in label_sets for label in labels])
    weights = np.array([max((1 / counts[k] for k in labels), default=0) for labels in label_sets])
    return rng.choice(len(samples), size=len(samples), p=weights / weights.sum())


class TrainOrder(Sampler[list[Key]]):
    """Micro-batches of this process's shard of every step, from a given step of an epoch.

    A step takes the next ``batch_size`` samples of the epoch's order, whatever the number of
    processes; each process reads its shard of them in ``micro_batches``. Samples that do not fill
    a last batch are dropped for that epoch.

    Parameters
    ----------
    samples : SampleList
        The training list.
    batch_size, micro_batches : int
        Clips of a step over all processes, and micro-batches of each process's shard.
    seed : int
        Of the order.
    balanced : bool
        See `epoch_order`.
    shard : Shard
        This process.

    Raises
    ------
    RecipeError
        The batch does not divide by processes and micro-batches, or there are fewer samples.
    """

    def __init__(
        self,
        samples: SampleList,
        *,
        batch_size: int,
        micro_batches: int,
        seed: int,
        balanced: bool,
        shard: Shard,
    ) -> None:
        if batch_size % (shard.world * micro_batches):
            raise RecipeError(
                f"train.batch_size = {batch_size} does not divide into {shard.world} devices "
                f"with train.micro_batches = {micro_batches} each",
                f"choose a multiple of {shard.world * micro_batches}",
            )
        if len(samples) < batch_size:
            raise RecipeError(
                f"train.batch_size = {batch_size} exceeds the {len(samples)} training videos",
                f"set train.batch_size={len(samples)} or less",
            )
        self.samples = samples
        self.batch_size = batch_size
        self.micro_batches = micro_batches
        self.seed = seed
        self.balanced = balanced
        self.shard = shard
        self.epoch, self.first_step = 0, 0

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return len(self.samples) // self.batch_size

    def start(self, epoch: int, step: int) -> None:
        """Choose the epoch and step at which the next iteration starts."""
        self.epoch, self.first_step = epoch, step

    def __len__(self) -> int:
        return (self.steps - self.first_step) * self.micro_batches

    def __iter__(self) -> Iterator[list[Key]]:
        order = epoch_order(self.samples, seed=self.seed, epoch=self.epoch, balanced=self.balanced)
        size = self.batch_size // (self.shard.world * self.micro_batches)
        for step in range(self.first_step, self.steps):
            mine = order[step * self.batch_size : (step + 1) * self.batch_size][
                self.shard.rank :: self.shard.world
            ]
            for first in range(0, len(mine), size):
                yield [(self.epoch, int(i)) for i in mine[first : first + size]]


class ValOrder(Sampler[list[Key]]):
    """Batches of this process's shard of the validation samples, each sample once.

    Parameters
    ----------
    count : int
        Number of validation samples.
    batch_size : int
        Clips of a batch.
    shard : Shard
        This process.
    """

    def __init__(self, count: int, *, batch_size: int, shard: Shard) -> None:
        self.batch_size = batch_size
        self.mine = range(shard.rank, count, shard.world)

    def __len__(self) -> int:
        return -(-len(self.mine) // self.batch_size)

    def __iter__(self) -> Iterator[list[Key]]:
        for first in range(0, len(self.mine), self.batch_size):
            yield [(0, i) for i in self.mine[first : first + self.batch_size]]
