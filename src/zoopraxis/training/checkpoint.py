"""States of a run on disk: complete or absent, never partial."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from zoopraxis.errors import CheckpointError
from zoopraxis.files import UNFINISHED, flush
from zoopraxis.training.state import Progress

__all__ = ["State", "has_state", "load_state", "save_state"]

WEIGHTS, AVERAGE = "model.safetensors", "ema.safetensors"
OPTIMIZER, PROGRESS = "optimizer.pt", "progress.json"
# what reading a damaged file of torch, safetensors or JSON can raise
DAMAGE = (
    OSError,
    EOFError,
    KeyError,
    TypeError,
    ValueError,
    RuntimeError,
    UnpicklingError,
    SafetensorError,
)


@dataclass(frozen=True, kw_only=True)
class State:
    """Everything a run needs to resume as if it had not stopped.

    Parameters
    ----------
    weights : mapping of str to Tensor
        Of the network.
    average : mapping of str to Tensor
        Their moving average; empty without one.
    optimizer, scaler : mapping
        State dicts of the optimiser and of the fp16 loss scaler (empty without one).
    progress : Progress
        Position and measurements. Random draws are functions of it, so no generator state is kept.
    """

    weights: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    optimizer: Mapping[str, Any]
    scaler: Mapping[str, Any]
    progress: Progress


def save_state(folder: Path, state: State) -> None:
    """Write a state to ``folder/<step>`` and delete older ones.

    Everything is written to a temporary folder and flushed to disk; one rename then makes it
    valid. A process killed at any moment leaves the old state or the new one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / UNFINISHED
    shutil.rmtree(unfinished, ignore_errors=True)  # of a run that was killed while writing
    unfinished.mkdir()
    save_file(_contiguous(state.weights), unfinished / WEIGHTS)
    save_file(_contiguous(state.average), unfinished / AVERAGE)
    numbers = {"optimizer": dict(state.optimizer), "scaler": dict(state.scaler)}
    torch.save(numbers, unfinished / OPTIMIZER)
    (unfinished / PROGRESS).write_text(json.dumps(state.progress.to_json()), encoding="utf-8")
    for path in (*unfinished.iterdir(), unfinished):
        flush(path)
    finished = folder / f"{state.progress.step:09d}"
    unfinished.rename(finished)
    flush(folder)
    for old in _states(folder):
        if old != finished:
            shutil.rmtree(old)


def load_state(folder: Path) -> State | None:
    """Read the newest state of a run; None if it has none yet.

    Raises
    ------
    CheckpointError
        A file of it is damaged.
    """
    states = _states(folder)
    if not states:
        return None
    newest = states[-1]
    try:
        numbers = torch.load(newest / OPTIMIZER, map_location="cpu", weights_only=True)
        return State(
            weights=load_file(newest / WEIGHTS),
            average=load_file(newest / AVERAGE),
            optimizer=numbers["optimizer"],
            scaler=numbers["scaler"],
            progress=Progress(**json.loads((newest / PROGRESS).read_text(encoding="utf-8"))),
        )
    except DAMAGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"the saved state {newest} cannot be read: {reason}",
            "delete that folder to restart the run from scratch",
        ) from error


def has_state(folder: Path) -> bool:
    """Whether a run has saved a state."""
    return bool(_states(folder))


def _states(folder: Path) -> list[Path]:
    """Complete states, the oldest first."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.name.isdecimal())


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
