"""RGB frames, their grey values, and the differences of neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from zoopraxis.inputs.images import (
    ImageInput,
    apply_draw,
    check_channels,
    cut,
    grey,
    stack_clips,
    to_unit,
)
from zoopraxis.video import ArrayVideo, CroppedVideo, Video, open_video

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from zoopraxis.inputs.augment import Draw
    from zoopraxis.inputs.base import Media
    from zoopraxis.inputs.sampling import Indices

__all__ = ["RGB", "Differences", "Grey", "RGBDiff"]


class _Frames(ImageInput[Video]):
    """Frames of a video, read as they are."""

    def open(self, media: Media) -> Video:
        """Open the video, or the square of it around a box."""
        return open_frames(media)

    def keep(self, track: Video) -> Video:
        """Read all frames into memory, at the size to which testing resizes them."""
        return in_memory(track, self.scaled((track.height, track.width)))

    def read(self, track: Video, indices: Indices, draw: Draw) -> Tensor:
        """Frames (V, T, 3, H, W), uint8."""
        return track.frames_at(indices, resize=draw.scaled)


def open_frames(media: Media) -> Video:
    """Open the frames of a sample: those of its video, or the square of them around its box."""
    video = media.path if isinstance(media.path, Video) else open_video(media.path)
    return video if media.box is None else CroppedVideo(video, media.box)


def in_memory(video: Video, size: tuple[int, int]) -> Video:
    """Read a whole video into memory, resized to a height and width."""
    return ArrayVideo(
        video.frames_at(np.arange(video.num_frames), resize=size),
        fps=video.fps,
        name=video.name,
        timestamps=np.array(video.timestamps),
    )


@dataclass(frozen=True, kw_only=True)
class RGB(_Frames):
    """RGB frames.

    Parameters
    ----------
    channel_order : {"rgb", "bgr"}, default="rgb"
        Order of the colour channels in the network's input; ``mean`` and ``std`` follow it.
    resize, size, mean, std, value_range
        As for `zoopraxis.inputs.images.ImageInput`.
    """

    kind: ClassVar[str] = "rgb"
    channels: ClassVar[int] = 3
    has_colours: ClassVar[bool] = True

    channel_order: Literal["rgb", "bgr"] = "rgb"

    def prepare(self, raw: Tensor, draw: Draw) -> Tensor:
        """Normalise frames (V, T, 3, H, W) to (V, 3, T, S, S)."""
        check_channels(raw, 3, self.kind)
        return stack_clips([self.normalise(self.order(self.crop(clip, draw))) for clip in raw])

    def pack(self, raw: Tensor, draw: Draw) -> Tensor:
        """Cut bytes (V, T, 3, H, W) to bytes (V, 3, T, S, S), unless their colours change."""
        import torch

        if draw.colour or raw.dtype != torch.uint8:
            return self.prepare(raw, draw)
        check_channels(raw, 3, self.kind)
        return stack_clips([self.order(cut(clip, draw, size=self.size)) for clip in raw])

    def unpack(self, *packed: Tensor) -> tuple[Tensor, ...]:
        """Normalise clips (B, 3, T, S, S) that are bytes still."""
        import torch

        (x,) = packed
        if x.dtype != torch.uint8:
            return packed
        return (self.normalise(to_unit(x.transpose(1, 2))).transpose(1, 2),)

    def crop(self, frames: Tensor, draw: Draw) -> Tensor:
        """Crop frames (T, 3, H, W) of one clip: (T, 3, S, S) in [0, 1]."""
        return apply_draw(frames, draw, size=self.size)

    def order(self, x: Tensor) -> Tensor:
        """Bring channels (T, 3, S, S) into the network's order."""
        return x.flip(1) if self.channel_order == "bgr" else x


