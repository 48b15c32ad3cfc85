"""What a compressed video holds: I-frames, motion vectors, residuals.

A video is stored as groups of pictures (GOPs). The first of a GOP, the I-frame, stands for itself;
the P-frames after it are blocks of the frame before, moved by vectors, and a residual.
Wu et al., Compressed Video Action Recognition, CVPR 2018, arXiv:1712.00636 (CoViAR), section 3.1,
and Shou et al., DMC-Net, CVPR 2019, arXiv:1901.03460, read actions off these.

The numbers are those of their code (https://github.com/chaoyuaw/pytorch-coviar, dataset.py, and
https://github.com/facebookresearch/dmc-net): vectors are clipped at 20 pixels, rounded towards
zero and stored in 8 bits, with 128 for none; residuals are clipped to -128 ... 127 and stored
likewise. Differences: DMC-Net's code rounds negative vectors down, one code lower; both change the
colours of I-frames at random, in testing too; and both train on crops of 340x256 frames but test
on frames resized to 256x256, where here both are resized.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import RecipeError, VideoError
from zoopraxis.inputs.augment import Draw
from zoopraxis.inputs.base import Media
from zoopraxis.inputs.crops import Size
from zoopraxis.inputs.images import (
    ImageInput,
    apply_draw,
    check_channels,
    resize_frames,
    stack_clips,
)
from zoopraxis.inputs.sampling import Indices
from zoopraxis.video import MotionVideo, open_motion
from zoopraxis.video._motion import (
    REMEDY,
    Motion,
    MotionFrame,
    accumulate,
    from_previous,
)

__all__ = ["Compressed", "CompressedTrack"]

Stream = Literal["i_frame", "vectors", "residual", "vectors_residual"]
CHANNELS: dict[Stream, int] = {"i_frame": 3, "vectors": 2, "residual": 3, "vectors_residual": 5}
ZERO = 128  # code of no motion and of no residual


@dataclass(frozen=True, kw_only=True)
class Compressed(ImageInput["CompressedTrack | KeptTrack"]):
    """A stream of a compressed video.

    The track of ``"i_frame"`` has an item for every frame: the I-frame of its GOP. The others have
    one for every frame but the first; that of an I-frame, which has no motion, is the frame before
    it, as in CoViAR's code. The codec must predict a frame from the one before alone: MPEG-4
    without B-frames, as the papers, or H.264 without B-frames and with one reference.

    Parameters
    ----------
    stream : {"i_frame", "vectors", "residual", "vectors_residual"}, default="vectors"
        RGB; motion vectors, x (to the right) then y (downwards); what they leave of the colours;
        or both of these, five channels.
    reference : {"i_frame", "previous"}, default="i_frame"
        From which frame vectors and residual lead to a frame: traced back to the I-frame (CoViAR),
        or from the frame before, as the codec has them (DMC-Net).
    bound : float, default=20.0
        Pixels at which vectors are clipped; [-bound, bound] becomes the codes 1 to 255.
    frame_size : (int, int), default=(256, 340)
        Height and width of the videos of the papers. Vectors are in pixels of such a frame: those
        of a video of another size are scaled.
    channel_order : {"rgb", "bgr"}, default="rgb"
        Of I-frames and residuals.
    resize, size, mean, std, value_range
        As for `zoopraxis.inputs.images.ImageInput`.
    """

    kind: ClassVar[str] = "compressed"

    resize: int | Size = (256, 256)
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (1.0,)
    stream: Stream = "vectors"
    reference: Literal["i_frame", "previous"] = "i_frame"
    bound: float = 20.0
    frame_size: Size = (256, 340)
    channel_order: Literal["rgb", "bgr"] = "rgb"

    def __post_init__(self) -> None:
        if self.stream not in CHANNELS:
            raise RecipeError(
                f"there is no stream {self.stream!r:.40}", f"known: {', '.join(CHANNELS)}"
            )
        super().__post_init__()
        if not 0 < self.bound < float("inf"):
            raise RecipeError(
                f"bound = {self.bound!r:.80} cannot clip motion vectors",
                "give pixels, above 0; papers 20",
            )
        sides = self.frame_size
        if len(sides) != 2 or min(sides) < 1:
            raise RecipeError(
                f"frame_size = {sides!r:.80} is not a height and a width", "papers have [256, 340]"
            )

    @property
    def channels(self) -> int:  # type: ignore[override]
        """C of the network's input."""
        return CHANNELS[self.stream]

    def open(self, media: Media) -> "CompressedTrack":
        """Open the video; its frames are decoded as they are read."""
        media.refuse_box(self.kind)
        opened = open_motion(media.path)
        try:
            return CompressedTrack(opened, self)
        except BaseException:
            opened.close()
            raise

    def keep(self, track: "CompressedTrack | KeptTrack") -> "KeptTrack":
        """Read all items into memory, at the size to which testing resizes them."""
        return KeptTrack(track, size=self.scaled((track.height, track.width)))

    def read(self, track: "CompressedTrack | KeptTrack", indices: Indices, draw: Draw) -> Tensor:
        """Codes (V, T, C, H, W), uint8; each GOP is decoded once."""
        return track.codes_at(indices, resize=draw.scaled)

    def prepare(self, raw: Tensor, draw: Draw) -> Tensor:
        """Normalise codes (V, T, C, H, W) to (V, C, T, S, S); a flip negates the vectors' x."""
        check_channels(raw, self.channels, self.kind)
        clips = []
        for codes in raw:
            x = apply_draw(codes, draw, size=self.size)  # (T, C, S, S), in [0, 1]
            if draw.flip and self.stream.startswith("vectors"):
                x = torch.cat([2 * ZERO / 255 - x[:, :1], x[:, 1:]], dim=1)
            clips.append(self.normalise(x))
        return stack_clips(clips)

    @property
    def items_stand_alone(self) -> bool:
        """Of I-frames; vectors and residuals lead from one frame to another."""
        return self.stream == "i_frame"

    def reverse(self, inputs: Tensor) -> Tensor:
        """Play clips (V, C, T, S, S) backwards.

        Vectors and residuals say how a frame came of its reference; backwards, the reference comes
        of the frame, and they change their signs. They stay at the frame's pixels, and what a
        codec would find in the reversed video, with other I-frames, is not known: to measure that,
        encode the video reversed.
        """
        inputs = inputs.flip(2)
        if self.stream == "i_frame":
            return inputs
        std = torch.tensor(self.std)[:, None, None, None]
        mean = torch.tensor(self.mean)[:, None, None, None]
        return 2 * (ZERO / 255 * self.value_range - mean) / std - inputs

    def codes(self, motion: Motion | MotionFrame) -> NDArray[np.uint8]:
        """Codes (C, H, W) of what was read of a frame."""
        if isinstance(motion, MotionFrame):
            return np.ascontiguousarray(self._ordered(motion.image.transpose(2, 0, 1)))
        parts: list[NDArray[np.uint8]] = []
        if self.stream.startswith("vectors"):
            height, width = motion.vectors.shape[1:]
            scale = np.array([self.frame_size[1] / width, self.frame_size[0] / height])
            units = motion.vectors * (scale * 127.5 / self.bound)[:, None, None]  # (2, H, W)
            parts.append((units.clip(-ZERO, 127).astype(np.int16) + ZERO).astype(np.uint8))
        if self.stream.endswith("residual"):
            residual = self._ordered(motion.residual)  # (3, H, W)
            parts.append((residual.clip(-ZERO, 127) + ZERO).astype(np.uint8))
        return np.concatenate(parts)

    def _ordered(self, image: NDArray[np.generic]) -> NDArray[np.generic]:
        return image[::-1] if self.channel_order == "bgr" else image


