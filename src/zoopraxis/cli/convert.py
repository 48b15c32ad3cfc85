"""zoopraxis convert FILE --model NAME --source S: a foreign checkpoint becomes ours."""

from pathlib import Path
from typing import Annotated

import typer


def convert(
    file: Annotated[Path, typer.Argument(help="A checkpoint of another code base.")],
    model: Annotated[str, typer.Option(help="The model it holds: a name of `zoopraxis models`.")],
    source: Annotated[
        str, typer.Option(help="The code base it comes from: a source of `zoopraxis info MODEL`.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="The file to write. Default: MODEL.safetensors.")
    ] = None,
) -> None:
    """Convert a foreign checkpoint to safetensors, and print the path of the new file.

    The file says which network it holds, as does the JSON file beside it; open it by its path
    wherever a model is asked for.
    """
    from zoopraxis.checkpoints.saved import convert_file

    print(convert_file(file, model=model, source=source, out=out or Path(f"{model}.safetensors")))
