"""Checkpoints of AAGCN: PYSKL's ("pyskl"), and the keys of the authors' code ("agcn").

The authors have published none. How PYSKL prepares joints: `zoopraxis.weights.stgcn_plus`.
"""

from collections.abc import Mapping

from zoopraxis.models.aagcn import SPECS
from zoopraxis.spec import Source
from zoopraxis.weights.keys.agcn import AGCN_BLOCKS, EMBEDDINGS
from zoopraxis.weights.keys.pyskl import GRAPH_BLOCKS, Stream, skeleton_weights

__all__ = ["SOURCES", "WEIGHTS"]

_PYSKL = Source(
    rename=(
        (r"^backbone\.A$", None),  # where the learned graphs started
        *GRAPH_BLOCKS,
        *EMBEDDINGS,
    )
)
_AGCN = Source(rename=(*AGCN_BLOCKS, *EMBEDDINGS))

SOURCES: Mapping[str, Mapping[str, Source]] = {
    spec.name: {"agcn": _AGCN, "pyskl": _PYSKL} for spec in SPECS
}

_TOP1: Mapping[tuple[str, str], Mapping[Stream, float]] = {
    ("ntu60_xsub", "3dkp"): {"j": 89.0, "b": 89.1, "jm": 86.9, "bm": 86.6},
    ("ntu60_xview", "3dkp"): {"j": 95.7, "b": 95.2, "jm": 93.9, "bm": 92.4},
    ("ntu120_xsub", "3dkp"): {"j": 82.8, "b": 84.7, "jm": 80.0, "bm": 80.2},
    ("ntu120_xset", "3dkp"): {"j": 84.8, "b": 86.2, "jm": 82.0, "bm": 82.8},
    ("ntu60_xsub", "hrnet"): {"j": 89.7, "jm": 88.7},
    ("ntu60_xview", "hrnet"): {"j": 97.1, "jm": 95.5},
    ("ntu120_xsub", "hrnet"): {"j": 80.2, "jm": 80.9},
    ("ntu120_xset", "hrnet"): {"j": 86.3, "jm": 85.1},
}

WEIGHTS = tuple(
    skeleton_weights(
        "aagcn_ntu" if joints == "3dkp" else "aagcn_coco",
        f"aagcn/aagcn_pyskl_{data}_{joints}",
        data,
        stream,
        top1,
        origin="pyskl_",
    )
    for (data, joints), streams in _TOP1.items()
    for stream, top1 in streams.items()
)
