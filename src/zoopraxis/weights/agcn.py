"""Keys of 2s-AGCN's official code ("agcn"). Its authors have published no checkpoints."""

from collections.abc import Mapping

from zoopraxis.models.agcn import SPECS
from zoopraxis.spec import Source, Weights
from zoopraxis.weights.keys.agcn import AGCN_BLOCKS, EMBEDDINGS

__all__ = ["SOURCES", "WEIGHTS"]

_AGCN = Source(rename=(*AGCN_BLOCKS, *EMBEDDINGS))

SOURCES: Mapping[str, Mapping[str, Source]] = {spec.name: {"agcn": _AGCN} for spec in SPECS}
WEIGHTS: tuple[Weights, ...] = ()
