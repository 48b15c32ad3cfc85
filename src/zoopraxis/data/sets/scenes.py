"""YUPENN and Dynamic Scenes: what moves by itself, a folder for each class.

Derpanis et al., Dynamic Scene Understanding, CVPR 2012 (YUPENN: 14 classes of 30 videos); Shroff et
al., Moving Vistas, CVPR 2010 (Dynamic Scenes of Maryland: 13 classes of 10). There are no lists:
videos are tested by leaving one out.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from zoopraxis.data.rows import VIDEO_SUFFIXES
from zoopraxis.data.sets.listed import Listed, VideoSet
from zoopraxis.errors import DataError

__all__ = ["DYNAMIC_SCENES", "YUPENN"]


def _listed(root: Path, *, classes: int, clips: int) -> Iterator[Listed]:
    files = sorted(p for p in root.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES)
    labels = sorted({file.parent.name for file in files})
    if len(labels) != classes:
        raise DataError(
            f"{root} has videos in {len(labels)} folders, expected {classes}",
            f"unpack the data set there: {clips} videos in a folder for each class",
        )
    for file in files:
        name = f"{file.parent.name}/{file.name}"
        yield Listed(file=name, labels=(file.parent.name,), parts={"": "all"}, group=name)


YUPENN = VideoSet(
    title="YUPENN Dynamic Scenes (Derpanis et al. 2012)",
    home="https://vision.eecs.yorku.ca/research/dynamic-scenes/",
    labels="",
    entries=partial(_listed, classes=14, clips=30),
)
DYNAMIC_SCENES = VideoSet(
    title="Maryland Dynamic Scenes (Shroff et al. 2010)",
    home="http://www.umiacs.umd.edu/users/nshroff/DynamicScene.html",
    labels="",
    entries=partial(_listed, classes=13, clips=10),
)
