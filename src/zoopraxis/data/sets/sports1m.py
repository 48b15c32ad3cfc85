"""Sports-1M: a million YouTube videos of 487 sports, listed by address.

Karpathy et al., Large-scale Video Classification with Convolutional Neural Networks, CVPR 2014:
70 % of the videos train, 10 % validate, 20 % test. Lists: ``train_partition.txt`` and
``test_partition.txt`` with ``<address> <index>,<index>`` on a line, and ``labels.txt``. They do not
say which videos validate; here one in eight of the training list does, by a checksum of its
address. A video is a file named by what follows ``v=``.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path

from zoopraxis.data.labels import label_names
from zoopraxis.data.sets.listed import Listed, VideoSet, find_file, words_of
from zoopraxis.errors import DataError

__all__ = ["SPORTS1M"]


def _classes(root: Path) -> tuple[str, ...]:
    return label_names(find_file(root, "labels.txt"))


def _listed(root: Path) -> Iterator[Listed]:
    names = _classes(root)
    for part in ("train", "test"):
        file = find_file(root, f"{part}_partition.txt")
        for address, *indices in words_of(file):
            video = address.rpartition("v=")[2]
            try:
                labels = tuple(names[int(index)] for index in "".join(indices).split(","))
            except (ValueError, IndexError) as error:
                raise DataError(
                    f"{file}: the labels of {address} are {' '.join(indices)!r}",
                    f"expected indices below {len(names)}, with commas between them",
                ) from error
            validates = part == "train" and zlib.crc32(video.encode()) % 8 == 0
            yield Listed(file=video, labels=labels, parts={"": "val" if validates else part})


SPORTS1M = VideoSet(
    title="Sports-1M (Karpathy et al. 2014)",
    home="https://github.com/gtoderici/sports-1m-dataset",
    labels="",
    entries=_listed,
    classes=_classes,
)
