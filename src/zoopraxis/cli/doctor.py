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
    from rich.markup import escape
    from rich.table import Table

    from zoopraxis.doctor import examine

    with Console(stderr=True).status("examining") as status:
        findings = examine(step=lambda name: status.update(f"examining: {name}"))
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        table = Table("", "what", "found", "what to do", box=None)
        colours = {"ok": "green", "warn": "yellow", "fail": "red"}
        for row in findings:
            mark = f"[{colours[row.status]}]{row.status}[/]"
            table.add_row(mark, row.name, escape(row.value), escape(row.advice))
        Console().print(table)
    if any(finding.status == "fail" for finding in findings):
        raise typer.Exit(1)