class CompressedTrack:
    """A stream of a compressed video, as a track.

    Parameters
    ----------
    video : MotionVideo
        Its N frames. It is closed with the track.
    kind : Compressed
        Which stream, and its codes.

    Raises
    ------
    VideoError
        A stream of motion is asked for, and the video has one frame or I-frames alone.
    """

    def __init__(self, video: MotionVideo, kind: Compressed) -> None:
        self.name, self.fps, self.duration = video.name, video.fps, video.duration
        self.height, self.width = video.height, video.width
        self._video, self._kind = video, kind
        self._targets = _targets(video, kind.stream)  # the frame of each item
        self.timestamps: NDArray[np.float64] = video.timestamps[: len(self._targets)]

    @property
    def num_frames(self) -> int:
        """Number of items."""
        return len(self._targets)

    def codes_at(self, indices: Indices, *, resize: Size) -> Tensor:
        """Codes (*indices.shape, C, h, w), uint8.

        Raises
        ------
        VideoError
            A frame cannot be decoded, or its motion not be traced to the reference.
        """
        unique, where = np.unique(self._targets[indices], return_inverse=True)
        starts = self._video.starts(unique)
        codes = torch.stack(
            [
                resize_frames(torch.from_numpy(self._kind.codes(found)), resize)
                for start in np.unique(starts).tolist()
                for found in self._gop(start, set(unique[starts == start].tolist()))
            ]
        )
        codes = codes[torch.from_numpy(where.ravel())]  # (n, C, h, w)
        return codes.reshape(*indices.shape, *codes.shape[1:])

    def _gop(self, start: int, wanted: set[int]) -> Iterator[Motion | MotionFrame]:
        """Decode from a frame to the last that is wanted, and yield those that are, in order."""
        frames = self._video.frames(start)
        if self._kind.stream == "i_frame":
            found: Iterator[Motion | MotionFrame] = frames
        else:
            found = (accumulate if self._kind.reference == "i_frame" else from_previous)(frames)
        last = max(wanted)
        for one in found:
            if one.index in wanted:
                yield one
            if one.index == last:
                return

    def __enter__(self) -> "CompressedTrack":
        return self

    def __exit__(self, *_: object) -> None:
        self._video.close()


