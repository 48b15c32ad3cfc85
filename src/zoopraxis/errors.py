"""Errors a user can act on: what went wrong, and what to do about it."""

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
    "ZoopraxisError",
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
    """A source cannot be opened or decoded."""


class DataError(ZoopraxisError):
    """A data set, list or annotation is not what it should be."""


class ModelNotFoundError(ZoopraxisError):
    """No model or weights of that name."""


class ConversionError(ZoopraxisError):
    """A foreign state dict does not fit the model."""


class CheckpointError(ZoopraxisError):
    """A checkpoint file cannot be read or does not fit."""


class DownloadError(ZoopraxisError):
    """Weights cannot be fetched, or are not what their hash promises."""


class ShapeError(ZoopraxisError):
    """A tensor has a shape that the function cannot take."""


class RecipeError(ZoopraxisError):
    """A training recipe has an unknown key or a value out of range."""


class TrainingError(ZoopraxisError):
    """Training cannot go on."""
