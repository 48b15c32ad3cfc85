"""The ledger of a search for an X3D: every network that was trained, and every choice."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from zoopraxis.errors import TrainingError
from zoopraxis.files import write_atomically
from zoopraxis.models.x3d import Expansion
from zoopraxis.records import build

__all__ = ["Choice", "Ledger", "TrainedNetwork", "read_ledger"]


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork:
    """A network that a search trained.

    Parameters
    ----------
    expansion : Expansion
        Its factors.
    macs, params : int
        Multiply-adds of one clip; parameters.
    score : float
        The validated metric after the last epoch, a fraction of 1.
    loss : float
        Validation loss after the last epoch, which decides between equal scores.
    run : str
        Folder of its run, relative to the ledger's.
    """

    expansion: Expansion
    macs: int
    params: int
    score: float
    loss: float
    run: str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One step of a search.

    Parameters
    ----------
    candidates : mapping of str to str
        Names of the candidates by axis; two axes may lead to the same network.
    axis : str
        The axis that was chosen.
    lead : float
        How much the score of the best candidate exceeds that of the second network; 0 if all
        candidates are the same network.
    """

    candidates: Mapping[str, str]
    axis: str
    lead: float

    @property
    def name(self) -> str:
        """Name of the candidate that was chosen."""
        return self.candidates[self.axis]


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """State and result of a search; plain JSON.

    Parameters
    ----------
    start : Expansion
        The first network.
    growth : float
        About the ratio of the costs of successive steps.
    macs : float
        The target.
    metric : str
        "val_top1" or "val_map".
    labels : tuple of str
        Names of the K classes.
    videos : (int, int)
        Videos for training and for validation.
    networks : mapping of str to TrainedNetwork
        By name, in the order in which they were finished.
    steps : tuple of Choice
        In order.
    final : str, default=""
        Name of the network at the target; empty until the search is finished.
    """

    start: Expansion
    growth: float
    macs: float
    metric: str
    labels: tuple[str, ...]
    videos: tuple[int, int]
    networks: Mapping[str, TrainedNetwork] = field(default_factory=dict)
    steps: tuple[Choice, ...] = ()
    final: str = ""

    @property
    def standard_error(self) -> float | None:
        """Largest standard error that an accuracy on so many videos can have; None for mAP."""
        return 0.5 / self.videos[1] ** 0.5 if self.metric == "val_top1" else None

    def to_json(self) -> dict[str, Any]:
        """Return plain types for JSON."""
        return asdict(self)

    def write(self, path: Path) -> None:
        """Write the ledger; a search that is killed leaves the old one or the new one."""
        write_atomically(path, json.dumps(self.to_json(), indent=1, allow_nan=False).encode())


def read_ledger(path: str | Path) -> Ledger:
    """Read a ledger.

    Parameters
    ----------
    path : str or Path
        The file, or the folder of the search.

    Raises
    ------
    TrainingError
        It is not there, or not a ledger.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "ledger.json"
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(
            f"{file} cannot be read: {error.strerror}", "name the --out of `zoopraxis expand`"
        ) from error
    except ValueError as error:
        raise TrainingError(
            f"{file} is not JSON: {error}", "restore it, or search in another --out"
        ) from error
    if not isinstance(table, dict):
        raise TrainingError(f"{file} is not a ledger", "restore it, or search in another --out")
    return build(Ledger, table, where=str(file), error=TrainingError)
