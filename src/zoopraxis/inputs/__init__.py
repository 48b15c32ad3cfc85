"""What a network takes in: tracks, sampling, crops, augmentation, and a file per kind of input.

The names below load their modules, and torch where they need it, when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoopraxis.inputs.base import ClipSpec, Input, Inputs, Media, Track
    from zoopraxis.inputs.compressed import Compressed
    from zoopraxis.inputs.depth import Depth
    from zoopraxis.inputs.flow import Flow, RGBFlow
    from zoopraxis.inputs.heatmap import Heatmap
    from zoopraxis.inputs.kinds import KINDS, change_clip, clip_from_dict, clip_to_dict
    from zoopraxis.inputs.regions import Regions
    from zoopraxis.inputs.rgb import RGB, Grey, RGBDiff
    from zoopraxis.inputs.sampling import Sampling
    from zoopraxis.inputs.skeleton import Skeleton

_HOME = {
    "KINDS": "zoopraxis.inputs.kinds",
    "RGB": "zoopraxis.inputs.rgb",
    "ClipSpec": "zoopraxis.inputs.base",
    "Compressed": "zoopraxis.inputs.compressed",
    "Depth": "zoopraxis.inputs.depth",
    "Flow": "zoopraxis.inputs.flow",
    "Grey": "zoopraxis.inputs.rgb",
    "Heatmap": "zoopraxis.inputs.heatmap",
    "Input": "zoopraxis.inputs.base",
    "Inputs": "zoopraxis.inputs.base",
    "Media": "zoopraxis.inputs.base",
    "RGBDiff": "zoopraxis.inputs.rgb",
    "RGBFlow": "zoopraxis.inputs.flow",
    "Regions": "zoopraxis.inputs.regions",
    "Sampling": "zoopraxis.inputs.sampling",
    "Skeleton": "zoopraxis.inputs.skeleton",
    "Track": "zoopraxis.inputs.base",
    "change_clip": "zoopraxis.inputs.kinds",
    "clip_from_dict": "zoopraxis.inputs.kinds",
    "clip_to_dict": "zoopraxis.inputs.kinds",
}

__all__ = [
    "KINDS",
    "RGB",
    "ClipSpec",
    "Compressed",
    "Depth",
    "Flow",
    "Grey",
    "Heatmap",
    "Input",
    "Inputs",
    "Media",
    "RGBDiff",
    "RGBFlow",
    "Regions",
    "Sampling",
    "Skeleton",
    "Track",
    "change_clip",
    "clip_from_dict",
    "clip_to_dict",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'zoopraxis.inputs' has no attribute {name!r}")
