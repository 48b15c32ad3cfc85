"""Optical flow, alone and beside RGB.

Flow is read from where a sample names it, or from beside its frames (`zoopraxis.inputs._flow_files`
says how it is stored); what lies nowhere is computed from the video as it is asked for.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import RecipeError, ZoopraxisError
from zoopraxis.flow import flow_method
from zoopraxis.flow.codes import BOUND
from zoopraxis.inputs._flow_computed import ComputedFlow
from zoopraxis.inputs._flow_files import FlowTrack, flow_beside, stored_flow
from zoopraxis.inputs.augment import Draw
from zoopraxis.inputs.base import Media
from zoopraxis.inputs.images import ImageInput, apply_draw, check_channels, stack_clips
from zoopraxis.inputs.rgb import RGB
from zoopraxis.inputs.sampling import Indices
from zoopraxis.video import Video

__all__ = ["Flow", "FlowTrack", "RGBFlow"]


@dataclass(frozen=True, kw_only=True)
class Flow(ImageInput[FlowTrack | ComputedFlow]):
    """Optical flow between neighbouring frames: two channels, x then y.

    Parameters
    ----------
    bound : float, default=20.0
        Pixels per frame at which flow is clipped; [-bound, bound] becomes [0, value_range].
    method : str, default="dis"
        How flow is computed where none is given: a name for `zoopraxis.flow.flow_method`.
    resize, size, mean, std, value_range
        As for `zoopraxis.inputs.images.ImageInput`.
    """

    kind: ClassVar[str] = "flow"
    channels: ClassVar[int] = 2

    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.226,)
    bound: float = BOUND
    method: str = "dis"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_flow(self.bound, self.method)

    def open(self, media: Media) -> FlowTrack | ComputedFlow:
        """Open the flow that a sample names or that lies beside its frames, or compute it."""
        return open_flow(media, self)

    def keep(self, track: FlowTrack | ComputedFlow) -> FlowTrack:
        """Read all fields into memory, at the size to which testing resizes them."""
        return keep_flow(track, self.scaled((track.height, track.width)))

    def read(self, track: FlowTrack | ComputedFlow, indices: Indices, draw: Draw) -> Tensor:
        """Flow (V, T, 2, H, W): uint8 codes, or float in pixels."""
        return track.fields_at(indices, resize=draw.scaled)

    def prepare(self, raw: Tensor, draw: Draw) -> Tensor:
        """Normalise flow (V, T, 2, H, W) to (V, 2, T, S, S); a flip negates x."""
        check_channels(raw, 2, self.kind)
        return stack_clips(
            [
                self.normalise(crop_flow(clip, draw, size=self.size, bound=self.bound))
                for clip in raw
            ]
        )

    @property
    def items_stand_alone(self) -> bool:
        """No: flow leads from a frame to the next."""
        return False

    def reverse(self, inputs: Tensor) -> Tensor:
        """Play clips (V, 2, T, S, S) backwards: what moved there then moves back."""
        return negated(self, inputs.flip(2))


def check_flow(bound: float, method: str) -> None:
    """Refuse a bound that clips everything, and a method that is not known."""
    if not 0 < bound < float("inf"):
        raise RecipeError(
            f"bound = {bound!r:.80} cannot clip flow", "give pixels per frame, above 0; papers 20"
        )
    try:
        flow_method(method)
    except ZoopraxisError as error:
        raise RecipeError(error.problem, error.hint) from error


def negated(kind: ImageInput[Any], inputs: Tensor) -> Tensor:
    """Negate normalised flow (V, C, T, S, S), of which [0, 1] stands for [-bound, bound]."""
    std = torch.tensor(kind.std)[:, None, None, None]
    mean = torch.tensor(kind.mean)[:, None, None, None]
    return (kind.value_range - 2 * mean) / std - inputs


def crop_flow(fields: Tensor, draw: Draw, *, size: int, bound: float) -> Tensor:
    """Crop the flow (T, 2, H, W) of one clip: (T, 2, S, S) in [0, 1], 0.5 (or 128/255) is none."""
    if fields.dtype != torch.uint8:
        fields = (fields.float().clamp(-bound, bound) / bound + 1) / 2
    x = apply_draw(fields, draw, size=size)  # (T, 2, S, S)
    if draw.flip:  # what moves to the right then moves to the left
        x = torch.cat([1 - x[:, :1], x[:, 1:]], dim=1)
    return x


@dataclass(frozen=True, kw_only=True)
class RGBFlow(ImageInput["_Pair"]):
    """RGB, then horizontal and vertical flow: five channels.

    Parameters
    ----------
    bound : float, default=20.0
        Pixels per frame at which flow is clipped; [-bound, bound] becomes [0, value_range].
    method : str, default="dis"
        How flow is computed where none is given: a name for `zoopraxis.flow.flow_method`.
    resize, size, mean, std, value_range
        As for `zoopraxis.inputs.images.ImageInput`, one value or five.
    """

    kind: ClassVar[str] = "rgb_flow"
    channels: ClassVar[int] = 5

    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)
    bound: float = BOUND
    method: str = "dis"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_flow(self.bound, self.method)

    def open(self, media: Media) -> "_Pair":
        """Open the video and its flow."""
        media.refuse_box(self.kind)
        video = RGB().open(media)
        return _Pair(video, open_flow(media, self, video))

    def keep(self, track: "_Pair") -> "_Pair":
        """Read frames and flow into memory, at the size to which testing resizes them."""
        size = self.scaled((track.height, track.width))
        return _Pair(RGB(resize=size).keep(track.video), keep_flow(track.flow, size))

    def read(self, track: "_Pair", indices: Indices, draw: Draw) -> tuple[Tensor, Tensor]:
        """Frames (V, T, 3, H, W) and the flow from each to the next (V, T, 2, H, W)."""
        frames = track.video.frames_at(indices, resize=draw.scaled)
        return frames, track.flow.fields_at(indices, resize=draw.scaled)

    def prepare(self, raw: tuple[Tensor, Tensor], draw: Draw) -> Tensor:
        """Normalise frames and flow to (V, 5, T, S, S); a flip negates the flow's x."""
        frames, fields = raw
        check_channels(frames, 3, self.kind)
        check_channels(fields, 2, self.kind)
        clips = []
        for rgb, flow in zip(frames, fields, strict=True):
            rgb = apply_draw(rgb, draw, size=self.size)  # (T, 3, S, S)
            flow = crop_flow(flow, draw, size=self.size, bound=self.bound)  # (T, 2, S, S)
            clips.append(self.normalise(torch.cat([rgb, flow], dim=1)))  # (T, 5, S, S)
        return stack_clips(clips)

    @property
    def items_stand_alone(self) -> bool:
        """No: flow leads from a frame to the next."""
        return False

    def reverse(self, inputs: Tensor) -> Tensor:
        """Play clips (V, 5, T, S, S) backwards: what moved there then moves back."""
        inputs = inputs.flip(2)
        return torch.cat([inputs[:, :3], negated(self, inputs)[:, 3:]], dim=1)


