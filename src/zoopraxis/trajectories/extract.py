"""Extract dense or improved trajectories from a video."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoopraxis.trajectories.settings import COLUMNS, PARTS, TrajectorySettings
from zoopraxis.video import Video

__all__ = ["COLUMNS", "PARTS", "TrajectorySettings", "extract_trajectories"]

Boxes = Sequence[NDArray[np.floating]] | Mapping[int, NDArray[np.floating]]


def extract_trajectories(
    video: str | Path | Video,
    *,
    settings: TrajectorySettings = TrajectorySettings(),  # noqa: B008 - frozen
    people: Boxes | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Interface agreed on; see the next commit."""
    raise NotImplementedError
