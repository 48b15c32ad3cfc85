"""The networks: one paper, one file, each with its entries (`ModelSpec`) in ``SPECS``."""

from zoopraxis.models.base import VideoClassifier
from zoopraxis.models.registry import (
    FAMILIES,
    ModelSize,
    family_of,
    list_models,
    model_size,
    model_spec,
)

__all__ = [
    "FAMILIES",
    "ModelSize",
    "VideoClassifier",
    "family_of",
    "list_models",
    "model_size",
    "model_spec",
]
