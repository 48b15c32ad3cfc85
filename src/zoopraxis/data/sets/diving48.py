"""Diving48: 18,404 dives of 48 classes, which look alike in every frame.

Li et al., RESOUND, ECCV 2018. Lists: ``Diving48_V2_train.json`` and ``_test.json`` (version 1
without ``_V2``), each a list of ``{"vid_name", "label", ...}``; the label is the index of its
class.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from zoopraxis.data.labels import label_names
from zoopraxis.data.sets.listed import Listed, VideoSet, find_file, json_of
from zoopraxis.errors import DataError

__all__ = ["DIVING48", "DIVING48_V1"]


def _listed(root: Path, *, version: str) -> Iterator[Listed]:
    names = label_names("diving48")
    for part in ("train", "test"):
        file = find_file(root, f"Diving48_{version}{part}.json")
        for row in json_of(file, list):
            try:
                video, label = str(row["vid_name"]), names[int(row["label"])]
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise DataError(
                    f"{file}: {str(row)[:80]} has no vid_name, or no label below {len(names)}",
                    "expected the list as it is distributed",
                ) from error
            yield Listed(file=video, labels=(label,), parts={"": part})


HOME = "http://www.svcl.ucsd.edu/projects/resound/dataset.html"
DIVING48 = VideoSet(
    title="Diving48, version 2 (Li et al. 2018)",
    home=HOME,
    labels="diving48",
    entries=partial(_listed, version="V2_"),
)
DIVING48_V1 = VideoSet(
    title="Diving48, version 1 (Li et al. 2018)",
    home=HOME,
    labels="diving48",
    entries=partial(_listed, version=""),
)
