"""What a network of the zoo is, and what its checkpoints are: frozen dataclasses."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zoopraxis.inputs import ClipSpec

__all__ = ["ModelSpec", "Replacement", "Source", "Weights"]

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
    top1, top5 : float or None
        Published accuracy in percent.
    protocol : str, default=""
        How that accuracy was measured: views, crops, frames.
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
    protocol: str = ""
    clip: ClipSpec | None = None
