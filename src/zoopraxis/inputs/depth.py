"""Depth: the distance of every pixel, as Kinect and its successors film it.

Li, Zhang and Liu, Action recognition based on a bag of 3D points, CVPR 2010 workshops, is where
depth videos began to be classified.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, get_args
from zipfile import BadZipFile

import numpy as np

from zoopraxis.errors import DataError, RecipeError, VideoError
from zoopraxis.inputs.images import (
    ImageInput,
    apply_draw,
    check_channels,
    resize_frames,
    stack_clips,
)
from zoopraxis.inputs.rgb import open_frames
from zoopraxis.inputs.sampling import evenly_moving
from zoopraxis.matlab import read_matlab
from zoopraxis.video import Video
from zoopraxis.video._sequence import frames_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from zoopraxis.inputs.augment import Draw
    from zoopraxis.inputs.base import Media
    from zoopraxis.inputs.sampling import Indices

__all__ = ["Depth", "DepthTrack", "open_depth"]

RATE = 15.0  # frames per second of MSR Action3D, whose files do not say it

LARGEST_CHANGE = 50.0

Source: TypeAlias = "NDArray[Any] | tuple[Path, ...] | Video"
Around = Literal["frame", "foreground"]
Origin = Literal["camera", "foreground"]
Pace = Literal["time", "motion"]


class DepthTrack:
    """N images of depth.

    Parameters
    ----------
    name : str
        File or folder, for error messages.
    source : ndarray of shape (N, H, W), tuple of Path, or Video
        Depth in the unit of the file, 0 where it was not measured; or images of one channel that
        hold it; or a video, whose first channel is taken.
    fps : float, default=15
        Images per second, of an array or images.
    timestamps : float64 ndarray of shape (N,), optional
        Seconds at which each is shown, of an array; by default evenly spaced.

    Attributes
    ----------
    shown : callable or None
        Turns depth (n, H, W) into what is shown of it.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        *,
        fps: float = RATE,
        timestamps: NDArray[np.float64] | None = None,
    ) -> None:
        self.name, self.source, self.fps = name, source, fps
        self.shown: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None
        if isinstance(source, Video):
            self.fps, self.duration = source.fps, source.duration
            self.timestamps: NDArray[np.float64] = source.timestamps
        else:
            self.timestamps = np.arange(len(source)) / fps if timestamps is None else timestamps
            self.duration = float(self.timestamps[-1]) + 1 / fps
        self.height, self.width = self.depth_at(np.array([0])).shape[1:]

    @property
    def num_frames(self) -> int:
        """Number of images."""
        return len(self.timestamps)

    def depth_at(self, indices: NDArray[Any]) -> NDArray[np.float32]:
        """Depth (n, H, W) of some images, in the unit of the file."""
        if isinstance(self.source, Video):
            return self.source.frames_at(indices)[:, 0].numpy().astype(np.float32)
        if isinstance(self.source, tuple):
            images = [_read_image(self.source[index]) for index in indices.tolist()]
            other = next((n for n, image in enumerate(images) if image.shape != images[0].shape), 0)
            if other:
                raise VideoError(
                    f"{self.source[indices[other]]} has another size than "
                    f"{self.source[indices[0]]}",
                    "give all images of a video the same size",
                )
            return np.stack(images).astype(np.float32)
        depth: NDArray[np.float32] = self.source[indices].astype(np.float32)
        return depth

    def images_at(self, indices: Indices, *, resize: tuple[int, int]) -> Tensor:
        """What is shown of images by index (V, T), each read once: (V, T, 1, H, W), float32."""
        import torch

        unique, where = np.unique(indices, return_inverse=True)
        depth = self.depth_at(unique)
        shown = torch.from_numpy(depth if self.shown is None else self.shown(depth))[:, None]
        images = resize_frames(shown, resize)  # (n, 1, H', W')
        return images[torch.from_numpy(where.reshape(indices.shape))]

    def __enter__(self) -> DepthTrack:
        return self

    def __exit__(self, *_: object) -> None:
        if isinstance(self.source, Video):
            self.source.close()


