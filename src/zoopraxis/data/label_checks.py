"""What is wrong with the labels of a list: shifted, unknown, missing or rare ones."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from zoopraxis.data.finding import Finding
from zoopraxis.data.samples import SampleList
from zoopraxis.errors import did_you_mean

__all__ = ["FEW", "check_labels"]

FEW = 10  # videos of a class
IMBALANCE = 10  # the largest class over the smallest
SHIFTED = 0.8  # fraction of the videos whose labels differ by the same from the names in paths
_OF_UCF = re.compile(r"v_(\w+?)_g\d+")


def check_labels(
    train: SampleList,
    val: SampleList | None = None,
    *,
    names: Sequence[str] = (),
    few: int = FEW,
) -> list[Finding]:
    """Find what is wrong with the labels of lists.

    Parameters
    ----------
    train, val : SampleList
        The lists. Where ``names`` are given, their labels should be as they are written: those of
        ``read_samples(path, first_label=0)``, which takes numbers as they are.
    names : sequence of str, optional
        The K classes in the order of their indices. By default those of the training list.
    few : int, default=10
        Classes with fewer training videos are named.

    Notes
    -----
    The class in a path is the name of the nearest folder, or of UCF101's ``v_<class>_g01_c01``,
    that is a class: letters and digits alone are compared, in lower case. Where at least 80 % of
    the labels differ by the same number from the classes in their paths, they are shifted.
    """
    names = tuple(names or train.labels)
    sides = [_Side("training", train, names, _indices(train, names))]
    if val is not None:
        sides.append(_Side("validation", val, names, _indices(val, names)))
    counts = [side.counts() for side in sides]
    missing = tuple(
        f"{name} ({side.name})"
        for side, count in zip(sides, counts, strict=True)
        for k, name in enumerate(names)
        if not count[k]
    )
    present = {k: n for k, n in counts[0].items() if n}
    most = max(present.values(), default=0)
    rare = tuple(
        f"{names[k]}: {n}"
        for k, n in sorted(present.items(), key=lambda item: item[1])
        if n < few or n * IMBALANCE < most
    )
    sided = tuple(name for name in names if {"left", "right"} & {*name.lower().split()})
    return [
        *(_from_one(side, len(names)) for side in sides),
        _unknown(sides, names),
        *(finding for side in sides for finding in _against_paths(side, names)),
        Finding("fail", "classes without videos", missing, "check the list and its labels"),
        Finding("warn", "classes of very unequal size", _ratio(present, names), _BALANCE),
        Finding("warn", "classes with few videos", rare, _BALANCE),
        Finding("warn", "classes that a flip changes", sided, "augment.flip=0, or left_right"),
    ]


_BALANCE = "train.sampling=balanced, or more videos of them"


@dataclass(frozen=True)
class _Side:
    """One list, all classes, and the index of each label that is known, by how it is written."""

    name: str
    samples: SampleList
    names: Sequence[str]
    index: Mapping[str, int]

    def counts(self) -> Counter[int]:
        """Number of samples by class."""
        written = self.written()
        return Counter({self.index[name]: n for name, n in written.items() if name in self.index})

    def written(self) -> Counter[str]:
        """Number of samples by label as it is written."""
        labels = self.samples.labels
        some = (s.label if isinstance(s.label, tuple) else (s.label,) for s in self.samples)
        return Counter(labels[k] for several in some for k in several)

    def numbers(self) -> set[int]:
        """Labels that are numbers, if all are, and no names."""
        written = self.written()
        alone = all(name.isdigit() for name in written) and not {*written} <= {*self.names}
        return {int(name) for name in written} if alone else set()


def _indices(samples: SampleList, names: Sequence[str]) -> dict[str, int]:
    """Index of each label of a list that is known.

    Numbers count from 0; from 1 where there is no 0, and the number of classes is a label.
    """
    by_name = {name: k for k, name in enumerate(names)}
    used = {
        samples.labels[k]
        for s in samples
        for k in (s.label if isinstance(s.label, tuple) else (s.label,))
    }
    if used <= {*by_name} or not all(name.isdigit() for name in used):
        return by_name
    first = int("0" not in used and str(len(names)) in used)
    return {str(k + first): k for k in range(len(names))}


def _from_one(side: _Side, classes: int) -> Finding:
    """Numbers that count from 1, where the list of classes counts from 0."""
    numbers = side.numbers()
    shifted = bool(numbers) and 0 not in numbers and classes in numbers
    line = f"{side.name}: no label is 0, and {classes} is one, of {classes} classes"
    # all of 1 to K are read as such; of others training asks which they are
    whole = numbers == set(range(1, classes + 1))
    return Finding(
        "warn" if whole else "fail",
        "labels that count from 1",
        (line,) if shifted else (),
        "say so with data.first_label=1, and --first-label 1 to evaluate",
    )


def _unknown(sides: Sequence[_Side], names: Sequence[str]) -> Finding:
    """Labels that are no class: of a number, how many there are; of a name, near ones."""
    lines = []
    for side in sides:
        for label, count in sorted(side.written().items()):
            if label not in side.index:
                numbers = f"the {len(names)} classes are 0 to {len(names) - 1}"
                hint = numbers if side.numbers() else did_you_mean(label, names, otherwise=" ")
                told = f": {hint}" if hint.strip() else ""
                lines.append(f"{label} ({side.name}, {count} videos){told}")
    advice = "correct the labels, or give the list of classes that they are from"
    return Finding("fail", "labels that are no class of the list", tuple(lines), advice)


def _against_paths(side: _Side, names: Sequence[str]) -> list[Finding]:
    """Labels that differ from the class that a path names: all by the same, or some."""
    known = {_plain(name): k for k, name in enumerate(names)}
    labels = side.samples.labels
    differ = []  # path, index of its label, index of the class in the path
    for s in side.samples:
        named = _named(s.path, known)
        if named is not None and not isinstance(s.label, tuple) and labels[s.label] in side.index:
            differ.append((s.path, side.index[labels[s.label]], named))
    by = Counter((label - named) % len(names) for _, label, named in differ)
    step, count = by.most_common(1)[0] if by else (0, 0)
    several = len({named for _, _, named in differ}) > 1  # of one class it may be its name
    all_by_one = bool(step) and several and count >= SHIFTED * len(differ)
    wrong = [one for one in differ if one[1] != one[2]]
    lines = tuple(
        f"{path} ({side.name}): labelled {names[label]}, its path says {names[named]}"
        for path, label, named in wrong
    )
    if not all_by_one:
        paths = tuple((path,) for path, _, _ in wrong)
        advice = "look at them, and correct the labels"
        return [Finding("warn", "labels unlike the classes in paths", lines, advice, paths)]
    shift = step if step <= len(names) // 2 else step - len(names)
    line = f"{side.name}: {count} of {len(differ)} labels are {shift:+d} from the class in the path"
    advice = "number the classes as the list of classes does, from 0; or give that of these numbers"
    return [Finding("fail", "labels that are shifted", (line, lines[0]), advice)]


def _named(path: str, known: Mapping[str, int]) -> int | None:
    """Index of the class that a path names."""
    place = PurePath(path)
    of_ucf = _OF_UCF.match(place.name)
    for part in (*(place.parent.parts[::-1]), of_ucf[1] if of_ucf else ""):
        if _plain(part) in known:
            return known[_plain(part)]
    return None


def _plain(name: str) -> str:
    """Only the letters and digits of a name, in lower case."""
    return "".join(filter(str.isalnum, name.lower()))


def _ratio(present: Mapping[int, int], names: Sequence[str]) -> tuple[str, ...]:
    """The largest and the smallest class, if they are very unequal."""
    if not present:
        return ()
    large, small = max(present, key=present.__getitem__), min(present, key=present.__getitem__)
    ratio = present[large] / present[small]
    if ratio <= IMBALANCE:
        return ()
    sizes = f"{names[large]} has {present[large]}, {names[small]} {present[small]}"
    return (f"{sizes}: {ratio:.0f} to 1",)
