"""Optical flow, alone and beside RGB.

Flow is read from where a sample names it, or from beside its frames:

- a folder of 8-bit images as TSN's tools write them, ``flow_x_00001.jpg`` and
  ``flow_y_00001.jpg`` (or in folders ``x`` and ``y``): flow in [-bound, bound] pixels is stored
  linearly as 0 to 255, so that 128 is (nearly) no motion;
- an ``.npy`` of shape (N, 2, H, W), or an ``.npz`` that has it under ``flow``, in pixels.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import VideoError
from zoopraxis.inputs.augment import Draw
from zoopraxis.inputs.base import Media
from zoopraxis.inputs.images import (
    ImageInput,
    apply_draw,
    check_channels,
    resize_frames,
    stack_clips,
)
from zoopraxis.inputs.rgb import RGB
from zoopraxis.inputs.sampling import Indices
from zoopraxis.video import Video

__all__ = ["Flow", "FlowTrack", "RGBFlow"]

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png"})


class FlowTrack:
    """N flow fields: between each frame and the next.

    Parameters
    ----------
    name : str
        File or folder, for error messages.
    fields : tuple of (Path, Path), or Tensor of shape (N, 2, H, W)
        Images of the horizontal and vertical components, or flow in pixels (or uint8 codes).
    fps : float
        Fields per second.
    """

    def __init__(
        self, name: str, fields: tuple[tuple[Path, Path], ...] | Tensor, *, fps: float = 25.0
    ) -> None:
        self.name, self.fps = name, fps
        self.fields = fields
        self.timestamps: NDArray[np.float64] = np.arange(len(fields)) / fps
        self.duration = len(fields) / fps
        self.height, self.width = self._field(0).shape[-2:]

    @property
    def num_frames(self) -> int:
        """Number of flow fields."""
        return len(self.fields)

    def fields_at(self, indices: Indices, *, resize: tuple[int, int]) -> Tensor:
        """Flow (*indices.shape, 2, h, w): uint8 codes of image files, else pixels."""
        unique, where = np.unique(indices, return_inverse=True)
        fields = torch.stack([resize_frames(self._field(int(i)), resize) for i in unique])
        fields = fields[torch.from_numpy(where.ravel())]  # (n, 2, h, w)
        return fields.reshape(*indices.shape, *fields.shape[1:])

    def _field(self, index: int) -> Tensor:
        """One field (2, H, W)."""
        if isinstance(self.fields, Tensor):
            return self.fields[index]
        x, y = (_read_component(file) for file in self.fields[index])
        if x.shape != y.shape:
            raise VideoError(
                f"{self.fields[index][0]} is {x.shape[1]}x{x.shape[0]}, but the vertical flow is "
                f"{y.shape[1]}x{y.shape[0]}",
                "extract the flow of this video again",
            )
        return torch.from_numpy(np.stack([x, y]))

    def __enter__(self) -> "FlowTrack":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""


@dataclass(frozen=True, kw_only=True)
class Flow(ImageInput[FlowTrack]):
    """Optical flow between neighbouring frames: two channels, x then y.

    Parameters
    ----------
    bound : float, default=20.0
        Pixels per frame at which flow is clipped; [-bound, bound] becomes [0, value_range].
    resize, size, mean, std, value_range
        As for `zoopraxis.inputs.images.ImageInput`.
    """

    kind: ClassVar[str] = "flow"
    channels: ClassVar[int] = 2

    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.226,)
    bound: float = 20.0

    def open(self, media: Media) -> FlowTrack:
        """Open the flow that a sample names, or that lies beside its frames."""
        return open_flow(media)

    def keep(self, track: FlowTrack) -> FlowTrack:
        """Read all fields into memory, at the size to which testing resizes them."""
        return keep_flow(track, self.scaled((track.height, track.width)))

    def read(self, track: FlowTrack, indices: Indices, draw: Draw) -> Tensor:
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

    def reverse(self, inputs: Tensor) -> Tensor:
        """Play clips (V, 2, T, S, S) backwards: what moved there then moves back."""
        return negated(self, inputs.flip(2))


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
    resize, size, mean, std, value_range
        As for `zoopraxis.inputs.images.ImageInput`, one value or five.
    """

    kind: ClassVar[str] = "rgb_flow"
    channels: ClassVar[int] = 5

    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)
    bound: float = 20.0

    def open(self, media: Media) -> "_Pair":
        """Open the video and its flow."""
        flow = open_flow(media)
        return _Pair(RGB().open(media), flow)

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

    def reverse(self, inputs: Tensor) -> Tensor:
        """Play clips (V, 5, T, S, S) backwards: what moved there then moves back."""
        inputs = inputs.flip(2)
        return torch.cat([inputs[:, :3], negated(self, inputs)[:, 3:]], dim=1)


