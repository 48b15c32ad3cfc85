"""The order of clips: the same for any number of processes and pieces."""

from collections import Counter

import pytest

from zoopraxis.data.samples import Sample, SampleList
from zoopraxis.errors import RecipeError
from zoopraxis.training.sampler import Shard, TrainOrder, ValOrder, epoch_order


def samples(labels: list[int]) -> SampleList:
    made = tuple(Sample(path=str(i), label=k, group="", name="") for i, k in enumerate(labels))
    return SampleList(samples=made, labels=("a", "b"), root="")


TEN = samples([0] * 8 + [1] * 2)


def order(*, rank: int = 0, world: int = 1, micro_batches: int = 1, balanced: bool = False):
    return TrainOrder(
        TEN,
        batch_size=4,
        micro_batches=micro_batches,
        seed=3,
        balanced=balanced,
        shard=Shard(rank=rank, world=world),
    )


def test_an_epoch_takes_every_clip_once_in_another_order():
    first, second = (epoch_order(TEN, seed=0, epoch=e, balanced=False).tolist() for e in (0, 1))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert first == epoch_order(TEN, seed=0, epoch=0, balanced=False).tolist()


def test_steps_hold_the_same_clips_whoever_takes_them():
    alone = list(order())
    assert [len(piece) for piece in alone] == [4, 4]  # 2 of 10 wait for another epoch
    shards = [list(order(rank=r, world=2, micro_batches=2)) for r in range(2)]
    for step, whole in enumerate(alone):
        pieces = [piece for shard in shards for piece in shard[2 * step : 2 * step + 2]]
        assert [len(p) for p in pieces] == [1, 1, 1, 1]
        assert {key for piece in pieces for key in piece} == set(whole)


def test_starts_in_the_middle():
    whole, rest = order(micro_batches=2), order(micro_batches=2)
    whole.start(5, 0)
    rest.start(5, 1)

    assert list(rest) == list(whole)[2:]
    assert (len(rest), len(whole)) == (2, 4)
    assert {epoch for piece in rest for epoch, _ in piece} == {5}


def test_balanced_draws_every_class_equally_often():
    drawn = Counter(
        int(i) >= 8
        for epoch in range(200)
        for i in epoch_order(TEN, seed=0, epoch=epoch, balanced=True)
    )
    # 2000 draws: the standard deviation of the share is 0.011
    assert abs(drawn[True] / 2000 - 0.5) < 0.05


def test_validation_takes_each_once():
    shards = [list(ValOrder(7, batch_size=2, shard=Shard(rank=r, world=2))) for r in range(2)]
    assert shards[0] == [[(0, 0), (0, 2)], [(0, 4), (0, 6)]]
    assert shards[1] == [[(0, 1), (0, 3)], [(0, 5)]]
    assert len(ValOrder(7, batch_size=2, shard=Shard())) == 4


def test_refusals():
    with pytest.raises(RecipeError, match="batch_size = 4 does not divide into 3 devices"):
        order(world=3)
    with pytest.raises(RecipeError, match="batch_size = 12 exceeds the 10 training videos"):
        TrainOrder(TEN, batch_size=12, micro_batches=1, seed=0, balanced=False, shard=Shard())
