"""RGB frames and the boxes of the people and things in them.

The boxes are read from the file that a sample names, in the form of `zoopraxis.regions.files`. They
are scaled, cropped and flipped as their frames are.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import RecipeError, VideoError
from zoopraxis.inputs.augment import Draw
from zoopraxis.inputs.base import Inputs, Media
from zoopraxis.inputs.images import ImageInput, apply_draw, check_channels, stack_clips
from zoopraxis.inputs.rgb import RGB
from zoopraxis.inputs.sampling import Indices
from zoopraxis.regions import clip_boxes, pad_boxes, read_boxes, scale_boxes
from zoopraxis.video import Video

__all__ = ["RegionTrack", "Regions"]

MOST_BOXES = 1 << 10


class RegionTrack:
    """The frames of a video and their boxes.

    Parameters
    ----------
    video : Video
        The frames.
    boxes : Tensor of shape (L, N, 4)
        Boxes of the frames in which they were looked for, in fractions of width and height.
    mask : Tensor of shape (L, N)
        1 where there is a box.
    rows : int64 ndarray of shape (F,)
        The one of the L that each of the video's frames takes its boxes from; -1 for none.
    """

    def __init__(self, video: Video, boxes: Tensor, mask: Tensor, rows: NDArray[np.int64]) -> None:
        self.video, self.boxes, self.mask, self.rows = video, boxes, mask, rows
        self.name, self.fps, self.duration = video.name, video.fps, video.duration
        self.height, self.width = video.height, video.width
        self.timestamps: NDArray[np.float64] = video.timestamps

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return self.video.num_frames

    def boxes_at(self, indices: Indices) -> tuple[Tensor, Tensor]:
        """Boxes (V, T, N, 4) and mask (V, T, N) of frames (V, T)."""
        rows = torch.from_numpy(self.rows[indices])  # (V, T)
        known = (rows >= 0).float()[..., None]  # (V, T, 1)
        if not len(self.boxes):
            shape = (*rows.shape, self.boxes.shape[1])
            return torch.zeros(*shape, 4), torch.zeros(shape)
        rows = rows.clamp(min=0)
        return self.boxes[rows] * known[..., None], self.mask[rows] * known

    def __enter__(self) -> "RegionTrack":
        return self

    def __exit__(self, *_: object) -> None:
        self.video.close()


@dataclass(frozen=True, kw_only=True)
class Regions(ImageInput[RegionTrack]):
    """RGB frames (3, T, S, S), boxes (T, N, 4) in pixels of the crop, and their mask (T, N).

    Parameters
    ----------
    num_boxes : int, default=10
        N, for each frame: those with the highest scores. Where there are fewer, the rest is 0, in
        the mask too.
    reach : float, default=0.25
        Seconds: a frame in which no boxes were looked for takes those of the nearest one in which
        they were, if it is not farther away.
    resize, size, mean, std, value_range
        As for `zoopraxis.inputs.images.ImageInput`.
    """

    kind: ClassVar[str] = "regions"
    channels: ClassVar[int] = 3
    has_colours: ClassVar[bool] = True

    num_boxes: int = 10
    reach: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.num_boxes <= MOST_BOXES or not 0 <= self.reach < float("inf"):
            raise RecipeError(
                f"num_boxes {self.num_boxes!r:.40} and reach {self.reach!r:.40} are out of range",
                f"num_boxes must be from 1 to {MOST_BOXES}, reach 0 or more seconds",
            )

    def shapes(self, num_frames: int) -> tuple[tuple[int, ...], ...]:
        """Shapes (3, T, S, S), (T, N, 4) and (T, N) of one clip, its boxes and their mask."""
        per_frame = (num_frames, self.num_boxes)
        return self.shape(num_frames), (*per_frame, 4), per_frame

    def example(self, num_frames: int, *, batch: int = 1, seed: int = 0) -> Inputs:
        """Noise, and boxes at random, of which one in each clip is missing."""
        clip = super().example(num_frames, batch=batch, seed=seed)
        _, shape, _ = self.shapes(num_frames)
        random = np.random.RandomState(seed)
        corners = np.sort(random.uniform(0, self.size, (batch, *shape[:2], 2, 2)), axis=3)
        boxes = torch.from_numpy(corners).float().flatten(3)  # (B, T, N, 4)
        mask = torch.ones(boxes.shape[:3])
        mask[:, 0, 0] = 0
        return torch.as_tensor(clip), boxes * mask[..., None], mask

    def open(self, media: Media) -> RegionTrack:
        """Open the video and the boxes that a sample names.

        Raises
        ------
        VideoError
            No boxes are named, or their file is not one.
        """
        media.refuse_box(self.kind)
        if not media.boxes:
            raise VideoError(
                f"{media.title}: no boxes, and {self.kind!r} input needs them",
                "name their file in the column `boxes` of the list, or as Media(boxes=...); "
                "`zoopraxis boxes VIDEOS OUT` finds people and things",
            )
        found = read_boxes(media.boxes)
        video = RGB().open(media)
        try:
            rows, seconds = found.nearest(video.timestamps, name=video.name)
        except VideoError:
            video.close()
            raise
        rows = np.where(seconds <= self.reach + 1e-6, rows, -1)  # times in files are rounded
        per_frame = [found.boxes[found.in_frame(at)] for at in found.looked.tolist()]
        padded, mask = pad_boxes(per_frame, self.num_boxes)
        size = (video.height, video.width)
        boxes = scale_boxes(clip_boxes(torch.from_numpy(padded), size), size, (1.0, 1.0))
        return RegionTrack(video, boxes, torch.from_numpy(mask), rows)

    def keep(self, track: RegionTrack) -> RegionTrack:
        """Read all frames into memory, at the size to which testing resizes them."""
        size = self.scaled((track.height, track.width))
        return RegionTrack(RGB(resize=size).keep(track.video), track.boxes, track.mask, track.rows)

    def read(self, track: RegionTrack, indices: Indices, draw: Draw) -> tuple[Tensor, ...]:
        """Frames (V, T, 3, H, W), boxes (V, T, N, 4) in fractions of them, and mask (V, T, N)."""
        frames = track.video.frames_at(indices, resize=draw.scaled)
        return frames, *track.boxes_at(indices)

    def prepare(self, raw: tuple[Tensor, ...], draw: Draw) -> tuple[Tensor, ...]:
        """Normalise frames to (V, 3, T, S, S), and move the boxes as their pixels move.

        A box of which less than a pixel is left, in height or width, is masked.
        """
        frames, fractions, mask = raw
        check_channels(frames, 3, self.kind)
        clips = [self.normalise(apply_draw(clip, draw, size=self.size)) for clip in frames]
        top, left, height, width = draw.box
        boxes = scale_boxes(fractions, (1.0, 1.0), draw.scaled)  # (V, T, N, 4)
        boxes = boxes - boxes.new_tensor([left, top, left, top])
        boxes = scale_boxes(boxes, (height, width), (self.size, self.size))
        boxes = clip_boxes(boxes, (self.size, self.size))
        if draw.flip:  # the left edge becomes the right one
            x1, y1, x2, y2 = boxes.unbind(-1)
            boxes = torch.stack([self.size - x2, y1, self.size - x1, y2], dim=-1)
        mask = mask * ((boxes[..., 2:] - boxes[..., :2]) >= 1).all(dim=-1)
        return stack_clips(clips), boxes * mask[..., None], mask

    def reverse(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Play clips and their boxes backwards."""
        clip, boxes, mask = inputs
        return clip.flip(2), boxes.flip(1), mask.flip(1)
