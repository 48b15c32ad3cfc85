"""What is checked before the first step, so that no run finds it out at its end."""

import re
from collections import Counter
from collections.abc import Sequence

from zoopraxis.data.samples import Sample, SampleList
from zoopraxis.errors import DataError, RecipeError, VideoError
from zoopraxis.inputs import ClipSpec
from zoopraxis.inputs.augment import Augment
from zoopraxis.training.recipe import TrainPart

__all__ = ["check_classes", "check_files", "check_left_right", "warn_left_right", "warn_overlap"]

NAMED = 5  # of what is counted, so many are named
SIDE = re.compile("left|right", re.IGNORECASE)


def check_files(*lists: SampleList | None, clip: ClipSpec, part: TrainPart) -> list[str]:
    """Look for the files of lists; return what to say of those that will be skipped.

    Parameters
    ----------
    *lists : SampleList or None
        Training and validation.
    clip : ClipSpec
        What is read: a network for flow needs no video where flow is given.
    part : TrainPart
        Says whether missing files stop the run or are skipped.

    Raises
    ------
    DataError
        Files are missing, and the recipe does not skip such.
    """
    said = []
    for samples in filter(None, lists):
        if not samples.missing():
            continue
        missing = [sample for sample in samples if _is_missing(sample, clip)]
        if not missing:
            continue
        problem = (
            f"{len(missing)} of the {len(samples)} videos of {samples.root} are missing: "
            f"{_few([_place(sample) for sample in missing], '; ')}"
        )
        if part.on_bad_video == "stop":
            raise DataError(
                problem,
                "paths are relative to the list; mend it, or set train.on_bad_video=skip",
            )
        said.append(f"{problem}; they are skipped")
    return said


def _is_missing(sample: Sample, clip: ClipSpec) -> bool:
    """Whether a file of a sample is not there, and its clips cannot be read without it."""
    if not SampleList(samples=(sample,), labels=(), root="").missing():
        return False
    try:  # which files a clip needs is known to its kind of input alone
        with clip.input.open(sample):
            return False
    except VideoError:
        return True


def _place(sample: Sample) -> str:
    """File of a sample, after the line that lists it."""
    known = sample.where and sample.where != sample.path
    return f"{sample.where}: {sample.path}" if known else sample.path


def _few(names: Sequence[str], separator: str) -> str:
    """Join the first names; the others are left to the count."""
    dots = f"{separator}..." if len(names) > NAMED else ""
    return separator.join(names[:NAMED]) + dots


def check_classes(train: SampleList) -> None:
    """Refuse videos that are all of one class: every network is right about them.

    Raises
    ------
    DataError
        There is nothing to tell apart.
    """
    present = {sample.label for sample in train}
    if train.multi_label or len(present) > 1:
        return
    (label,) = present
    name = train.labels[label] if isinstance(label, int) else label
    raise DataError(
        f"all {len(train)} training videos of {train.root} are of one class, {name!r}",
        "a network learns to tell two classes or more apart: expected FOLDER/<class>/<clip>.mp4, "
        "or a list with a path and a label on each line",
    )


def check_left_right(augment: Augment, labels: Sequence[str]) -> None:
    """Hold the pairs of ``augment.left_right`` to the classes.

    Raises
    ------
    RecipeError
        A number is not that of a class, or is in two pairs.
    """
    numbers = Counter(k for pair in augment.left_right for k in pair)
    for k, times in numbers.items():
        if not 0 <= k < len(labels):
            raise RecipeError(
                f"augment.left_right has the class {k}, and there are {len(labels)}",
                f"classes are numbered from 0, {labels[0]!r}, to {len(labels) - 1}, {labels[-1]!r}",
            )
        if times > 1:
            raise RecipeError(
                f"augment.left_right has the class {k}, {labels[k]!r}, {times} times",
                "a class is the mirror image of one other; leave out one that is its own",
            )


def warn_left_right(augment: Augment, labels: Sequence[str]) -> list[str]:
    """Warn of classes that a flip turns into each other without their labels being swapped."""
    swapped = {frozenset(pair) for pair in augment.left_right}
    index = {label.lower(): k for k, label in enumerate(labels)}
    pairs = []
    for k, label in enumerate(labels):
        # "swipe left" is "swipe right" in a mirror, "from left to right" "from right to left"
        mirrored = SIDE.sub(lambda m: {"left": "right"}.get(m[0].lower(), "left"), label.lower())
        other = index.get(mirrored, k)
        if k < other and frozenset((k, other)) not in swapped:
            pairs.append((k, other))
    if not pairs or augment.flip == 0:
        return []
    named = _few([f"{labels[a]!r} / {labels[b]!r}" for a, b in pairs], ", ")
    every = sorted([*map(list, augment.left_right), *map(list, pairs)])
    setting = str(every).replace(" ", "")
    return [
        f"warning: clips are flipped (augment.flip = {augment.flip:g}) and keep their labels, but "
        f"classes are named as mirror images of each other: {named}",
        f"hint:    augment.left_right='{setting}' swaps their labels, augment.flip=0 does not flip",
    ]


def warn_overlap(train: SampleList, val: SampleList | None) -> list[str]:
    """Warn of validation videos that are trained on: their accuracy says nothing."""
    if val is None:
        return []
    seen = {_identity(sample) for sample in train}
    both = [sample for sample in val if _identity(sample) in seen]
    if not both:
        return []
    return [
        f"warning: {len(both)} of the {len(val)} validation videos are trained on too: "
        f"{_few([sample.name for sample in both], ', ')}"
    ]


def _identity(sample: Sample) -> tuple[str, float | None, float | None]:
    return (sample.path, sample.start, sample.end)
