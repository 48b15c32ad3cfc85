"""What a public data set says of its recordings."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from zoopraxis.data.labels import label_names
from zoopraxis.errors import DataError
from zoopraxis.skeletons.recording import Recording

__all__ = ["Entry", "SkeletonSet", "cross_subject", "named_files", "odd_subjects_train"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One recording of a data set.

    Parameters
    ----------
    name : str
        As the data set calls it; a file is named after it.
    label : str
        Name of its class.
    layout : str
        Of its joints: `zoopraxis.skeletons.LAYOUTS`.
    read : callable
        Reads its skeletons; it can be pickled.
    group : str
        The subject, or what else must not be on both sides of a split.
    setting : str, default=""
        Where it was recorded, where the data set says so.
    parts : mapping of str to str
        "train" or "test" for each published protocol that has it.
    """

    name: str
    label: str
    layout: str
    read: Callable[[], Recording]
    group: str
    setting: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SkeletonSet:
    """A data set of skeletons.

    Parameters
    ----------
    title : str
        Its name and paper.
    files : str
        What its folder holds, for messages.
    entries : callable
        Lists the recordings of a folder.
    """

    title: str
    files: str
    entries: Callable[[Path], list[Entry]]


def named_files(root: Path, pattern: str, *, suffix: str) -> Iterator[tuple[Path, tuple[int, ...]]]:
    """Yield the files in a folder, or below it, whose names are made of numbers, and the numbers.

    Parameters
    ----------
    root : Path
        The folder.
    pattern : str
        Regular expression of whole names, without the suffix; its groups are the numbers.
    suffix : str
        ``".mat"``.

    Raises
    ------
    DataError
        Two files have the same name.
    """
    found: dict[str, Path] = {}
    for file in sorted(root.rglob(f"*{suffix}")):
        match = re.fullmatch(pattern, file.name.removesuffix(suffix))
        if match:
            if file.name in found:
                raise DataError(
                    f"{file} and {found[file.name]} are the same recording",
                    "give a folder with one copy of the data set",
                )
            found[file.name] = file
            yield file, tuple(map(int, match.groups()))


def cross_subject(
    root: Path,
    pattern: str,
    *,
    suffix: str,
    labels: str,
    layout: str,
    read: Callable[[Path], Recording],
) -> list[Entry]:
    """List the recordings of a set whose odd subjects train and whose even ones test.

    Parameters
    ----------
    root : Path
        The folder.
    pattern, suffix : str
        As for `named_files`; the numbers are the action, counted from 1, the subject, and which
        time it is.
    labels : str
        Name of the list of its classes.
    layout : str
        Of its joints: `zoopraxis.skeletons.LAYOUTS`.
    read : callable
        Reads the skeletons of a file; it can be pickled.

    Raises
    ------
    DataError
        Two files have the same name, or a name has an action that the set does not have.
    """
    return [
        Entry(
            name=file.stem.removesuffix("_skeleton"),
            label=label,
            layout=layout,
            read=partial(read, file),
            group=group,
            parts=parts,
        )
        for file, label, group, parts in odd_subjects_train(
            root, pattern, suffix=suffix, labels=labels
        )
    ]


def odd_subjects_train(
    root: Path, pattern: str, *, suffix: str, labels: str
) -> Iterator[tuple[Path, str, str, dict[str, str]]]:
    """Yield the files of such a set, each with its label, its group and its parts.

    Parameters, errors
        As for `cross_subject`.
    """
    names = label_names(labels)
    for file, (action, subject, _) in named_files(root, pattern, suffix=suffix):
        if not 1 <= action <= len(names):
            raise DataError(
                f"{file} is of action {action}; there are 1 to {len(names)}",
                "is it another data set? give its folder alone",
            )
        parts = {"cross_subject": "train" if subject % 2 else "test"}
        yield file, names[action - 1], f"s{subject:02d}", parts
