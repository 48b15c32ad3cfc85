"""Data sets of skeletons as pyskl and mmaction2 keep them: one pickle of annotations and splits.

github.com/kennymckormick/pyskl, ``data/README.md``. The layout follows from the number of joints;
labels are the numbers of the file, named for NTU RGB+D.
"""

import re
from functools import partial
from pathlib import Path

from zoopraxis.data.labels import label_names
from zoopraxis.data.sets.base import Entry, SkeletonSet
from zoopraxis.errors import DataError
from zoopraxis.skeletons.formats.pickles import Annotation, read_pyskl
from zoopraxis.skeletons.recording import Recording

__all__ = ["PYSKL"]

LAYOUT_OF = {17: "coco-17", 25: "ntu-25"}
_NTU = re.compile(r"S\d{3}C\d{3}P(\d{3})R\d{3}A\d{3}")


def _entries(root: Path) -> list[Entry]:
    files = [root] if root.is_file() else sorted(root.glob("*.pkl"))
    if not files:
        return []
    if len(files) > 1:
        raise DataError(f"{root} holds {len(files)} pickles", f"name one, such as {files[0]}")
    file = files[0]
    annotations, split = read_pyskl(file)
    parts: dict[str, dict[str, str]] = {}
    for part, names in split.items():
        protocol, _, side = part.rpartition("_")  # xsub_train, or train
        for name in names:
            parts.setdefault(name, {})[protocol or "split"] = "test" if side == "val" else side
    unknown = sorted(set(parts) - {annotation.name for annotation in annotations})
    if unknown:
        raise DataError(
            f"{file}: its splits name {len(unknown)} recordings that it does not have, the first "
            f"{unknown[0]!r}",
            "the file is damaged: get it again",
        )
    return [_entry(annotation, parts.get(annotation.name, {}), file) for annotation in annotations]


def _entry(annotation: Annotation, parts: dict[str, str], file: Path) -> Entry:
    joints = annotation.recording.joints
    layout = LAYOUT_OF.get(joints.shape[2])
    if layout is None:
        raise DataError(
            f"{file}: {annotation.name} has {joints.shape[2]} joints",
            "expected the 17 of COCO or the 25 of NTU RGB+D",
        )
    ntu = _NTU.fullmatch(annotation.name)
    label = label_names("ntu120")[int(annotation.label)] if ntu else str(annotation.label)
    return Entry(
        name=annotation.name,
        label=label,
        layout=layout,
        read=partial(Recording, joints=joints),
        group=f"p{ntu[1]}" if ntu else annotation.name,
        parts=parts,
    )


PYSKL = SkeletonSet(
    title="a pickle of pyskl or mmaction2", files="ntu60_hrnet.pkl", entries=_entries
)
