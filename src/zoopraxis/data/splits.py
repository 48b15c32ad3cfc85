"""Splits of a list into training and validation samples, by group."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from zoopraxis.data.samples import SampleList
from zoopraxis.errors import DataError

__all__ = ["k_fold_by_group", "split_by_group"]

Pair = tuple[SampleList, SampleList]


def split_by_group(samples: SampleList, *, fraction: float = 0.2, seed: int = 0) -> Pair:
    """Split into training and validation samples; no group is on both sides.

    Groups are assigned, the largest first, each to the side that lacks most of the group's
    classes, so that both sides have the classes in the same proportion as far as groups allow.

    Parameters
    ----------
    samples : SampleList
        The samples to split.
    fraction : float, default=0.2
        Fraction of validation samples, between 0 and 1.
    seed : int, default=0
        Of the order in which equally large groups are assigned.

    Returns
    -------
    train, val : SampleList

    Raises
    ------
    DataError
        The fraction is not between 0 and 1, or there is only one group.
    """
    if not 0 < fraction < 1:
        raise DataError(f"the validation fraction is {fraction}", "give one between 0 and 1")
    parts = _assign(samples, fractions=(1 - fraction, fraction), seed=seed)
    return _pick(samples, parts == 0), _pick(samples, parts == 1)


def k_fold_by_group(samples: SampleList, *, folds: int = 5, seed: int = 0) -> tuple[Pair, ...]:
    """Pairs (train, val) of k folds; every sample validates once, no group is on both sides.

    Parameters
    ----------
    samples : SampleList
        The samples to split.
    folds : int, default=5
        k, at least 2.
    seed : int, default=0
        Of the order in which equally large groups are assigned.

    Raises
    ------
    DataError
        Fewer than two folds, or fewer groups than folds.
    """
    if folds < 2:
        raise DataError(f"{folds} folds cannot be trained on", "give at least 2")
    parts = _assign(samples, fractions=(1 / folds,) * folds, seed=seed)
    return tuple((_pick(samples, parts != f), _pick(samples, parts == f)) for f in range(folds))


def _assign(samples: SampleList, *, fractions: Sequence[float], seed: int) -> npt.NDArray[np.int64]:
    """Part of every sample, (N,): groups assigned to parts of the given fractions."""
    names, group_of = np.unique([s.group for s in samples], return_inverse=True)
    if len(names) < len(fractions):
        raise DataError(
            f"{samples.root} has {len(names)} groups, too few for {len(fractions)} parts",
            "give more groups, or a validation list of its own",
        )
    counts = _class_counts(samples, group_of, len(names))  # (G, K + 1)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-counts[order, -1], kind="stable")]  # the largest group first
    quota = np.outer(fractions, counts.sum(0))  # (P, K + 1): what each part should get
    have = np.zeros_like(quota)
    part_of = np.zeros(len(names), dtype=np.int64)
    for group in order:
        has = counts[group] > 0
        lack = 1 - have[:, has] / quota[:, has]  # (P, classes of the group): 1 is empty
        part_of[group] = np.argmax(lack @ counts[group, has])
        have[part_of[group]] += counts[group]
    return part_of[group_of]


def _class_counts(
    samples: SampleList, group_of: npt.NDArray[np.intp], groups: int
) -> npt.NDArray[np.float64]:
    """Count samples by group and class, (G, K + 1); the last column is the group's size."""
    counts = np.zeros((groups, len(samples.labels) + 1))
    for sample, group in zip(samples, group_of, strict=True):
        labels = sample.label if isinstance(sample.label, tuple) else (sample.label,)
        counts[group, [*labels, -1]] += 1
    return counts


def _pick(samples: SampleList, chosen: npt.NDArray[np.bool_]) -> SampleList:
    kept = tuple(s for s, keep in zip(samples, chosen, strict=True) if keep)
    return replace(samples, samples=kept)
