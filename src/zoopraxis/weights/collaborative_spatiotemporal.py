"""Keys of the authors' code of CoST, which is based on mmaction2; no checkpoint is published."""

from collections.abc import Mapping

from zoopraxis.models.collaborative_spatiotemporal import SPECS
from zoopraxis.spec import Source, Weights
from zoopraxis.weights.keys.resnet3d import RENAME_MMACTION2

__all__ = ["SOURCES", "WEIGHTS"]

_COST = Source(
    rename=(
        (r"\.conv\.fc1\.", ".conv.mix_channels."),
        (r"\.conv\.fc2\.", ".conv.mix_views."),
        *RENAME_MMACTION2,
    )
)
SOURCES: Mapping[str, Mapping[str, Source]] = {spec.name: {"cost": _COST} for spec in SPECS}
WEIGHTS: tuple[Weights, ...] = ()
