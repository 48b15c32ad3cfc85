"""How errors and progress look on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zoopraxis.errors import ZoopraxisError

__all__ = ["counting_bar", "progress_bar", "show_error"]


def show_error(error: ZoopraxisError) -> None:
    """Print what went wrong, and what to do about it, to stderr."""
    print(f"error: {error.problem}", file=sys.stderr)
    if error.hint:
        print(f"hint:  {error.hint}", file=sys.stderr)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[float], None]]:
    """Give a function that moves a bar on stderr to a fraction in [0, 1]."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=1.0)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def counting_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that moves a bar on stderr to so many done of a total."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = title, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title)
        yield lambda done, total: bar.update(task, completed=done, total=total)
