"""Published checkpoints of the 3D DenseNet of Hara et al., in the folder of their 3D ResNets.

The authors' script cannot build these networks, as it passes an argument that the constructor does
not have; calling the constructor directly works.
"""

from collections.abc import Mapping

from zoopraxis.models.densenet3d import SPECS
from zoopraxis.spec import Source, Weights
from zoopraxis.weights.resnet3d import weights_2018

__all__ = ["SOURCES", "WEIGHTS"]

_HARA = Source(
    rename=(
        (r"^features\.conv[01]\.", "stem.conv."),
        (r"^features\.norm[01]\.", "stem.norm."),
        (r"\.(norm|conv)\.(\d)\.", r".\1\2."),  # the code of 2018
        (
            r"^features\.denseblock(\d)\.denselayer(\d+)\.",
            lambda m: f"blocks.{int(m[1]) - 1}.{int(m[2]) - 1}.",
        ),
        (r"^features\.transition(\d)\.", lambda m: f"transitions.{int(m[1]) - 1}."),
        (r"^features\.norm5\.", "norm."),
        (r"^classifier\.", "head.linear."),
    )
)
SOURCES: Mapping[str, Mapping[str, Source]] = {spec.name: {"hara": _HARA} for spec in SPECS}
WEIGHTS: tuple[Weights, ...] = (
    weights_2018("densenet3d_121", "densenet-121-kinetics.pth", 59.7, 81.9),
    weights_2018("densenet3d_201", "densenet-201-kinetics.pth", 61.3, 83.3),
)
