"""Position and measurements of a run: everything that is not weights."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Progress", "Row", "RunResult"]

Row = dict[str, float]  # one epoch's line of log.csv


@dataclass(kw_only=True)
class Progress:
    """Position of a run and what it has measured so far; plain numbers, saved as JSON.

    Parameters
    ----------
    epoch : int
        The current epoch, from 0.
    position : int
        Steps done in it.
    step : int
        Steps done in total; the random draws of a step are a function of the seed and this.
    loss, correct, clips : float
        Sums over the training clips of the current epoch: loss, correct predictions, clips.
    seconds : float
        Time spent on the steps of the current epoch.
    history : list of dict
        One row per finished epoch.
    best, best_epoch : float or None, int
        Best value of the validated metric and its epoch, from 1.
    skipped : dict of str to str
        Videos that could not be read, and why.
    labels : list of str
        Names of the classes, which must not change before the run resumes.
    """

    epoch: int = 0
    position: int = 0
    step: int = 0
    loss: float = 0.0
    correct: float = 0.0
    clips: float = 0.0
    seconds: float = 0.0
    history: list[Row] = field(default_factory=list)
    best: float | None = None
    best_epoch: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)

    def count(self, *, loss: float, correct: float, clips: float, seconds: float) -> None:
        """Add one step."""
        self.position += 1
        self.step += 1
        self.loss += loss
        self.correct += correct
        self.clips += clips
        self.seconds += seconds

    def close_epoch(self, row: Row) -> None:
        """Keep an epoch's row and start the next epoch."""
        self.history.append(row)
        self.epoch += 1
        self.position = 0
        self.loss = self.correct = self.clips = self.seconds = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return plain types for JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """A finished run.

    Parameters
    ----------
    out : Path
        Its folder: recipe.toml, log.csv, curves.png, tensorboard/, last/.
    final, best : Path or None
        Weights after the last epoch, and of the best validated one (None without validation).
    best_epoch : int
        From 1; 0 without validation.
    metric : str
        What "best" compares: "val_top1" or "val_map".
    history : tuple of dict
        One row per epoch, as in log.csv.
    skipped : dict of str to str
        Videos that could not be read, and why.
    main_process : bool
        Whether this is the process that writes and prints.
    """

    out: Path
    final: Path
    best: Path | None
    best_epoch: int
    metric: str
    history: tuple[Row, ...]
    skipped: dict[str, str]
    main_process: bool
