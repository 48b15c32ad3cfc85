"""The views of the videos of a list, decoded while a network runs."""

from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset

from zoopraxis.data.samples import SampleList
from zoopraxis.errors import VideoError
from zoopraxis.inputs import ClipSpec, Inputs
from zoopraxis.inputs.playback import FORWARDS, Playback
from zoopraxis.prediction.pipeline import view_inputs

__all__ = ["Item", "load_views"]


class Item(NamedTuple):
    """Views of one video, or the reason why there are none."""

    sample: int
    inputs: Inputs
    problem: str


def load_views(
    samples: SampleList,
    clip: ClipSpec,
    left: list[int],
    *,
    views: int,
    crops: int,
    play: Playback = FORWARDS,
    workers: int = 0,
) -> DataLoader[Item]:
    """Load the views of some videos of a list, in order, in several processes.

    Parameters
    ----------
    samples : SampleList
        The list.
    clip : ClipSpec
        The clip that the network expects.
    left : list of int
        Which of the videos.
    views, crops : int
        As for `zoopraxis.prediction.pipeline.predict`.
    play : Playback, default=FORWARDS
        How the clips are played: backwards, for example.
    workers : int, default=0
        Number of processes; with 0, everything is done in this one.
    """
    videos = _Videos(samples, clip, left, views=views, crops=crops, play=play)
    return DataLoader(videos, batch_size=None, num_workers=workers, collate_fn=_unchanged)


def _unchanged(item: Any) -> Any:
    """Keep an item: torch's default would turn the tuple of several inputs into a list."""
    return item


class _Videos(Dataset[Item]):
    """The views of some videos of a list."""

    def __init__(
        self,
        samples: SampleList,
        clip: ClipSpec,
        left: list[int],
        *,
        views: int,
        crops: int,
        play: Playback,
    ) -> None:
        self.samples, self.clip, self.left = samples, clip, left
        self.views, self.crops, self.play = views, crops, play

    def __len__(self) -> int:
        return len(self.left)

    def __getitem__(self, position: int) -> Item:
        index = self.left[position]
        sample = self.samples[index]
        try:
            with self.clip.input.open(sample) as track:
                inputs, _ = view_inputs(
                    track,
                    sample,
                    self.clip,
                    views=self.views,
                    crops=self.crops,
                    play=self.play,
                    sample=index,
                )
        except VideoError as error:
            return Item(index, torch.empty(0), error.problem)
        return Item(index, inputs, "")
