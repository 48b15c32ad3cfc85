"""Kinetics: 400, 600 and 700 classes of ten-second clips of YouTube videos.

Kay et al. 2017, arXiv:1705.06950; Carreira et al. 2018, arXiv:1808.01340, and 2019,
arXiv:1907.06987. Lists: ``label, youtube_id, time_start, time_end, split``. A clip is a file named
``<youtube_id>_<start>_<end>``, six digits each, as the mirrors of the set have it; or a segment of
the whole video, ``<youtube_id>``. Mini-Kinetics is 200 of the classes (Xie et al. 2018,
arXiv:1712.04851): two lists of YouTube's names, labelled by the lists of Kinetics-400.
"""

from collections.abc import Iterator
from pathlib import Path

from zoopraxis.data.sets.listed import Listed, VideoSet, find_file, find_files, table_of, words_of
from zoopraxis.errors import DataError

__all__ = ["KINETICS", "MINI_KINETICS"]

COLUMNS = ("youtube_id", "time_start", "time_end")
LISTS = {"train": ("*train*.csv",), "val": ("*val*.csv",), "test": ("*test*.csv",)}


def _listed(root: Path) -> Iterator[Listed]:
    found = {part: find_files(root, *names) for part, names in LISTS.items()}
    if not any(found.values()):
        find_file(root, "*train*.csv")  # whose error says what is missing
    for part, files in found.items():
        for file in files:
            yield from _rows(file, part)


def _rows(file: Path, part: str) -> Iterator[Listed]:
    for video, start, end, label in table_of(file, COLUMNS, optional=("label",)):
        try:
            times = float(start), float(end)
        except ValueError as error:
            raise DataError(
                f"{file}: {video} is from {start!r} to {end!r}", "expected seconds"
            ) from error
        yield Listed(
            file=f"{video}_{int(times[0]):06d}_{int(times[1]):06d}",
            labels=(label,) if label else (),
            parts={"": part},
            whole=video,
            start=times[0],
            end=times[1],
            group=video,
        )


def _mini(root: Path) -> Iterator[Listed]:
    parts = {
        words[0]: part
        for part in ("train", "val")
        for words in words_of(find_file(root, f"{part}_ytid_list.txt"))
    }
    for file in (find_file(root, *LISTS["train"]), find_file(root, *LISTS["val"])):
        for row in _rows(file, "train"):
            if row.whole in parts:
                yield Listed(**{**vars(row), "parts": {"": parts[row.whole]}})


HOME = "https://github.com/cvdfoundation/kinetics-dataset"
KINETICS = {
    f"kinetics{classes}": VideoSet(
        title=f"Kinetics-{classes} ({paper})",
        home=HOME,
        labels=f"kinetics{classes}",
        entries=_listed,
    )
    for classes, paper in (
        (400, "Kay et al. 2017"),
        (600, "Carreira et al. 2018"),
        (700, "Carreira et al. 2019"),
    )
}
MINI_KINETICS = VideoSet(
    title="Mini-Kinetics-200 (Xie et al. 2018)",
    home="https://github.com/s9xie/Mini-Kinetics-200",
    labels="",
    entries=_mini,
)
