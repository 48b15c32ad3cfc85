"""zoopraxis trajectories: extract improved trajectories, train on their Fisher vectors, predict."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from zoopraxis.cli._evaluation import show_evaluation
from zoopraxis.cli._extraction import Asked, report
from zoopraxis.cli._shown import class_line, counting_bar, progress_bar, stage_bar

trajectories = typer.Typer(
    help="Improved dense trajectories: extract, train and predict without a network.",
    no_args_is_help=True,
)

Workers = Annotated[int | None, typer.Option(min=1, help="Processes. Default: one per core.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Model = Annotated[Path, typer.Argument(help="Folder of a training, or its model.safetensors.")]


@trajectories.command()
def extract(
    videos: Annotated[
        str, typer.Argument(help="A video or folder of frames, a folder of classes, or a list.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder to fill; a run that was stopped resumes.")],
    camera: Annotated[
        Literal["homography", "none"],
        typer.Option(help="How the motion of the camera is removed; none keeps it."),
    ] = "homography",
    people: Annotated[
        Literal["none", "opencv"],
        typer.Option(help="Who does not count for the camera's motion: whom OpenCV detects."),
    ] = "none",
    stride: Annotated[int, typer.Option(min=1, help="Distance of sampled points, in pixels.")] = 5,
    scales: Annotated[int, typer.Option(min=1, help="Spatial scales, at most.")] = 8,
    group: Annotated[
        str, typer.Option(help="Column of a list with the groups of a split; kept as `group`.")
    ] = "group",
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Extract trajectories, and a list that names them beside each video."""
    from zoopraxis.trajectories.settings import TrajectorySettings
    from zoopraxis.trajectories.store import extract_files
    from zoopraxis.video.extraction import places

    settings = TrajectorySettings(camera=camera, people=people, stride=stride, scales=scales)
    asked = Asked.of(videos, group=group)
    with counting_bar("extracting") as progress:
        results = extract_files(
            asked.paths,
            places(asked.paths, out),
            settings=settings,
            workers=workers,
            progress=progress,
        )
    report(
        results,
        asked,
        out,
        column="trajectories",
        items="trajectories",
        count="count",
        facts={"settings": json.loads(settings.key)},
        as_json=as_json,
    )


@trajectories.command()
def train(
    data: Annotated[str, typer.Argument(help="Folder of classes, or a list.")],
    out: Annotated[Path, typer.Argument(help="Folder of the model; a stopped run resumes.")],
    val: Annotated[str, typer.Option(help="Folder or list to evaluate the model on.")] = "",
    components: Annotated[int, typer.Option(min=1, help="Gaussians of a mixture.")] = 256,
    sample: Annotated[
        int, typer.Option(min=1, help="Trajectories that PCA and mixtures are fitted to.")
    ] = 256_000,
    c: Annotated[float, typer.Option("--c", help="C of the SVMs: the cost of an error.")] = 100.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample and the mixtures.")] = 0,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Train SVMs on Fisher vectors; videos whose trajectories are not extracted yet are first."""
    from zoopraxis.data.samples import read_samples
    from zoopraxis.evaluation.trajectories import MODE, evaluate_trajectories
    from zoopraxis.trajectories.classify import MODEL
    from zoopraxis.trajectories.training import TrainingProtocol, train_classifier

    protocol = TrainingProtocol(components=components, sample=sample, penalty=c, seed=seed)
    samples = read_samples(data)
    held_out = read_samples(val, labels=samples.labels) if val else None
    print(class_line(samples), file=sys.stderr)
    with stage_bar() as progress:
        classifier = train_classifier(
            samples, out, protocol=protocol, workers=workers, progress=progress, say=_warn
        )
        facts = {"model": str(out / MODEL), **classifier.training}
        if held_out is not None:
            result = evaluate_trajectories(
                classifier,
                held_out,
                out / "val",
                name=str(out),
                workers=workers,
                progress=progress,
                say=_warn,
            )
            facts["val"] = result.summary(mode=MODE)
    if as_json:
        print(json.dumps(facts))
        return
    if held_out is not None:
        print(f"accuracy on {len(held_out)} videos: {100 * facts['val']['top1']:.1f} %")
    print(f"model: {facts['model']}")


@trajectories.command()
def evaluate(
    model: Model,
    data: Annotated[str, typer.Argument(help="Folder of classes, or a list.")],
    out: Annotated[Path, typer.Option(help="Folder of the report and the scores.")] = Path(
        "evaluation"
    ),
    groups: Annotated[str, typer.Option(help="Only these groups (comma separated).")] = "",
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Test a model; an evaluation that was stopped resumes."""
    from zoopraxis.data.samples import read_samples
    from zoopraxis.evaluation.trajectories import MODE, evaluate_trajectories
    from zoopraxis.trajectories.classify import open_classifier

    classifier = open_classifier(model)
    samples = read_samples(data, labels=classifier.labels)
    if groups:
        samples = samples.of_groups(groups.split(","))
    print(class_line(samples), file=sys.stderr)
    with stage_bar() as progress:
        result = evaluate_trajectories(
            classifier, samples, out, name=str(model), workers=workers, progress=progress, say=_warn
        )
    title = f"{Path(data).name}: {model.name}"
    show_evaluation(result, out, title=title, mode=MODE, as_json=as_json)


@trajectories.command()
def predict(
    model: Model,
    video: Annotated[str, typer.Argument(help="A file, URL or folder of frames.")],
    top: Annotated[int, typer.Option(min=1, help="Labels to print.")] = 5,
    as_json: Json = False,
) -> None:
    """Name the action in a video; the scores are distances from the planes of SVMs."""
    import torch

    from zoopraxis.evaluation.trajectories import MODE
    from zoopraxis.prediction.aggregate import Prediction
    from zoopraxis.trajectories.classify import open_classifier
    from zoopraxis.trajectories.extract import extract_trajectories
    from zoopraxis.video import open_video

    classifier = open_classifier(model)
    with open_video(video) as opened, progress_bar(video) as progress:
        duration = opened.duration
        found = extract_trajectories(
            opened,
            settings=classifier.settings,
            progress=lambda done, total: progress(done / total),
        )
    if len(found) == 0:
        _warn(f"{video} has no trajectories: its Fisher vectors are all zero")
    scores = classifier.scores(classifier.encoder.encode(torch.from_numpy(found)))
    prediction = Prediction.from_logits(
        scores[None],
        video=video,
        model=str(model),
        labels=classifier.labels,
        times=((0.0, duration),),
        mode=MODE,
        top=top,
    )
    if as_json:
        print(prediction.to_json())
        return
    print(f"{video}: {len(found)} trajectories")
    for label, score in zip(prediction.labels, prediction.scores, strict=True):
        print(f"  {score:6.2f}  {label}")


def _warn(line: str) -> None:
    print(line, file=sys.stderr)
