"""Something-Something and Jester: what hands do to objects, and signs that they make.

Goyal et al., The "Something Something" Video Database, ICCV 2017, arXiv:1706.04261; Materzynska et
al., The Jester Dataset, ICCVW 2019. Version 1 and Jester are folders of JPEG frames with lists
``<number>;<label>``; version 2 is WebM with JSON, whose class is the template without its
brackets. As they are distributed today, lists are called ``train.csv`` or ``train.json``, and
``test-answers.csv`` has the classes of the test part.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from zoopraxis.data.sets.listed import Listed, VideoSet, find_file, find_files, json_of, words_of
from zoopraxis.errors import DataError

__all__ = ["JESTER", "SSV1", "SSV2"]

PARTS = {"train": "train", "validation": "val", "test": "test"}


def _semicolons(root: Path, *, prefix: str) -> Iterator[Listed]:
    find_file(root, f"{prefix}-train.csv", "train.csv")
    answers = _answers(root)
    for name, part in PARTS.items():
        for file in find_files(root, f"{prefix}-{name}.csv", f"{name}.csv"):
            for number, *label in words_of(file, delimiter=";"):
                labels = tuple(label) or answers.get(number, ())
                yield Listed(file=number, labels=labels, parts={"": part})


def _answers(root: Path) -> dict[str, tuple[str, ...]]:
    """Classes of the test part by number, where they are given."""
    return {
        number: tuple(label)
        for file in find_files(root, "test-answers.csv")
        for number, *label in words_of(file, delimiter=";")
    }


def _json(root: Path) -> Iterator[Listed]:
    find_file(root, "something-something-v2-train.json", "train.json")
    answers = _answers(root)
    for name, part in PARTS.items():
        for file in find_files(root, f"something-something-v2-{name}.json", f"{name}.json"):
            for row in json_of(file, list):
                try:
                    number, template = str(row["id"]), row.get("template", "")
                    label = template.replace("[", "").replace("]", "")
                    labels = (label,) if label else answers.get(number, ())
                    yield Listed(file=number, labels=labels, parts={"": part})
                except (AttributeError, KeyError, TypeError) as error:
                    raise DataError(
                        f"{file}: {str(row)[:80]} has no id or template",
                        "expected the list as it is distributed",
                    ) from error


SSV1 = VideoSet(
    title="Something-Something v1 (Goyal et al. 2017)",
    home="https://www.qualcomm.com/developer/software/something-something-v-2-dataset",
    labels="ssv1",
    entries=partial(_semicolons, prefix="something-something-v1"),
)
SSV2 = VideoSet(
    title="Something-Something v2 (Goyal et al. 2017)",
    home=SSV1.home,
    labels="ssv2",
    entries=_json,
)
JESTER = VideoSet(
    title="Jester (Materzynska et al. 2019)",
    home="https://www.qualcomm.com/developer/software/jester-dataset",
    labels="jester",
    entries=partial(_semicolons, prefix="jester-v1"),
)
