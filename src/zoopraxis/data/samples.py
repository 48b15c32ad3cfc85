"""Lists of labelled videos: a folder of classes, or a file of paths and labels."""

import gc
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from zoopraxis.data.folders import folder_rows
from zoopraxis.data.hub import hub_list, is_hub
from zoopraxis.data.indices import Label, index_labels
from zoopraxis.data.lists import list_rows
from zoopraxis.data.rows import LAYOUT, VIDEO_SUFFIXES, Rows
from zoopraxis.data.table_parts import find_parts
from zoopraxis.errors import DataError
from zoopraxis.inputs import Media
from zoopraxis.video import has_member, is_live

__all__ = ["Label", "Sample", "SampleList", "is_list", "read_samples"]

FOLDER_LIST = "clips.csv"  # a list inside the folder that it describes


@dataclass(frozen=True, kw_only=True)
class Sample(Media):
    """One labelled video, or a segment of one.

    Parameters
    ----------
    path : str
        A video file, a folder of frames, or a URL.
    start, end, flow, skeleton, boxes, trajectories, box, where
        As for `zoopraxis.inputs.Media`.
    label : int or tuple of int
        Index into the list's labels; a tuple, of any length, in a multi-label list.
    group : str
        What must not be on both sides of a split: the performer, the scene, the original video.
    name : str
        Name in reports: the path as the list has it, with the times of a segment.
    """

    path: str
    label: Label
    group: str
    name: str


@dataclass(frozen=True, kw_only=True)
class SampleList:
    """Labelled videos and the names of their labels.

    Parameters
    ----------
    samples : tuple of Sample
        In the order of the list.
    labels : tuple of str
        K names, in the order of their indices.
    root : str
        The folder, or the list, that it was read from.
    """

    samples: tuple[Sample, ...]
    labels: tuple[str, ...]
    root: str

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]

    @property
    def multi_label(self) -> bool:
        """Whether the samples may have several labels each."""
        return any(isinstance(sample.label, tuple) for sample in self.samples)

    def missing(self) -> tuple[str, ...]:
        """Local files and folders that do not exist, each once, with its place in the list.

        # ("videos/a.mp4 (list.csv, line 3)", ...)
        Videos and the files beside them are looked up, not opened. URLs and cameras are left out.
        """
        first: dict[str, str] = {}
        for sample in self.samples:
            for path in (sample.path, *sample.beside):
                if path and path not in first:
                    first[path] = sample.where
        return tuple(
            f"{path} ({where})" if where and where != path else path
            for path, where in first.items()
            if "://" not in path and not is_live(path)
            if not os.path.exists(path)  # noqa: PTH110 - a Path for each of a million is slow
            if not has_member(path)
        )

    def of_groups(self, groups: Sequence[str]) -> "SampleList":
        """Keep the samples of some groups.

        Raises
        ------
        DataError
            No group has one of these names.
        """
        known, wanted = {sample.group for sample in self.samples}, set(groups)
        unknown = [group for group in groups if group not in known]
        if unknown:
            raise DataError(
                f"{self.root} has no group {unknown[0]!r}",
                f"known: {', '.join(sorted(known)[:20])}",
            )
        return replace(self, samples=tuple(s for s in self.samples if s.group in wanted))

    def regrouped(self, pattern: str) -> "SampleList":
        r"""Group the same samples by what a pattern finds in their names.

        Parameters
        ----------
        pattern : str
            A regular expression; its first parenthesis, or the whole match, is the group:
            ``r"_g(\d+)_"`` for UCF101's ``v_Basketball_g07_c02.avi``.

        Raises
        ------
        DataError
            The pattern is not a regular expression, or a name does not match it.
        """
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise DataError(f"the group pattern {pattern!r} is not valid: {error}") from error
        groups = [_group_in(sample.name, expression) for sample in self.samples]
        regrouped = (
            Sample(**{**vars(s), "group": g}) for s, g in zip(self.samples, groups, strict=True)
        )
        return replace(self, samples=tuple(regrouped))


def is_list(path: Path) -> bool:
    """Whether `read_samples` reads a path as a list, and not as a folder of classes."""
    return not path.is_dir() or (path / FOLDER_LIST).is_file() or bool(find_parts(path))


