"""zoopraxis convert FILE --model NAME --source S: a foreign checkpoint becomes ours."""

from pathlib import Path
from typing import Annotated

import typer


def convert(
    file: Annotated[Path, typer.Argument(help="A checkpoint of the authors' code or a port.")],
    model: Annotated[str, typer.Option(help="A name from `zoopraxis models`.")],
    source: Annotated[str, typer.Option(help="Whose keys it has; `zoopraxis info` lists them.")],
    out: Annotated[Path | None, typer.Option(help="Where to; NAME.safetensors here.")] = None,
) -> None:
    """Convert a checkpoint to safetensors, with a sidecar that says what it is."""
    from zoopraxis.checkpoints.hub import convert_file

    print(convert_file(file, model=model, source=source, out=out or Path(f"{model}.safetensors")))
