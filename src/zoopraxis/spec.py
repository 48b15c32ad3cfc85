"""What a network of the zoo is, and what its checkpoints are: frozen dataclasses."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from zoopraxis.inputs import ClipSpec

__all__ = ["ModelSpec", "Protocol", "Replacement", "Source", "Weights"]

Replacement = str | Callable[[re.Match[str]], str] | None
"""What a pattern in a foreign key becomes, as `re.sub` takes it; None drops the key."""


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One entry of the zoo.

    Parameters
    ----------
    name : str
        The name that `zoopraxis.create_model` takes.
    build : callable
        The class, or function, that makes the ``nn.Module``; it takes ``num_classes``.
    args : mapping
        Its arguments.
    clip : ClipSpec
        The clip that the model expects.
    strides : (int or None, int or None)
        Of the map that ``forward_features`` gives: frames and pixels of the input from one
        cell to the next. None along an axis that always has one cell.
    order_sensitive : bool, default=True
        Whether the prediction can depend on the order of the frames.
    """

    name: str
    build: Callable[..., Any]
    args: Mapping[str, Any] = field(default_factory=dict)
    clip: ClipSpec
    strides: tuple[int | None, int | None]
    order_sensitive: bool = True


@dataclass(frozen=True, kw_only=True)
class Source:
    """How a foreign state dict becomes ours.

    Parameters
    ----------
    rename : tuple of (str, Replacement)
        Ordered ``(pattern, replacement)`` for ``re.sub`` on every key. A key that matches
        a pattern whose replacement is None is dropped (auxiliary heads, for example).
    adapt : callable, optional
        From the renamed state dict to one whose tensors have our layout (transposed kernels,
        for example).
    build : callable, optional
        The class, or function, that makes this source's build of the network, where it differs
        from the paper's in more than arguments.
    args : mapping, optional
        Arguments in place of the entry's, that make the network this source's.
    """

    rename: tuple[tuple[str, Replacement], ...] = ()
    adapt: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    build: Callable[..., Any] | None = None
    args: Mapping[str, Any] = field(default_factory=dict)


_AGGREGATED: Mapping[str, str] = MappingProxyType(
    {
        "mean_probability": "mean of the probabilities",
        "mean_logit": "mean of the logits",
        "sum_logit": "sum of the logits",
        "max_probability": "maximum of the probabilities",
        "vote": "vote",
        "mean_sigmoid": "mean of the sigmoids",
        "max_sigmoid": "maximum of the sigmoids",
        "mean_given": "mean of the outputs",
    }
)
"""What `Protocol.mode` stands for, in words."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How an accuracy is measured. What is None is not stated, and nothing is made up for it.

    Parameters
    ----------
    views : int, optional
        Clips of each video.
    num_frames : int, optional
        Frames of a clip, where they are more or fewer than in training.
    crops : int, optional
        Crops of each clip: 1, 3, 5 or 10.
    size, resize : int, optional
        Side of the crops, and shorter side of the frames that are cropped, in pixels.
    convention : str, optional
        Whose rule chooses the frames: `zoopraxis.inputs.Sampling`.
    fully_convolutional : int, optional
        Side of the crops of training in pixels, where larger ones are seen through windows of that
        size: `zoopraxis.prediction.fully_convolutional`.
    mode : str, optional
        How the views are aggregated: a key of `zoopraxis.prediction.aggregate.MODES`.
    metric : {"top1", "mean_class"}, default="top1"
        What is called the accuracy: the fraction of videos, or its mean over the classes.
    note : str, default=""
        What these do not say: the list of videos, frames that no rule of ours chooses.
    """

    views: int | None = None
    num_frames: int | None = None
    crops: int | None = None
    size: int | None = None
    resize: int | None = None
    convention: str | None = None
    fully_convolutional: int | None = None
    mode: str | None = None
    metric: Literal["top1", "mean_class"] = "top1"
    note: str = ""

    def __str__(self) -> str:
        """Say it in a sentence.

        # 10 clips x 3 crops of 256 pixels, fully convolutional from 224, mean of the probabilities
        """
        clips = "" if self.views is None else f"{self.views} clip{'s'[: self.views > 1]}"
        if self.num_frames:
            clips = f"{clips or 'clips'} of {self.num_frames} frames"
        crops = {None: "", 1: "centre crop"}.get(self.crops, f"{self.crops} crops")
        if self.size:
            crops = f"{crops or 'crops'} of {self.size} pixels"
        several = clips and crops and self.crops not in (None, 1)
        parts = [f"{clips} x {crops}"] if several else [clips, crops]
        if self.resize:
            parts.append(f"frames resized to {self.resize}")
        if self.convention:
            parts.append(f"frames by {self.convention}")
        if self.fully_convolutional:
            parts.append(f"fully convolutional from {self.fully_convolutional}")
        if self.mode:
            parts.append(_AGGREGATED[self.mode])
        if self.metric == "mean_class":
            parts.append("mean over the classes")
        return "; ".join(filter(None, [", ".join(filter(None, parts)), self.note]))

    @property
    def clip(self) -> dict[str, Any]:
        """What it changes of the clip of training: arguments of `ClipSpec.change`."""
        changes = {
            name: getattr(self, name) for name in ("num_frames", "size", "resize", "convention")
        }
        return {name: value for name, value in changes.items() if value is not None}

    @property
    def options(self) -> dict[str, int]:
        """Its arguments of `zoopraxis.evaluate`: the views and crops that it states."""
        given = {"views": self.views, "crops": self.crops}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A published checkpoint.

    Parameters
    ----------
    model : str
        Name of the entry whose network it holds.
    tag : str
        What follows the dot in ``r3d_18.k400``: `zoopraxis.weights.tags` has the grammar.
    urls : tuple of str
        Addresses of the file, tried in order: ``https://...``, ``hf://owner/repo/file`` (Hugging
        Face) or ``gdrive://id`` (Google Drive).
    source : str
        Name of the model's `Source` that converts it.
    dataset : str
        What it was trained on.
    num_classes : int
        K.
    page : str, default=""
        Where a person finds the file, if it has no address of its own.
    file : str, default=""
        Name of the file, where the address does not say it.
    sha256 : str, default=""
        Hash of the file, or its beginning; empty where none is published.
    labels : str, default=""
        Name of the label list (`zoopraxis.data.labels`); empty where the order is not published.
    licence : str, default=""
        Of the weights. A non-commercial one must be accepted before they are downloaded.
    top1, top5, map : float or None
        Published accuracy, or mean average precision where clips have several labels, in percent.
    protocol : Protocol, optional
        How that was measured.
    clip : ClipSpec, optional
        The clip it was trained on, where that differs from the entry's.
    """

    model: str
    tag: str
    urls: tuple[str, ...] = ()
    source: str
    dataset: str
    num_classes: int
    page: str = ""
    file: str = ""
    sha256: str = ""
    labels: str = ""
    licence: str = ""
    top1: float | None = None
    top5: float | None = None
    map: float | None = None
    protocol: Protocol | None = None
    clip: ClipSpec | None = None

    @property
    def name(self) -> str:
        """How it is opened: model and tag."""
        return f"{self.model}.{self.tag}"

    @property
    def published(self) -> dict[str, float]:
        """The published numbers in percent, by the name of what is measured."""
        first = self.protocol.metric if self.protocol else "top1"
        numbers = {first: self.top1, "top5": self.top5, "map": self.map}
        return {name: value for name, value in numbers.items() if value is not None}
