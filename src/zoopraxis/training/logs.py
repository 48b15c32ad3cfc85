"""What a run tells while it runs: lines on stderr, log.csv, curves, TensorBoard."""

import csv
import importlib.util
import io
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from zoopraxis.files import write_atomically
from zoopraxis.training.curves import draw_curves
from zoopraxis.training.state import Row

__all__ = ["EpochLog", "Silent", "Watcher"]

SECONDS_BETWEEN_PICTURES = 60


class Watcher:
    """What a run tells while it runs: a line per epoch on stderr.

    Subclass it to show more; `zoopraxis train` shows a progress bar. Only the main process
    calls it.
    """

    def say(self, text: str) -> None:
        """Print a line."""
        sys.stderr.write(f"{text}\n")

    def start(self, *, epochs: int, steps: int, done: int) -> None:
        """Begin a run of so many epochs and steps of each, of which ``done`` are done."""

    def step(self, epoch: int, *, loss: float, clips_per_second: float) -> None:
        """Advance by a step of an epoch (from 0)."""

    def doing(self, what: str) -> None:
        """Name the phase of the run."""

    def epoch(self, row: Row, *, epochs: int, best: bool) -> None:
        """Print the line of an epoch."""
        parts = [f"epoch {row['epoch']:>3.0f}/{epochs}", f"lr {row['lr']:.2g}"]
        measured = (name for name in row if name.startswith(("train_", "val_")))
        parts += [f"{name} {row[name]:.3f}" for name in measured]
        parts.append(f"{row['clips_per_second']:.1f} clips/s")
        if row["skipped"]:
            parts.append(f"{row['skipped']:.0f} videos skipped")
        self.say("  ".join(parts) + ("  *best" if best else ""))

    def stop(self) -> None:
        """End, whatever the outcome."""


class Silent(Watcher):
    """Tells nothing: of the processes other than the main one."""

    def say(self, text: str) -> None:
        """Print nothing."""


class EpochLog:
    """log.csv, curves.png and, where tensorboard is installed, its event files.

    The table is written after every epoch, the picture at most once a minute and at the end.

    Parameters
    ----------
    out : Path
        Folder of the run.
    first_epoch : int
        The first epoch, from 0, that this process may write: events of it and later ones that
        a killed process left are dropped.
    shown : bool
        False for processes other than the main one, which write nothing.
    """

    def __init__(self, out: Path, *, first_epoch: int, shown: bool) -> None:
        self.out, self.shown = out, shown
        self.history: Sequence[Row] = ()
        self.drawn = time.monotonic()
        self.writer = None
        if shown and importlib.util.find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter  # slow to import

            self.writer = SummaryWriter(str(out / "tensorboard"), purge_step=first_epoch + 1)

    def write(self, history: Sequence[Row]) -> None:
        """Write the table, and at times the picture, anew, and the newest row's events."""
        if not self.shown:
            return
        self.history = history
        write_atomically(self.out / "log.csv", _csv(history).encode())
        if time.monotonic() - self.drawn > SECONDS_BETWEEN_PICTURES:
            self._draw()
        if self.writer is not None:
            row = history[-1]
            for name, value in row.items():
                if name != "epoch":
                    # "train_loss" belongs under "train/loss"
                    self.writer.add_scalar(name.replace("_", "/", 1), value, int(row["epoch"]))
            self.writer.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.history:
            self._draw()
        if self.writer is not None:
            self.writer.close()

    def _draw(self) -> None:
        draw_curves(self.history, self.out / "curves.png")
        self.drawn = time.monotonic()


def _csv(history: Sequence[Row]) -> str:
    text = io.StringIO()
    columns = dict.fromkeys(name for row in history for name in row)
    writer = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in history)
    return text.getvalue()
