"""ASLAN: whether two of 3,697 videos show the same of 432 actions.

Kliper-Gross, Hassner and Wolf, The Action Similarity Labeling Challenge, TPAMI 34(3), 2012. Videos
are called ``0001`` to ``3697``. Pairs are rows of MATLAB's matrices: number of the first video and
of the second, 1 where they show the same action, and the number of the action of each.
``View2.mat`` (600 x 5 x 10) has the ten folds that are reported. View 1, to develop on, is
``train_pairs.mat`` (1200 x 5) and ``test_pairs.mat`` (600 x 5): here folds 0 and 1, of which the
latter is tested. ``Actions_Ids.txt`` names the actions, a number and a name on a line.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoopraxis.data.pairs import VideoPair
from zoopraxis.data.sets.listed import Listed, VideoSet, find_file, find_files
from zoopraxis.data.text import read_text
from zoopraxis.errors import DataError
from zoopraxis.matlab import read_matlab

__all__ = ["ASLAN"]

NUMBERS = 5  # of a pair: two videos, whether they are the same, their two actions


def _classes(root: Path) -> tuple[str, ...]:
    """Names of the actions, which may have spaces in them, in the order of their numbers."""
    file = find_file(root, "Actions_Ids.txt", "Actions_List.txt")
    lines = read_text(file, expected="expected the actions").splitlines()
    names = []
    for number, line in enumerate(filter(str.strip, lines), start=1):
        first, *name = line.split(maxsplit=1)
        if first != str(number) or not name:
            raise DataError(
                f"{file}: {line[:60]!r}", f"expected {number} and the name of an action"
            )
        names.append(name[0].strip())
    return tuple(names)


def _views(root: Path) -> dict[str, list[NDArray[np.int64]]]:
    """Read the folds (P, 5) of View 2, and those of View 1 where they are here."""
    actions = len(_classes(root))
    views = {"pairs_view2.csv": _folds(find_file(root, "View2.mat"), actions)}
    parts = ("train_pairs.mat", "test_pairs.mat")
    if any(find_files(root, part) for part in parts):
        folds = [fold for part in parts for fold in _folds(find_file(root, part), actions)]
        views["pairs_view1.csv"] = folds
    return views


def _folds(file: Path, actions: int) -> list[NDArray[np.int64]]:
    """Read the one matrix (P, 5) or (P, 5, F) of a file, whatever its name."""
    values = read_matlab(file).values()
    found = [v for v in values if isinstance(v, np.ndarray) and v.ndim in (2, 3)]
    found = [matrix for matrix in found if matrix.shape[1] == NUMBERS]
    if len(found) != 1:
        raise DataError(
            f"{file} has {len(found)} matrices of pairs",
            "expected one, with 5 numbers of each pair",
        )
    (pairs,) = found
    folds = np.moveaxis(pairs.reshape(*pairs.shape[:2], -1), 2, 0)  # (F, P, 5)
    wrong = (folds != folds.round()) | (folds < (1, 1, 0, 1, 1))
    wrong |= folds > (np.inf, np.inf, 1, actions, actions)
    if wrong.any():
        fold, pair, _ = np.argwhere(wrong)[0]
        raise DataError(
            f"{file}: pair {pair + 1} of fold {fold + 1} is {folds[fold, pair].tolist()}",
            f"expected two numbers of videos, 0 or 1, and two of the {actions} actions",
        )
    return [*folds.astype(np.int64)]


def _listed(root: Path) -> Iterator[Listed]:
    """Yield the videos that are in pairs, with their actions."""
    names = _classes(root)
    rows = np.concatenate([fold for folds in _views(root).values() for fold in folds])  # (P, 5)
    videos, actions = rows[:, :2].ravel().tolist(), rows[:, 3:].ravel().tolist()
    action_of = dict(zip(videos, actions, strict=True))
    for video, action in zip(videos, actions, strict=True):
        if action_of[video] != action:
            raise DataError(
                f"{root}: video {video:04d} shows {names[action - 1]!r} in one pair and "
                f"{names[action_of[video] - 1]!r} in another",
                "are the lists of one version?",
            )
    for video, action in sorted(action_of.items()):
        yield Listed(file=f"{video:04d}", labels=(names[action - 1],), parts={"": "videos"})


def _pairs(root: Path) -> Mapping[str, Sequence[VideoPair]]:
    return {
        name: [
            VideoPair(first=f"{first:04d}", second=f"{second:04d}", same=bool(same), fold=number)
            for number, fold in enumerate(folds)
            for first, second, same, *_ in fold.tolist()
        ]
        for name, folds in _views(root).items()
    }


ASLAN = VideoSet(
    title="ASLAN (Kliper-Gross et al. 2012)",
    home="https://talhassner.github.io/home/projects/ASLAN/ASLAN-main.html",
    labels="",
    entries=_listed,
    classes=_classes,
    pairs=_pairs,
)
