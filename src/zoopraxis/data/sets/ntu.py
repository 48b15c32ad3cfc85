"""NTU RGB+D: 60 actions of 40 subjects, later 120 of 106.

Shahroudy et al., NTU RGB+D, CVPR 2016; Liu et al., NTU RGB+D 120, TPAMI 2019. Protocols of the
papers: cross-subject, cross-view (60 classes; cameras 2 and 3 train), cross-setup (120 classes;
even setups train). The data set's authors list recordings whose skeletons are missing or wrong;
they are left out where that list is given.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from zoopraxis.data.labels import label_names
from zoopraxis.data.sets.base import Entry, SkeletonSet, named_files
from zoopraxis.data.sets.listed import Listed, VideoSet
from zoopraxis.skeletons.formats.ntu import read_ntu

__all__ = ["NTU60", "NTU120", "NTU_VIDEOS"]

PATTERN = r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})"
TRAIN_60 = frozenset({1, 2, 4, 5, 8, 9, *range(13, 20), 25, 27, 28, 31, 34, 35, 38})
TRAIN_120 = TRAIN_60 | {
    *(45, 46, 47, 49, 50, *range(52, 60), 70, 74, 78, *range(80, 87), 89),
    *(91, 92, 93, 94, 95, 97, 98, 100, 103),
}


def _entries(root: Path, *, num_classes: int) -> list[Entry]:
    labels = label_names(f"ntu{num_classes}")
    return [
        Entry(
            name=file.stem,
            label=labels[action - 1],
            layout="ntu-25",
            read=partial(read_ntu, file),
            group=f"p{subject:03d}",
            setting=f"setup {setup} camera {camera}",
            parts=_parts(setup, camera, subject, num_classes),
        )
        for file, (setup, camera, subject, _, action) in named_files(
            root, PATTERN, suffix=".skeleton"
        )
        if 1 <= action <= num_classes  # the folder of 120 classes has the 60 in it
    ]


def _videos(root: Path, *, num_classes: int) -> Iterator[Listed]:
    labels = label_names(f"ntu{num_classes}")
    for file, (setup, camera, subject, _, action) in named_files(root, PATTERN, suffix="_rgb.avi"):
        if 1 <= action <= num_classes:
            yield Listed(
                file=file.name,
                labels=(labels[action - 1],),
                parts=_parts(setup, camera, subject, num_classes),
                group=f"p{subject:03d}",
            )


def _parts(setup: int, camera: int, subject: int, num_classes: int) -> dict[str, str]:
    trains = {
        "cross_subject": subject in (TRAIN_60 if num_classes == 60 else TRAIN_120),
        **({"cross_view": camera != 1} if num_classes == 60 else {"cross_setup": setup % 2 == 0}),
    }
    return {protocol: "train" if train else "test" for protocol, train in trains.items()}


_FILES = "S001C001P001R001A001.skeleton"
NTU60 = SkeletonSet(
    title="NTU RGB+D (Shahroudy et al. 2016)",
    files=_FILES,
    entries=partial(_entries, num_classes=60),
)
NTU120 = SkeletonSet(
    title="NTU RGB+D 120 (Liu et al. 2019)",
    files=_FILES,
    entries=partial(_entries, num_classes=120),
)
NTU_VIDEOS = {
    f"ntu{classes}_rgb": VideoSet(
        title=f"{title}, videos",
        home="https://rose1.ntu.edu.sg/dataset/actionRecognition/",
        labels=f"ntu{classes}",
        entries=partial(_videos, num_classes=classes),
    )
    for classes, title in ((60, NTU60.title), (120, NTU120.title))
}
