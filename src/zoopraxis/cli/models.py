"""zoopraxis models [PATTERN]: what there is."""

import json
from typing import Annotated

import typer


def models(
    pattern: Annotated[str, typer.Argument(help="A shell pattern, such as 'r2*'.")] = "*",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the networks of the zoo."""
    from rich.console import Console
    from rich.table import Table

    from zoopraxis.models import family_of, list_models, model_spec

    specs = [model_spec(name) for name in list_models(pattern)]
    rows = [
        {
            "name": spec.name,
            "file": family_of(spec),
            "frames": spec.clip.frames,
            "size": spec.clip.size,
            "params_m": spec.params_m,
            "macs_g": spec.macs_g,
            "weights": [weights.tag for weights in spec.weights],
        }
        for spec in specs
    ]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    table = Table("name", "file", "frames", "size", "M params", "G MACs", "weights", box=None)
    for row in rows:
        table.add_row(*(", ".join(v) if isinstance(v, list) else str(v) for v in row.values()))
    Console().print(table)
