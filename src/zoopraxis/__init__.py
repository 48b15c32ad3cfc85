"""zoopraxis: action recognition from video in PyTorch.

The names below load their modules, and torch, when first used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "convert_state_dict": "zoopraxis.checkpoints.convert",
    "create_model": "zoopraxis.models",
    "extract_features": "zoopraxis.prediction.pipeline",
    "list_models": "zoopraxis.models",
    "model_spec": "zoopraxis.models",
    "open_video": "zoopraxis.video",
    "predict": "zoopraxis.prediction.pipeline",
}

__all__ = [
    "convert_state_dict",
    "create_model",
    "extract_features",
    "list_models",
    "model_spec",
    "open_video",
    "predict",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'zoopraxis' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