class KeptTrack:
    """A track whose items are in memory.

    Parameters
    ----------
    track : CompressedTrack or KeptTrack
        What is read.
    size : (int, int)
        Height and width to which items are resized.
    """

    def __init__(self, track: "CompressedTrack | KeptTrack", *, size: Size) -> None:
        self.name: str = track.name
        self.fps: float = track.fps
        self.duration: float = track.duration
        self.height, self.width = size
        self.num_frames: int = track.num_frames
        self.timestamps: NDArray[np.float64] = track.timestamps
        self._codes = track.codes_at(np.arange(track.num_frames), resize=size)  # (N, C, h, w)

    def codes_at(self, indices: Indices, *, resize: Size) -> Tensor:
        """Codes (*indices.shape, C, h, w), uint8."""
        return resize_frames(self._codes[torch.from_numpy(indices)], resize)

    def __enter__(self) -> "KeptTrack":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""


def _targets(video: MotionVideo, stream: Stream) -> Indices:
    """Frame of each item: I-frames, or P-frames.

    An I-frame of H.264 that is no key frame can be told from a P-frame by decoding alone; its item
    is its own motion, which is 0.
    """
    frames = np.arange(video.num_frames)
    before = np.searchsorted(video.keys, frames, side="right") - 1
    if stream == "i_frame":
        return video.keys[before]
    if len(frames) == 1:
        raise VideoError(
            f"{video.name}: one frame, and motion lies between two", "give a longer video"
        )
    moved = np.setdiff1d(frames, video.keys)
    if len(moved) == 0:
        raise VideoError(
            f"{video.name}: each of its {len(frames)} frames is an I-frame, which has no motion "
            "vectors",
            REMEDY,
        )
    # of a GOP of 4, IPPPIPPP: frames 1 to 7 have the items 1 2 3 3 5 6 7
    last = np.searchsorted(moved, frames[1:], side="right") - 1  # -1 if there are I-frames alone
    return moved[np.maximum(last, 0)]
