"""Moments in Time: a million clips of three seconds, 339 verbs and more.

Monfort et al., Moments in Time Dataset, TPAMI 2019, arXiv:1801.03150. Lists: ``trainingSet.csv``
and ``validationSet.csv`` with ``<class>/<clip>.mp4,<class>,<votes for>,<votes against>`` on a line.
"""

from collections.abc import Iterator
from pathlib import Path

from zoopraxis.data.sets.listed import Listed, VideoSet, find_file, words_of

__all__ = ["MOMENTS"]


def _listed(root: Path) -> Iterator[Listed]:
    for part, name in (("train", "trainingSet.csv"), ("val", "validationSet.csv")):
        for file, label, *_ in words_of(find_file(root, name), delimiter=","):
            yield Listed(file=file, labels=(label,), parts={"": part})


MOMENTS = VideoSet(
    title="Moments in Time (Monfort et al. 2019)",
    home="http://moments.csail.mit.edu",
    labels="mit",
    entries=_listed,
)
