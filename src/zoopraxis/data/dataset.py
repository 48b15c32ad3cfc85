"""The clips of a list, as a data set whose random draws depend on nothing but their indices."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset, default_collate

from zoopraxis.data.neighbours import whole
from zoopraxis.data.samples import Label, SampleList
from zoopraxis.errors import VideoError
from zoopraxis.inputs import ClipSpec, Inputs
from zoopraxis.inputs.augment import Augment
from zoopraxis.inputs.base import train_indices, view_indices
from zoopraxis.inputs.conventions import check_training

__all__ = ["BadVideo", "Batch", "Clip", "ClipDataset", "collate"]


class Clip(NamedTuple):
    """One clip as a batch of one, (1, C, T, S, S), its label, and the index of its sample.

    The clip is packed: `zoopraxis.inputs.base.Input.unpack` makes the network's input of it.
    """

    inputs: Inputs
    label: Label
    sample: int


class BadVideo(NamedTuple):
    """A sample that could not be read, and why; ``sample`` is its index."""

    sample: int
    path: str
    problem: str
    hint: str

    @property
    def error(self) -> VideoError:
        """The error that reading it raised."""
        return VideoError(self.problem, self.hint)


class Batch(NamedTuple):
    """Packed clips (B, C, T, S, S), their labels and indices, and the samples that gave none."""

    inputs: Inputs
    labels: tuple[Label, ...]
    indices: tuple[int, ...]
    bad: tuple[BadVideo, ...]


class ClipDataset(Dataset[Clip | BadVideo]):
    """One clip of every sample: ``dataset[epoch, i]`` is the clip of sample i in that epoch.

    Which frames are taken and how they are augmented is a pure function of (seed, epoch, i): not
    of the worker that reads it, nor of what was read before. A video that cannot be read comes
    as a `BadVideo`, for the training loop to stop at or to count; never as another video.

    Parameters
    ----------
    samples : SampleList
        The videos, or segments of videos.
    clip : ClipSpec
        The clip that the model expects.
    augment : Augment or None, default=None
        How training clips vary; None gives the one centre clip of validation.
    seed : int, default=0
        Of all draws.
    cache : {"none", "memory"}, default="none"
        "memory" decodes each video once, whatever the number of its segments in the list, and keeps
        all its frames at the size at which testing
        reads them: for sets of small clips only. See `fill`.
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
        if augment:
            check_training(clip.sampling.convention)
        self.samples = samples
        self.clip = clip
        self.augment = augment
        self.seed = seed
        self.cache = cache
        self._kept: dict[tuple[Any, ...], Any] = {}  # tracks in memory, by their video

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: tuple[int, int]) -> Clip | BadVideo:
        """Read the clip of sample ``key[1]`` in epoch ``key[0]``."""
        epoch, index = key
        rng = np.random.default_rng([self.seed, epoch, index])
        try:
            with self._open(index) as track:
                return (
                    self._train(track, index, rng) if self.augment else self._centre(track, index)
                )
        except VideoError as error:
            return self._bad(index, error)

    def _train(self, track: Any, index: int, rng: np.random.Generator) -> Clip:
        """Draw indices and augmentation; frames are decoded at the size drawn."""
        assert self.augment is not None  # noqa: S101 - for the type checker
        kind, sample = self.clip.input, self.samples[index]
        indices = train_indices(track, sample, self.clip.sampling, rng=rng)  # (1, T)
        draw = kind.draw(track, self.augment, rng=rng)
        inputs = kind.pack(kind.read(track, indices, draw), draw)
        swap = partial(self.augment.relabel, flipped=draw.flip)
        label = sample.label
        label = tuple(map(swap, label)) if isinstance(label, tuple) else swap(label)
        return Clip(inputs, label, index)

    def _centre(self, track: Any, index: int) -> Clip:
        """Take the one clip of a test with one view and one crop."""
        kind, sample = self.clip.input, self.samples[index]
        indices = view_indices(track, sample, self.clip.sampling)  # (1, T)
        (draw,) = kind.crops(track, 1)
        return Clip(kind.pack(kind.read(track, indices, draw), draw), sample.label, index)

    def fill(self, *, threads: int) -> tuple[BadVideo, ...]:
        """Decode every video into the cache, in threads; return those that cannot be read.

        Called before loader workers start, so that they share what is kept. Of the segments of a
        video the first stands for all.
        """
        first = {whole(sample): n for n, sample in reversed(list(enumerate(self.samples)))}
        with ThreadPoolExecutor(threads) as pool:
            found = pool.map(self._keep_or_report, sorted(first.values()))
            return tuple(bad for bad in found if bad is not None)

    def _keep_or_report(self, index: int) -> BadVideo | None:
        try:
            self._keep(index)
        except VideoError as error:
            return self._bad(index, error)
        return None

    def _bad(self, index: int, error: VideoError) -> BadVideo:
        return BadVideo(index, self.samples[index].path, error.problem, error.hint)

    def _open(self, index: int) -> AbstractContextManager[Any]:
        if self.cache == "memory":
            return nullcontext(self._keep(index))  # stays in memory
        opened: AbstractContextManager[Any] = self.clip.input.open(self.samples[index])
        return opened

    def _keep(self, index: int) -> Any:
        """Return the cached track; decode it now if it is not there yet."""
        video = whole(self.samples[index])
        if video not in self._kept:
            with self.clip.input.open(self.samples[index]) as track:
                self._kept[video] = self.clip.input.keep(track)
        return self._kept[video]


def collate(items: Sequence[Clip | BadVideo]) -> Batch:
    """Join the clips of a batch and set the unreadable ones apart."""
    clips = [item for item in items if isinstance(item, Clip)]
    return Batch(
        inputs=_joined([c.inputs for c in clips]) if clips else torch.empty(0),
        labels=tuple(c.label for c in clips),
        indices=tuple(c.sample for c in clips),
        bad=tuple(item for item in items if isinstance(item, BadVideo)),
    )


def _joined(clips: list[Inputs]) -> Inputs:
    """Join clips along the batch: in a worker, where the training process can read the result."""
    parts = [clip if isinstance(clip, tuple) else (clip,) for clip in clips]
    joined = tuple(
        default_collate([tensor[0] for tensor in tensors]) for tensors in zip(*parts, strict=True)
    )
    return joined if isinstance(clips[0], tuple) else joined[0]
