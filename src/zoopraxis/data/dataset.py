"""The clips of a list, as a data set whose random draws depend on nothing but their numbers."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from zoopraxis.inputs.augment import Augment, draw_augment
from zoopraxis.inputs.crops import scaled_size
from zoopraxis.data.samples import Label, SampleList
from zoopraxis.errors import VideoError
from zoopraxis.inputs.sampling import sample_test, sample_train
from zoopraxis.spec import ClipSpec
from zoopraxis.inputs.transforms import apply_draw, prepare_test, resize_frames
from zoopraxis.video import Video, open_video

__all__ = ["BadVideo", "Batch", "Clip", "ClipDataset", "collate"]


class Clip(NamedTuple):
    """One clip, float (C, T, S, S), its label, and the number of its sample."""

    frames: Tensor
    label: Label
    number: int


class BadVideo(NamedTuple):
    """A sample that could not be read, and why."""

    number: int
    path: str
    problem: str
    hint: str

    @property
    def error(self) -> VideoError:
        """The error that reading it raised."""
        return VideoError(self.problem, self.hint)


class Batch(NamedTuple):
    """Clips (B, C, T, S, S) with their labels and numbers, and the samples that gave none."""

    clips: Tensor
    labels: tuple[Label, ...]
    numbers: tuple[int, ...]
    bad: tuple[BadVideo, ...]


@dataclass(frozen=True)
class _Kept:
    """A whole video in memory, uint8 (N, 3, h, w), at the size it is resized to."""

    frames: Tensor
    fps: float
    timestamps: npt.NDArray[np.float64]

    @property
    def num_frames(self) -> int:
        """N."""
        return self.frames.shape[0]

    @property
    def height(self) -> int:
        """Of a frame, in pixels."""
        return self.frames.shape[2]

    @property
    def width(self) -> int:
        """Of a frame, in pixels."""
        return self.frames.shape[3]

    def frames_at(
        self, indices: npt.NDArray[np.int64], *, resize: tuple[int, int] | None = None
    ) -> Tensor:
        """Frames by number, as `Video.frames_at`."""
        frames = self.frames[torch.from_numpy(indices).flatten()]  # (n, 3, h, w)
        if resize is not None:
            frames = resize_frames(frames, resize)  # (n, 3, h', w')
        return frames.reshape(*indices.shape, *frames.shape[1:])  # (*indices.shape, 3, h', w')

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stay in memory."""


_Frames = Video | _Kept


class ClipDataset(Dataset[Clip | BadVideo]):
    """One clip of every sample: ``dataset[epoch, i]`` is the clip of sample i in that epoch.

    Which frames are taken and how they are augmented is a pure function of (seed, epoch, i): not
    of the worker that reads it, nor of what was read before. A video that cannot be read comes
    as a `BadVideo`, for the training loop to stop at or to count; never as another video.

    Parameters
    ----------
    samples : SampleList
        The videos.
    clip : ClipSpec
        What the model eats.
    augment : Augment or None, default=None
        How training clips vary; None gives the one clip in the centre that validation takes.
    seed : int, default=0
        Of all draws.
    cache : {"none", "memory"}, default="none"
        "memory" decodes each video once and keeps all its frames, uint8 at the size of
        ``clip.resize``: for sets of small clips only. See `fill`.
    """

    def __init__(
        self,
        samples: SampleList,
        clip: ClipSpec,
        *,
        augment: Augment | None = None,
        seed: int = 0,
        cache: Literal["none", "memory"] = "none",
    ) -> None:
        self.samples = samples
        self.clip = clip
        self.augment = augment
        self.seed = seed
        self.cache = cache
        self._kept: dict[int, _Kept] = {}

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: tuple[int, int]) -> Clip | BadVideo:
        """Read the clip (C, T, S, S) of sample ``key[1]`` in epoch ``key[0]``."""
        epoch, index = key
        rng = np.random.default_rng([self.seed, epoch, index])
        try:
            with self._open(index) as video:
                return (
                    self._train(video, index, rng) if self.augment else self._centre(video, index)
                )
        except VideoError as error:
            return BadVideo(index, self.samples[index].path, error.problem, error.hint)

    def _train(self, video: _Frames, index: int, rng: np.random.Generator) -> Clip:
        """Draw frames and augmentation; frames come out of the decoder at the size drawn."""
        assert self.augment is not None  # noqa: S101 - for the type checker
        numbers = sample_train(
            video.num_frames, video.fps, self.clip, rng=rng, timestamps=self._times(video)
        )  # (1, T)
        draw = draw_augment((video.height, video.width), self.clip, self.augment, rng=rng)
        frames = video.frames_at(numbers, resize=draw.scaled)  # (1, T, 3, H, W)
        label = self.samples[index].label
        swap = partial(self.augment.relabel, flipped=draw.flip)
        label = tuple(map(swap, label)) if isinstance(label, tuple) else swap(label)
        return Clip(apply_draw(frames[0], self.clip, draw), label, index)

    def _centre(self, video: _Frames, index: int) -> Clip:
        """Take the one clip of a test with one view and one crop."""
        numbers = sample_test(
            video.num_frames, video.fps, self.clip, timestamps=self._times(video)
        )  # (1, T)
        scaled = scaled_size((video.height, video.width), self.clip.resize)
        frames = video.frames_at(numbers, resize=scaled)  # (1, T, 3, H, W)
        return Clip(prepare_test(frames, self.clip)[0], self.samples[index].label, index)

    def _times(self, video: _Frames) -> npt.NDArray[np.float64] | None:
        """Time stamps, where the clip is sampled by them."""
        return None if self.clip.fps is None else video.timestamps

    def fill(self, *, threads: int) -> tuple[BadVideo, ...]:
        """Decode every video into the cache, in threads; give those that cannot be read.

        Called before loader workers start, so that they share what is kept.
        """
        with ThreadPoolExecutor(threads) as pool:
            found = pool.map(self._keep_or_report, range(len(self)))
            return tuple(bad for bad in found if bad is not None)

    def _keep_or_report(self, index: int) -> BadVideo | None:
        try:
            self._keep(index)
        except VideoError as error:
            return BadVideo(index, self.samples[index].path, error.problem, error.hint)
        return None

    def _open(self, index: int) -> _Frames:
        if self.cache == "memory":
            return self._keep(index)
        return open_video(self.samples[index].path)

    def _keep(self, index: int) -> _Kept:
        """Give the cached video; decode it now if it is not there yet."""
        if index not in self._kept:
            with open_video(self.samples[index].path) as video:
                scaled = scaled_size((video.height, video.width), self.clip.resize)
                frames = video.frames_at(np.arange(video.num_frames), resize=scaled)
                self._kept[index] = _Kept(frames, video.fps, np.array(video.timestamps))
        return self._kept[index]


def collate(items: Sequence[Clip | BadVideo]) -> Batch:
    """Stack the clips of a batch and set the unreadable ones apart."""
    clips = [item for item in items if isinstance(item, Clip)]
    return Batch(
        clips=torch.stack([c.frames for c in clips]) if clips else torch.empty(0),
        labels=tuple(c.label for c in clips),
        numbers=tuple(c.number for c in clips),
        bad=tuple(item for item in items if isinstance(item, BadVideo)),
    )
