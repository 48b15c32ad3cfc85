"""zoopraxis data doctor: examine videos and their lists."""

import json
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zoopraxis.cli._shown import counting_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoopraxis.data.finding import Finding
    from zoopraxis.data.samples import SampleList

__all__ = ["Read", "Timeout", "Workers", "doctor", "print_findings"]

Read = Annotated[
    Literal["headers", "sampled", "all"],
    typer.Option(help="What to decode: first frames, 8 frames of each video, or all."),
]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds for each video.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes. Default: one per core.")]


def doctor(
    videos: Annotated[
        str, typer.Argument(help="Folder of videos or of classes, a list, or an index.")
    ],
    val: Annotated[str, typer.Option(help="List of validation: is anything in both?")] = "",
    labels: Annotated[
        str, typer.Option(help="The classes, in order: a name such as ucf101, or a file.")
    ] = "",
    few: Annotated[int, typer.Option(min=0, help="Name classes with fewer videos.")] = 10,
    read: Read = "sampled",
    index: Annotated[
        Path | None,
        typer.Option(help="Keep what is found in this .jsonl or .parquet; a stopped run resumes."),
    ] = None,
    quarantine: Annotated[
        Path | None,
        typer.Option(help="Write the unreadable videos here, for `train` and `evaluate`."),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write what is found here, with frames, as one HTML page.")
    ] = None,
    timeout: Timeout = 300.0,
    workers: Workers = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Examine videos and their lists; exit 1 if some cannot be read, or spoil the test."""
    from zoopraxis.data.doctor import GOP, SHORT, diagnose, epoch_cost
    from zoopraxis.data.examine import examine_videos, find_videos, is_index, read_index
    from zoopraxis.data.labels import label_names
    from zoopraxis.data.quarantine import write_quarantine
    from zoopraxis.workers import num_cores

    names, source = label_names(labels) if labels else (), shlex.quote(videos)
    place, train, test = Path(videos), None, None
    if place.is_file() and is_index(place):
        _refuse_with_index(val=val, labels=labels)
        paths = [one.path for one in read_index(place)]
        index, source = index or place, "IN"  # resizing takes the videos, not what was found
    else:
        train = _lists(videos, names, alone=not val and not labels)
        test = _read(val, names or train.labels, verbatim=bool(names)) if val and train else None
        listed = [s.path for samples in (train, test) if samples for s in samples]
        paths = list(dict.fromkeys(listed)) or find_videos(place)
    with counting_bar("examining") as progress:
        examined = examine_videos(
            paths, level=read, seconds=timeout, workers=workers, index=index, progress=progress
        )
    found = diagnose(examined, train=train, val=test, names=names, few=few)
    clips = len(train) if train else len(paths)
    cost = epoch_cost(examined, clips=clips, workers=workers or num_cores())
    resize = f"zoopraxis data resize {source} OUT --short {SHORT} --gop {GOP}"
    if quarantine is not None:
        write_quarantine(quarantine, examined)
    if page is not None:
        from zoopraxis.evaluation.doctor_page import write_doctor_page

        with counting_bar("reading frames") as progress:
            write_doctor_page(
                page,
                examined,
                found,
                cost=cost,
                classes=_class_counts(train) if train else None,
                title=videos,
                remedy=resize,
                workers=workers,
                progress=progress,
            )
    if as_json:
        facts = {
            "videos": len(paths),
            "epoch_minutes": cost.minutes,
            "resized_epoch_minutes": cost.resized,
            "resize": resize,
            "findings": [*map(vars, found)],
            "page": str(page) if page else None,
        }
        print(json.dumps(facts, indent=1))
    else:
        print_findings(found)
        now, then = cost.told()
        print(f"{len(paths)} videos; an epoch of one clip each is decoded in {now}")
        if cost.worth_resizing:
            print(f"about {then} after: {resize}")
        if page is not None:
            print(f"page {page}")
    if any(one.status == "fail" for one in found):
        raise typer.Exit(1)


def print_findings(found: "Sequence[Finding]") -> None:
    """Print each finding, its remedy, and a line for each video that has it."""
    for one in found:
        print(f"{one.status}: {len(one.where)} {one.title}: {one.advice}")
        print("".join(f"  {line}\n" for line in one.where), end="")


def _refuse_with_index(*, val: str, labels: str) -> None:
    from zoopraxis.errors import DataError

    if val or labels:
        raise DataError(
            "an index names videos and no classes: --val and --labels do not go with it",
            "give the list, and the index as --index",
        )


def _lists(videos: str, names: tuple[str, ...], *, alone: bool) -> "SampleList | None":
    """Read the training list; None for a folder of videos without classes."""
    from zoopraxis.data.samples import is_list
    from zoopraxis.errors import DataError

    try:
        return _read(videos, names, verbatim=bool(names))
    except DataError as error:
        if is_list(Path(videos)) or not alone:
            raise
        print(f"examined without classes: {error.problem}", file=sys.stderr)
        return None


def _read(path: str, names: tuple[str, ...], *, verbatim: bool) -> "SampleList":
    """Read a list; if possible with its labels as they are written, so that they can be checked."""
    from zoopraxis.data.samples import read_samples
    from zoopraxis.errors import DataError

    if not verbatim:
        return read_samples(path, labels=names)
    try:
        return read_samples(path, first_label=0)
    except DataError:  # "a, b" beside "a": one label or two is known of known labels alone
        return read_samples(path, labels=names)


def _class_counts(samples: "SampleList") -> Counter[str]:
    """Number of samples of each class."""
    several = (s.label if isinstance(s.label, tuple) else (s.label,) for s in samples)
    return Counter(samples.labels[k] for some in several for k in some)