def read_samples(
    path: str | Path,
    *,
    labels: Sequence[str] | None = None,
    group: str = "group",
    first_label: int | None = None,
) -> SampleList:
    """Read a folder of classes, or a list of videos.

    - A folder: every folder in it is a class, and holds video files or folders of frames,
      ``root/<class>/<clip>``; a folder between them is the group, ``root/<class>/<group>/<clip>``,
      otherwise each clip is a group of its own. A ``clips.csv`` in the folder is read instead.
    - A text file with a video on each line, its path and its label, separated by commas, tabs,
      semicolons or spaces (the first line decides). With a header, columns may be in any order,
      and there may be more: a group; a ``name``; ``start`` and ``end`` in seconds, so that a line
      is a segment of a file; a box ``x1``, ``y1``, ``x2`` and ``y2`` in fractions of the frame,
      so that a line is one person of several; and the files beside it, ``flow``, ``skeleton``,
      ``boxes`` and ``trajectories``. Other columns are ignored. Without one, TSN's ``folder frames
      label`` is read too, and MMAction2's ``a.mp4 1 3 5`` where videos have different numbers of
      labels.
    - A JSON list of objects with the same keys, or an object on each line.
    - A file that ends in ``.parquet``, with the same columns; several labels are a list. It needs
      the extra ``parquet``. A folder of such files, ``part-0.parquet`` and so on, is one list in
      the order of the numbers in their names.
    - ``hf:owner/name@split``, a data set of the Hugging Face Hub with a column of videos
      (`zoopraxis.data.hub`). It needs the extra ``hf``.

    Paths are relative to the list; ``~``, URLs and ``file://`` are understood. Text is UTF-8, or
    UTF-16 with a byte order mark. Videos are not opened here.

    Several labels in a cell, ``run;jump``, make a multi-label list. A comma separates numbers
    (``"3,17"``) and names that are all among ``labels``; otherwise it is part of the name, as in
    "Pushing something, quickly".

    Labels that are all whole numbers are indices from 0. Lists that count from 1, as UCF101's do,
    are known by having exactly the numbers 1 to K, and read as such; other lists without a 0 are
    refused, for each of their classes could be one of two. Numbers with leading zeros (``007``)
    are names.

    Parameters
    ----------
    path : str or Path
        The folder or file.
    labels : sequence of str, optional
        Names of the K labels in the order of their indices, from the list that the model was
        trained on, for example. The default is the sorted names that occur.
    group : str, default="group"
        The column of a list that holds the groups.
    first_label : {0, 1}, optional
        Number of the first class, where labels are numbers; inferred by default.

    Returns
    -------
    SampleList

    Raises
    ------
    DataError
        Nothing is there, a label is unknown, a line cannot be read, or two lines say different
        things of one video; it names file and line. pyarrow is not installed, for Parquet.
    """
    if first_label not in (None, 0, 1):
        raise DataError(f"first_label is {first_label!r}", "pass 0 or 1, or None to infer it")
    if is_hub(path):
        path = hub_list(str(path))
    root = Path(os.path.expanduser(path))  # noqa: PTH111 - what is no user's name stays
    try:
        root.stat()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        raise DataError(
            f"{root} " + ("does not exist" if missing else f"cannot be opened: {error.strerror}"),
            "give a folder of classes, or a list of paths and labels",
        ) from error
    if root.is_file() and root.suffix.lower() in VIDEO_SUFFIXES:
        raise DataError(
            f"{root} is a video, expected many of them", "give a folder of classes, or a list"
        )
    if root.is_dir() and (root / FOLDER_LIST).is_file():
        root = root / FOLDER_LIST
    is_folder = not is_list(root)
    if is_folder and group != "group":
        raise DataError(
            f"{root} is a folder and has no column {group!r}",
            "a folder between class and clip is its group; or give a list with that column",
        )
    with _no_collection():
        known = tuple(labels or ())
        rows = folder_rows(root, known=known) if is_folder else list_rows(root, group=group)
        if rows is None or not rows.paths:
            raise DataError(f"there are no videos in {root}", LAYOUT)
        return _with_indices(rows, known=known, first=first_label, root=root)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Stop the collection of cycles: it would walk through all samples again and again."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


def _with_indices(
    rows: Rows, *, known: tuple[str, ...], first: int | None, root: Path
) -> SampleList:
    """Replace the names of labels by their indices."""
    labels, label_column = index_labels(rows, known=known, first=first, root=root)
    _refuse_repeats(rows, label_column)
    columns = zip(rows.paths, label_column, rows.groups, rows.names, rows.where, strict=True)
    samples = tuple(
        Sample(
            path=path,
            label=label,
            group=group,
            name=name,
            where=where,
            **{kind: column[i] for kind, column in rows.media.items()},
        )
        for i, (path, label, group, name, where) in enumerate(columns)
    )
    return SampleList(samples=samples, labels=labels, root=str(root))


def _refuse_repeats(rows: Rows, labels: Sequence[Label]) -> None:
    """Refuse two lines of the same video, which would count twice or contradict each other."""
    columns = [rows.paths, *rows.media.values()]
    keys: Sequence[object] = list(zip(*columns, strict=True)) if rows.media else rows.paths
    if len(set(keys)) == len(keys):
        return
    first: dict[object, int] = {}
    repeats = 0
    again: tuple[int, int] | None = None
    for i, key in enumerate(keys):
        j = first.setdefault(key, i)
        if labels[i] != labels[j]:
            raise DataError(
                f"{rows.where[i]}: {rows.names[i]} has another label than in {rows.where[j]}",
                "write one line for each video, with several labels as run;jump",
            )
        if i != j:
            repeats, again = repeats + 1, again or (i, j)
    assert again is not None  # noqa: S101 - for the type checker
    raise DataError(
        f"{rows.where[again[0]]}: {rows.names[again[0]]} is listed before, in "
        f"{rows.where[again[1]]} ({repeats} lines are repeated)",
        "remove the repeated lines: they would count more than once",
    )


def _group_in(name: str, expression: re.Pattern[str]) -> str:
    match = expression.search(name)
    if match is None:
        raise DataError(
            f"the group pattern {expression.pattern!r} finds nothing in {name}",
            r"write a pattern that every name matches, such as '_g(\d+)_'",
        )
    return match.group(1) if expression.groups else match.group()
