"""ActivityNet 1.3: 200 activities in untrimmed videos.

Caba Heilbron et al., ActivityNet, CVPR 2015. List: ``activity_net.v1-3.min.json``; videos are files
``v_<id>``. Labels of the testing part are kept secret. Segments of no length, of which it has some,
are left out.
"""

from collections.abc import Iterator
from pathlib import Path

from zoopraxis.data.sets.listed import Listed, VideoSet, find_file, json_of
from zoopraxis.errors import DataError

__all__ = ["ACTIVITYNET"]

PARTS = {"training": "train", "validation": "val", "testing": "test"}


def _listed(root: Path) -> Iterator[Listed]:
    file = find_file(root, "activity_net.v1-3.min.json", "activity_net*.json")
    database = json_of(file, dict).get("database")
    if not isinstance(database, dict):
        raise DataError(f"{file} has no 'database'", "expected the list as it is distributed")
    for video, facts in database.items():
        try:
            part = PARTS[facts["subset"]]
            if not facts["annotations"]:
                yield Listed(file=f"v_{video}", labels=(), parts={"": part}, group=video)
            for act in facts["annotations"]:
                start, end = map(float, act["segment"])
                if end > start:
                    yield Listed(
                        file="",
                        labels=(str(act["label"]),),
                        parts={"": part},
                        whole=f"v_{video}",
                        start=start,
                        end=end,
                        group=video,
                    )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{file}: what it says of {video} is incomplete: {error!r}",
                "expected the list as it is distributed",
            ) from error


ACTIVITYNET = VideoSet(
    title="ActivityNet 1.3 (Caba Heilbron et al. 2015)",
    home="http://activity-net.org/download.html",
    labels="activitynet",
    entries=_listed,
)
