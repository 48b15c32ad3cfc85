"""A method of optical flow: a name, parameters in plain JSON, and the flow of two frames."""

import abc
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import ShapeError

__all__ = ["FlowMethod", "compute_flow", "flow_fields", "grey", "no_flow", "planes"]

Frame = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class FlowMethod(abc.ABC):
    """A method of optical flow. Subclasses are frozen dataclasses of plain JSON values."""

    name: ClassVar[str]
    """Name of the method, as `zoopraxis.flow.flow_method` knows it."""

    at_once: ClassVar[int] = 1
    """Pairs of frames that it is best given together."""

    @abc.abstractmethod
    def between(self, first: Frame, second: Frame) -> NDArray[np.float32]:
        """Compute the flow from one RGB frame (H, W, 3) to the next: (2, H, W) pixels, x then y."""

    def check(self) -> None:
        """Raise what would stop every pair of frames: a package or a network that is missing."""
        return

    def along(self, frames: Sequence[Frame]) -> Iterable[NDArray[np.float32]]:
        """Compute the flow (2, H, W) from each of some frames (H, W, 3) of one size to the next."""
        return (self.between(first, second) for first, second in pairwise(frames))

    @property
    def key(self) -> str:
        """The method and its parameters as one line of JSON, for caches and manifests."""
        return json.dumps({"method": self.name, **asdict(self)}, sort_keys=True)


def grey(frame: Frame) -> Frame:
    """Luminance (H, W) of an RGB frame (H, W, 3)."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY), np.uint8)


def no_flow(frame: Frame) -> NDArray[np.float32]:
    """Zeros (H, W, 2) into which OpenCV writes the flow of a frame (H, W, 3)."""
    return np.zeros((*frame.shape[:2], 2), np.float32)


def planes(flow: NDArray[Any]) -> NDArray[np.float32]:
    """Turn OpenCV's flow (H, W, 2) into (2, H, W)."""
    return np.ascontiguousarray(flow.transpose(2, 0, 1), dtype=np.float32)


def compute_flow(frames: Iterable[Tensor], method: FlowMethod) -> Tensor:
    """Compute the flow from each frame to the next: `flow_fields`, stacked.

    Parameters
    ----------
    frames, method
        As for `flow_fields`, and so are the errors.

    Returns
    -------
    Tensor of shape (N-1, 2, H, W)
        float32, in pixels of the frames, x (to the right) then y (downwards).
    """
    return torch.stack(list(flow_fields(frames, method)))


def flow_fields(frames: Iterable[Tensor], method: FlowMethod) -> Iterator[Tensor]:
    """Compute the flow from each frame to the next, one at a time.

    Parameters
    ----------
    frames : iterable of N uint8 Tensors of shape (3, H, W)
        RGB frames in order; a tensor (N, 3, H, W) is one.
    method : FlowMethod
        How.

    Yields
    ------
    Tensor of shape (2, H, W)
        N-1 of them, float32, in pixels of the frames, x (to the right) then y (downwards).

    Raises
    ------
    ShapeError
        There are fewer than two frames, they differ in size or are too small for the method, or its
        flow is not finite.
    """
    waiting: list[Frame] = []
    number = 0
    for number, frame in enumerate(frames, start=1):
        current = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())  # (H, W, 3)
        if waiting and current.shape != waiting[-1].shape:
            raise ShapeError(
                f"frame {number} is {current.shape[1]}x{current.shape[0]}, the one before it "
                f"{waiting[-1].shape[1]}x{waiting[-1].shape[0]}",
                "flow lies between frames of one size",
            )
        waiting.append(current)
        if len(waiting) > method.at_once:
            yield from _along(waiting, method, last=number)
            waiting = waiting[-1:]
    if number < 2:
        raise ShapeError("flow lies between two frames, and there are fewer", "give two or more")
    if len(waiting) > 1:
        yield from _along(waiting, method, last=number)


def _along(frames: Sequence[Frame], method: FlowMethod, *, last: int) -> Iterator[Tensor]:
    """Yield the flow (2, H, W) from each of some frames to the next; the last has a number."""
    try:
        for before, field in enumerate(method.along(frames), start=last - len(frames) + 1):
            flow = torch.from_numpy(field)  # (2, H, W)
            if not flow.isfinite().all():
                raise ShapeError(
                    f"{method.name} gives flow that is not finite after frame {before}",
                    "choose another method or size",
                )
            yield flow
    except cv2.error as error:
        height, width, _ = frames[0].shape
        raise ShapeError(
            f"{method.name} cannot process frames of {width}x{height}: {error.err}",
            "choose another method or a larger size",
        ) from error
