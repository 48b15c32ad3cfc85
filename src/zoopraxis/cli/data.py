"""zoopraxis data: make and prepare data sets."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from zoopraxis.cli._shown import counting_bar
from zoopraxis.cli.data_doctor import doctor
from zoopraxis.cli.data_frames import frames
from zoopraxis.cli.data_prepare import prepare, sets
from zoopraxis.cli.data_resize import resize
from zoopraxis.cli.data_shards import shards

data = typer.Typer(help="Make and prepare data sets.", no_args_is_help=True)
data.command()(resize)
data.command()(frames)
data.command()(shards)
data.command()(doctor)
data.command()(sets)
data.command()(prepare)


@data.command()
def theatre(
    out: Annotated[Path, typer.Argument(help="Folder to fill; a run that was stopped resumes.")],
    clips_per_class: Annotated[int, typer.Option(help="Clips per action.")] = 40,
    performers: Annotated[
        int, typer.Option(help="Number of performers, the groups of a split.")
    ] = 20,
    size: Annotated[tuple[int, int], typer.Option(help="Width and height in pixels.")] = (160, 120),
    seed: Annotated[int, typer.Option(help="Another seed gives other performers and clips.")] = 0,
    flow: Annotated[bool, typer.Option("--flow", help="Store optical flow: 1 MB a clip.")] = False,
    boxes: Annotated[
        bool, typer.Option("--boxes", help="Write the boxes of performer and object.")
    ] = False,
    skeletons: Annotated[
        bool, typer.Option("--skeletons", help="Store joints as training reads them.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. Default: one per core.")
    ] = None,
    sheet: Annotated[Path | None, typer.Option(help="Save a contact sheet as this PNG.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Film the theatre: synthetic actions as MP4 files with their ground truth."""
    from zoopraxis.theatre import ACTIONS, Settings, contact_sheet, make_theatre

    settings = Settings(
        size=size, seed=seed, performers=performers, flow=flow, boxes=boxes, skeletons=skeletons
    )
    with counting_bar("filming") as progress:
        table = make_theatre(
            out,
            clips_per_class=clips_per_class,
            settings=settings,
            workers=workers,
            progress=progress,
        )
    facts = {
        "list": str(table),
        "clips": clips_per_class * len(ACTIONS),
        "classes": list(ACTIONS),
        "performers": min(performers, clips_per_class),
    }
    if sheet is not None:
        facts["sheet"] = str(contact_sheet(out, sheet))
    if as_json:
        print(json.dumps(facts))
        return
    print(f"{facts['clips']} clips of {len(ACTIONS)} actions by {facts['performers']} performers")
    print(f"list: {table}")
    if sheet is not None:
        print(f"sheet: {sheet}")


