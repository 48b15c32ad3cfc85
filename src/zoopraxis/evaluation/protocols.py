"""What is trained on and what is tested: folds by group, official splits, leave one out."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zoopraxis.data.samples import SampleList
from zoopraxis.data.splits import k_fold_by_group
from zoopraxis.errors import DataError
from zoopraxis.evaluation.features import FeatureSet

__all__ = ["Round", "by_folds", "by_lists", "leave_one_out"]

Pair: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]
Round: TypeAlias = tuple[Pair, ...]
"""Pairs of (training, testing) indices, whose test scores are measured together."""


def by_folds(features: FeatureSet, *, folds: int = 5, seed: int = 0) -> tuple[Round, ...]:
    """Divide the videos into folds, no group on both sides; each fold is a round.

    Raises
    ------
    DataError
        There are fewer groups than folds, or fewer folds than two.
    """
    index_of = _index_of(features)
    return tuple(
        ((_indices(train, index_of), _indices(test, index_of)),)
        for train, test in k_fold_by_group(features.samples(), folds=folds, seed=seed)
    )


def by_lists(
    features: FeatureSet, splits: Sequence[tuple[SampleList, SampleList]]
) -> tuple[Round, ...]:
    """Take the official splits of a data set; each is a round.

    Parameters
    ----------
    features : FeatureSet
        Of all videos.
    splits : sequence of (SampleList, SampleList)
        Lists of the training and the test videos of each split.

    Raises
    ------
    DataError
        A video of a list has no features, or is in both lists.
    """
    index_of = {path: n for n, path in enumerate(features.paths)}
    rounds = []
    for pair in splits:
        for samples in pair:
            missing = [
                s for s in samples if s.path not in index_of and s.name not in features.unread
            ]
            if missing:
                raise DataError(
                    f"{samples.root} has {len(missing)} videos without features, the first "
                    f"{missing[0].path}",
                    "extract the features of all videos of all splits",
                )
        train, test = (
            np.array([index_of[s.path] for s in samples if s.path in index_of], dtype=np.int64)
            for samples in pair
        )
        both = np.intersect1d(train, test)
        if len(both):
            raise DataError(
                f"{features.names[both[0]]} is in {pair[0].root} and in {pair[1].root}",
                "test on other videos than are trained on",
            )
        rounds.append(((train, test),))
    return tuple(rounds)


def leave_one_out(features: FeatureSet) -> tuple[Round, ...]:
    """Test every video by a probe that is trained on all others; one round of N pairs.

    The protocol of the scenes of YUPENN and Dynamic Scene (Derpanis et al., CVPR 2012; Shroff et
    al., CVPR 2010).
    """
    numbers = np.arange(len(features))
    return (tuple((np.delete(numbers, n), numbers[n : n + 1]) for n in numbers),)


def _index_of(features: FeatureSet) -> dict[str, int]:
    return {name: n for n, name in enumerate(features.names)}


def _indices(samples: SampleList, index_of: dict[str, int]) -> NDArray[np.int64]:
    return np.array([index_of[sample.name] for sample in samples], dtype=np.int64)
