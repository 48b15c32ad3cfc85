"""Optical flow: methods by name, and the flow of frames."""

from collections.abc import Mapping

from zoopraxis.errors import ZoopraxisError, did_you_mean
from zoopraxis.flow.base import FlowMethod, compute_flow
from zoopraxis.flow.opencv import DIS, Farneback
from zoopraxis.flow.tvl1 import TVL1

__all__ = ["DIS", "METHODS", "TVL1", "Farneback", "FlowMethod", "compute_flow", "flow_method"]

METHODS: Mapping[str, type[FlowMethod]] = {kind.name: kind for kind in (DIS, Farneback, TVL1)}
"""Methods of optical flow by name."""


def flow_method(name: str) -> FlowMethod:
    """Choose a method of optical flow by name, with its default parameters.

    Raises
    ------
    ZoopraxisError
        There is none of this name.
    """
    if name not in METHODS:
        raise ZoopraxisError(
            f"unknown method of optical flow {name!r}", did_you_mean(name, METHODS)
        )
    return METHODS[name]()