@data.command()
def groups(
    out: Annotated[Path, typer.Argument(help="Folder to fill; a run that was stopped resumes.")],
    films: Annotated[int, typer.Option(help="Number of films.")] = 10,
    performers: Annotated[int, typer.Option(help="Performers in a film.")] = 3,
    acts: Annotated[int, typer.Option(help="Actions of each, one after the other.")] = 4,
    size: Annotated[tuple[int, int], typer.Option(help="Width and height in pixels.")] = (480, 270),
    seed: Annotated[int, typer.Option(help="Another seed gives other performers and films.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. Default: one per core.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Film the theatre with several performers, who act differently at once."""
    from zoopraxis.theatre import GroupSettings, make_groups

    settings = GroupSettings(performers=performers, acts=acts, size=size, seed=seed)
    with counting_bar("filming") as progress:
        table = make_groups(out, films=films, settings=settings, workers=workers, progress=progress)
    if as_json:
        print(json.dumps({"list": str(table), "films": films}))
        return
    print(f"{films} films of {performers} performers with {acts} actions each")
    print(f"list: {table}")


@data.command()
def strung(
    out: Annotated[Path, typer.Argument(help="Folder to fill; a run that was stopped resumes.")],
    films: Annotated[int, typer.Option(help="Number of films.")] = 10,
    acts: Annotated[int, typer.Option(help="Actions in a film, one after the other.")] = 6,
    pause: Annotated[float, typer.Option(help="Mean seconds of stillness between them.")] = 1.5,
    size: Annotated[tuple[int, int], typer.Option(help="Width and height in pixels.")] = (256, 144),
    seed: Annotated[int, typer.Option(help="Another seed gives other performers and films.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. Default: one per core.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Film the theatre in long films: actions one after another, with stillness between them."""
    from zoopraxis.theatre import StrungSettings, make_strung

    settings = StrungSettings(acts=acts, pause=pause, size=size, seed=seed)
    with counting_bar("filming") as progress:
        table = make_strung(out, films=films, settings=settings, workers=workers, progress=progress)
    if as_json:
        print(json.dumps({"list": str(table), "films": films}))
        return
    print(f"{films} films of {acts} actions each")
    print(f"list: {table}")


@data.command()
def pieces(
    videos: Annotated[str, typer.Argument(help="Folder of classes, or a list.")],
    out: Annotated[Path, typer.Argument(help="The list to write.")],
    number: Annotated[int, typer.Option("--pieces", help="Pieces of each video.")] = 5,
    seconds: Annotated[float, typer.Option(help="Length of a piece.")] = 5.0,
    seed: Annotated[int, typer.Option(help="Another seed draws other pieces.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. Default: one per core.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Draw short pieces of long videos: a list of segments to train on."""
    from zoopraxis.data.pieces import cut_pieces
    from zoopraxis.data.samples import read_samples
    from zoopraxis.data.write import write_samples

    samples = read_samples(videos)
    with counting_bar("opening") as progress:
        cut = cut_pieces(
            samples, pieces=number, seconds=seconds, seed=seed, workers=workers, progress=progress
        )
    write_samples(out, cut.samples)
    for error in cut.errors:
        print(f"left out: {error.problem}", file=sys.stderr)
    facts = {"list": str(out), "pieces": len(cut.samples), "left_out": len(cut.errors)}
    if as_json:
        print(json.dumps(facts))
        return
    print(f"{facts['pieces']} pieces of {len(samples)} videos, {facts['left_out']} left out")
    print(f"list: {out}")


@data.command("import")
def import_annotations(
    kind: Annotated[
        str,
        typer.Argument(help="activitynet, csv, cvat, elan, labelstudio or via.", metavar="FORMAT"),
    ],
    file: Annotated[Path, typer.Argument(help="As the tool exports it.")],
    out: Annotated[Path, typer.Argument(help="The list to write: path,start,end,label.")],
    fps: Annotated[
        float | None,
        typer.Option(help="Of what counts frames: CVAT, Label Studio, a CSV file."),
    ] = None,
    tier: Annotated[
        str, typer.Option(help="Tier of ELAN, or attribute of CVAT or VIA. Default: all.")
    ] = "",
    subset: Annotated[
        str, typer.Option(help="Subset of ActivityNet's JSON, such as training. Default: all.")
    ] = "",
    video: Annotated[
        Path | None,
        typer.Option(
            help="The one video that it is of, or a folder in which videos are found by name.",
        ),
    ] = None,
    path_column: Annotated[str, typer.Option(help="Of a CSV file.")] = "path",
    start_column: Annotated[str, typer.Option(help="Of a CSV file, in seconds.")] = "start",
    end_column: Annotated[str, typer.Option(help="Of a CSV file, in seconds.")] = "end",
    label_column: Annotated[str, typer.Option(help="Of a CSV file.")] = "label",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Turn segments marked in an annotation tool into a list for training."""
    from zoopraxis.data.annotations import locate, read_annotations, write_segments

    columns = (path_column, start_column, end_column, label_column)
    found = read_annotations(file, kind, fps=fps, tier=tier, subset=subset, columns=columns)
    if video is not None:
        found = locate(found, video, table=out)
    write_segments(out, found.segments)
    labels = sorted({one.label for one in found.segments})
    facts = {
        "list": str(out),
        "segments": len(found.segments),
        "videos": len({one.path for one in found.segments}),
        "labels": labels,
        "left_out": dict(found.left_out),
    }
    if as_json:
        print(json.dumps(facts))
        return
    print(f"{facts['segments']} segments of {len(labels)} classes in {facts['videos']} videos")
    for what, count in found.left_out.items():
        print(f"left out: {count} {what}")
    videos = {one.path for one in found.segments if "://" not in one.path}
    absent = sorted(path for path in videos if not (out.parent / path).exists())
    if absent:
        print(
            f"not there: {len(absent)} of {len(videos)} videos, such as {absent[0]}; "
            "--video FOLDER finds them by name",
            file=sys.stderr,
        )
    print(f"list: {out}")


@data.command("export")
def export_annotations(
    kind: Annotated[str, typer.Argument(help="fiftyone.", metavar="FORMAT")],
    segments: Annotated[str, typer.Argument(help="A list of segments or of videos, or a folder.")],
    out: Annotated[Path, typer.Argument(help="Folder to write: labels.json and data.json.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the segments of a list for a tool that shows them; the videos stay in place."""
    from zoopraxis.data.annotations import write_fiftyone
    from zoopraxis.data.samples import read_samples
    from zoopraxis.errors import DataError

    if kind != "fiftyone":
        raise DataError(f"no format to export is called {kind!r}", "known: fiftyone")
    samples = read_samples(segments)
    write_fiftyone(out, samples)
    videos = len({sample.path for sample in samples})
    if as_json:
        print(json.dumps({"out": str(out), "segments": len(samples), "videos": videos}))
        return
    print(f"{len(samples)} segments in {videos} videos")
    print(f"in {out}")
