"""Splits: whole groups, deterministic, classes as balanced as groups allow."""

from collections import Counter

import pytest

from zoopraxis.data.samples import Sample, SampleList
from zoopraxis.data.splits import k_fold_by_group, split_by_group
from zoopraxis.errors import DataError


def make(groups: dict[str, list[int]]) -> SampleList:
    """A list with the labels of each group."""
    samples = tuple(
        Sample(path=f"{group}_{i}", label=label, group=group, name=f"{group}_{i}")
        for group, labels in groups.items()
        for i, label in enumerate(labels)
    )
    return SampleList(samples=samples, labels=("a", "b", "c"), root="list.csv")


def names(samples: SampleList) -> set[str]:
    return {s.name for s in samples}


def groups_of(samples: SampleList) -> set[str]:
    return {s.group for s in samples}


TWENTY = make({f"g{i}": [i % 2] * (1 + i % 3) for i in range(20)})


def test_no_group_is_on_both_sides_and_nothing_is_lost():
    train, val = split_by_group(TWENTY, fraction=0.25, seed=3)

    assert groups_of(train).isdisjoint(groups_of(val))
    assert names(train) | names(val) == names(TWENTY)
    assert len(train) + len(val) == len(TWENTY)


def test_single_clips_split_exactly_in_every_class():
    singles = make({f"g{i}": [i % 3] for i in range(60)})

    train, val = split_by_group(singles, fraction=0.2)

    assert Counter(s.label for s in train) == {0: 16, 1: 16, 2: 16}
    assert Counter(s.label for s in val) == {0: 4, 1: 4, 2: 4}


def test_performers_who_do_everything_split_evenly():
    performers = make({f"p{i}": [0, 1, 2] for i in range(10)})

    _, val = split_by_group(performers, fraction=0.3)

    assert Counter(s.label for s in val) == {0: 3, 1: 3, 2: 3}


def test_seed_decides():
    first, again = (names(split_by_group(TWENTY, seed=5)[1]) for _ in range(2))
    other = [names(split_by_group(TWENTY, seed=s)[1]) for s in range(6, 10)]

    assert first == again
    assert any(first != o for o in other)


def test_two_groups_give_one_to_each_side():
    train, val = split_by_group(make({"x": [0, 0, 1], "y": [0, 1]}), fraction=0.1)
    assert {len(groups_of(train)), len(groups_of(val))} == {1}


def test_folds_validate_every_sample_once():
    folds = k_fold_by_group(TWENTY, folds=4, seed=1)

    validated = Counter(s.name for _, val in folds for s in val)
    assert validated == dict.fromkeys(names(TWENTY), 1)
    for train, val in folds:
        assert groups_of(train).isdisjoint(groups_of(val))
        assert names(train) | names(val) == names(TWENTY)
        assert abs(len(val) - len(TWENTY) / 4) <= 3


def test_many_groups_and_classes_take_no_table_of_both():
    # 20000 groups by 50000 classes would be 8 GB
    singles = tuple(
        Sample(path=str(i), label=i % 50, group=f"g{i}", name=str(i)) for i in range(20_000)
    )
    labels = tuple(map(str, range(50_000)))

    train, val = split_by_group(SampleList(samples=singles, labels=labels, root="list.csv"))

    assert Counter(s.label for s in train) == dict.fromkeys(range(50), 320)
    assert Counter(s.label for s in val) == dict.fromkeys(range(50), 80)


def test_several_labels_are_split_alike():
    samples = tuple(
        Sample(path=str(i), label=((0, 1), (1, 2), ())[i % 3], group=f"g{i}", name=str(i))
        for i in range(30)
    )

    _, val = split_by_group(SampleList(samples=samples, labels=("a", "b", "c"), root="l.csv"))

    assert Counter(s.label for s in val) == {(0, 1): 2, (1, 2): 2, (): 2}


def test_refusals():
    with pytest.raises(DataError, match=r"list\.csv has 1 groups, too few for 2 parts"):
        split_by_group(make({"x": [0, 1]}))
    with pytest.raises(DataError, match="too few for 5 parts"):
        k_fold_by_group(make({"x": [0], "y": [1]}))
    with pytest.raises(DataError, match=r"fraction is 1\.5"):
        split_by_group(TWENTY, fraction=1.5)
    with pytest.raises(DataError, match="1 folds"):
        k_fold_by_group(TWENTY, folds=1)
