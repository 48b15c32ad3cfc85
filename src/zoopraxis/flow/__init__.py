"""Optical flow: methods by name, and the flow of frames."""

from collections.abc import Mapping

from zoopraxis.errors import ZoopraxisError, did_you_mean
from zoopraxis.flow.base import FlowMethod, compute_flow
from zoopraxis.flow.camera import Warped, estimate_homography
from zoopraxis.flow.learned import PTLFlow
from zoopraxis.flow.opencv import DIS, Farneback
from zoopraxis.flow.tvl1 import TVL1, TVL1Torch, tvl1_flow

__all__ = [
    "DIS",
    "METHODS",
    "TVL1",
    "Farneback",
    "FlowMethod",
    "PTLFlow",
    "TVL1Torch",
    "Warped",
    "compute_flow",
    "estimate_homography",
    "flow_method",
    "tvl1_flow",
]

METHODS: Mapping[str, type[FlowMethod]] = {
    kind.name: kind for kind in (DIS, Farneback, TVL1, TVL1Torch)
}
"""Methods of optical flow by name; `flow_method` knows those made of others too."""


def flow_method(name: str) -> FlowMethod:
    """Choose a method of optical flow by name, with its default parameters.

    Parameters
    ----------
    name : str
        A name in `METHODS`; ``warped:METHOD``, another method after the motion of the camera is
        taken away; or ``ptlflow:NETWORK`` and ``ptlflow:NETWORK:CHECKPOINT``, a learned network.

    Raises
    ------
    ZoopraxisError
        There is none of this name.

    Examples
    --------
    >>> flow_method("warped:dis")
    Warped(method=DIS(preset='medium'))
    >>> flow_method("ptlflow:raft:sintel")
    PTLFlow(network='raft', checkpoint='sintel')
    """
    kind, _, of = name.partition(":")
    if kind == Warped.name and of:
        return Warped(method=flow_method(of))
    if kind == PTLFlow.name and of:
        network, _, checkpoint = of.partition(":")
        return PTLFlow(network=network, **({"checkpoint": checkpoint} if checkpoint else {}))
    if name not in METHODS:
        known = [*METHODS, f"{Warped.name}:METHOD", f"{PTLFlow.name}:NETWORK"]
        raise ZoopraxisError(f"unknown method of optical flow {name!r}", did_you_mean(name, known))
    return METHODS[name]()
