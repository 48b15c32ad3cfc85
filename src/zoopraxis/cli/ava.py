"""zoopraxis ava: train, predict and score on AVA, or on boxes in its format."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoopraxis.cli._shown import ACCEPT_LICENCE, counting_bar, download_bar, warn_untrained

if TYPE_CHECKING:
    from zoopraxis.data.sets.ava import AvaPeople

ava = typer.Typer(
    help="Actions of people in films: AVA's lists, results and score.", no_args_is_help=True
)

Videos = Annotated[Path, typer.Argument(help="Folder of the videos, named after their ids.")]
Excluded = Annotated[
    Path | None, typer.Option(help="List of moments that do not count: video,second.")
]
Seconds = Annotated[float, typer.Option(min=0.01, help="Length of each clip.")]
Offset = Annotated[
    float, typer.Option(help="Second of the film at which the videos begin; 900 if they were cut.")
]
WINDOW = 2.0  # seconds


@ava.command("list")
def make_list(
    boxes: Annotated[Path, typer.Argument(help="AVA's file of boxes and actions.")],
    videos: Videos,
    out: Annotated[Path, typer.Argument(help="The list to write.")],
    exclude: Excluded = None,
    seconds: Seconds = WINDOW,
    offset: Offset = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a list that training reads: a clip of each person, with all of the person's actions."""
    from zoopraxis.data.write import write_samples

    samples = _people(boxes, videos, exclude, seconds=seconds, offset=offset).samples
    write_samples(out, samples)
    count = len({sample.group for sample in samples})
    if as_json:
        print(json.dumps({"list": str(out), "clips": len(samples), "videos": count}))
    else:
        print(f"{len(samples)} clips of {count} videos\nlist: {out}")


@ava.command()
def predict(
    boxes: Annotated[Path, typer.Argument(help="Boxes of people, true or a detector's.")],
    videos: Videos,
    out: Annotated[Path, typer.Argument(help="Folder of results.csv; a stopped run resumes.")],
    model: Annotated[str, typer.Option(help="A network trained on such a list.")],
    exclude: Excluded = None,
    seconds: Seconds = WINDOW,
    offset: Offset = 0.0,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
    workers: Annotated[int, typer.Option(min=0, help="Processes that decode videos.")] = 0,
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help=ACCEPT_LICENCE)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the scores of every action of every person, in AVA's format."""
    from zoopraxis.checkpoints.saved import open_model
    from zoopraxis.data.sets.ava import write_ava
    from zoopraxis.evaluation.ava import predict_ava

    people = _people(boxes, videos, exclude, seconds=seconds, offset=offset)
    with download_bar(model) as downloaded:
        net = open_model(model, accept_licence=accept_licence, progress=downloaded)
    warn_untrained(net)
    with counting_bar("predicting") as progress:
        found = predict_ava(
            net,
            people,
            device=device,
            workers=workers,
            keep=out,
            progress=progress,
            say=lambda line: print(line, file=sys.stderr),
        )
    out.mkdir(parents=True, exist_ok=True)
    results = out / "results.csv"
    write_ava(results, found)
    if as_json:
        print(json.dumps({"results": str(results), "people": len(people.samples)}))
    else:
        print(f"{len(people.samples)} people\nresults: {results}")


@ava.command()
def score(
    truth: Annotated[Path, typer.Argument(help="AVA's file of boxes and actions.")],
    results: Annotated[Path, typer.Argument(help="Boxes, actions and scores in its format.")],
    exclude: Excluded = None,
    per_moment: Annotated[
        int,
        typer.Option(
            min=0,
            help="Pairs of box and action that count of each moment, the highest scores: 50 in "
            "AVA's evaluation; 0 for all, as in PySlowFast's.",
        ),
    ] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compute mAP at an intersection over union of 0.5, by AVA's rule."""
    from zoopraxis.data.sets.ava import read_ava, read_excluded
    from zoopraxis.evaluation.ava import score_ava

    result = score_ava(
        read_ava(truth),
        read_ava(results, scored=True),
        excluded=read_excluded(exclude) if exclude else (),
        per_moment=per_moment or None,
    )
    if as_json:
        print(json.dumps(result.to_dict()))
        return
    for name, value in result.average_precision.items():
        print(f"{'-' if value != value else f'{value:.1%}':>6}  {name}")
    print(f"{result.mean:6.1%}  mAP of {result.moments} moments")


def _people(
    boxes: Path, videos: Path, exclude: Path | None, *, seconds: float, offset: float
) -> "AvaPeople":
    """Read the people of a file."""
    from zoopraxis.data.sets.ava import ava_people, read_ava, read_excluded

    return ava_people(
        read_ava(boxes),
        videos,
        seconds=seconds,
        offset=offset,
        excluded=read_excluded(exclude) if exclude else (),
    )
