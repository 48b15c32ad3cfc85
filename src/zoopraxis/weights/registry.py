"""Sources and published checkpoints by the name of their model."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

from zoopraxis.errors import ModelNotFoundError, did_you_mean
from zoopraxis.models.base import VideoClassifier
from zoopraxis.models.registry import family_of, model_spec
from zoopraxis.spec import Source, Weights

__all__ = ["build_network", "find_source", "find_weights", "sources_of", "weights_of"]


@cache
def _module(family: str) -> Any:
    """Return the module of a family, None for one without foreign checkpoints."""
    name = f"zoopraxis.weights.{family}"
    return import_module(name) if find_spec(name) else None


def sources_of(name: str) -> Mapping[str, Source]:
    """Return the sources whose state dicts a model can load, by name."""
    sources: Mapping[str, Mapping[str, Source]] = getattr(_module(family_of(name)), "SOURCES", {})
    return MappingProxyType(dict(sources.get(name, {})))


def weights_of(name: str) -> tuple[Weights, ...]:
    """Return the published checkpoints of a model."""
    published: tuple[Weights, ...] = getattr(_module(family_of(name)), "WEIGHTS", ())
    return tuple(weights for weights in published if weights.model == name)


def find_source(name: str, source: str) -> Source:
    """Return a model's source by name.

    Raises
    ------
    ModelNotFoundError
        The model has no such source; the hint lists those it has.
    """
    sources = sources_of(name)
    if source in sources:
        return sources[source]
    known = ", ".join(sources) or "none"
    raise ModelNotFoundError(f"{name} has no source called {source!r}", f"known: {known}")


def find_weights(name: str, tag: str) -> Weights:
    """Return a model's published checkpoint by tag.

    Raises
    ------
    ModelNotFoundError
        The model has no such checkpoint; the hint lists those it has.
    """
    tags = {weights.tag: weights for weights in weights_of(name)}
    if tag in tags:
        return tags[tag]
    raise ModelNotFoundError(f"{name} has no weights called {tag!r}", did_you_mean(tag, tags))


def build_network(
    name: str, *, source: str = "", num_classes: int | None = None, **args: Any
) -> VideoClassifier:
    """Build a network with random weights, as in the paper or as a source builds it.

    Parameters
    ----------
    name : str
        A name from `zoopraxis.list_models`.
    source : str, default=""
        One of `sources_of`; empty is the paper's own build.
    num_classes : int, optional
        K; by default that of the entry.
    **args
        Arguments of the constructor that override those of the entry and of the source.

    Raises
    ------
    ModelNotFoundError
        No model or source has that name.
    """
    spec = model_spec(name)
    variant = find_source(name, source) if source else Source()
    arguments = {**spec.args, **variant.args, **args}
    if num_classes is not None:
        arguments["num_classes"] = num_classes
    network: VideoClassifier = (variant.build or spec.build)(**arguments)
    return network
