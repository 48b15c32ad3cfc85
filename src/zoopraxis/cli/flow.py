"""zoopraxis flow VIDEO|FOLDER|LIST OUT: optical flow as files to train with, or to look at."""

import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zoopraxis.cli._shown import counting_bar, show_error
from zoopraxis.errors import DataError

if TYPE_CHECKING:
    from zoopraxis.data.samples import SampleList
    from zoopraxis.flow.extract import Extracted

LIST = "clips.csv"


def flow(
    videos: Annotated[
        str, typer.Argument(help="A video or folder of frames, a folder of classes, or a list.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder to fill; a run that was stopped resumes.")],
    method: Annotated[
        str,
        typer.Option(
            help="dis, farneback, tvl1, tvl1_torch; warped:METHOD, without the camera's motion; "
            "ptlflow:NETWORK, learned."
        ),
    ] = "dis",
    form: Annotated[
        Literal["jpeg", "npz", "video"],
        typer.Option(
            help="Pairs of 8-bit images clipped at 20 pixels, float16 arrays, or a video "
            "of frames beside their flow in colours."
        ),
    ] = "jpeg",
    full: Annotated[
        float, typer.Option(help="Pixels per frame in full colour, of the form video.")
    ] = 8.0,
    short: Annotated[
        int, typer.Option(min=0, help="Shorter side of the frames in pixels; 0 leaves them.")
    ] = 256,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. [default: one per core]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Extract optical flow, and a list to train with that names it beside each video."""
    from zoopraxis.data.samples import read_samples
    from zoopraxis.flow import flow_method
    from zoopraxis.flow.extract import extract_flow

    chosen = flow_method(method)
    samples = None if _is_one_video(videos) else read_samples(videos)
    if samples is not None and samples.multi_label:
        raise DataError(
            f"{videos} has several labels a video, and no such list is written",
            "extract the flow of the videos' folder, and name it in the column `flow` of the list",
        )
    paths = [videos] if samples is None else list(dict.fromkeys(s.path for s in samples))
    with counting_bar("flow") as progress:
        results = extract_flow(
            paths,
            _places(paths, out),
            method=chosen,
            form=form,
            resize=short or None,
            full=full,
            workers=workers,
            progress=progress,
        )
    failed = [result for result in results if result.error is not None]
    for result in failed:
        if result.error is not None:
            show_error(result.error)
    table = out / LIST if samples is not None and form != "video" else None
    if samples is not None and table is not None:
        _write_list(table, samples, results)
    facts = {
        "method": json.loads(chosen.key),
        "list": str(table) if table else None,
        "videos": [
            {"video": r.video, "flow": r.flow, "fields": r.num_fields} for r in results if r.flow
        ],
        "failed": [{"video": r.video, "error": r.error.problem} for r in failed if r.error],
    }
    if as_json:
        print(json.dumps(facts))
    else:
        print(f"{sum(r.num_fields for r in results)} fields of {len(results) - len(failed)} videos")
        print(
            f"list: {table}" if table else f"flow: {results[0].flow if len(results) == 1 else out}"
        )
    if failed:
        print(f"{len(failed)} of {len(results)} videos have no flow", file=sys.stderr)
        raise SystemExit(1)


def _is_one_video(videos: str) -> bool:
    """Whether an argument is a video or a folder of frames, not a folder of classes or a list."""
    from zoopraxis.data.rows import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    path = Path(videos)
    if path.is_dir():
        return any(file.suffix.lower() in IMAGE_SUFFIXES for file in path.iterdir())
    return path.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES or "://" in videos


def _places(paths: list[str], out: Path) -> list[Path]:
    """Folder of each video's flow: as the videos lie to one another, without their suffixes."""
    absolute = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - links stay
    root = Path(os.path.commonpath([path.parent for path in absolute]))
    return [out / path.relative_to(root).with_suffix("") for path in absolute]


def _write_list(table: Path, samples: "SampleList", results: "list[Extracted]") -> None:
    """Write the samples that have flow as a list whose column names it."""
    from zoopraxis.files import write_atomically

    flow_of = {result.video: result.flow for result in results if result.flow}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    timed = any((s.start, s.end) != (None, None) for s in samples)
    writer.writerow(("path", "label", "group", "flow", *(("start", "end") if timed else ())))
    for sample in samples:
        if sample.path in flow_of:
            times = ["" if time is None else time for time in (sample.start, sample.end)]
            writer.writerow(
                (
                    _from(table, sample.path),
                    samples.labels[int(str(sample.label))],
                    sample.group,
                    _from(table, flow_of[sample.path]),
                    *(times if timed else ()),
                )
            )
    write_atomically(table, text.getvalue().encode())


def _from(table: Path, file: str) -> str:
    """Path of a file as a list has it; an address stays."""
    return file if "://" in file else os.path.relpath(file, table.parent)
