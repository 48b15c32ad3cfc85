"""What every kind of input can do, and the clip that a model expects.

A `Track` is anything with N items in time: the frames of a video, the flow between them, the
skeletons of a file. An `Input` says how a video (with the files beside it) becomes a track, how
items are read by index, what is random in training, and how raw items become the network's input.
No other module knows what kind of input it handles. torch is imported where tensors are made.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeAlias, TypeVar

import numpy as np

from zoopraxis.errors import RecipeError, VideoError
from zoopraxis.inputs.conventions import check_convention, choose_clips, draw_clip
from zoopraxis.inputs.playback import FORWARDS, Playback, rearranged
from zoopraxis.inputs.sampling import NOTHING, Indices, Sampling, shifted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from zoopraxis.inputs.augment import Augment
    from zoopraxis.video import FrameBox

__all__ = [
    "ClipSpec",
    "Input",
    "Inputs",
    "Media",
    "Times",
    "Track",
    "concatenate",
    "map_inputs",
    "segment_range",
    "train_indices",
    "view_indices",
    "view_times",
]

Times = tuple[float, float]  # [start, end) in seconds
Inputs: TypeAlias = "Tensor | tuple[Tensor, ...]"
"""What a network is called with: one tensor, or several, the batch first in each."""


@dataclass(frozen=True, kw_only=True)
class Media:
    """A video, the part of it that counts, and the files that lie beside it.

    Parameters
    ----------
    path : path, bytes, URL, folder of frames or tensor
        What `zoopraxis.video.open_video` takes.
    start, end : float, optional
        Seconds [start, end) of the part; by default from the first frame to the last.
    flow, skeleton, boxes, trajectories : str, default=""
        Files or folders with the optical flow, the skeletons, the boxes and the trajectories of
        the video.
    box : (float, float, float, float), optional
        x1, y1, x2, y2 of the part of the frames that counts, in fractions of their width and
        height: a person, of whom the square around the box is read
        (`zoopraxis.video.CroppedVideo`).
    where : str, default=""
        The file and line that it was read from, for messages. Media that differ in nothing else
        are equal.
    """

    path: Any
    start: float | None = None
    end: float | None = None
    flow: str = ""
    skeleton: str = ""
    boxes: str = ""
    trajectories: str = ""
    box: FrameBox | None = None
    where: str = field(default="", compare=False, repr=False)

    @classmethod
    def of(cls, video: Any) -> Media:
        """Wrap what `zoopraxis.video.open_video` takes; a `Media` is returned as it is."""
        return video if isinstance(video, Media) else cls(path=video)

    @property
    def beside(self) -> tuple[str, ...]:
        """Files beside the video, "" where there is none."""
        return self.flow, self.skeleton, self.boxes, self.trajectories

    def refuse_box(self, kind: str) -> None:
        """Refuse a box where a kind of input cannot read a part of the frames.

        Raises
        ------
        VideoError
            There is a box.
        """
        if self.box is not None:
            raise VideoError(
                f"{self.title}: {kind!r} input reads whole frames, and a box is given",
                "choose a model for RGB frames, or leave the box out",
            )

    @property
    def title(self) -> str:
        """Name for messages: the path, or the type of what is in memory."""
        return str(self.path) if isinstance(self.path, str | Path) else type(self.path).__name__


class Track(Protocol):
    """N items in time. A context manager; leaving it closes its files."""

    name: str
    """File, folder, URL or type, as error messages give it."""
    fps: float
    """Mean number of items per second."""
    timestamps: NDArray[np.float64]
    """Seconds at which each item is shown, (N,), from the first."""
    duration: float
    """Seconds from the start of the first item to the end of the last."""

    @property
    def num_frames(self) -> int:
        """Number of items N."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Draw(Protocol):
    """One draw of what is random in training, or one of the crops of testing."""

    @property
    def flip(self) -> bool:
        """Whether left and right change places."""


TrackT = TypeVar("TrackT", bound=Track)
DrawT = TypeVar("DrawT", bound=Draw)


