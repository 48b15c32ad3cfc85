"""Errors and progress on a terminal."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zoopraxis.errors import ZoopraxisError

__all__ = [
    "ACCEPT_LICENCE",
    "accept_licences",
    "counting_bar",
    "download_bar",
    "progress_bar",
    "show_error",
]


def show_error(error: ZoopraxisError) -> None:
    """Print what went wrong, and what to do about it, to stderr."""
    print(f"error: {error.problem}", file=sys.stderr)
    if error.hint:
        print(f"hint:  {error.hint}", file=sys.stderr)


ACCEPT_LICENCE = "Accept a licence of the weights for other than commercial use."
"""Help of the option ``--accept-licence``."""


def accept_licences(accepted: bool) -> None:
    """Accept licences in this process and those that it starts."""
    if accepted:
        os.environ["ZOOPRAXIS_ACCEPT_LICENCE"] = "1"


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[float], None]]:
    """Yield a function that sets a progress bar on stderr to a fraction in [0, 1]."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=1.0)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def counting_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that sets a progress bar on stderr to a count of a total."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = title, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True
    ) as bar:
        task = bar.add_task(title)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def download_bar(title: str) -> Iterator[Callable[[int, int | None], None]]:
    """Yield a function that sets a bar on stderr to bytes of a total; hidden until it is called."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = title, BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True
    ) as bar:
        task = bar.add_task(title, total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)
