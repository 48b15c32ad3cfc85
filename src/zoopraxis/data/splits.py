"""Splits of a list into training and validation samples, by group."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

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
    names = sorted({s.group for s in samples})
    if len(names) < len(fractions):
        raise DataError(
            f"{samples.root} has {len(names)} groups, too few for {len(fractions)} parts",
            "give more groups, or a validation list of its own",
        )
    number = {name: i for i, name in enumerate(names)}
    group_of = np.fromiter((number[s.group] for s in samples), np.int64, len(samples))  # (N,)
    sizes = np.bincount(group_of, minlength=len(names))  # (G,)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]  # the largest group first

    # The classes of group g are classes[starts[g] : starts[g + 1]], and their counts beside them.
    starts, classes, counts = _class_counts(samples, group_of, len(names))
    of_class = np.bincount(classes, weights=counts, minlength=len(samples.labels))  # (K,)
    totals = [*of_class.tolist(), len(samples)]
    quotas = [
        [f * total for total in totals] for f in fractions
    ]  # (P, K + 1): what each should get
    have = [[0.0] * len(totals) for _ in fractions]  # (P, K + 1)
    part_of = [0] * len(names)
    # Plain numbers: a group has a class or two, and a list may have a million groups.
    starts_, classes_, counts_ = starts.tolist(), classes.tolist(), counts.tolist()
    for group, size in zip(order.tolist(), sizes[order].tolist(), strict=True):
        has = range(starts_[group], starts_[group + 1])
        best, most = 0, -math.inf
        for part, (got, quota) in enumerate(zip(have, quotas, strict=True)):
            lack = 0.0
            for i in has:
                k = classes_[i]
                lack += (1 - got[k] / quota[k]) * counts_[
                    i
                ]  # the first factor of an empty part is 1
            lack += (1 - got[-1] / quota[-1]) * size
            if lack > most:
                best, most = part, lack
        part_of[group] = best
        have[best][-1] += size
        for i in has:
            have[best][classes_[i]] += counts_[i]
    return np.array(part_of, dtype=np.int64)[group_of]


def _class_counts(
    samples: SampleList, group_of: npt.NDArray[np.int64], groups: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Count samples by group and class, as compressed rows: starts (G + 1,), classes and counts."""
    width = len(samples.labels)
    if samples.multi_label:
        labels = [s.label if isinstance(s.label, tuple) else (s.label,) for s in samples]
        lengths = np.fromiter(map(len, labels), np.int64, len(labels))
        flat = np.fromiter(chain.from_iterable(labels), np.int64, int(lengths.sum()))
        keys = np.repeat(group_of, lengths) * width + flat
    else:
        keys = group_of * width + np.array([s.label for s in samples], dtype=np.int64)
    pairs, counts = np.unique(keys, return_counts=True)
    starts = np.searchsorted(pairs, np.arange(groups + 1) * width)
    return starts, pairs % width, counts


def _pick(samples: SampleList, chosen: npt.NDArray[np.bool_]) -> SampleList:
    kept = tuple(s for s, keep in zip(samples, chosen, strict=True) if keep)
    return replace(samples, samples=kept)
