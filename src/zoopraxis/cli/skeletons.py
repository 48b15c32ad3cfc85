"""zoopraxis skeletons: of data sets, and of the people in videos."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from zoopraxis.cli._extraction import Asked, report
from zoopraxis.cli._shown import counting_bar, progress_bar
from zoopraxis.errors import DataError, ZoopraxisError

skeletons = typer.Typer(
    help="Convert data sets of skeletons, or find skeletons in videos.", no_args_is_help=True
)


@skeletons.command()
def extract(
    videos: Annotated[
        str, typer.Argument(help="A video or folder of frames, a folder of classes, or a list.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder to fill; a run that was stopped resumes.")],
    pose: Annotated[
        str,
        typer.Option(
            help="torchvision (Keypoint R-CNN), rtmlib (RTMPose), or a file with weights of "
            "Keypoint R-CNN."
        ),
    ] = "torchvision",
    every: Annotated[
        int, typer.Option(min=1, help="Frames from one that is looked at to the next.")
    ] = 1,
    min_score: Annotated[
        float | None, typer.Option(help="Lowest score of a person. Default: the estimator's.")
    ] = None,
    overlay: Annotated[
        Path | None,
        typer.Option(help="Of one video: write it with joints and boxes drawn, as this MP4."),
    ] = None,
    group: Annotated[
        str, typer.Option(help="Column of a list with the groups of a split; kept as `group`.")
    ] = "group",
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find the joints of everybody, and write a list that names them beside each video."""
    from zoopraxis.prediction.poses import find_estimator
    from zoopraxis.prediction.skeleton_overlay import write_skeleton_overlay
    from zoopraxis.prediction.skeletons import extract_skeletons, read_skeletons
    from zoopraxis.video.extraction import places

    chosen = find_estimator(pose, min_score=min_score)
    asked = Asked.of(videos, group=group)
    if overlay is not None and asked.samples is not None:
        raise ZoopraxisError(f"{videos} is a list, and --overlay draws one video", "name a video")
    with counting_bar("skeletons") as progress:
        results = extract_skeletons(
            asked.paths,
            places(asked.paths, out),
            estimator=chosen,
            every=every,
            workers=workers,  # one by default: torch takes all cores for one video
            progress=progress,
        )
    if overlay is not None and results[0].file:
        with progress_bar("drawing") as drawn:
            write_skeleton_overlay(
                asked.paths[0], overlay, read_skeletons(results[0].file), progress=drawn
            )
    report(
        results,
        asked,
        out,
        column="skeleton",
        items="people",
        count="people",
        facts={"pose": chosen.name, "every": every, "layout": "coco-17"},
        as_json=as_json,
    )


@skeletons.command()
def convert(
    name: Annotated[
        str, typer.Argument(help="msr_action3d, utd_mhad, ntu60, ntu120, jhmdb_pose or pyskl.")
    ],
    root: Annotated[Path, typer.Argument(help="Folder of the data set; a pickle of pyskl.")],
    out: Annotated[Path, typer.Argument(help="Folder to fill; a run that was stopped resumes.")],
    without: Annotated[
        Path | None,
        typer.Option(help="Text file with names of recordings to leave out, one a line."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. Default: one per core.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Convert a data set to arrays, and a list for each part of its published protocols."""
    from zoopraxis.data.sets.convert import convert_skeletons

    with counting_bar("converting") as progress:
        done = convert_skeletons(
            name,
            root,
            out,
            without=_names(without) if without else (),
            workers=workers,
            progress=progress,
        )
    for recording, problem in done.left_out.items():
        print(f"left out {recording}: {problem}", file=sys.stderr)
    if as_json:
        facts = {"lists": dict(done.lists), "layouts": done.layouts, "left_out": done.left_out}
        print(json.dumps(facts))
        return
    print(f"layout: {', '.join(done.layouts)}")
    for file, count in done.lists.items():
        print(f"list: {file}\t{count}")


def _names(file: Path) -> list[str]:
    """Names of recordings, one a line; a suffix may follow them."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(
            f"{file} cannot be read: {error}", "give a text of one name a line"
        ) from error
    return [Path(line.strip()).stem for line in lines if line.strip()]
