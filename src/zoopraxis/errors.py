"""Errors that a user can act on: what went wrong, and what to do about it."""

import difflib
from collections.abc import Iterable

__all__ = [
    "CheckpointError",
    "ConversionError",
    "DataError",
    "DownloadError",
    "ModelNotFoundError",
    "RecipeError",
    "ShapeError",
    "TrainingError",
    "VideoError",
    "WorkerError",
    "ZoopraxisError",
    "did_you_mean",
]


class ZoopraxisError(Exception):
    """An expected error.

    Parameters
    ----------
    problem : str
        What came and what was expected, naming the file, model or key.
    hint : str, default=""
        What to do.
    """

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem, hint)
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.problem}\n{self.hint}" if self.hint else self.problem


class VideoError(ZoopraxisError):
    """A video cannot be opened or decoded."""


class DataError(ZoopraxisError):
    """A data set, list or annotation is missing, malformed or inconsistent."""


class ModelNotFoundError(ZoopraxisError):
    """No model or weights have that name."""


class ConversionError(ZoopraxisError):
    """A state dict from another code base does not fit the model."""


class CheckpointError(ZoopraxisError):
    """A checkpoint file cannot be read or does not fit the model."""


class DownloadError(ZoopraxisError):
    """Weights cannot be downloaded, or do not match their hash."""


class ShapeError(ZoopraxisError):
    """A tensor has a shape that the function does not accept."""


class RecipeError(ZoopraxisError):
    """A training recipe has an unknown key or a value out of range."""


class TrainingError(ZoopraxisError):
    """Training cannot continue."""


class WorkerError(ZoopraxisError):
    """A process was killed, or ended, before its work was done."""


def did_you_mean(name: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """Word a hint for an unknown name: near ones, else what ``otherwise`` says or all known."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return otherwise or f"known: {', '.join(known) or 'none'}"
