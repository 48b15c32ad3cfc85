"""Folders of classes: what a video is called, its class and its group are where it lies."""

import os
from collections.abc import Sequence
from pathlib import Path

from zoopraxis.data.rows import IMAGE_SUFFIXES, LAYOUT, VIDEO_SUFFIXES, Rows
from zoopraxis.data.text import few
from zoopraxis.errors import DataError

__all__ = ["folder_rows"]

_TRAIN_FOLDERS = frozenset({"train", "training"})
_TEST_FOLDERS = frozenset({"val", "valid", "validation", "validate", "test", "testing", "eval"})


def folder_rows(root: Path, *, known: Sequence[str]) -> Rows:
    """Rows of ``root/<class>[/<group>]/<clip>``, sorted by path.

    Parameters
    ----------
    root : Path
        The folder.
    known : sequence of str
        Names that are classes whatever they look like.

    Raises
    ------
    DataError
        A class has no videos, a video no class, or the folders are not classes.
    """
    entries = _entries(root)
    classes = [entry for entry in entries if entry.is_dir()]
    loose = next((e for e in entries if _suffix(e) in VIDEO_SUFFIXES and not e.is_dir()), None)
    if classes and loose is not None:
        raise DataError(
            f"{loose.path} lies beside the folders of the classes, and has no class",
            f"move it into one of them; {LAYOUT}",
        )
    _refuse_splits(root, [entry.name for entry in classes], known)
    here = 0 if root == Path() else len(str(root)) + 1  # length of what stands before a name
    paths: list[str] = []
    labels: list[str] = []
    for folder in classes:
        clips, images = _walk(folder.path, within=(_identity(root),))
        if not clips:
            raise _no_videos(folder.path, images=images)
        paths += clips
        labels += [folder.name] * len(clips)
    if root == Path():
        paths = [path.removeprefix(f".{os.sep}") for path in paths]
    names = [path[here:].replace(os.sep, "/") for path in paths]
    between = [name.split("/", 1)[1].rpartition("/")[0] for name in names]
    if len(classes) == 1 and not known and len({*between}) > 1 and all(between):
        raise DataError(
            f"{root} has one class, {labels[0]!r}, with {len({*between})} folders in it: "
            f"{few(sorted({*between}))}",
            f"if these are the classes, give {root / labels[0]}; one class alone teaches nothing",
        )
    return Rows(
        paths=paths,
        cells=[(label,) for label in labels],
        groups=[group or name for group, name in zip(between, names, strict=True)],
        names=names,
        where=paths,
    )


def _refuse_splits(root: Path, names: Sequence[str], known: Sequence[str]) -> None:
    """Refuse ``root/train/<class>`` and ``root/val/<class>``, whose classes would be the splits."""
    training = [name for name in names if name.lower() in _TRAIN_FOLDERS]
    testing = [name for name in names if name.lower() in _TEST_FOLDERS]
    splits = [name for name in (*training, *testing) if name not in known]
    if splits and ((training and testing) or len(splits) == len(names)):
        first = training[0] if training else testing[0]
        remedy = f"data.train={root / first}" if training else str(root / first)
        if training and testing:
            remedy += f" data.val={root / testing[0]}"
        raise DataError(
            f"the folders of {root} are the parts of a split, not classes: {', '.join(splits)}",
            f"give each part alone: {remedy}",
        )


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """What is in a folder and not hidden, sorted by name."""
    try:
        with os.scandir(folder) as found:
            entries = sorted((e for e in found if e.name[0] != "."), key=lambda e: e.name)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be listed: {error.strerror}", "check its permissions and its disk"
        ) from error
    for entry in entries:
        if entry.is_symlink() and not Path(entry.path).exists():
            raise DataError(
                f"{entry.path} is a link that leads nowhere", "mend the link, or remove it"
            )
    return entries


def _walk(folder: str, *, within: tuple[tuple[int, int], ...]) -> tuple[list[str], bool]:
    """Clips anywhere below a folder, sorted, and whether there are images in the folder itself.

    A clip is a video file, or a folder of images. Images beside videos are thumbnails, no clip.
    ``within`` identifies the folders that this one lies in.
    """
    identity = _identity(folder)
    if identity in within:
        raise DataError(f"{folder} is a link to a folder that it lies in", "remove the link")
    clips: list[str] = []
    has_images = False
    for entry in _entries(folder):
        if not entry.is_dir():
            has_images |= _suffix(entry) in IMAGE_SUFFIXES
            clips += [entry.path] if _suffix(entry) in VIDEO_SUFFIXES else []
            continue
        below, images = _walk(entry.path, within=(*within, identity))
        # folders of images within a folder of images are masks or flow
        one = images and all(Path(clip).is_dir() for clip in below)
        clips += [entry.path] if one else below
    return clips, has_images


def _identity(folder: str | Path) -> tuple[int, int]:
    status = Path(folder).stat()
    return status.st_dev, status.st_ino


def _suffix(entry: os.DirEntry[str]) -> str:
    return os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 - a Path for each is slow


def _no_videos(folder: str, *, images: bool) -> DataError:
    """Say what is in the folder of a class that has no videos."""
    walked = (name for _, _, names in os.walk(folder) for name in names)
    files = [Path(name) for name in walked if name[0] != "."]
    suffixes = sorted({file.suffix.lower() or "no suffix" for file in files})
    found = f"{len(files)} files ({few(suffixes)})" if files else "nothing"
    if images:
        hint = f"the images of a clip have a folder of their own: {folder}/<clip>/0001.jpg"
    elif suffixes == [".parquet"]:
        hint = "the parts of a list in Parquet are read where they lie in one folder: write it "
        hint += "without partitions by a column"
    elif files:
        hint = f"rename videos to a suffix of {few(sorted(VIDEO_SUFFIXES), 99)}; or write a list "
        hint += "of paths and labels, whose files may have any suffix"
    else:
        hint = "put the videos of the class into it, or remove it"
    return DataError(f"{folder} is a class without videos: it holds {found}", hint)