@dataclass(frozen=True, kw_only=True)
class Depth(ImageInput[DepthTrack]):
    """Depth as one channel of nearness: 1 at ``near``, 0 at ``far``, beyond, and unmeasured.

    Parameters
    ----------
    near, far : float
        In the unit of the file, millimetres for most cameras.
    origin : {"camera", "foreground"}, default="camera"
        Whence ``near`` and ``far`` are counted: from the camera, or from the median of all that was
        measured, ``near`` being negative. For recordings without their background, whose people
        stand at different distances.
    around : {"frame", "foreground"}, default="frame"
        Whole frames, or the square around all that is measured in any frame, for recordings without
        their background.
    pace : {"time", "motion"}, default="time"
        Frames as in the file; or as many frames between which depth changes equally much, so that
        waiting takes no time. For whole recordings of one action: it removes speed, and stops
        before and after.
    resize, size, mean, std, value_range
        As for `zoopraxis.inputs.images.ImageInput`; of nearness.
    """

    kind: ClassVar[str] = "depth"
    channels: ClassVar[int] = 1

    near: float = 500.0
    far: float = 4500.0
    origin: Origin = "camera"
    around: Around = "frame"
    pace: Pace = "time"
    mean: tuple[float, ...] = (0.3,)
    std: tuple[float, ...] = (0.3,)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not -np.inf < self.near < self.far < np.inf:
            raise RecipeError(
                f"near = {self.near!r:.40} and far = {self.far!r:.40} are no range of depth",
                "near must be less than far, in the unit of the files",
            )
        for name, choices in (("origin", Origin), ("around", Around), ("pace", Pace)):
            if getattr(self, name) not in get_args(choices):
                raise RecipeError(
                    f"{name} must be {' or '.join(get_args(choices))}, not "
                    f"{getattr(self, name)!r:.40}",
                    "choose one",
                )

    def open(self, media: Media) -> DepthTrack:
        """Open depth, and choose its place, its pace and what it is counted from.

        Raises
        ------
        VideoError
            It cannot be read, or a segment of it is asked for at the pace of its motion.
        """
        track = open_depth(media)
        near, far = self.near, self.far
        if (self.origin, self.around, self.pace) != ("camera", "frame", "time"):
            depth = track.depth_at(np.arange(track.num_frames))  # (N, H, W)
            track.__exit__()
            if self.pace == "motion":
                if (media.start, media.end) != (None, None):
                    raise VideoError(
                        f"{track.name}: a segment in seconds of depth that is paced by motion",
                        "give whole recordings, or set pace to time",
                    )
                depth = depth[_evenly_changing(depth)]
            if self.origin == "foreground" and depth.any():
                middle = float(np.median(depth[depth > 0]))
                near, far = near + middle, far + middle
            if self.around == "foreground":
                depth = _square_around(depth)
            track = DepthTrack(track.name, depth, fps=track.fps)
        track.shown = partial(_nearness, near=near, far=far)
        return track

    def keep(self, track: DepthTrack) -> DepthTrack:
        """Read all images into memory, at the size to which testing resizes them."""
        size = self.scaled((track.height, track.width))
        nearness = track.images_at(np.arange(track.num_frames)[None], resize=size)[0, :, 0]
        return DepthTrack(track.name, nearness.numpy(), fps=track.fps, timestamps=track.timestamps)

    def read(self, track: DepthTrack, indices: Indices, draw: Draw) -> Tensor:
        """Nearness (V, T, 1, H, W), float32."""
        return track.images_at(indices, resize=draw.scaled)

    def prepare(self, raw: Tensor, draw: Draw) -> Tensor:
        """Normalise nearness (V, T, 1, H, W) to (V, 1, T, S, S)."""
        check_channels(raw, 1, self.kind)
        return stack_clips([self.normalise(apply_draw(clip, draw, size=self.size)) for clip in raw])


def open_depth(media: Media) -> DepthTrack:
    """Open the depth that the path of a sample is.

    A ``.mat`` with the variable ``depth`` (H, W, N), as MSR Action3D has; an ``.npy``, or an
    ``.npz`` with the array ``depth``, (N, H, W); a folder of images with 16 bits and one channel,
    as NTU RGB+D has; or a video, whose first channel is taken.

    Raises
    ------
    VideoError
        It is none of these.
    """
    path = Path(media.path) if isinstance(media.path, str | Path) else None
    if path is not None and path.suffix in (".mat", ".npy", ".npz"):
        media.refuse_box("depth")
        return DepthTrack(str(path), _read_array(path))
    if path is not None and path.is_dir() and _read_image(frames_of(path)[0]).dtype == np.uint16:
        media.refuse_box("depth")
        return DepthTrack(str(path), tuple(frames_of(path)))
    video = open_frames(media)
    return DepthTrack(video.name, video)


def _read_array(path: Path) -> NDArray[Any]:
    """Read depth (N, H, W) from a file."""
    expected = "expected the array `depth` (N, H, W), in a .mat (H, W, N), of numbers"
    try:
        if path.suffix == ".mat":
            depth = np.moveaxis(np.asarray(read_matlab(path)["depth"]), -1, 0)
        else:
            with path.open("rb") as opened:
                content = np.load(opened)
                depth = content["depth"] if path.suffix == ".npz" else content
    except (DataError, OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise VideoError(f"{path}: holds no depth: {error}", expected) from error
    if depth.ndim != 3 or 0 in depth.shape or depth.dtype.kind not in "uif":
        raise VideoError(f"{path}: depth of shape {depth.shape}, {depth.dtype}", expected)
    return np.ascontiguousarray(depth)


def _read_image(path: Path) -> NDArray[Any]:
    """Read an image as it is stored."""
    import cv2

    try:
        data = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except (OSError, cv2.error) as error:
        raise VideoError(f"{path}: cannot be read: {error}", "check the file") from error
    if image is None:
        raise VideoError(f"{path}: not a complete image", "copy or extract it again")
    return image


def _nearness(depth: NDArray[np.float32], *, near: float, far: float) -> NDArray[np.float32]:
    """Map depth to [0, 1], 0 where there is none."""
    nearness = np.clip((far - depth) / (far - near), 0, 1)
    return np.where(depth > 0, nearness, 0).astype(np.float32)


def _square_around(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut depth (N, H, W) to the smallest square (N, S, S) around all that is not 0."""
    rows, columns = (np.flatnonzero(depth.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    if not rows.size:
        return depth
    height, width = (int(at[-1] - at[0]) + 1 for at in (rows, columns))
    side = max(height, width)
    part = depth[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    above, left = (side - height) // 2, (side - width) // 2
    space = ((0, 0), (above, side - height - above), (left, side - width - left))
    return np.pad(part, space)


def _evenly_changing(depth: NDArray[np.float32]) -> NDArray[np.int64]:
    """Choose N of N images between which depth changes equally much.

    Changes of a pixel count up to 50 units, for a contour that moves changes by metres; jitter is
    reduced by a binomial filter of five changes.
    """
    if len(depth) < 2:
        return np.arange(len(depth))
    change = np.abs(np.diff(depth, axis=0)).clip(max=LARGEST_CHANGE).mean(axis=(1, 2))  # (N - 1,)
    smooth = np.convolve(np.pad(change, 2, mode="edge"), np.array([1, 4, 6, 4, 1]) / 16, "valid")
    return np.rint(evenly_moving(smooth)).astype(np.int64)
