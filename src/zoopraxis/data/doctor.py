"""What is wrong with a collection of videos, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zoopraxis.data.duplicates import look_alikes
from zoopraxis.data.examine import CLIP, SHORT, STRIDE, Examined
from zoopraxis.data.finding import Finding
from zoopraxis.data.label_checks import FEW, check_labels
from zoopraxis.data.samples import SampleList

__all__ = ["GOP", "SHORT", "EpochCost", "diagnose", "epoch_cost", "unreadable"]

Pairs = list[tuple[str, str]]
UNEVEN = 0.01  # fraction of the times between frames
ODD = 4  # times as long, or a fourth as long, as most
GOP = 12  # frames from one key frame to the next, of videos that were resized for training


def diagnose(
    examined: Sequence[Examined],
    *,
    train: SampleList | None = None,
    val: SampleList | None = None,
    names: Sequence[str] = (),
    few: int = FEW,
) -> list[Finding]:
    """Find what is wrong with videos and the lists that they are in; the worst first.

    Parameters
    ----------
    examined : sequence of Examined
        All videos of the lists.
    train, val : SampleList, optional
        The lists.
    names, few
        As for `zoopraxis.data.label_checks.check_labels`.
    """
    found = [unreadable(examined), *_twins(examined, train, val), *_odd(examined)]
    found += [] if train is None else check_labels(train, val, names=names, few=few)
    told = [one for one in found if one.where]
    return sorted(told, key=lambda one: one.status != "fail")


@dataclass(frozen=True)
class EpochCost:
    """Minutes that decoding costs an epoch of one clip of each video.

    Parameters
    ----------
    minutes : float
        As the videos are; 0 where none was timed.
    resized : float
        Estimate for the same videos resized to `SHORT` pixels, with a key frame every `GOP` frames.
    """

    minutes: float
    resized: float

    def told(self) -> tuple[str, str]:
        """Both in words: minutes, or seconds where they are few."""
        first, second = (
            f"{60 * value:.2g} seconds" if value < 1 else f"{value:.1f} minutes"
            for value in (self.minutes, self.resized)
        )
        return first, second

    @property
    def worth_resizing(self) -> bool:
        """Whether resizing would save a fifth or more, and half a minute at least."""
        return self.resized < min(0.8 * self.minutes, self.minutes - 0.5)


def epoch_cost(examined: Sequence[Examined], *, clips: int, workers: int) -> EpochCost:
    """Estimate what ``workers`` processes need to decode one clip of each of ``clips`` samples.

    The minutes as the videos are come from the processor times of clips that were read. For resized
    videos, each of those times is taken apart: opening the file, which stays, and the rest, which
    is proportional to the pixels that were decoded. These are the frames from the key frame before
    the clip to its end, times the size of a frame. After it, they would be the 31 frames of the
    clip and half the others of a GOP, 5.5 on average, at 256 pixels. That another codec may decode
    faster or slower is not taken into account.
    """
    timed = [one for one in examined if one.clip_seconds and one.clip_frames]
    if not timed:
        return EpochCost(0.0, 0.0)
    after = []
    for one in timed:
        scale = min(1.0, SHORT / min(one.width, one.height)) ** 2
        frames = min((CLIP - 1) * STRIDE + 1 + (GOP - 1) / 2, one.frames)
        rest = max(one.clip_seconds - one.open_seconds, 0.0)
        after.append(one.open_seconds + rest * scale * min(frames / one.clip_frames, 1.0))
    each = clips / workers / 60
    mean = float(np.mean([one.clip_seconds for one in timed]))
    return EpochCost(mean * each, float(np.mean(after)) * each)


def unreadable(examined: Sequence[Examined]) -> Finding:
    """Name the videos that cannot be read."""
    bad = tuple(one.problem for one in examined if one.problem)
    return Finding("fail", "cannot be read", bad, "copy them again, or --quarantine FILE")


def _twins(
    examined: Sequence[Examined], train: SampleList | None, val: SampleList | None
) -> list[Finding]:
    """Videos with the same content, or that look the same; those across a split are worst."""
    first: dict[str, str] = {}
    pairs: Pairs = []
    alike: Pairs = []
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
    readable = {one.path for one in examined if not one.problem}

    def paired(status: Literal["fail", "warn"], title: str, some: Pairs, advice: str) -> Finding:
        lines = tuple(a if a == b else f"{b} = {a}" for a, b in some)
        videos = tuple(tuple(p for p in dict.fromkeys(pair) if p in readable) for pair in some)
        return Finding(status, title, lines, advice, videos)

    return [
        paired("fail", "on both sides of the split", across, "leave them out of one list"),
        paired("warn", "have the same content", pairs, "keep one of each"),
        paired("warn", "look the same", alike, "look at both; keep one of each, or one group"),
    ]


def _odd(examined: Sequence[Examined]) -> list[Finding]:
    """Videos that differ from most."""
    sound = [one for one in examined if not one.problem]
    uneven = tuple(one.path for one in sound if one.uneven > UNEVEN)
    advice = "sampling.rate counts seconds and not frames there; or re-encode at a constant rate"
    found = [
        Finding("warn", "have a variable frame rate", uneven, advice, tuple((p,) for p in uneven))
    ]
    advice = "look whether they belong here"
    for title, unit, values in (
        ("are much longer or shorter than most", "seconds", [one.duration for one in sound]),
        ("have an unusual frame rate", "frames per second", [one.fps for one in sound]),
        ("have an unusual size", "megapixels", [one.width * one.height / 1e6 for one in sound]),
    ):
        middle = float(np.median(values)) if values else 0.0
        odd = [
            (one.path, value)
            for one, value in zip(sound, values, strict=True)
            if not middle / ODD <= value <= middle * ODD
        ]
        lines = tuple(f"{path}: {value:.3g} {unit}, most {middle:.3g}" for path, value in odd)
        found.append(Finding("warn", title, lines, advice, tuple((path,) for path, _ in odd)))
    return found