class Input(abc.ABC, Generic[TrackT, DrawT]):
    """A kind of input. Subclasses are frozen dataclasses of plain JSON values."""

    kind: ClassVar[str]
    """Name of the kind in JSON."""
    reads_gaps: ClassVar[bool] = False
    """Whether `read` takes `zoopraxis.inputs.sampling.NOTHING` for an index, and gives zeros."""
    reads_skeletons: ClassVar[bool] = False
    """Whether the track is the skeletons in a file, and not frames."""

    @abc.abstractmethod
    def shape(self, num_frames: int) -> tuple[int, ...]:
        """Shape of the network's input for one clip of ``num_frames`` items, without batch.

        Of a network that takes several tensors, the first one's.
        """

    def shapes(self, num_frames: int) -> tuple[tuple[int, ...], ...]:
        """Shapes of all tensors that the network takes for one clip, without batch."""
        return (self.shape(num_frames),)

    def example(self, num_frames: int, *, batch: int = 1, seed: int = 0) -> Inputs:
        """Standard normal noise in the shape of the input, for tests and export."""
        import torch

        noise = np.random.RandomState(seed).standard_normal((batch, *self.shape(num_frames)))
        return torch.from_numpy(noise.astype(np.float32))

    @abc.abstractmethod
    def open(self, media: Media) -> TrackT:
        """Open the track of a video: the video itself, or what a file beside it holds.

        Raises
        ------
        VideoError
            It cannot be read, or the file that this kind needs is not given.
        """

    @abc.abstractmethod
    def keep(self, track: TrackT) -> TrackT:
        """Read a whole track into memory, at the size at which testing reads it."""

    @abc.abstractmethod
    def draw(self, track: TrackT, augment: Augment, *, rng: np.random.Generator) -> DrawT:
        """Draw what is random in one training clip."""

    @abc.abstractmethod
    def crops(self, track: TrackT, crops: int) -> list[DrawT]:
        """List the crops of testing; all of them need the same raw items."""

    def scaled(self, size: tuple[int, int]) -> tuple[int, int]:  # noqa: ARG002
        """Height and width to which frames of a live video are reduced as they come."""
        raise VideoError(
            f"a camera gives frames, and this model expects {self.kind!r} input",
            "choose a model for RGB frames",
        )

    @abc.abstractmethod
    def read(self, track: TrackT, indices: Indices, draw: DrawT) -> Any:
        """Read raw items by index (V, T), each decoded once, at the size that a draw needs."""

    @abc.abstractmethod
    def prepare(self, raw: Any, draw: DrawT) -> Inputs:
        """Turn raw items into the network's input, V clips in the first axis."""

    def pack(self, raw: Any, draw: DrawT) -> Inputs:
        """Prepare raw items in as few bytes as they have: `unpack` does the rest.

        The workers of a loader pack, and the process that trains unpacks: to a quarter of the
        memory where pixels stay bytes until then. ``unpack(pack(raw, draw))`` is
        ``prepare(raw, draw)``, to the bit.
        """
        return self.prepare(raw, draw)

    def unpack(self, *packed: Tensor) -> tuple[Tensor, ...]:
        """Turn what `pack` made, on any device, into the arguments the network is called with."""
        return packed

    def prepare_crops(self, raw: Any, draws: Sequence[DrawT]) -> Inputs:
        """Prepare every crop of every view: all crops of the first view, then of the second."""
        import torch

        per_crop = [self.prepare(raw, draw) for draw in draws]  # each (V, ...)

        def interleave(parts: Sequence[Tensor]) -> Tensor:
            return torch.stack(list(parts), dim=1).flatten(0, 1)  # (V * crops, ...)

        if isinstance(per_crop[0], tuple):
            return tuple(interleave(parts) for parts in zip(*per_crop, strict=True))
        return interleave([part for part in per_crop if isinstance(part, torch.Tensor)])

    @property
    def items_stand_alone(self) -> bool:
        """Whether an item is the same whichever items are before and after it, as a frame is.

        The flow from a frame to the next is not.
        """
        return True

    def check_playback(self, play: Playback) -> None:
        """Refuse a way to play clips of which this kind of input cannot give the true items.

        Raises
        ------
        RecipeError
            Items are changes between neighbours, and other neighbours are asked for.
        """
        if play.order not in ("forwards", "reversed") and not self.items_stand_alone:
            raise RecipeError(
                f"a clip of {self.kind!r} cannot be played {play.order}: its items are changes "
                "between frames that would not be neighbours",
                "play it reversed, or make the videos so, and test the network on those",
            )

    def reverse(self, inputs: Any) -> Inputs:
        """Play prepared clips (V, C, T, ...) backwards: time is their third axis."""
        if isinstance(inputs, tuple):
            return tuple(tensor.flip(2) for tensor in inputs)
        reversed_: Tensor = inputs.flip(2)
        return reversed_

    def from_reference(self, x: Tensor, *, stack: int) -> Tensor:  # noqa: ARG002
        """Turn what the official code of a network takes, (B, C, T, H, W), into this input.

        It is the same where that code does not compute it itself, from frames for example.
        """
        return x

    def change(self, **changes: Any) -> Self:
        """Return a copy with other values of its fields."""
        return replace(self, **changes)  # type: ignore[type-var]


