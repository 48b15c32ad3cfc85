"""What is wrong with a collection of videos, and what to do about it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zoopraxis.data.duplicates import look_alikes
from zoopraxis.data.examine import Examined
from zoopraxis.data.samples import SampleList

__all__ = ["Finding", "diagnose", "epoch_minutes"]

IMBALANCE = 10  # the largest class over the smallest
UNEVEN = 0.01  # fraction of the times between frames
ODD = 4  # times as long, or a fourth as long, as most


@dataclass(frozen=True)
class Finding:
    """One kind of trouble, the videos or classes that have it, and what to do."""

    status: Literal["fail", "warn"]
    title: str
    where: tuple[str, ...]
    advice: str


def diagnose(
    examined: Sequence[Examined],
    *,
    train: SampleList | None = None,
    val: SampleList | None = None,
) -> list[Finding]:
    """Find what is wrong with videos and the lists that they are in; the worst first.

    Parameters
    ----------
    examined : sequence of Examined
        All videos of the lists.
    train, val : SampleList, optional
        The lists.
    """
    found = [_unreadable(examined), *_twins(examined, train, val), *_odd(examined)]
    found += [] if train is None else _classes(train, val)
    told = [one for one in found if one.where]
    return sorted(told, key=lambda one: one.status != "fail")


def epoch_minutes(examined: Sequence[Examined], *, clips: int, workers: int) -> float:
    """Minutes that ``workers`` processes need to decode one clip of each of ``clips`` samples."""
    timed = [one.clip_seconds for one in examined if one.clip_seconds]
    return float(np.mean(timed)) * clips / workers / 60 if timed else 0.0


def _unreadable(examined: Sequence[Examined]) -> Finding:
    bad = tuple(one.problem for one in examined if one.problem)
    return Finding("fail", "cannot be read", bad, "copy them again, or --quarantine FILE")


def _twins(
    examined: Sequence[Examined], train: SampleList | None, val: SampleList | None
) -> list[Finding]:
    """Videos with the same content, or that look the same; those across a split are worst."""
    first: dict[str, str] = {}
    pairs, alike = [], []
    for one in examined:
        other = first.setdefault(one.sha256, one.path) if one.sha256 else one.path
        if other != one.path:
            pairs.append((other, one.path))
    for k, later in look_alikes([one.looks() for one in examined]):
        if examined[k].sha256 != examined[later].sha256:
            alike.append((examined[k].path, examined[later].path))
    sides = [{s.path for s in samples} if samples else set() for samples in (train, val)]
    across = [
        (a, b)
        for a, b in (*pairs, *alike, *((path, path) for path in sorted(sides[0] & sides[1])))
        if (a in sides[0] and b in sides[1]) or (b in sides[0] and a in sides[1])
    ]
    shown = [tuple(f"{b} = {a}" for a, b in some) for some in (across, pairs, alike)]
    return [
        Finding("fail", "on both sides of the split", shown[0], "leave them out of one list"),
        Finding("warn", "have the same content", shown[1], "keep one of each"),
        Finding("warn", "look the same", shown[2], "look at both; keep one of each, or one group"),
    ]


def _odd(examined: Sequence[Examined]) -> list[Finding]:
    """Videos that differ from most."""
    sound = [one for one in examined if not one.problem]
    uneven = tuple(one.path for one in sound if one.uneven > UNEVEN)
    advice = "sampling.rate counts seconds and not frames there; or re-encode at a constant rate"
    found = [Finding("warn", "have a variable frame rate", uneven, advice)]
    for title, values in (
        ("are much longer or shorter than most", [one.duration for one in sound]),
        ("have an unusual frame rate", [one.fps for one in sound]),
        ("have an unusual size", [float(one.width * one.height) for one in sound]),
    ):
        middle = float(np.median(values)) if values else 0.0
        odd = tuple(
            one.path
            for one, value in zip(sound, values, strict=True)
            if not middle / ODD <= value <= middle * ODD
        )
        found.append(Finding("warn", title, odd, "look whether they belong here"))
    return found


def _classes(train: SampleList, val: SampleList | None) -> list[Finding]:
    """Classes without videos, with few, or that a mirror changes."""
    counts = [_counts(samples) for samples in (train, val) if samples is not None]
    sides = ("training", "validation")[: len(counts)]
    missing = tuple(
        f"{label} ({side})"
        for side, count in zip(sides, counts, strict=True)
        for k, label in enumerate(train.labels)
        if not count[k]
    )
    present = [n for n in counts[0].values() if n]
    rare = tuple(
        f"{train.labels[k]}: {n}" for k, n in counts[0].items() if n * IMBALANCE < max(present)
    )
    sided = tuple(x for x in train.labels if {"left", "right"} & {*x.lower().split()})
    return [
        Finding("fail", "classes without videos", missing, "check the list and its labels"),
        Finding("warn", "classes with few videos", rare, "train.sampling=balanced"),
        Finding("warn", "classes that a flip changes", sided, "augment.flip=0, or left_right"),
    ]


def _counts(samples: SampleList) -> Counter[int]:
    labels = (s.label if isinstance(s.label, tuple) else (s.label,) for s in samples)
    return Counter(k for some in labels for k in some)
