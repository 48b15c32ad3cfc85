"""Checkpoints of CoViAR: of the authors' code ("coviar"), which published none.

DMC-Net's authors trained the same networks with the same keys. "torchvision" loads the image
network from which the network of I-frames is trained.
"""

from collections.abc import Mapping

from zoopraxis.models.coviar import SPECS
from zoopraxis.spec import Source, Weights
from zoopraxis.weights.keys import RENAME_SEGMENTS
from zoopraxis.weights.keys.resnet2d import RENAME_RESNET2D

__all__ = ["SOURCES", "WEIGHTS"]

_COVIAR = Source(
    rename=((r"^data_bn\.", "input_norm."), *RENAME_SEGMENTS, *RENAME_RESNET2D),
)
_TORCHVISION = Source(
    rename=((r"^fc\.", "head.linear."), (r"^(?!head\.)", "backbone."), *RENAME_RESNET2D)
)

SOURCES: Mapping[str, Mapping[str, Source]] = {
    **{spec.name: {"coviar": _COVIAR} for spec in SPECS},
    "coviar_iframe_r152_3": {"coviar": _COVIAR, "torchvision": _TORCHVISION},
}

WEIGHTS: tuple[Weights, ...] = ()
