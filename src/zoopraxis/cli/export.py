"""zoopraxis export MODEL OUT --to FORMAT: a network becomes a file for other programs."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from zoopraxis.cli._shown import ACCEPT_LICENCE, download_bar, warn_untrained


def export(
    model: Annotated[str, typer.Argument(help="NAME.TAG, a run's folder or .safetensors file.")],
    out: Annotated[Path, typer.Argument(help="The file: .pt2, .onnx or .xml.")],
    to: Annotated[Literal["torch", "onnx", "openvino"], typer.Option(help="Format of the file.")],
    fold: Annotated[
        Literal["4d"] | None,
        typer.Option(help="4d: tensors of at most four dimensions, for phones and NPUs."),
    ] = None,
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help=ACCEPT_LICENCE)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a network with its labels and its clip, and print how far its outputs are off.

    `zoopraxis predict --model FILE` opens .onnx and .xml files.
    """
    from zoopraxis.checkpoints.saved import open_model
    from zoopraxis.engine.export import export_model

    with download_bar(model) as downloaded:
        net = open_model(model, accept_licence=accept_licence, progress=downloaded)
    warn_untrained(net)
    error = export_model(net, out, to=to, fold=fold)
    if as_json:
        print(json.dumps({"file": str(out), "format": to, "relative_error": error}))
    else:
        print(f"{out}: outputs within {error:.1e} of {net.name}'s")
