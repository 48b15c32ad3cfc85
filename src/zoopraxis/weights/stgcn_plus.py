"""Published checkpoints of ST-GCN++, from its authors ("pyskl").

Their clips have joints prepared as PYSKL does: those of NTU RGB+D relative to the middle of the
spine in the first frame, turned so that the spine points along z there (``PreNormalize3D``, our
``normalise="upright"``); those in the image as fractions of half its size from its middle, -1 to 1
(``PreNormalize2D``, ``normalise="image"``). Of more than two people in the image, PYSKL takes the
first two of the file, we those with the highest scores in every frame. Two of the four streams on
COCO's joints are not here: PYSKL's bones run from the nose to the hips, ours from the shoulders. In
PYSKL's graph of NTU RGB+D, thumb and finger tips are joined to the hand; in ours, as in that of
2s-AGCN, the thumb lies between. A checkpoint brings its own graph.
"""

from collections.abc import Mapping

from zoopraxis.models.stgcn_plus import SPECS
from zoopraxis.spec import Source
from zoopraxis.weights.keys.pyskl import GRAPH_BLOCKS, Stream, skeleton_weights

__all__ = ["SOURCES", "WEIGHTS"]

_PYSKL = Source(
    rename=(
        *GRAPH_BLOCKS,
        (r"\.graph\.A$", ".graph.adjacency"),
        (r"\.graph\.conv\.", ".graph.conv.conv."),
        (r"\.graph\.bn\.", ".graph.norm."),
        (r"\.time\.transform\.0\.", ".time.joined_norm."),
        (r"\.time\.transform\.2\.", ".time.join."),
        (r"\.time\.bn\.", ".time.norm."),
        (r"(\.branches\.\d\.3)\.conv\.", r"\1."),
    )
)

SOURCES: Mapping[str, Mapping[str, Source]] = {spec.name: {"pyskl": _PYSKL} for spec in SPECS}

_TOP1: Mapping[tuple[str, str], Mapping[Stream, float]] = {
    ("ntu60_xsub", "3dkp"): {"j": 89.3, "b": 90.1, "jm": 87.5, "bm": 87.3},
    ("ntu60_xview", "3dkp"): {"j": 95.6, "b": 95.5, "jm": 94.3, "bm": 93.8},
    ("ntu120_xsub", "3dkp"): {"j": 83.2, "b": 85.6, "jm": 80.4, "bm": 81.5},
    ("ntu120_xset", "3dkp"): {"j": 85.6, "b": 87.5, "jm": 84.3, "bm": 83.0},
    ("ntu60_xsub", "hrnet"): {"j": 89.3, "jm": 84.0},
    ("ntu60_xview", "hrnet"): {"j": 97.4, "jm": 93.4},
    ("ntu120_xsub", "hrnet"): {"j": 84.4, "jm": 76.4},
    ("ntu120_xset", "hrnet"): {"j": 88.1, "jm": 82.6},
}

WEIGHTS = tuple(
    skeleton_weights(
        "stgcn_plus_ntu" if joints == "3dkp" else "stgcn_plus_coco",
        f"stgcnpp/stgcnpp_{data}_{joints}",
        data,
        stream,
        top1,
    )
    for (data, joints), streams in _TOP1.items()
    for stream, top1 in streams.items()
)
