"""Charades: 9,848 videos of homes with 157 actions, several in each.

Sigurdsson et al., Hollywood in Homes, ECCV 2016, arXiv:1604.01753. Lists: ``Charades_v1_train.csv``
and ``_test.csv``, whose ``actions`` are ``c092 11.90 21.20;c147 0.00 12.60``, and
``Charades_v1_classes.txt``. Protocols: "videos", all labels of a whole video, for mAP; "segments",
one label each, without 7 of 66,500 that end before they start.
"""

from collections.abc import Iterator
from pathlib import Path

from zoopraxis.data.sets.listed import Listed, VideoSet, find_file, table_of
from zoopraxis.data.text import read_text
from zoopraxis.errors import DataError

__all__ = ["CHARADES"]


def _classes(root: Path) -> tuple[str, ...]:
    text = read_text(find_file(root, "Charades_v1_classes.txt"), expected="expected the classes")
    return tuple(line.partition(" ")[2] for line in text.splitlines() if line.strip())


def _listed(root: Path) -> Iterator[Listed]:
    names = _classes(root)
    for part in ("train", "test"):
        file = find_file(root, f"Charades_v1_{part}.csv")
        for video, subject, actions in table_of(file, ("id", "subject", "actions")):
            try:
                acts = [
                    (names[int(label[1:])], float(start), float(end))
                    for label, start, end in (act.split() for act in actions.split(";") if act)
                ]
            except (ValueError, IndexError) as error:
                raise DataError(
                    f"{file}: the actions of {video} are {actions[:60]!r}",
                    "expected c092 11.90 21.20;c147 0.00 12.60",
                ) from error
            labels = tuple(dict.fromkeys(name for name, _, _ in acts))
            yield Listed(file=video, labels=labels, parts={"videos": part}, group=subject)
            for name, start, end in acts:
                if end > start:
                    yield Listed(
                        file="",
                        labels=(name,),
                        parts={"segments": part},
                        whole=video,
                        start=start,
                        end=end,
                        group=subject,
                    )


CHARADES = VideoSet(
    title="Charades (Sigurdsson et al. 2016)",
    home="https://prior.allenai.org/projects/charades",
    labels="",
    entries=_listed,
    classes=_classes,
)