@dataclass(frozen=True, kw_only=True)
class ClipSpec:
    """The clip a model expects: which items of a track, and how they become its input.

    Parameters
    ----------
    sampling : Sampling
        Number, rate and spacing of the frames.
    input : Input
        The kind of input: `RGB`, `Flow`, ...
    """

    sampling: Sampling
    input: Input[Any, Any]

    def __post_init__(self) -> None:
        check_convention(self.sampling.convention)
        if self.sampling.short == "zeros" and not self.input.reads_gaps:
            raise RecipeError(
                f"short clips of {self.input.kind!r} cannot be filled up with zeros",
                "set short to loop or hold",
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one clip, without batch: (C, T, S, S) for the kinds made of images."""
        return self.input.shape(self.sampling.length)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of all tensors that the network takes for one clip, without batch."""
        return self.input.shapes(self.sampling.length)

    def example(self, *, batch: int = 1, seed: int = 0) -> Inputs:
        """Noise in the form of the network's input, for tests and export."""
        return self.input.example(self.sampling.length, batch=batch, seed=seed)

    @property
    def channels(self) -> int:
        """C, the first axis of `shape`."""
        return self.shape[0]

    def change(self, **changes: Any) -> ClipSpec:
        """Return a copy with other values, named as the fields of its sampling and its input.

        # clip.change(num_frames=32, size=256)
        # clip.change(stack=5, input=Flow(size=224)): another kind of input
        """
        names = {field.name for field in fields(Sampling)}
        sampling = {key: value for key, value in changes.items() if key in names}
        others = {key: value for key, value in changes.items() if key not in names}
        kind = others.pop("input", self.input)
        return ClipSpec(sampling=replace(self.sampling, **sampling), input=kind.change(**others))


def segment_range(track: Track, media: Media) -> range:
    """Indices of the items that are shown within a segment's [start, end) seconds.

    Raises
    ------
    VideoError
        The segment is empty, or lies outside the video.
    """
    if media.start is None and media.end is None:
        return range(track.num_frames)
    start = media.start or 0.0
    end = track.duration if media.end is None else media.end
    # a microsecond of tolerance: times in lists are rounded
    first, last = np.searchsorted(track.timestamps, [start - 1e-6, end - 1e-6])
    if not 0 <= start < end or first >= last:
        line = f"{media.where}: " if media.where else ""
        raise VideoError(
            f"{line}{track.name}: no frame is shown in [{start:g}, {end:g}) s "
            f"(it lasts {track.duration:.3f} s)",
            "check start and end of this segment in the list; both are seconds",
        )
    return range(int(first), int(last))


def train_indices(
    track: Track, media: Media, sampling: Sampling, *, rng: np.random.Generator
) -> Indices:
    """Draw the indices (1, T) of one training clip within a segment of a track.

    Raises
    ------
    RecipeError
        The sampling names a convention that has no rule for training.
    """
    within = segment_range(track, media)
    times = track.timestamps[within.start : within.stop]
    indices = draw_clip(len(within), track.fps, sampling, rng=rng, timestamps=times)
    return shifted(indices, within.start)


def view_indices(
    track: Track,
    media: Media,
    sampling: Sampling,
    *,
    views: int = 1,
    play: Playback = FORWARDS,
    sample: int = 0,
) -> Indices:
    """Choose the indices (V, T) of the clips on which a segment of a track is tested.

    Those of clips to be reversed are in the order of time: `Input.reverse` plays them.

    Parameters
    ----------
    track, media, sampling, views
        As for `zoopraxis.inputs.conventions.choose_clips`.
    play, sample
        As for `zoopraxis.inputs.playback.rearranged`.

    Raises
    ------
    RecipeError
        The sampling names a convention that has another number of views.
    """
    within = segment_range(track, media)[:: play.speed]
    times = track.timestamps[within.start : within.stop : within.step] / play.speed  # shown faster
    indices = choose_clips(len(within), track.fps, sampling, views=views, timestamps=times)
    indices = np.where(indices == NOTHING, NOTHING, np.asarray(within)[indices])  # of the track
    return rearranged(indices, play, sample=sample)


def view_times(track: Track, indices: Indices) -> list[Times]:
    """Seconds [start, end) from each view's first frame (V, T) to the end of its last."""
    ends = np.append(track.timestamps[1:], track.duration)  # (N,)
    shown = (view[view != NOTHING] for view in np.asarray(indices))
    return [(float(track.timestamps[view.min()]), float(ends[view.max()])) for view in shown]


def concatenate(parts: Sequence[Inputs]) -> Inputs:
    """Join inputs along the batch."""
    import torch

    if isinstance(parts[0], tuple):
        return tuple(torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return torch.cat([part for part in parts if isinstance(part, torch.Tensor)])


def map_inputs(
    inputs: Inputs,
    device: torch.device,
    memory_format: torch.memory_format,
    *,
    packed: Input[Any, Any] | None = None,
) -> tuple[Tensor, ...]:
    """Move inputs to a device, volumes (B, C, T, H, W) in a memory format, as call arguments.

    From pinned memory the copy runs beside the work of the device. With ``packed``, the kind of
    input that packed them, they are unpacked there.
    """
    tensors = inputs if isinstance(inputs, tuple) else (inputs,)
    moved = tuple(x.to(device, non_blocking=x.is_pinned()) for x in tensors)
    if packed is not None:
        moved = packed.unpack(*moved)
    return tuple(x.contiguous(memory_format=memory_format) if x.ndim == 5 else x for x in moved)
