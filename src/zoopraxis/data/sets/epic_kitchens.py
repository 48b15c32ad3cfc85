"""EPIC-Kitchens: segments of long first-person videos, each with a verb and a noun.

Damen et al., Scaling Egocentric Vision, ECCV 2018 (55 hours); Rescaling Egocentric Vision, IJCV
2022 (100 hours). Lists: ``EPIC_train_action_labels.csv``; ``EPIC_100_train.csv`` and
``EPIC_100_validation.csv``. Verbs, nouns and actions, which are pairs of both, are a list each.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from zoopraxis.data.labels import label_names
from zoopraxis.data.sets.listed import Listed, VideoSet, find_file, find_files, table_of
from zoopraxis.data.text import seconds_of
from zoopraxis.errors import DataError

__all__ = ["EPIC_KITCHENS"]

COLUMNS = ("video_id", "start_timestamp", "stop_timestamp", "verb_class", "noun_class")
LISTS = {
    55: {"train": "EPIC_train_action_labels.csv"},
    100: {"train": "EPIC_100_train.csv", "val": "EPIC_100_validation.csv"},
}


def _listed(root: Path, *, hours: int, kind: str) -> Iterator[Listed]:
    verbs, nouns = (label_names(f"epic{hours}_{words}") for words in ("verbs", "nouns"))
    found = {part: find_files(root, name) for part, name in LISTS[hours].items()}
    if not any(found.values()):
        find_file(root, LISTS[hours]["train"])
    for part, files in found.items():
        for file in files:
            for video, start, end, verb, noun in table_of(file, COLUMNS):
                try:
                    pair = verbs[int(verb)], nouns[int(noun)]
                    times = seconds_of(start), seconds_of(end)
                except (ValueError, IndexError) as error:
                    raise DataError(
                        f"{file}: {video} from {start!r} to {end!r} has verb {verb!r} and noun "
                        f"{noun!r}",
                        f"expected hours:minutes:seconds, verbs to {len(verbs) - 1} and nouns to "
                        f"{len(nouns) - 1}",
                    ) from error
                label = {"verbs": pair[0], "nouns": pair[1], "actions": " ".join(pair)}[kind]
                yield Listed(
                    file="",
                    labels=(label,),
                    parts={"": part},
                    whole=video,
                    start=times[0],
                    end=times[1],
                    group=video.partition("_")[0],
                )


EPIC_KITCHENS = {
    f"epic{hours}_{kind}": VideoSet(
        title=f"EPIC-Kitchens-{hours}, {kind} (Damen et al. {year})",
        home="https://epic-kitchens.github.io",
        labels="" if kind == "actions" else f"epic{hours}_{kind}",
        entries=partial(_listed, hours=hours, kind=kind),
    )
    for hours, year in ((55, 2018), (100, 2022))
    for kind in ("verbs", "nouns", "actions")
}
