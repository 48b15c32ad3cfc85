"""UCF101: 13,320 clips of 101 actions in 25 groups of scenes; three splits.

Soomro et al. 2012, arXiv:1212.0402. Lists: ``trainlist01.txt`` with ``Class/v_Class_g08_c01.avi 1``
on a line, ``testlist01.txt`` without the number, and so for 02 and 03.
"""

from collections.abc import Iterator
from pathlib import Path

from zoopraxis.data.sets.listed import Listed, VideoSet, find_file, words_of

__all__ = ["UCF101"]

SPLITS = (1, 2, 3)


def _listed(root: Path) -> Iterator[Listed]:
    parts: dict[str, dict[str, str]] = {}
    for split in SPLITS:
        for part in ("train", "test"):
            for name, *_ in words_of(find_file(root, f"{part}list{split:02d}.txt")):
                parts.setdefault(name, {})[f"split{split}"] = part
    for name, found in sorted(parts.items()):
        label, _, clip = name.rpartition("/")
        yield Listed(file=name, labels=(label,), parts=found, group=clip.removesuffix(".avi")[:-4])


UCF101 = VideoSet(
    title="UCF101 (Soomro et al. 2012)",
    home="https://www.crcv.ucf.edu/data/UCF101.php",
    labels="ucf101",
    entries=_listed,
)
