"""Sources and published checkpoints of the networks: one file per family."""

from zoopraxis.weights.registry import (
    build_network,
    find_source,
    find_weights,
    sources_of,
    weights_of,
)

__all__ = ["build_network", "find_source", "find_weights", "sources_of", "weights_of"]