class _Pair:
    """Frames that have flow, and that flow."""

    def __init__(self, video: Video, flow: FlowTrack | ComputedFlow) -> None:
        self.video, self.flow = video, flow
        self.name, self.fps = video.name, video.fps
        self.height, self.width = video.height, video.width
        self.timestamps: NDArray[np.float64] = video.timestamps[: flow.num_frames]
        self.duration = video.duration

    @property
    def num_frames(self) -> int:
        """Number of frames that have flow."""
        return len(self.timestamps)

    def __enter__(self) -> "_Pair":
        return self

    def __exit__(self, *_: object) -> None:
        self.video.close()
        self.flow.__exit__()  # which makes room in its cache


def open_flow(
    media: Media, kind: "Flow | RGBFlow", video: Video | None = None
) -> FlowTrack | ComputedFlow:
    """Open the flow that a sample names, or that lies among its frames; else compute it.

    Parameters
    ----------
    media : Media
        The sample.
    kind : Flow or RGBFlow
        How flow is computed, at which size.
    video : Video, optional
        The video of the sample, where it is open already.

    Raises
    ------
    VideoError
        The flow is not whole, or the video cannot be read.
    """
    media.refuse_box(kind.kind)
    place = Path(media.flow) if media.flow else flow_beside(media.path)
    if place is not None:
        return stored_flow(place)
    video = video or RGB().open(media)
    return ComputedFlow(
        video,
        media.path,
        method=flow_method(kind.method),
        size=kind.scaled((video.height, video.width)),
        bound=kind.bound,
    )


def keep_flow(track: FlowTrack | ComputedFlow, size: tuple[int, int]) -> FlowTrack:
    """Read a whole track of flow into memory, resized to a height and width."""
    fields = track.fields_at(np.arange(track.num_frames), resize=size)
    return FlowTrack(track.name, fields, fps=track.fps)
