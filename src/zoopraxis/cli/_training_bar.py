"""A progress bar while a run trains."""

from typing import Any

from zoopraxis.training.logs import Watcher

__all__ = ["QuietBar", "TrainingBar"]


class TrainingBar(Watcher):
    """A progress bar while a run trains, where stderr is a terminal, and a line per epoch."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True)
        self.bar: Any = None

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def start(self, *, epochs: int, steps: int, done: int) -> None:
        """Show the bar."""
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.epochs = epochs
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[loss]}  {task.fields[speed]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
            transient=True,
        )
        self.task = self.bar.add_task("", total=epochs * steps, completed=done, loss="", speed="")
        self.bar.start()

    def step(self, epoch: int, *, loss: float, clips_per_second: float) -> None:
        """Advance by a step of an epoch (from 0)."""
        self.bar.update(
            self.task,
            advance=1,
            description=f"epoch {epoch + 1}/{self.epochs}",
            loss=f"loss {loss:.3f}",
            speed=f"{clips_per_second:.1f} clips/s",
        )

    def doing(self, what: str) -> None:
        """Name the phase of the run."""
        self.bar.update(self.task, description=what)

    def stop(self) -> None:
        """Remove the bar."""
        self.bar.stop()


class QuietBar(TrainingBar):
    """The bar alone, for one run of many."""

    def say(self, text: str) -> None:
        """Print nothing."""
