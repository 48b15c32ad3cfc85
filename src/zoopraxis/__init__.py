"""zoopraxis: action recognition from video in PyTorch.

The names below load their modules, and torch, when first used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "ClipSpec": "zoopraxis.inputs",
    "convert_state_dict": "zoopraxis.checkpoints.convert",
    "create_model": "zoopraxis.checkpoints.create",
    "evaluate": "zoopraxis.evaluation.evaluate",
    "extract_features": "zoopraxis.prediction.pipeline",
    "list_models": "zoopraxis.models",
    "model_spec": "zoopraxis.models",
    "open_model": "zoopraxis.checkpoints.saved",
    "open_video": "zoopraxis.video",
    "predict": "zoopraxis.prediction.pipeline",
    "train": "zoopraxis.training.loop",
}

__all__ = [
    "ClipSpec",
    "convert_state_dict",
    "create_model",
    "evaluate",
    "extract_features",
    "list_models",
    "model_spec",
    "open_model",
    "open_video",
    "predict",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'zoopraxis' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