@dataclass(frozen=True, kw_only=True)
class Grey(_Frames):
    """Grey values of RGB frames: one channel, by the weights of ITU-R BT.601.

    Parameters
    ----------
    resize, size, mean, std, value_range
        As for `zoopraxis.inputs.images.ImageInput`.
    """

    kind: ClassVar[str] = "grey"
    channels: ClassVar[int] = 1
    has_colours: ClassVar[bool] = True

    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.25,)

    def prepare(self, raw: Tensor, draw: Draw) -> Tensor:
        """Normalise frames (V, T, 3, H, W) to (V, 1, T, S, S)."""
        check_channels(raw, 3, self.kind)
        return stack_clips(
            [self.normalise(grey(apply_draw(clip, draw, size=self.size))) for clip in raw]
        )


class Differences:
    """The N - 1 differences between neighbouring frames of a video, as a track.

    Difference i lies between frames i and i + 1. A video of one frame has one difference, zero.
    """

    def __init__(self, video: Video) -> None:
        self.video = video
        self.name, self.fps, self.duration = video.name, video.fps, video.duration
        self.height, self.width = video.height, video.width
        self.timestamps: NDArray[np.float64] = video.timestamps[: max(video.num_frames - 1, 1)]

    @property
    def num_frames(self) -> int:
        """Number of differences."""
        return len(self.timestamps)

    def __enter__(self) -> Differences:
        return self

    def __exit__(self, *_: object) -> None:
        self.video.close()


@dataclass(frozen=True, kw_only=True)
class RGBDiff(ImageInput[Differences]):
    """Differences of neighbouring RGB frames (TSN, section 3.1), which hint at motion.

    Parameters
    ----------
    channel_order : {"rgb", "bgr"}, default="rgb"
        Order of the colour channels in the network's input.
    resize, size, mean, std, value_range
        As for `zoopraxis.inputs.images.ImageInput`; of differences.
    """

    kind: ClassVar[str] = "rgb_diff"
    channels: ClassVar[int] = 3

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    channel_order: Literal["rgb", "bgr"] = "rgb"

    def open(self, media: Media) -> Differences:
        """Open the video."""
        return Differences(open_frames(media))

    def keep(self, track: Differences) -> Differences:
        """Read all frames into memory, at the size to which testing resizes them."""
        return Differences(in_memory(track.video, self.scaled((track.height, track.width))))

    def read(self, track: Differences, indices: Indices, draw: Draw) -> Tensor:
        """Pairs of neighbouring frames (V, T, 2, 3, H, W), uint8; each frame is decoded once."""
        after = np.minimum(indices + 1, track.video.num_frames - 1)
        pairs = np.stack([indices, after], axis=-1)  # (V, T, 2)
        return track.video.frames_at(pairs, resize=draw.scaled)

    def prepare(self, raw: Tensor, draw: Draw) -> Tensor:
        """Subtract pairs (V, T, 2, 3, H, W): (V, 3, T, S, S)."""
        check_channels(raw.flatten(1, 2), 3, self.kind)
        clips = []
        for pairs in raw:  # (T, 2, 3, H, W)
            x = apply_draw(pairs.flatten(0, 1), draw, size=self.size)  # (T * 2, 3, S, S)
            x = x.flip(1) if self.channel_order == "bgr" else x
            x = x[1::2] - x[0::2]  # (T, 3, S, S)
            clips.append(self.normalise(x))
        return stack_clips(clips)

    @property
    def items_stand_alone(self) -> bool:
        """No: each lies between two neighbours."""
        return False

    def reverse(self, inputs: Tensor) -> Tensor:
        """Play clips (V, 3, T, S, S) backwards: every difference changes its sign."""
        import torch

        std = torch.tensor(self.std)[:, None, None, None]
        mean = torch.tensor(self.mean)[:, None, None, None]
        return -2 * mean / std - inputs.flip(2)

    def from_reference(self, x: Tensor, *, stack: int) -> Tensor:
        """Subtract the neighbours among L + 1 frames of each segment: (B, C, T * L, H, W)."""
        x = x.reshape(*x.shape[:2], -1, stack + 1, *x.shape[3:])  # (B, C, T, L + 1, H, W)
        return x.diff(dim=3).flatten(2, 3)  # (B, C, T * L, H, W)
