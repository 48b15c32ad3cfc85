"""HMDB51 and JHMDB: clips of films and videos, three splits in lists of the same form.

Kuehne et al., HMDB: A Large Video Database for Human Motion Recognition, ICCV 2011; Jhuang et al.,
Towards Understanding Action Recognition, ICCV 2013. Lists: ``<class>_test_split1.txt`` with
``name.avi 1`` on a line; 1 trains, 2 tests, 0 does neither.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from zoopraxis.data.sets.listed import Listed, VideoSet, find_files, words_of
from zoopraxis.errors import DataError

__all__ = ["HMDB51", "JHMDB"]

PARTS = {"1": "train", "2": "test"}


def _listed(root: Path, *, title: str) -> Iterator[Listed]:
    lists = find_files(root, "*_test_split[123].txt")
    if not lists:
        raise DataError(
            f"{root} has no file *_test_split1.txt", f"unpack the splits of {title} there"
        )
    parts: dict[tuple[str, str], dict[str, str]] = {}
    for file in lists:
        label, split = re.fullmatch(r"(.+)_test_split(\d)\.txt", file.name).groups()  # type: ignore[union-attr]
        for name, number in words_of(file):
            clip = parts.setdefault((label, name), {})
            if number in PARTS:
                clip[f"split{split}"] = PARTS[number]
    for (label, name), found in sorted(parts.items()):
        yield Listed(file=f"{label}/{name}", labels=(label,), parts=found)


def _set(title: str, home: str, labels: str) -> VideoSet:
    return VideoSet(title=title, home=home, labels=labels, entries=partial(_listed, title=title))


HMDB51 = _set(
    "HMDB51 (Kuehne et al. 2011)",
    "https://serre.lab.brown.edu/hmdb51.html",
    "hmdb51",
)
JHMDB = _set("JHMDB (Jhuang et al. 2013)", "http://jhmdb.is.tue.mpg.de", "")
