"""zoopraxis export MODEL OUT --to FORMAT: a network becomes a file for other programs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zoopraxis.cli._shown import ACCEPT_LICENCE, counting_bar, download_bar, warn_untrained
from zoopraxis.errors import ZoopraxisError

if TYPE_CHECKING:
    from zoopraxis.checkpoints.saved import OpenModel


def export(
    model: Annotated[str, typer.Argument(help="NAME.TAG, a run's folder or .safetensors file.")],
    out: Annotated[Path, typer.Argument(help="The file: .pt2, .onnx or .xml.")],
    to: Annotated[Literal["torch", "onnx", "openvino"], typer.Option(help="Format of the file.")],
    fold: Annotated[
        Literal["4d"] | None,
        typer.Option(help="4d: tensors of at most four dimensions, for phones and NPUs."),
    ] = None,
    precision: Annotated[
        Literal["float32", "int8"], typer.Option(help="int8: quantised, with --calibrate.")
    ] = "float32",
    calibrate: Annotated[
        str, typer.Option(help="Of int8: folder or list of videos such as the file is for.")
    ] = "",
    calibration_clips: Annotated[
        int, typer.Option(min=1, help="Of int8: clips that calibrate, spread over the list.")
    ] = 100,
    check: Annotated[
        bool,
        typer.Option("--check", help="Of int8: measure on the whole list, not on these clips."),
    ] = False,
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help=ACCEPT_LICENCE)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a network with its labels and its clip, and print how far its outputs are off.

    `zoopraxis predict --model FILE` opens .onnx and .xml files. With --precision int8, the change
    of accuracy on the videos of --calibrate is printed too.
    """
    from zoopraxis.checkpoints.saved import open_model
    from zoopraxis.engine.export import export_model

    if precision == "float32" and (calibrate or check):
        raise ZoopraxisError("--calibrate and --check go with --precision int8", "add it")
    if precision == "int8" and not calibrate:
        raise ZoopraxisError(
            "--precision int8 needs clips to calibrate with",
            "give --calibrate a folder or list of videos such as the file is for",
        )
    with download_bar(model) as downloaded:
        net = open_model(model, accept_licence=accept_licence, progress=downloaded)
    warn_untrained(net)
    about: dict[str, Any] = {"file": str(out), "format": to, "precision": precision}
    if precision == "int8":
        if to == "torch":
            raise ZoopraxisError("--precision int8 is for onnx and openvino", "choose one of them")
        about |= _quantize(
            net, out, to=to, fold=fold, videos=calibrate, clips=calibration_clips, whole=check
        )
    else:
        about["relative_error"] = export_model(net, out, to=to, fold=fold)
    if as_json:
        print(json.dumps(about))
        return
    print(f"{out}: outputs within {about['relative_error']:.1e} of {net.name}'s")
    if precision == "int8":
        print(
            f"{about['metric']} {about['before']:.4f} in float32, {about['after']:.4f} in int8, "
            f"on {about['videos']} videos; {about['changed']} predictions differ"
        )


def _quantize(
    net: "OpenModel",
    out: Path,
    *,
    to: Literal["onnx", "openvino"],
    fold: Literal["4d"] | None,
    videos: str,
    clips: int,
    whole: bool,
) -> dict[str, Any]:
    """Write a network in eight bits, and measure what that costs."""
    from zoopraxis.data.samples import read_samples
    from zoopraxis.engine.export import export_quantized, open_exported
    from zoopraxis.engine.optimize import optimize_opened
    from zoopraxis.evaluation.precision import ListedClips, precision_change, spread

    samples = read_samples(videos, labels=net.labels)
    few = spread(samples, clips)
    with counting_bar("calibrating") as progress:
        shown = ListedClips(few, net.clip, progress=progress)
        export_quantized(net, out, to=to, clips=shown, fold=fold)
    with counting_bar("measuring") as progress:
        return precision_change(
            optimize_opened(net, engine="torch"),
            open_exported(out),
            samples if whole else few,
            progress=progress,
        ).facts
