"""JHMDB's annotated poses as DD-Net packs them: 14 of the 21 classes, three official splits.

Jhuang et al., Towards understanding action recognition, ICCV 2013; Yang et al., DD-Net, 2019,
github.com/fandulu/DD-Net (``data/JHMDB``). The files do not say from which video a clip is: each is
a group of its own, and only the official splits are to be trusted.
"""

from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np

from zoopraxis.data.sets.base import Entry, SkeletonSet
from zoopraxis.errors import DataError
from zoopraxis.skeletons.formats.pickles import read_ddnet
from zoopraxis.skeletons.recording import Recording

__all__ = ["JHMDB_POSE"]


def _entries(root: Path) -> list[Entry]:
    """List the clips of all splits, each once: it is the same clip where its joints are."""
    entries: dict[str, Entry] = {}
    parts: dict[str, dict[str, str]] = {}
    for file in sorted(root.glob("GT_*_[123].pkl")):
        _, part, split = file.stem.split("_")
        for clip in read_ddnet(file):
            joints = clip.recording.joints.astype(np.float32)
            name = f"{clip.label}_{sha256(joints.tobytes()).hexdigest()[:12]}"
            of_clip = parts.setdefault(name, {})
            if f"split{split}" in of_clip:
                raise DataError(f"{file} has a clip twice in split {split}: {name}", "get it again")
            of_clip[f"split{split}"] = part
            entries[name] = Entry(
                name=name,
                label=str(clip.label),
                layout="jhmdb-15",
                read=partial(Recording, joints=joints),
                group=name,
                parts=of_clip,
            )
    return list(entries.values())


JHMDB_POSE = SkeletonSet(
    title="JHMDB's poses (Jhuang et al. 2013)", files="GT_train_1.pkl", entries=_entries
)
