"""ActivityNet's JSON, which other data sets of untrimmed videos share: times in seconds.

::

    {"database": {"v_QOlSCBRmfWY": {"subset": "training", "duration": 82.7,
                                    "annotations": [{"segment": [6.2, 77.7], "label": "Ballet"}]}}}

THUMOS14, HACS and FineAction are distributed so. The lists of BMN and MMAction2 leave ``database``
out; FineAction's have the name of each file as ``filename``. Those of Charades and MultiTHUMOS for
dense prediction (piergiaj/super-events-cvpr18) have ``actions``, ``[class, start, end]`` each.
"""

from collections.abc import Iterator
from pathlib import Path

from zoopraxis.data.annotations.base import LeftOut, Marked, Options, json_of
from zoopraxis.errors import DataError, did_you_mean

__all__ = ["read_activitynet"]


def read_activitynet(file: Path, options: Options) -> Iterator[Marked | LeftOut]:
    """Read the segments of a subset, or of all; names of videos may have no suffix."""
    content = json_of(file)
    videos = content.get("database", content)
    subsets = dict.fromkeys(str(facts.get("subset", "")) for facts in videos.values())
    if options.subset and options.subset not in subsets:
        raise DataError(
            f"{file} has no subset {options.subset!r}", did_you_mean(options.subset, subsets)
        )
    for video, facts in videos.items():
        subset = str(facts.get("subset", ""))
        acts = [(act["label"], *act["segment"]) for act in facts.get("annotations", ())]
        acts += facts["actions"] if "actions" in facts or "annotations" not in facts else []
        if options.subset and options.subset != subset:
            yield from (LeftOut(f"segments of the subset {subset!r}") for _ in acts)
            continue
        if not acts:
            yield LeftOut("videos without annotations")
        path = str(facts.get("filename", video))
        for label, start, end in acts:
            yield Marked(path=path, start=float(start), end=float(end), label=str(label))
