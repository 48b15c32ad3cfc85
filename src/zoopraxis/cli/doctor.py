"""zoopraxis doctor: whether this machine is set up correctly, and how to fix what is not."""

import json
from dataclasses import asdict
from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Examine versions, decoders, CUDA and speed; exit 1 if something will not work."""
    from rich.console import Console
    from rich.text import Text

    from zoopraxis.doctor import examine

    with Console(stderr=True).status("examining") as status:
        findings = examine(step=lambda name: status.update(f"examining: {name}"))
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        colours = {"ok": "green", "warn": "yellow", "fail": "red"}
        width = max(len(finding.name) for finding in findings)
        console = Console(soft_wrap=True, markup=False, highlight=False)
        for row in findings:
            mark = Text(row.status.ljust(4), style=colours[row.status])
            console.print(mark, f" {row.name.ljust(width)}  {row.value}", sep="")
            if row.advice:
                console.print(f"       {row.advice}")
    if any(finding.status == "fail" for finding in findings):
        raise typer.Exit(1)
