"""Settings of dense and improved trajectories, and the columns of what is extracted."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Literal

from zoopraxis.errors import ZoopraxisError, did_you_mean

__all__ = ["COLUMNS", "PARTS", "TrajectorySettings"]

LENGTH = 15
"""Steps of a trajectory, L in the paper, which has one point more."""
CELLS = 2
"""Cells of a patch in each direction, n_sigma in the paper."""
SPANS = 3
"""Cells of a trajectory in time, n_tau in the paper."""
BINS: Mapping[str, int] = MappingProxyType({"hog": 8, "hof": 9, "mbhx": 8, "mbhy": 8})
"""Bins of each histogram; the last of HOF counts pixels that hardly move."""

CAMERAS = ("homography", "none")
PEOPLE = ("none", "opencv", "file")

INFO = (
    "frame", "mean_x", "mean_y", "std_x", "std_y", "length", "scale",
    "x_position", "y_position", "t_position",
)  # fmt: skip


def _parts() -> dict[str, slice]:
    sizes = {"info": len(INFO), "trajectory": 2 * LENGTH}
    sizes |= {name: bins * CELLS * CELLS * SPANS for name, bins in BINS.items()}
    parts, end = {}, 0
    for name, size in sizes.items():
        parts[name] = slice(end, end + size)
        end += size
    return parts


PARTS: Mapping[str, slice] = MappingProxyType(_parts())
"""Columns of ``info``, ``trajectory``, ``hog``, ``hof``, ``mbhx`` and ``mbhy``."""

COLUMNS: tuple[str, ...] = (
    *INFO,
    *(f"{axis}{step}" for step in range(LENGTH) for axis in ("dx", "dy")),
    *(
        f"{name}_t{t}_x{x}_y{y}_{b}"
        for name, bins in BINS.items()
        for t in range(SPANS)
        for x in range(CELLS)
        for y in range(CELLS)
        for b in range(bins)
    ),
)
"""Name of each of the 436 columns, in the order of the authors' program."""


@dataclass(frozen=True, kw_only=True)
class TrajectorySettings:
    """How trajectories are extracted; the default values are the authors'.

    Parameters
    ----------
    camera : {"homography", "none"}, default="homography"
        "homography" removes the motion of the camera: improved trajectories (Wang and Schmid,
        ICCV 2013). "none" keeps it: dense trajectories (Wang et al., CVPR 2011).
    people : {"none", "opencv", "file"}, default="none"
        What does not count for the motion of the camera: "opencv" for people whom OpenCV's
        detector finds, "file" for boxes that are given to `extract_trajectories`.
    stride : int, default=5
        Distance of the sampled points in pixels, W in the paper.
    scales : int, default=8
        Spatial scales, at most: each is 1/sqrt(2) of the one before, and 32 pixels or more.

    Raises
    ------
    ZoopraxisError
        A value is out of its range.
    """

    camera: Literal["homography", "none"] = "homography"
    people: Literal["none", "opencv", "file"] = "none"
    stride: int = 5
    scales: int = 8

    def __post_init__(self) -> None:
        for name, choices in (("camera", CAMERAS), ("people", PEOPLE)):
            value = getattr(self, name)
            if value not in choices:
                raise ZoopraxisError(
                    f"{name} of trajectories is {value!r}",
                    did_you_mean(str(value), choices),
                )
        for name in ("stride", "scales"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ZoopraxisError(
                    f"{name} of trajectories is {value!r}", "give a whole number, 1 or more"
                )

    @property
    def key(self) -> str:
        """The settings as one line of JSON, for caches."""
        return json.dumps(asdict(self), sort_keys=True)