class _Pair:
    """Frames that have flow, and that flow."""

    def __init__(self, video: Video, flow: FlowTrack) -> None:
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


def open_flow(media: Media) -> FlowTrack:
    """Open the flow that a sample names, or that lies among its frames.

    Raises
    ------
    VideoError
        There is none, or it is not whole.
    """
    place = Path(media.flow) if media.flow else _folder_of(media.path)
    if place is None:
        raise VideoError(
            f"{media.title}: this model expects optical flow, and none is given",
            "name its files in the column `flow` of a list, or pass Media(path=..., flow=...)",
        )
    if place.is_dir():
        return FlowTrack(str(place), _pairs_of_images(place))
    if place.suffix in (".npy", ".npz") and place.is_file():
        return FlowTrack(str(place), _read_array(place))
    raise VideoError(
        f"{place}: there is no flow here",
        "give a folder of flow_x_*.jpg and flow_y_*.jpg, or an .npy or .npz of (N, 2, H, W)",
    )


def keep_flow(track: FlowTrack, size: tuple[int, int]) -> FlowTrack:
    """Read a whole track of flow into memory, resized to a height and width."""
    fields = track.fields_at(np.arange(track.num_frames), resize=size)
    return FlowTrack(track.name, fields, fps=track.fps)


def _folder_of(path: Any) -> Path | None:
    """Folder of frames that holds images of flow too."""
    if not isinstance(path, str | Path) or not Path(path).is_dir():
        return None
    return Path(path) if _images(Path(path), "x") else None


def _pairs_of_images(folder: Path) -> tuple[tuple[Path, Path], ...]:
    x, y = _images(folder, "x"), _images(folder, "y")
    if not x or x.keys() != y.keys():
        lacking = sorted(x.keys() ^ y.keys())
        what = f"field {lacking[0]} has only one component" if lacking else "no images of flow"
        raise VideoError(
            f"{folder}: {what}",
            "a folder of flow holds flow_x_00001.jpg, flow_y_00001.jpg, flow_x_00002.jpg, ...",
        )
    first, last = min(x), max(x)
    if len(x) != last - first + 1:
        absent = next(number for number in range(first, last) if number not in x)
        raise VideoError(
            f"{folder}: field {absent} is missing between fields {first} and {last}",
            "extract the flow of this video again",
        )
    return tuple((x[number], y[number]) for number in sorted(x))


def _images(folder: Path, axis: Literal["x", "y"]) -> dict[int, Path]:
    """Images of one component by number: ``flow_x_00001.jpg``, or ``x/00001.jpg``."""
    inside = folder / axis if (folder / axis).is_dir() else folder
    pattern = re.compile(r"(?:.*_)?(\d+)" if inside != folder else rf"(?:.*_)?{axis}_(\d+)")
    images: dict[int, Path] = {}
    for file in sorted(inside.iterdir()):
        match = pattern.fullmatch(file.stem)
        if file.name.startswith(".") or file.suffix.lower() not in SUFFIXES or not match:
            continue  # macOS writes ._flow_x_00001.jpg beside a file
        if int(match[1]) in images:
            raise VideoError(
                f"{inside}: {file.name} and {images[int(match[1])].name} are the same field",
                "keep the images of one extraction in a folder",
            )
        images[int(match[1])] = file
    return images


def _read_component(file: Path) -> NDArray[np.uint8]:
    try:
        data = np.frombuffer(file.read_bytes(), dtype=np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
    except (OSError, cv2.error) as error:
        raise VideoError(f"{file}: cannot be read: {error}", "extract this flow again") from error
    if image is None:
        raise VideoError(f"{file}: not a complete image", "extract this flow again")
    return np.asarray(image, dtype=np.uint8)


def _read_array(file: Path) -> Tensor:
    try:
        content = np.load(file)
        flow = content["flow"] if file.suffix == ".npz" else content
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise VideoError(f"{file}: holds no flow: {error}", "expected (N, 2, H, W)") from error
    if flow.ndim != 4 or flow.shape[1] != 2 or len(flow) == 0:
        raise VideoError(f"{file}: flow of shape {flow.shape}", "expected (N, 2, H, W)")
    return torch.from_numpy(flow.astype(np.float32))
