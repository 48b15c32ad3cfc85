"""What a model is and what it eats: frozen dataclasses, no torch."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["ClipSpec", "ModelSpec", "Replacement", "Source", "Weights"]

Replacement = str | Callable[[re.Match[str]], str] | None
"""What a pattern in a foreign key becomes, as `re.sub` takes it; None drops the key."""


@dataclass(frozen=True, kw_only=True)
class ClipSpec:
    """The clip a model was made for: how to sample, resize, crop and normalise.

    Parameters
    ----------
    frames : int, default=16
        T, the frames of one clip (of one segment each, with ``sampling="segments"``).
    stride : int, default=1
        Source frames from one clip frame to the next (dense sampling).
    fps : float or None, default=None
        Rate at which the video is read, by time stamp, before the stride counts
        frames; None takes every frame of the file.
    sampling : {"dense", "segments"}, default="dense"
        Dense clips of consecutive frames, or one frame from each of T equal segments (TSN).
    short : {"loop", "hold"}, default="loop"
        What a video shorter than the clip does: start again, or hold its last frame.
    resize : int or (int, int), default=256
        The shorter side in pixels, or (height, width) regardless of the aspect ratio.
    size : int, default=224
        S, the side of the square crop in pixels.
    mean, std : tuple of float
        Normalisation per channel, in units of ``value_range``, in ``channel_order``.
    channel_order : {"rgb", "bgr"}, default="rgb"
        Order of the colour channels in the model's input.
    value_range : float, default=1.0
        Pixels are scaled to [0, value_range] before ``mean`` and ``std``: 1 or 255.
    modality : {"rgb", "flow", "rgb_diff", "gray", "skeleton", "rgb_flow"}, default="rgb"
        What the channels hold; "rgb_flow" is RGB, then horizontal and vertical flow.
    stack : int, default=1
        Consecutive frames a segment takes: 1 for RGB, L for stacked optical flow.
    """

    frames: int = 16
    stride: int = 1
    fps: float | None = None
    sampling: Literal["dense", "segments"] = "dense"
    short: Literal["loop", "hold"] = "loop"
    resize: int | tuple[int, int] = 256
    size: int = 224
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    channel_order: Literal["rgb", "bgr"] = "rgb"
    value_range: float = 1.0
    modality: Literal["rgb", "flow", "rgb_diff", "gray", "skeleton", "rgb_flow"] = "rgb"
    stack: int = 1

    @property
    def channels(self) -> int:
        """Channels of the model's input: 3 for RGB, 2 for flow, 1 for grey."""
        counts = {"rgb": 3, "rgb_diff": 3, "flow": 2, "gray": 1, "skeleton": 3, "rgb_flow": 5}
        return counts[self.modality]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape (C, T, S, S) of one clip."""
        return (self.channels, self.frames * self.stack, self.size, self.size)


@dataclass(frozen=True, kw_only=True)
class Source:
    """How a foreign state dict becomes ours.

    Parameters
    ----------
    rename : tuple of (str, Replacement)
        Ordered ``(pattern, replacement)`` for ``re.sub`` on every key. A key that matches
        a pattern whose replacement is None is dropped (auxiliary heads, say).
    adapt : callable, optional
        From the renamed dict to one whose tensors have our layout (transposed kernels, say).
    args : mapping, optional
        Build arguments that make the network this source's: its eps, padding or rounding.
    """

    rename: tuple[tuple[str, Replacement], ...] = ()
    adapt: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A published checkpoint.

    Parameters
    ----------
    tag : str
        The part of a name behind the dot: ``r3d_18.kinetics400``.
    url : str
        Where it lies.
    source : str
        The name of the model's `Source` that converts it.
    dataset : str
        What it was trained on.
    num_classes : int
        K.
    file : str, default=""
        Name of the file, where the URL is a page or folder from which a person must fetch it.
    sha256 : str, default=""
        Hash of the file, or its beginning; empty where none is published.
    labels : str, default=""
        Name of the label list (`zoopraxis.data.labels`); empty where the order is not published.
    licence : str, default=""
        Of the weights.
    top1, top5 : float or None
        Published accuracy in percent.
    protocol : str, default=""
        How that accuracy was measured: views, crops, frames.
    clip : ClipSpec, optional
        What it was trained on, where that differs from the clip of the model's row.
    """

    tag: str
    url: str
    source: str
    dataset: str
    num_classes: int
    file: str = ""
    sha256: str = ""
    labels: str = ""
    licence: str = ""
    top1: float | None = None
    top5: float | None = None
    protocol: str = ""
    clip: ClipSpec | None = None


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One row of the zoo.

    Parameters
    ----------
    name : str
        What `zoopraxis.create_model` is asked for.
    build : callable
        The class, or function, that makes the ``nn.Module``; it takes ``num_classes``.
    args : mapping
        Its arguments.
    clip : ClipSpec
        What the model eats.
    params_m : float
        Millions of parameters with the default number of classes, as printed.
    macs_g : float
        Thousand millions of multiply-adds of convolutions and matrix products for one
        clip of ``clip.shape``, as printed.
    strides : (int or None, int or None)
        Of the map that ``forward_features`` gives: frames and pixels of the input from one
        cell to the next. None along an axis that always has one cell.
    order_sensitive : bool, default=True
        Whether the prediction can depend on the order of the frames.
    sources : mapping of str to Source
        The state dicts it can be loaded from.
    weights : tuple of Weights
        Published checkpoints.
    """

    name: str
    build: Callable[..., Any]
    args: Mapping[str, Any] = field(default_factory=dict)
    clip: ClipSpec
    params_m: float
    macs_g: float
    strides: tuple[int | None, int | None]
    order_sensitive: bool = True
    sources: Mapping[str, Source] = field(default_factory=dict)
    weights: tuple[Weights, ...] = ()
