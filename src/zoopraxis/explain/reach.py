"""How far a network sees: the receptive field of its last feature map, in frames and pixels."""

from bisect import bisect_left
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

import torch

from zoopraxis.errors import ZoopraxisError
from zoopraxis.inputs import ClipSpec

__all__ = ["Reach", "reach"]


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Receptive field of the middle cell of a network's last feature map.

    Parameters
    ----------
    frames, height, width : int or "all"
        Items of the clip, and pixels, from the first to the last that the cell depends on; "all"
        where it depends on the first and the last of the clip. A field that passes one border of
        the clip alone is cut there: a larger clip shows all of it.
    """

    frames: int | Literal["all"]
    height: int | Literal["all"]
    width: int | Literal["all"]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


@torch.no_grad()
def reach(model: Any, clip: ClipSpec) -> Reach:
    """Measure the receptive field of a network within its clip.

    What is not a number stays so through convolutions, poolings, shifts, gates and attention,
    even where a weight is 0, and touches nothing that does not depend on it. So the first frames
    of a clip are made NaN, more and more of them by bisection, until the middle cell of
    ``forward_features`` is NaN; then the last ones; then rows and columns.

    Parameters
    ----------
    model : VideoClassifier
        In evaluation mode, with values, on the CPU. It is copied to float64: transforms that make
        float32 convolutions faster mix neighbours.
    clip : ClipSpec
        Its clip: images (C, T, H, W).

    Raises
    ------
    ZoopraxisError
        The input of the network is no volume of images, or it samples where its input says.
    """
    shapes = clip.shapes
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][2] != shapes[0][3]:
        raise ZoopraxisError(
            f"a receptive field in pixels is that of one volume (C, T, S, S), not of {shapes}",
            "leave --reach out for this network",
        )
    exact = deepcopy(model).double().eval()

    def depends(axis: int, part: slice) -> bool:
        x = torch.zeros((1, *shapes[0]), dtype=torch.float64)  # (1, C, T, H, W)
        x[(slice(None),) * axis + (part,)] = torch.nan
        try:
            features = exact.forward_features(x)  # (1, C', T', H', W')
        except (RuntimeError, IndexError) as error:  # positions computed from NaN are none
            raise ZoopraxisError(
                f"the receptive field cannot be measured: {error}",
                "a network that samples where its input says, as a warp does, has no fixed one",
            ) from error
        cell = tuple(size // 2 for size in features.shape[2:])
        return bool(features[(0, slice(None), *cell)].isnan().any())

    found: list[int | Literal["all"]] = []
    for axis in (2, 3, 4):
        size = shapes[0][axis - 1]
        firsts = [slice(0, n) for n in range(1, size + 1)]
        lasts = [slice(size - n, size) for n in range(1, size + 1)]
        first = bisect_left(firsts, True, key=partial(depends, axis))
        last = bisect_left(lasts, True, key=partial(depends, axis))
        extent = size - first - last  # what comes before and after it
        found.append("all" if extent == size else extent)
    return Reach(frames=found[0], height=found[1], width=found[2])
